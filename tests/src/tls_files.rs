use std::path::{Path, PathBuf};

/// A certificate authority, and a certificate for `localhost` and `127.0.0.1` that it signed, as
/// PEM files in a folder.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The authority's certificate.
    pub ca: PathBuf,
    /// The server's certificate.
    pub cert: PathBuf,
    /// The server's private key.
    pub key: PathBuf,
}

impl TlsFiles {
    /// Writes new ones into `folder`.
    pub fn write_into(folder: &Path) -> anyhow::Result<Self> {
        let mut authority = rcgen::CertificateParams::new(Vec::new())?;
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        authority.distinguished_name.push(rcgen::DnType::CommonName, "Test authority");
        authority.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
        let authority_key = rcgen::KeyPair::generate()?;
        let authority_certificate = authority.self_signed(&authority_key)?;
        let issuer = rcgen::Issuer::new(authority, authority_key);

        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let server = rcgen::CertificateParams::new(names)?;
        let server_key = rcgen::KeyPair::generate()?;
        let server_certificate = server.signed_by(&server_key, &issuer)?;

        let files = Self {
            ca: folder.join("ca.pem"),
            cert: folder.join("cert.pem"),
            key: folder.join("key.pem"),
        };
        std::fs::write(&files.ca, authority_certificate.pem())?;
        std::fs::write(&files.cert, server_certificate.pem())?;
        std::fs::write(&files.key, server_key.serialize_pem())?;
        Ok(files)
    }
}
