//! A file that is sent: opened once, read wherever its turn comes.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;

use crate::config::FilePolicy;
use crate::error::{Error, ErrorCode, Result};
use crate::input::FieldPath;

/// An open regular file. What is sent is what it held when it was opened, or nothing: a change is an error.
#[derive(Debug)]
pub(crate) struct OpenFile {
    file: File,
    path: PathBuf,
    size: u64,
    modified: Option<SystemTime>,
    place: FieldPath,
}

impl OpenFile {
    /// Opens `path`, if `policy` lets it be read. Blocks on the file system.
    ///
    /// # Errors
    /// `message_invalid` where the policy forbids it, `attachment_unreadable`.
    pub(super) fn open(path: &Path, policy: &FilePolicy, place: &FieldPath) -> Result<Self> {
        let path = allowed(path, policy, place)?;
        let wrap = |e: io::Error| unreadable(&path, &e.to_string(), place);
        let regular = |meta: &fs::Metadata| match meta.is_file() {
            true => Ok(()),
            false if meta.is_dir() => Err(unreadable(&path, "it is a folder", place)),
            false => Err(unreadable(&path, "it is not a regular file", place)),
        };
        // Looked at before it is opened: opening a FIFO waits for a writer.
        regular(&fs::metadata(&path).map_err(wrap)?)?;
        let file = File::open(&path).map_err(|e| {
            // Too many files are open in this process, or on this machine: that passes.
            let passing = cfg!(unix) && matches!(e.raw_os_error(), Some(23 | 24));
            wrap(e).with_retryable(passing)
        })?;
        let meta = file.metadata().map_err(wrap)?;
        regular(&meta)?;
        let modified = meta.modified().ok();
        Ok(Self { file, size: meta.len(), modified, place: place.clone(), path })
    }

    /// Octets when it was opened; 0 also for files that do not know, such as /proc's.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// All of it. Blocks on the file system.
    ///
    /// # Errors
    /// `attachment_unreadable`.
    pub(super) fn load(&self) -> Result<Bytes> {
        let limit = if self.size == 0 { UNSIZED } else { self.size };
        let mut out = Vec::with_capacity(usize::try_from(self.size).unwrap_or(0));
        (&self.file).take(limit).read_to_end(&mut out).map_err(|e| self.unreadable(&e.to_string()))?;
        if out.len() as u64 == UNSIZED {
            return Err(self.unreadable("it does not say how large it is, and has more than 64 MiB"));
        }
        self.check_unchanged()?;
        Ok(out.into())
    }

    /// Fills `out` with what stands at `at`. Blocks on the file system.
    ///
    /// # Errors
    /// `attachment_unreadable`, also if the file has become shorter.
    pub(super) fn read_exact_at(&self, out: &mut [u8], at: u64) -> Result<()> {
        let mut done = 0;
        // Each turn reads something, or ends.
        while done < out.len() {
            match read_at(&self.file, &mut out[done..], at + done as u64) {
                Ok(0) => return Err(self.unreadable("it became shorter while it was sent")),
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.unreadable(&e.to_string())),
            }
        }
        Ok(())
    }

    /// Refuses a file that is not what it was.
    ///
    /// # Errors
    /// `attachment_unreadable`.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        let meta = self.file.metadata().map_err(|e| self.unreadable(&e.to_string()))?;
        if meta.len() == self.size && meta.modified().ok() == self.modified {
            return Ok(());
        }
        Err(self
            .unreadable("it was changed while it was sent, so nothing was delivered")
            .with_hint("Send again once nobody writes to it, or send a copy."))
    }

    fn unreadable(&self, why: &str) -> Error {
        unreadable(&self.path, why, &self.place)
    }
}

/// What stands at `at`, as far as one read brings it.
#[cfg(unix)]
pub(super) fn read_at(file: &File, out: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, out, at)
}

/// What stands at `at`, as far as one read brings it.
#[cfg(windows)]
pub(super) fn read_at(file: &File, out: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, out, at)
}

