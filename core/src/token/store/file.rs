//! One JSON file for all keys, which processes share.
//!
//! It is replaced whole, by rename, so that a reader sees the old or the new one; writers hold a lock
//! on a separate `.lock` file that is never replaced. The lock is taken and released within one
//! blocking step: it is never held while something is awaited, and is released by name, since a child
//! forked meanwhile has a copy of the descriptor.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use super::Versioned;
use crate::crypto::random;
use crate::crypto::seal::{self, Seal};
use crate::error::{Error, ErrorCode, Result};
use crate::private_file::{self, beside, create_folder, failed, folder, lock_path, private};
use crate::token::entry::Entry;

/// A token file.
#[derive(Clone)]
pub(crate) struct FileStore {
    path: PathBuf,
    /// What entries are encrypted with.
    seal: Option<Seal>,
}

/// What stands in the file.
#[derive(Default, Serialize, Deserialize)]
struct FileContent {
    /// Grows with every write: a version is never used twice.
    counter: u64,
    entries: BTreeMap<String, FileSlot>,
    /// Sign-ins that were finished, and until when a copy of them could be tried again.
    #[serde(default)]
    finished: BTreeMap<String, u64>,
}

#[derive(Serialize, Deserialize)]
struct FileSlot {
    version: u64,
    entry: Value,
}

impl FileStore {
    pub(crate) fn new(path: PathBuf, seal: Option<Seal>) -> Self {
        Self { path, seal }
    }

    pub(super) async fn load(&self, key: &str) -> Result<Option<Versioned>> {
        let (this, key) = (self.clone(), key.to_owned());
        blocking(move || this.load_now(&key)).await
    }

    /// Like `load`, on this thread: for callers that cannot wait.
    pub(crate) fn load_now(&self, key: &str) -> Result<Option<Versioned>> {
        read(&self.path)?.versioned(key, self.seal.as_ref())
    }

    /// All keys, on this thread.
    pub(crate) fn keys_now(&self) -> Result<Vec<String>> {
        Ok(read(&self.path)?.entries.into_keys().collect())
    }

    pub(super) async fn keys(&self) -> Result<Vec<String>> {
        let this = self.clone();
        blocking(move || this.keys_now()).await
    }

    pub(super) async fn save(&self, key: &str, entry: Option<&Entry>, expected: Option<u64>) -> Result<bool> {
        let bytes = entry.map(Entry::to_bytes).transpose()?.map(Zeroizing::new);
        let kept = bytes.map(|bytes| seal::close(self.seal.as_ref(), key, &bytes)).transpose()?;
        let key = key.to_owned();
        self.change(move |content| {
            if content.entries.get(&key).map(|slot| slot.version) != expected {
                return Ok((false, false));
            }
            content.counter += 1;
            match &kept {
                Some(entry) => {
                    let slot = FileSlot { version: content.counter, entry: entry.clone() };
                    content.entries.insert(key.clone(), slot);
                }
                None => {
                    content.entries.remove(&key);
                }
            }
            Ok((true, true))
        })
        .await
    }

    /// Notes that the sign-in `id` was finished; false if it was before. Forgets those whose time is over.
    pub(crate) async fn finish(&self, id: &str, now: u64, until: u64) -> Result<bool> {
        let id = id.to_owned();
        self.change(move |content| {
            content.finished.retain(|_, until| *until > now);
            let first = content.finished.insert(id.clone(), until).is_none();
            Ok((first, true))
        })
        .await
    }

    /// Reads, changes and writes under the lock. `op` says what to return, and whether to write.
    async fn change<T: Send + 'static>(
        &self,
        op: impl Fn(&mut FileContent) -> Result<(T, bool)> + Clone + Send + 'static,
    ) -> Result<T> {
        let deadline = Instant::now() + LOCK_TIME;
        loop {
            let (path, op) = (self.path.clone(), op.clone());
            if let Some(out) = blocking(move || try_change(&path, &op)).await? {
                return Ok(out);
            }
            if Instant::now() > deadline {
                let lock = lock_path(&self.path);
                return Err(Error::new(
                    ErrorCode::StoreFailed,
                    format!("another process holds the lock {} for too long", lock.display()),
                )
                .with_retryable(true));
            }
            tokio::time::sleep(Duration::from_millis(10).mul_f64(1.0 + 4.0 * random::unit())).await;
        }
    }
}

/// A lock is held for the time of one write.
const LOCK_TIME: Duration = Duration::from_secs(10);

impl FileContent {
    fn versioned(self, key: &str, seal: Option<&Seal>) -> Result<Option<Versioned>> {
        let Some(slot) = self.entries.get(key) else { return Ok(None) };
        let entry = Entry::from_bytes(&seal::open(seal, key, &slot.entry)?)?;
        Ok(Some(Versioned { entry, version: slot.version }))
    }
}

async fn blocking<T: Send + 'static>(op: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(op).await {
        Ok(result) => result,
        Err(_) => Err(Error::new(ErrorCode::StoreFailed, "the token store was interrupted")),
    }
}

/// `None`: somebody else holds the lock.
fn try_change<T>(path: &Path, op: &impl Fn(&mut FileContent) -> Result<(T, bool)>) -> Result<Option<T>> {
    create_folder(path)?;
    // A link is followed: what it points to is locked and replaced, not the link.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let lock_path = lock_path(path);
    let lock = private().read(true).write(true).create(true).truncate(false).open(&lock_path);
    let lock = lock.map_err(|e| failed(&lock_path, "cannot be opened", &e))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(e)) => return Err(failed(&lock_path, "cannot be locked", &e)),
    }
    let out = read(path).and_then(|mut content| {
        let (out, changed) = op(&mut content)?;
        if changed {
            write(path, &content)?;
        }
        Ok(out)
    });
    // Closing alone would not do if a forked child has a copy of the descriptor.
    let unlocked = lock.unlock().map_err(|e| failed(&lock_path, "cannot be unlocked", &e));
    let out = out?;
    unlocked?;
    Ok(Some(out))
}

