//! The host program's own store: two functions that see octets.
//!
//! It cannot be searched, so the principals of one authority, client and scopes stand in an entry of
//! their own, a JSON list, under `principals|authority|client_id|scopes`.

use super::{EntryKey, Versioned};
use crate::error::{Error, ErrorCode, Result};
use crate::host::TokenStore;
use crate::token::entry::Entry;

pub(super) async fn load(store: &dyn TokenStore, key: &str) -> Result<Option<Versioned>> {
    let Some(stored) = store.load(key).await.map_err(failed)? else { return Ok(None) };
    Ok(Some(Versioned { entry: Entry::from_bytes(&stored.entry)?, version: stored.version }))
}

pub(super) async fn save(
    store: &dyn TokenStore,
    key: &str,
    entry: Option<&Entry>,
    expected: Option<u64>,
) -> Result<bool> {
    let bytes = entry.map(Entry::to_bytes).transpose()?;
    store.save(key, bytes, expected).await.map_err(failed)
}

pub(super) async fn principals(store: &dyn TokenStore, key: &EntryKey) -> Result<Vec<String>> {
    Ok(list(store, key).await?.0)
}

pub(super) async fn enlist(store: &dyn TokenStore, key: &EntryKey, present: bool) -> Result<()> {
    // Others may write at the same time; each round is lost to somebody who got ahead.
    for _ in 0..20 {
        let (mut names, version) = list(store, key).await?;
        let known = names.contains(&key.principal);
        if known == present {
            return Ok(());
        }
        if present {
            names.push(key.principal.clone());
        } else {
            names.retain(|name| *name != key.principal);
        }
        let bytes = serde_json::to_vec(&names)
            .map_err(|e| Error::new(ErrorCode::Internal, format!("the list of accounts: {e}")))?;
        if store.save(&key.index(), Some(bytes), version).await.map_err(failed)? {
            return Ok(());
        }
    }
    Err(Error::new(ErrorCode::StoreFailed, "the token store's list of accounts changes all the time"))
}

async fn list(store: &dyn TokenStore, key: &EntryKey) -> Result<(Vec<String>, Option<u64>)> {
    let Some(stored) = store.load(&key.index()).await.map_err(failed)? else { return Ok((Vec::new(), None)) };
    let names = serde_json::from_slice(&stored.entry)
        .map_err(|_| Error::new(ErrorCode::StoreFailed, "the token store's list of accounts is damaged"))?;
    Ok((names, Some(stored.version)))
}

/// The host's own words, under our code.
fn failed(error: Error) -> Error {
    if error.code() == ErrorCode::StoreFailed {
        return error;
    }
    Error::new(ErrorCode::StoreFailed, format!("the program's own token store failed: {}", error.message()))
}
