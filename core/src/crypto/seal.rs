//! Entries that are kept encrypted: AES-256-GCM under `store.key`.
//!
//! A sealed entry is `{"sealed": 1, "salt": …, "data": …}`, both base64. The key of each entry is HKDF-SHA256
//! of the text in `store.key` (as it is, without a trailing newline) with that salt of 16 octets and the info
//! `mailbearer store 1`; `data` is the nonce of 12 octets, the ciphertext and the tag. What is authenticated
//! beside it is the entry's key, so that no entry can stand in another's place.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::random;
use crate::error::{Error, ErrorCode, Result};
use crate::input::Secret;

/// The key of a store.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Seal(Secret);

impl Seal {
    pub(crate) fn new(key: Secret) -> Self {
        Self(key)
    }

    /// `octets`, which stand under `name`, so that nobody else reads or moves them.
    ///
    /// # Errors
    /// `internal` if the system has no randomness.
    pub(crate) fn seal(&self, name: &str, octets: &[u8]) -> Result<Value> {
        let failed = |_| Error::new(ErrorCode::Internal, "a token entry cannot be encrypted");
        let (salt, nonce) = (random::bytes::<16>()?, random::bytes::<NONCE_LEN>()?);
        let mut data = Zeroizing::new(octets.to_vec());
        let aad = Aad::from(name.as_bytes());
        let tag = self
            .key(&salt)
            .and_then(|key| {
                key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, &mut data)
            })
            .map_err(failed)?;
        let whole = [&nonce[..], &data, tag.as_ref()].concat();
        Ok(json!({"sealed": 1, "salt": STANDARD.encode(salt), "data": STANDARD.encode(whole)}))
    }

    /// The octets; none if it is damaged, of another key, or stood elsewhere.
    pub(crate) fn open(&self, name: &str, sealed: &Value) -> Option<Zeroizing<Vec<u8>>> {
        let part = |key: &str| STANDARD.decode(sealed.get(key)?.as_str()?).ok();
        let (salt, mut data) = (part("salt")?, Zeroizing::new(part("data")?));
        let nonce: [u8; NONCE_LEN] = data.get(..NONCE_LEN)?.try_into().ok()?;
        let mut rest = Zeroizing::new(data.split_off(NONCE_LEN));
        let key = self.key(&salt).ok()?;
        let aad = Aad::from(name.as_bytes());
        let opened = key.open_in_place(Nonce::assume_unique_for_key(nonce), aad, &mut rest).ok()?;
        Some(Zeroizing::new(opened.to_vec()))
    }

    fn key(&self, salt: &[u8]) -> Result<LessSafeKey, ring::error::Unspecified> {
        let extracted = Salt::new(HKDF_SHA256, salt).extract(self.0.expose().as_bytes());
        let expanded = extracted.expand(&[b"mailbearer store 1"], &AES_256_GCM)?;
        Ok(LessSafeKey::new(UnboundKey::from(expanded)))
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(..)")
    }
}

/// What a store keeps of an entry's `octets`, which are JSON.
///
/// # Errors
/// `internal`.
pub(crate) fn close(seal: Option<&Seal>, name: &str, octets: &[u8]) -> Result<Value> {
    match seal {
        Some(seal) => seal.seal(name, octets),
        None => serde_json::from_slice(octets)
            .map_err(|e| Error::new(ErrorCode::Internal, format!("a token entry: {e}"))),
    }
}

/// The octets of what a store kept. One that was kept before there was a key is taken as it is.
///
/// # Errors
/// `store_failed` for a sealed one without the right key.
pub(crate) fn open(seal: Option<&Seal>, name: &str, kept: &Value) -> Result<Zeroizing<Vec<u8>>> {
    let failed = |what: &str, hint: &str| {
        Err(Error::new(ErrorCode::StoreFailed, format!("the stored sign-in {what}")).with_hint(hint))
    };
    match (kept.get("sealed"), seal) {
        (None, _) => Ok(Zeroizing::new(kept.to_string().into_bytes())),
        (Some(_), None) => {
            failed("is encrypted, and there is no key", "Set store.key to the key with which it was written.")
        }
        (Some(form), Some(seal)) if *form == 1 => match seal.open(name, kept) {
            Some(octets) => Ok(octets),
            None => failed(
                "cannot be decrypted with store.key",
                "Set store.key to the key with which it was written. If that key is lost, sign in again with another store.",
            ),
        },
        (Some(_), Some(_)) => {
            failed("was encrypted by another version", "Update this program, or sign in again.")
        }
    }
}

/// Whether a token file holds entries that nobody can read without their key; none if it is no token file.
pub(crate) fn holds_sealed(file: &[u8]) -> Option<bool> {
    let content: Value = serde_json::from_slice(file).ok()?;
    let entries = content.get("entries")?.as_object()?;
    Some(entries.values().any(|slot| slot.pointer("/entry/sealed").is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(key: &str) -> Seal {
        Seal::new(Secret::new(key))
    }

    #[test]
    fn what_was_sealed_opens_with_its_key_and_in_its_place_alone() {
        let key = seal("a key of more than twenty-four characters");
        let kept = close(Some(&key), "a|b|c|d", b"{\"refresh_token\":\"rt\"}").unwrap();
        assert!(!kept.to_string().contains("rt") || !kept.to_string().contains("refresh"));
        assert_eq!(&**open(Some(&key), "a|b|c|d", &kept).unwrap(), b"{\"refresh_token\":\"rt\"}");
        let again = close(Some(&key), "a|b|c|d", b"{\"refresh_token\":\"rt\"}").unwrap();
        assert_ne!(kept["data"], again["data"]);
        let mut torn = kept.clone();
        torn["data"] =
            STANDARD.encode(&STANDARD.decode(kept["data"].as_str().unwrap()).unwrap()[..20]).into();
        let mut odd = kept.clone();
        odd["sealed"] = 2.into();
        for (key, name, kept) in [
            (Some(seal("another key of twenty-four characters")), "a|b|c|d", &kept),
            (Some(key.clone()), "a|b|other|d", &kept),
            (Some(key.clone()), "a|b|c|d", &torn),
            (Some(key.clone()), "a|b|c|d", &odd),
            (None, "a|b|c|d", &kept),
        ] {
            let error = open(key.as_ref(), name, kept).unwrap_err();
            assert_eq!((error.code(), error.hint().is_some()), (ErrorCode::StoreFailed, true), "{error}");
        }
        let plain = json!({"layout": 1});
        assert_eq!(&**open(Some(&key), "x", &plain).unwrap(), b"{\"layout\":1}");
        assert_eq!(close(None, "x", b"{\"layout\":1}").unwrap(), plain);
    }
}