fn read(path: &Path) -> Result<FileContent> {
    let Some(text) = private_file::read(path)? else { return Ok(FileContent::default()) };
    // The parser's own words could quote a token.
    serde_json::from_slice(&text).map_err(|_| {
        Error::new(ErrorCode::StoreFailed, format!("{} is not a token file", path.display()))
            .with_hint("Move it away, then run `mailbearer login`; or set store.path to another file.")
    })
}

/// A new file, synced, renamed over the old one; then the folder is synced, so that the name is too. Under
/// the lock: what a process that was killed left behind has the new file's name, and goes.
fn write(path: &Path, content: &FileContent) -> Result<()> {
    let folder = folder(path);
    let temporary = beside(path, ".new");
    let text = serde_json::to_vec(content)
        .map(Zeroizing::new)
        .map_err(|e| Error::new(ErrorCode::Internal, format!("the token file cannot be written: {e}")))?;
    if text.len() as u64 >= private_file::LARGEST {
        return Err(Error::new(
            ErrorCode::StoreFailed,
            format!("{} would grow beyond {} MiB", path.display(), private_file::LARGEST >> 20),
        )
        .with_hint(
            "Keep so many accounts in Redis or in a store of your own: the file is read and written as a whole.",
        ));
    }
    let _ = fs::remove_file(&temporary);
    let written = private().write(true).create_new(true).open(&temporary).and_then(|mut file| {
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    });
    written.map_err(|e| {
        let _ = fs::remove_file(&temporary);
        failed(path, "cannot be written", &e)
    })?;
    #[cfg(unix)]
    File::open(folder).and_then(|dir| dir.sync_all()).map_err(|e| failed(path, "cannot be synced", &e))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Secret;

    fn entry(token: &str) -> Entry {
        Entry::from_seed(Secret::new(token), "d".into())
    }

    #[tokio::test]
    async fn a_version_is_swapped_once_and_never_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let store = FileStore::new(dir.path().join("new/folder/tokens.json"), None);
        assert!(store.load("k").await.unwrap().is_none());
        assert!(store.save("k", Some(&entry("a")), None).await.unwrap());
        assert!(!store.save("k", Some(&entry("b")), None).await.unwrap());
        let first = store.load("k").await.unwrap().unwrap().version;
        assert!(store.save("k", None, Some(first)).await.unwrap());
        assert!(store.save("k", Some(&entry("c")), None).await.unwrap());
        let second = store.load("k").await.unwrap().unwrap();
        assert_ne!(first, second.version);
        assert_eq!(second.entry.refresh_token, Some(Secret::new("c")));
        assert_eq!(store.keys().await.unwrap(), ["k"]);
    }

    #[tokio::test]
    async fn sealed_entries_stand_in_the_file_and_tell_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens.json");
        let seal = Seal::new(Secret::new("a key of more than twenty-four characters"));
        let store = FileStore::new(path.clone(), Some(seal));
        // What was there before there was a key stays readable, and is sealed when it is written again.
        assert!(FileStore::new(path.clone(), None).save("k", Some(&entry("plain")), None).await.unwrap());
        let version = store.load("k").await.unwrap().unwrap().version;
        assert!(store.save("k", Some(&entry("secret")), Some(version)).await.unwrap());
        assert_eq!(store.load("k").await.unwrap().unwrap().entry.refresh_token, Some(Secret::new("secret")));
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("secret") && !text.contains("plain") && text.contains("sealed"), "{text}");
        let without = FileStore::new(path, None).load("k").await;
        assert_eq!(without.err().unwrap().code(), ErrorCode::StoreFailed);
    }

    #[tokio::test]
    async fn many_writers_lose_no_write() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens.json");
        let writers: Vec<_> = (0..8)
            .map(|at| {
                let store = FileStore::new(path.clone(), None);
                tokio::spawn(async move { store.save(&format!("k{at}"), Some(&entry("x")), None).await })
            })
            .collect();
        for writer in writers {
            assert!(writer.await.unwrap().unwrap());
        }
        assert_eq!(FileStore::new(path.clone(), None).keys().await.unwrap().len(), 8);
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "only the file and its lock: {left:?}");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn it_is_private_and_refused_if_it_is_not() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("own/tokens.json");
        let store = FileStore::new(path.clone(), None);
        store.save("k", Some(&entry("a")), None).await.unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(mode(&lock_path(&path)), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = store.load("k").await.err().unwrap();
        assert_eq!(error.code(), ErrorCode::StoreFailed);
        assert_eq!(error.hint(), Some(&*format!("Run: chmod 600 {}", path.display())));
    }

    #[tokio::test]
    async fn a_file_that_is_something_else_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens.json");
        private()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .unwrap()
            .write_all(b"secret words")
            .unwrap();
        let store = FileStore::new(path.clone(), None);
        let error = store.save("k", Some(&entry("a")), None).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::StoreFailed);
        assert!(!error.to_string().contains("words"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"secret words");
    }

    #[tokio::test]
    async fn a_finished_sign_in_is_remembered_while_it_matters() {
        let dir = tempfile::tempdir().unwrap();
        let store = FileStore::new(dir.path().join("tokens.json"), None);
        assert!(store.finish("s", 100, 200).await.unwrap());
        assert!(!store.finish("s", 150, 200).await.unwrap());
        assert!(store.finish("s", 300, 400).await.unwrap());
    }
}
