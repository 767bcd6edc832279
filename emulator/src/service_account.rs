//! A Google service account: its key, as the file that Google's console gives, and whether an assertion is its own.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PublicKeyData};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::defaults::{DEFAULT_SERVICE_ACCOUNT, DEFAULT_SERVICE_ACCOUNT_ID};
use crate::random;

/// The account with a key made at start: on P-256, since `ring` makes no RSA keys as Google's are.
pub(crate) struct ServiceAccount {
    key: KeyPair,
    key_id: String,
}

impl ServiceAccount {
    pub(crate) fn new() -> io::Result<Self> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        Ok(Self { key, key_id: random::guid().replace('-', "") })
    }

    /// The key file's content. `authority` is the sign-in service's base.
    pub(crate) fn file(&self, authority: &str) -> Value {
        json!({
            "type": "service_account", "project_id": "contoso-mail", "private_key_id": self.key_id,
            "private_key": self.key.serialize_pem(), "client_email": DEFAULT_SERVICE_ACCOUNT,
            "client_id": DEFAULT_SERVICE_ACCOUNT_ID, "auth_uri": format!("{authority}/o/oauth2/v2/auth"),
            "token_uri": format!("{authority}/token"), "universe_domain": "googleapis.com",
        })
    }

    /// Whether this account has signed the JWT.
    pub(crate) fn has_signed(&self, token: &str) -> bool {
        let checked = token.rsplit_once('.').and_then(|(signed, signature)| {
            let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
            let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.key.der_bytes());
            public.verify(signed.as_bytes(), &signature).ok()
        });
        checked.is_some()
    }
}
