//! The files that a running emulator keeps for its clients: its certificate authority, and the key of its
//! service account.

use std::io;
use std::path::{Path, PathBuf};

use crate::random;

/// A new folder that only this user can read, and the files in it.
pub(crate) struct Files {
    folder: PathBuf,
    authority: PathBuf,
    service_account: PathBuf,
}

impl Files {
    pub(crate) fn new() -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("mailbearer-emulator-{}", random::guid()));
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder)?;
        Ok(Self {
            authority: folder.join("ca.pem"),
            service_account: folder.join("service-account.json"),
            folder,
        })
    }

    /// The certificate authority, as PEM.
    pub(crate) fn authority(&self) -> &Path {
        &self.authority
    }

    /// The service account's key, as Google's JSON.
    pub(crate) fn service_account(&self) -> &Path {
        &self.service_account
    }

    /// Removes files and folder. Not in `Drop`: a forked child must leave them to its parent.
    pub(crate) fn remove(&self) {
        // What is already gone is what was wanted.
        let _ = std::fs::remove_file(&self.authority);
        let _ = std::fs::remove_file(&self.service_account);
        let _ = std::fs::remove_dir(&self.folder);
    }
}
