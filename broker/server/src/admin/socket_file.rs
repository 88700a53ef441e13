use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::AdminError;

/// The file of a Unix socket that this process listens on; removed when this is dropped.
#[derive(Debug)]
pub(crate) struct SocketFile(PathBuf);

impl SocketFile {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Listens at `path`, for this user alone. A file that a dead broker has left is replaced.
    ///
    /// # Errors
    /// If a broker answers there, or the system does not make the socket.
    pub(super) fn bind(path: &Path) -> Result<(UnixListener, Self), AdminError> {
        check_free(path)?;
        let failed = |source| AdminError::Socket { path: path.to_owned(), source };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        // It gets its name only once nobody else may open it.
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}", std::process::id()));
        let beside = PathBuf::from(beside);
        // One of a process that had the same number.
        let _ = fs::remove_file(&beside);
        let listener = UnixListener::bind(&beside).map_err(failed)?;
        fs::set_permissions(&beside, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        fs::rename(&beside, path).map_err(failed)?;
        Ok((listener, Self(path.to_owned())))
    }
}

fn check_free(path: &Path) -> Result<(), AdminError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(AdminError::Socket { path: path.to_owned(), source }),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(AdminError::NoSocket(path.to_owned()));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(source) => Err(AdminError::Socket { path: path.to_owned(), source }),
        Ok(_) => Err(AdminError::Live(path.to_owned())),
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // What is left over is replaced by the next broker.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_for_its_user_alone_and_goes_with_the_broker() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/admin.sock");
        let (_listener, file) = SocketFile::bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn a_socket_that_a_dead_broker_left_is_replaced_and_a_live_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        drop(UnixListener::bind(&path).unwrap());
        let (_listener, _file) = SocketFile::bind(&path).unwrap();
        let error = SocketFile::bind(&path).unwrap_err().to_string();
        assert!(error.contains("admin.sock belongs to a broker that runs already"), "{error}");
    }

    #[test]
    fn a_file_that_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        fs::write(&path, "mine").unwrap();
        assert!(matches!(SocketFile::bind(&path), Err(AdminError::NoSocket(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }
}
