//! JSON Web Tokens (RFC 7519), signed with ES256 (RFC 7518 §3.4) by a key made at start.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use serde_json::{Value, json};

/// The signing key of the sign-in service.
pub(crate) struct Keys {
    pair: EcdsaKeyPair,
    id: String,
}

impl Keys {
    pub(crate) fn new() -> io::Result<Self> {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random)
            .map_err(|_| io::Error::other("no signing key could be made"))?;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random)
            .map_err(|error| io::Error::other(error.to_string()))?;
        let hash = digest(&SHA256, pair.public_key().as_ref());
        let id = URL_SAFE_NO_PAD.encode(&hash.as_ref()[..20]);
        Ok(Self { pair, id })
    }

    /// The claims as a signed JWT.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = json!({"typ": "JWT", "alg": "ES256", "kid": self.id});
        let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = self
            .pair
            .sign(&SystemRandom::new(), token.as_bytes())
            // Signing fails only without randomness, as in `random`.
            .expect("a P-256 key signs");
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(signature));
        token
    }

    /// The claims of a JWT that this key has signed.
    pub(crate) fn verify(&self, token: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.pair.public_key())
            .verify(signed.as_bytes(), &signature)
            .ok()?;
        claims(token)
    }

    /// The public half as a JSON Web Key Set (RFC 7517).
    pub(crate) fn set(&self) -> Value {
        // An uncompressed point: 4, then x and y of 32 octets each.
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        json!({"keys": [{
            "kty": "EC", "use": "sig", "alg": "ES256", "crv": "P-256", "kid": self.id,
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        }]})
    }
}

/// The claims of a JWT, its signature not looked at.
pub(crate) fn claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (_, claims, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_signed_is_verified_and_what_was_changed_is_not() {
        let keys = Keys::new().unwrap();
        let token = keys.sign(&json!({"aud": "x"}));
        assert_eq!(keys.verify(&token).unwrap()["aud"], "x");
        assert!(Keys::new().unwrap().verify(&token).is_none());
        let forged = format!(
            "{}.{}.{}",
            token.split('.').next().unwrap(),
            URL_SAFE_NO_PAD.encode(r#"{"aud":"y"}"#),
            token.rsplit('.').next().unwrap()
        );
        assert!(keys.verify(&forged).is_none());
        assert_eq!(claims(&forged).unwrap()["aud"], "y");
        assert!(keys.verify("ya29.opaque").is_none());
    }
}
