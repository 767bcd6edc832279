//! Files for their user alone: their folders, locks beside them, and who may read them.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::error::{Error, ErrorCode, Result};

/// What stands in the file; none if there is no file, or nothing in it.
///
/// # Errors
/// `store_failed` if it cannot be read, or others may read it too.
pub(crate) fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(path, "cannot be read", &e)),
    };
    check_private(path, &file)?;
    let mut text = Zeroizing::new(Vec::new());
    file.take(LARGEST).read_to_end(&mut text).map_err(|e| failed(path, "cannot be read", &e))?;
    Ok((!text.trim_ascii().is_empty()).then_some(text))
}

/// The folder in which the file stands.
pub(crate) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The file whose lock stands for this one; it is never replaced.
pub(crate) fn lock_path(path: &Path) -> PathBuf {
    beside(path, ".lock")
}

/// The file of this name and `tail`.
pub(crate) fn beside(path: &Path, tail: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(tail);
    PathBuf::from(name)
}

/// The folder of this file, for its user alone.
pub(crate) fn create_folder(path: &Path) -> Result<()> {
    let folder = folder(path);
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|e| failed(folder, "cannot be made", &e))
}

/// Makes files that their user alone may read.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(not(unix))]
fn check_private(_path: &Path, _file: &File) -> Result<()> {
    // The user's profile folder is private to the user there.
    Ok(())
}

/// A refresh token that others may read is not used: it is already in doubt.
#[cfg(unix)]
fn check_private(path: &Path, file: &File) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let seen = file.metadata().map_err(|e| failed(path, "cannot be examined", &e))?;
    let shown = path.display();
    if seen.mode() & 0o077 != 0 {
        return Err(Error::new(ErrorCode::StoreFailed, format!("{shown} may be read or written by others"))
            .with_hint(format!("Run: chmod 600 {shown}")));
    }
    if own_uid().is_some_and(|uid| uid != seen.uid()) {
        return Err(Error::new(
            ErrorCode::StoreFailed,
            format!("{shown} belongs to another user (uid {})", seen.uid()),
        )
        .with_hint("Run this program as that user, or set store.path to a file of its own."));
    }
    Ok(())
}

/// This process's user, where the system tells it without a system call of our own.
#[cfg(unix)]
pub(crate) fn own_uid() -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").ok().map(|seen| seen.uid())
}

#[cfg(not(unix))]
pub(crate) fn own_uid() -> Option<u32> {
    None
}

/// `store_failed`, naming the file.
pub(crate) fn failed(path: &Path, what: &str, error: &std::io::Error) -> Error {
    Error::new(ErrorCode::StoreFailed, format!("the token store {} {what}: {error}", path.display()))
        .with_hint("Check that the user running this program may read and write it, or set store.path.")
}

/// A file larger than this is not read.
pub(crate) const LARGEST: u64 = 16 << 20;
