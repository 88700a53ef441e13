//! Certificates and keys of TLS listeners, read from PEM files.

mod validity;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};

use validity::Validity;

/// A certificate chain and its key that belong together.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The file of the chain, the server's own certificate first.
    pub cert: PathBuf,
    /// The file of the key.
    pub key: PathBuf,
    /// What does not prevent serving but somebody should look at: an expired certificate.
    pub warning: Option<String>,
    certified: Arc<CertifiedKey>,
}

impl TlsFiles {
    /// Whether clients would see the same certificates.
    pub(crate) fn shows_the_same(&self, other: &Self) -> bool {
        self.certified.cert == other.certified.cert
    }
}

/// Why two files do not make a TLS listener.
#[derive(Debug)]
pub enum TlsError {
    /// It cannot be read.
    Unreadable(PathBuf, std::io::Error),
    /// It holds no section of this kind.
    NoPem(PathBuf, &'static str),
    /// A section of it is broken.
    BadPem(PathBuf, String),
    /// The key is of another certificate.
    Mismatch {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The pair is not usable.
    Unusable {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        why: rustls::Error,
    },
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Self::NoPem(path, kind) => {
                write!(f, "{} holds no {kind} in PEM (-----BEGIN …-----)", path.display())
            }
            Self::BadPem(path, error) => write!(f, "{} is broken: {error}", path.display()),
            Self::Mismatch { cert, key } => write!(
                f,
                "the key in {} does not belong to the certificate in {}",
                key.display(),
                cert.display()
            ),
            Self::Unusable { cert, key, why } => {
                write!(f, "{} and {} cannot be used: {why}", cert.display(), key.display())
            }
        }
    }
}

impl std::error::Error for TlsError {}

/// Reads and checks a certificate chain and its key.
///
/// # Errors
/// Names the file and the reason: unreadable, not PEM, not belonging together.
pub(crate) fn load(cert: PathBuf, key: PathBuf) -> Result<TlsFiles, TlsError> {
    let chain = read_chain(&cert)?;
    let private = read_key(&key)?;
    let warning = chain.first().and_then(|own| expiry_warning(&cert, own));
    let certified = CertifiedKey::from_der(chain, private, &ring::default_provider());
    match certified {
        Ok(certified) => Ok(TlsFiles { cert, key, warning, certified: Arc::new(certified) }),
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(TlsError::Mismatch { cert, key })
        }
        Err(why) => Err(TlsError::Unusable { cert, key, why }),
    }
}

/// The certificates in a PEM file.
pub(crate) fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| pem_error(path, "certificate", error))?;
    if certificates.is_empty() {
        return Err(TlsError::NoPem(path.to_owned(), "certificate"));
    }
    Ok(certificates)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| pem_error(path, "private key", error))
}

fn pem_error(path: &Path, kind: &'static str, error: pem::Error) -> TlsError {
    match error {
        pem::Error::Io(error) => TlsError::Unreadable(path.to_owned(), error),
        pem::Error::NoItemsFound => TlsError::NoPem(path.to_owned(), kind),
        other => TlsError::BadPem(path.to_owned(), other.to_string()),
    }
}

fn expiry_warning(path: &Path, certificate: &CertificateDer<'_>) -> Option<String> {
    let validity = Validity::of(certificate)?;
    let now = UnixTime::now().as_secs();
    let path = path.display();
    if now > validity.not_after {
        let days = (now - validity.not_after) / 86_400;
        return Some(format!(
            "the certificate in {path} expired {days} days ago; clients will refuse it"
        ));
    }
    (now < validity.not_before)
        .then(|| format!("the certificate in {path} is not valid yet; clients will refuse it"))
}

/// The certificate that a listener shows, exchangeable while it listens.
#[derive(Debug)]
pub(crate) struct CertificateSlot(ArcSwap<CertifiedKey>);

impl CertificateSlot {
    pub(crate) fn new(files: &TlsFiles) -> Arc<Self> {
        Arc::new(Self(ArcSwap::new(Arc::clone(&files.certified))))
    }

    /// Shows this one from the next handshake on.
    pub(crate) fn replace(&self, files: &TlsFiles) {
        self.0.store(Arc::clone(&files.certified));
    }

    /// TLS 1.2 and 1.3 with this certificate.
    pub(crate) fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, rustls::Error> {
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(rustls::DEFAULT_VERSIONS)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Self>::clone(self));
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for CertificateSlot {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with_pair() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        std::fs::write(&cert, pair.cert.pem()).unwrap();
        std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
        (folder, cert, key)
    }

    #[test]
    fn a_certificate_and_its_key_are_taken() {
        let (_folder, cert, key) = folder_with_pair();
        let files = load(cert, key).unwrap();
        assert_eq!(files.warning, None);
        assert!(CertificateSlot::new(&files).server_config().is_ok());
    }

    #[test]
    fn a_key_of_another_certificate_is_named() {
        let (_folder, cert, _) = folder_with_pair();
        let (_other, _, key) = folder_with_pair();
        let error = load(cert, key).unwrap_err().to_string();
        assert!(error.contains("key.pem does not belong to the certificate in"), "{error}");
    }

    #[test]
    fn a_file_that_is_not_pem_is_named() {
        let (folder, _, key) = folder_with_pair();
        let cert = folder.path().join("cert.der");
        std::fs::write(&cert, "no certificate").unwrap();
        let error = load(cert, key).unwrap_err().to_string();
        assert!(
            error.ends_with("cert.der holds no certificate in PEM (-----BEGIN …-----)"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_file_is_named_with_the_reason() {
        let (folder, cert, _) = folder_with_pair();
        let error = load(cert, folder.path().join("none.pem")).unwrap_err().to_string();
        assert!(error.contains("none.pem: No such file"), "{error}");
    }

    #[test]
    fn an_expired_certificate_is_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        let cert = params.self_signed(&key).unwrap();
        let (cert_path, key_path) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        std::fs::write(&cert_path, cert.pem()).unwrap();
        std::fs::write(&key_path, key.serialize_pem()).unwrap();

        let warning = load(cert_path, key_path).unwrap().warning.unwrap();

        assert!(warning.contains("cert.pem expired "), "{warning}");
    }
}
