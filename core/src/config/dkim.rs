//! `dkim`: whose signature goes on every message.

use std::fmt;
use std::sync::Arc;

use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;

use super::secret::SecretSource;
use crate::error::{Error, ErrorCode, Result};

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

/// Whose signature, checked.
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
pub struct DkimKey(Arc<Pair>);

enum Pair {
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

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
                false => Err(Error::config(field, format!("`{field}` is no name in DNS"))
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
        let key =
            PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| wrong("is no private key in PEM"))?;
        let pair = match &key {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).map(Pair::Rsa),
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                // Keys without their public half are as good: OpenSSL writes such.
                match Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
                    Ok(pair) => Ok(Pair::Ed25519(pair)),
                    Err(_) => RsaKeyPair::from_pkcs8(der).map(Pair::Rsa),
                }
            }
            _ => return Err(wrong("is neither an RSA nor an Ed25519 key")),
        };
        let pair = pair.map_err(|e| {
            wrong(&format!("cannot be used: RSA with at least 2,048 bits or Ed25519 is needed ({e})"))
        })?;
        Ok(Self(Arc::new(pair)))
    }

    /// `a=`.
    pub(crate) fn algorithm(&self) -> &'static str {
        match &*self.0 {
            Pair::Rsa(_) => "rsa-sha256",
            Pair::Ed25519(_) => "ed25519-sha256",
        }
    }

    /// # Errors
    /// `internal` if the system has no randomness.
    pub(crate) fn sign(&self, input: &[u8]) -> Result<Vec<u8>> {
        match &*self.0 {
            Pair::Rsa(pair) => {
                let mut out = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input, &mut out)
                    .map_err(|_| Error::new(ErrorCode::Internal, "the message cannot be signed"))?;
                Ok(out)
            }
            // RFC 8463 §3: the hash is signed, and not what was hashed.
            Pair::Ed25519(pair) => {
                let digest = ring::digest::digest(&ring::digest::SHA256, input);
                Ok(pair.sign(digest.as_ref()).as_ref().to_vec())
            }
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
