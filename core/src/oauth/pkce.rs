//! The verifier of Proof Key for Code Exchange (RFC 7636) comes from the operating system's randomness, since the `oauth2`
//! crate's own generator repeats itself after a fork; the crate makes the challenge.

use crate::crypto::random;
use crate::error::Result;
use crate::input::Secret;

/// A fresh verifier: 43 characters, 256 bits.
pub(crate) fn verifier() -> Result<Secret> {
    random::token::<32>().map(Secret::new)
}

/// Equality whose duration does not tell where two texts differ.
pub(crate) fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verifiers_differ_and_have_the_length_of_the_rfc() {
        let (a, b) = (verifier().unwrap(), verifier().unwrap());
        assert!(a != b && a.expose().len() == 43);
        assert!(same(a.expose(), a.expose()) && !same(a.expose(), b.expose()) && !same("a", "ab"));
    }
}
