//! The only source of randomness: the operating system's, on every call.
//!
//! Generators that live in a process (fastrand, rand's thread_rng) give every forked child the same
//! numbers, and Exchange silently drops a repeated Message-ID. So nothing here keeps state.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};

use crate::error::{Error, ErrorCode, Result};

/// `N` random octets.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut out = [0; N];
    SystemRandom::new()
        .fill(&mut out)
        .map_err(|_| Error::new(ErrorCode::Internal, "the operating system gives no random numbers"))?;
    Ok(out)
}

/// `N` random octets as unpadded base64url: for `state`, verifiers, nonces.
pub(crate) fn token<const N: usize>() -> Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(bytes::<N>()?))
}

/// 128 random bits as lower-case hexadecimal: for Message-IDs and boundaries.
pub(crate) fn hex() -> Result<String> {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    Ok(bytes::<16>()?.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect())
}

/// A number in `0.0..1.0`, for jitter.
pub(crate) fn unit() -> f64 {
    // Without randomness jitter is merely absent.
    bytes::<4>().map_or(0.5, |b| f64::from(u32::from_le_bytes(b)) / (f64::from(u32::MAX) + 1.0))
}
