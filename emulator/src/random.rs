//! Randomness, from the operating system only.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

/// `N` random octets.
pub(crate) fn octets<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    // ring fails here only where the platform has no source of randomness at all.
    SystemRandom::new().fill(&mut out).expect("the operating system gives random octets");
    out
}

/// An opaque token of 43 base64url characters (256 bits).
pub(crate) fn opaque() -> String {
    URL_SAFE_NO_PAD.encode(octets::<32>())
}

/// A random GUID, version 4.
pub(crate) fn guid() -> String {
    let mut octets = octets::<16>();
    octets[6] = octets[6] & 0x0f | 0x40;
    octets[8] = octets[8] & 0x3f | 0x80;
    dashed(octets)
}

/// The GUID that always belongs to `name`: an object id for a user or an application.
pub(crate) fn guid_of(name: &str) -> String {
    let hash = digest(&SHA256, name.to_ascii_lowercase().as_bytes());
    let mut octets = [0; 16];
    octets.copy_from_slice(&hash.as_ref()[..16]);
    octets[6] = octets[6] & 0x0f | 0x50;
    octets[8] = octets[8] & 0x3f | 0x80;
    dashed(octets)
}

/// `length` characters that a person can read out: no vowels, nothing that looks like another.
pub(crate) fn user_code(length: usize) -> String {
    const LETTERS: &[u8; 32] = b"BCDFGHJKLMNPQRSTVWXZ2345679BCDFG";
    octets::<16>().iter().take(length).map(|octet| char::from(LETTERS[usize::from(octet % 32)])).collect()
}

fn dashed(octets: [u8; 16]) -> String {
    let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_guid_and_names_differ() {
        assert_eq!(guid_of("Ada@Contoso.com"), guid_of("ada@contoso.com"));
        assert_ne!(guid_of("ada@contoso.com"), guid_of("bob@contoso.com"));
        assert_eq!(guid().len(), 36);
        assert_ne!(guid(), guid());
        assert_eq!(user_code(9).len(), 9);
    }
}
