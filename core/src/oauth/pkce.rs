//! Proof Key for Code Exchange (RFC 7636), method S256.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};

use crate::crypto::random;
use crate::error::Result;
use crate::input::Secret;

/// A fresh verifier: 43 characters, 256 bits.
pub(crate) fn verifier() -> Result<Secret> {
    random::token::<32>().map(Secret::new)
}

/// The challenge that goes into the authorization URL.
pub(crate) fn challenge(verifier: &Secret) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.expose().as_bytes()))
}

/// Equality whose duration does not tell where two texts differ.
pub(crate) fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_rfc_7636_appendix_b() {
        let verifier = Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(challenge(&verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn verifiers_differ_and_have_the_length_of_the_rfc() {
        let (a, b) = (verifier().unwrap(), verifier().unwrap());
        assert!(a != b && a.expose().len() == 43);
        assert!(same(a.expose(), a.expose()) && !same(a.expose(), b.expose()) && !same("a", "ab"));
    }
}