/// The path to open, if the policy lets it be read.
fn allowed(path: &Path, policy: &FilePolicy, place: &FieldPath) -> Result<PathBuf> {
    let folders = match policy {
        FilePolicy::Allow => return Ok(path.to_owned()),
        FilePolicy::Deny => {
            return Err(place
                .error("names a local file, and the option `files` is `deny`")
                .with_hint("Give the attachment as bytes."));
        }
        FilePolicy::Folders(folders) => folders,
    };
    // Links are followed first: one inside a folder may lead out of it.
    let real = fs::canonicalize(path).map_err(|e| unreadable(path, &e.to_string(), place))?;
    let inside = folders.iter().filter_map(|f| fs::canonicalize(f).ok()).any(|f| real.starts_with(f));
    if inside {
        return Ok(real);
    }
    Err(place
        .error("names a file outside the folders in the option `files`")
        .with_hint("Give the attachment as bytes, or add its folder to `files`."))
}

fn unreadable(path: &Path, why: &str, place: &FieldPath) -> Error {
    let path = path.display().to_string();
    let message = format!("`{}` cannot be read from `{}`: {why}", place.path(), path.escape_debug());
    Error::new(ErrorCode::AttachmentUnreadable, message).with_field(place.path())
}

/// What is read at most of a file that does not know its size.
const UNSIZED: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Spelling;

    fn place() -> FieldPath {
        FieldPath::top(Spelling::Camel).field("attachments").index(0)
    }

    fn load(path: impl AsRef<Path>, policy: &FilePolicy) -> Result<Bytes> {
        OpenFile::open(path.as_ref(), policy, &place())?.load()
    }

    #[test]
    fn a_file_that_changes_is_not_sent() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        fs::write(&path, "0123456789").unwrap();
        let file = OpenFile::open(&path, &FilePolicy::Allow, &place()).unwrap();
        let mut out = [0; 4];
        file.read_exact_at(&mut out, 6).unwrap();
        assert_eq!(&out, b"6789");
        file.check_unchanged().unwrap();
        fs::write(&path, "0123").unwrap();
        for error in [file.read_exact_at(&mut out, 2).unwrap_err(), file.check_unchanged().unwrap_err()] {
            assert_eq!(
                (error.code(), error.retryable()),
                (ErrorCode::AttachmentUnreadable, false),
                "{error}"
            );
            assert_eq!(error.field(), Some("attachments[0]"));
        }
    }

    #[test]
    fn files_are_read_as_the_policy_says() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("in"), dir.path().join("out"));
        fs::create_dir(&inside).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(inside.join("a"), "A").unwrap();
        fs::write(outside.join("b"), "B").unwrap();
        let folders = FilePolicy::Folders(vec![inside.clone()]);
        assert_eq!(load(inside.join("a"), &folders).unwrap(), "A");
        assert_eq!(load(outside.join("b"), &FilePolicy::Allow).unwrap(), "B");
        for path in [outside.join("b"), inside.join("../out/b")] {
            let error = load(path, &folders).unwrap_err();
            assert_eq!(error.code(), ErrorCode::MessageInvalid);
        }
        let error = load(inside.join("a"), &FilePolicy::Deny).unwrap_err();
        assert_eq!((error.code(), error.field()), (ErrorCode::MessageInvalid, Some("attachments[0]")));
        for (path, why) in [(inside.join("none"), "No such file"), (inside, "folder")] {
            let error = load(path, &FilePolicy::Allow).unwrap_err();
            assert_eq!(error.code(), ErrorCode::AttachmentUnreadable);
            assert!(error.message().contains(why), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_do_not_lead_out_and_devices_are_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("in");
        fs::create_dir(&inside).unwrap();
        fs::write(dir.path().join("secret"), "S").unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), inside.join("link")).unwrap();
        let folders = FilePolicy::Folders(vec![inside.clone()]);
        let error = load(inside.join("link"), &folders).unwrap_err();
        assert_eq!(error.code(), ErrorCode::MessageInvalid);
        let error = load("/dev/zero", &FilePolicy::Allow).unwrap_err();
        assert!(error.message().contains("not a regular file"), "{error}");
        let fifo = dir.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        let error = load(fifo, &FilePolicy::Allow).unwrap_err();
        assert!(error.message().contains("not a regular file"), "{error}");
    }
}
