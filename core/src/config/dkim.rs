//! `dkim`: whose signature goes on every message.

use std::fmt;

use ring::digest::{SHA256, digest};
use serde::Deserialize;

use crate::crypto::private_key::{Algorithm, PrivateKey};
use crate::error::{Error, Result};
use crate::input::SecretSource;

/// `dkim.*`: all three are required.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DkimOptions {
    /// The domain that signs (`d=`): the author's own, or one above it.
    pub domain: String,
    /// Which of its keys (`s=`): the public one stands in DNS at `SELECTOR._domainkey.DOMAIN`.
    pub selector: String,
    /// The private key as PEM: RSA of at least 2,048 bits, or Ed25519. Read when the mailer is made.
    pub private_key: SecretSource,
}

/// The checked options of a DKIM signature.
#[derive(Clone, Debug)]
pub struct DkimSettings {
    /// `d=`.
    pub domain: String,
    /// `s=`.
    pub selector: String,
    /// The key.
    pub key: DkimKey,
}

/// A private key; it is never printed.
#[derive(Clone)]
pub struct DkimKey(PrivateKey);

impl DkimSettings {
    pub(super) fn read(options: &DkimOptions) -> Result<Self> {
        let name = |field: &str, text: &str| {
            let plain = (1..=253).contains(&text.len())
                && text.split('.').all(|label| {
                    !label.is_empty()
                        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
                });
            match plain {
                true => Ok(text.to_owned()),
                false => Err(Error::config(field, format!("`{field}` is not a DNS name"))
                    .with_hint("Write it in ASCII, such as contoso.com; international names as xn--….")),
            }
        };
        if matches!(options.private_key, SecretSource::Command(_)) {
            return Err(Error::config("dkim.private_key", "`dkim.private_key` cannot come from a command"));
        }
        let pem = options.private_key.read_now("dkim.private_key")?;
        Ok(Self {
            domain: name("dkim.domain", &options.domain)?,
            selector: name("dkim.selector", &options.selector)?,
            key: DkimKey::from_pem(pem.expose())?,
        })
    }
}

impl DkimKey {
    /// # Errors
    /// `config_invalid`.
    pub(crate) fn from_pem(pem: &str) -> Result<Self> {
        let wrong = |what: &str| {
            Error::config("dkim.private_key", format!("`dkim.private_key` {what}")).with_hint(
                "Make one with: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out dkim.pem",
            )
        };
        let key = PrivateKey::from_pem(pem, None).map_err(|what| wrong(&what))?;
        match key.algorithm() {
            Algorithm::Ps256 | Algorithm::Ed25519 => Ok(Self(key)),
            _ => Err(wrong("is neither an RSA nor an Ed25519 key")),
        }
    }

    /// `a=`.
    pub(crate) fn algorithm(&self) -> &'static str {
        match self.0.algorithm() {
            Algorithm::Ed25519 => "ed25519-sha256",
            _ => "rsa-sha256",
        }
    }

    /// # Errors
    /// `internal` if the system has no randomness.
    pub(crate) fn sign(&self, input: &[u8]) -> Result<Vec<u8>> {
        match self.0.algorithm() {
            // RFC 8463 §3: the hash is signed, and not what was hashed.
            Algorithm::Ed25519 => self.0.sign(Algorithm::Ed25519, digest(&SHA256, input).as_ref()),
            _ => self.0.sign(Algorithm::Rs256, input),
        }
    }
}

impl fmt::Debug for DkimKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DkimKey({})", self.algorithm())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_keys_and_names_are_told_with_the_cure() {
        let of = |domain: &str, selector: &str, key: &str| {
            let options = serde_json::json!({"domain": domain, "selector": selector, "private_key": key});
            DkimSettings::read(&serde_json::from_value(options).unwrap()).unwrap_err()
        };
        let good = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
        for (domain, selector, key, field) in [
            ("contoso.com\r\nX: y", "s", good, "dkim.domain"),
            ("contoso.com; s=x", "s", good, "dkim.domain"),
            ("contoso.com", "", good, "dkim.selector"),
            ("contoso.com", "s", "hunter2", "dkim.private_key"),
            (
                "contoso.com",
                "s",
                "-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----\n",
                "dkim.private_key",
            ),
        ] {
            let error = of(domain, selector, key);
            assert_eq!(error.field(), Some(field), "{error}");
            assert!(error.hint().is_some() && !format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
