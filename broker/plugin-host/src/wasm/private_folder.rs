use std::fs::{self, DirBuilder, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// The full path of a folder that nobody but the user of this process may write to; made if there
/// is none.
///
/// # Errors
/// Why there is no such folder.
pub(super) fn private_folder(folder: &Path) -> Result<PathBuf, String> {
    if let Some(above) = folder.parent() {
        fs::create_dir_all(above).map_err(|error| format!("{}: {error}", above.display()))?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error.to_string()),
        _ => {}
    }
    let found = fs::symlink_metadata(folder).map_err(|error| error.to_string())?;
    if !found.is_dir() {
        return Err("it is no folder".to_owned());
    }
    check_private(&found)?;
    fs::canonicalize(folder).map_err(|error| error.to_string())
}

/// # Errors
/// Who else may write there.
pub(super) fn check_private(found: &Metadata) -> Result<(), String> {
    check_owner_and_mode(found.uid(), geteuid().as_raw(), found.mode() & 0o7777)
}

fn check_owner_and_mode(owner: u32, us: u32, mode: u32) -> Result<(), String> {
    if owner != us {
        return Err(format!("it belongs to user {owner}, and the broker runs as user {us}"));
    }
    if mode & 0o022 != 0 {
        return Err(format!(
            "others may write there (mode {mode:04o}): remove it, to have it made"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::{check_owner_and_mode, private_folder};

    #[test]
    fn a_folder_is_made_for_this_user_alone() {
        let place = tempfile::tempdir().unwrap();
        let folder = private_folder(&place.path().join("above/here")).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(private_folder(&folder).unwrap(), folder);
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_refused() {
        let place = tempfile::tempdir().unwrap();
        for mode in [0o770, 0o702, 0o1777] {
            fs::set_permissions(place.path(), Permissions::from_mode(mode)).unwrap();
            let why = private_folder(place.path()).unwrap_err();
            assert!(why.contains(&format!("others may write there (mode {mode:04o})")), "{why}");
        }
    }

    #[test]
    fn what_belongs_to_somebody_else_is_refused() {
        assert_eq!(check_owner_and_mode(1000, 1000, 0o755), Ok(()));
        let why = check_owner_and_mode(1001, 1000, 0o700).unwrap_err();
        assert!(why.contains("belongs to user 1001, and the broker runs as user 1000"), "{why}");
    }

    #[test]
    fn a_link_or_a_file_is_no_folder() {
        let place = tempfile::tempdir().unwrap();
        let (link, file) = (place.path().join("link"), place.path().join("file"));
        symlink(place.path(), &link).unwrap();
        fs::write(&file, "").unwrap();
        assert_eq!(private_folder(&link).unwrap_err(), "it is no folder");
        assert_eq!(private_folder(&file).unwrap_err(), "it is no folder");
    }
}
