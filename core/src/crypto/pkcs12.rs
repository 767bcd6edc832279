//! Keys and certificates in a PFX (PKCS #12, RFC 7292), and keys encrypted by themselves (PKCS #8, RFC 5958).
//!
//! The ciphers are those that Windows, OpenSSL, Java, macOS and Python write: PBES2 (RFC 8018) with AES or 3DES,
//! and the older ones with SHA-1. The check sum over the whole tells a wrong password early; of a kind that is not
//! known it is passed over, since a wrong password shows when the contents are decrypted.

use std::num::NonZeroU32;

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, KeyInit, KeyIvInit};
use ring::{digest, hmac, pbkdf2};
use zeroize::Zeroizing;

use super::der::{Damaged, DerReader, OBJECT, OCTETS, SEQUENCE, tagged};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PfxTrouble {
    /// The file is something else, or a part of a PFX file.
    Damaged,
    /// The password does not open it.
    Password,
    /// The file is encrypted in a way that is not known here.
    Unsupported,
}

impl From<Damaged> for PfxTrouble {
    fn from(_: Damaged) -> Self {
        Self::Damaged
    }
}

/// What was in it, in its order.
#[derive(Default)]
pub(crate) struct Contents {
    /// PKCS #8.
    pub(crate) keys: Vec<Zeroizing<Vec<u8>>>,
    /// X.509 in DER.
    pub(crate) certificates: Vec<Vec<u8>>,
}

/// Opens a PFX. Without a password both ways of having none are tried.
pub(crate) fn open(octets: &[u8], password: Option<&str>) -> Result<Contents, PfxTrouble> {
    match password.filter(|password| !password.is_empty()) {
        Some(password) => read(octets, &Password::new(password)),
        None => match read(octets, &Password::new("")) {
            Err(PfxTrouble::Password) => read(octets, &Password::default()),
            other => other,
        },
    }
}

/// Decrypts a key (`EncryptedPrivateKeyInfo`).
pub(crate) fn open_key(octets: &[u8], password: &str) -> Result<Zeroizing<Vec<u8>>, PfxTrouble> {
    decrypt_key(DerReader::new(octets), &Password::new(password))
}

/// In the two forms that the schemes want.
#[derive(Default)]
struct Password {
    utf8: Zeroizing<Vec<u8>>,
    /// UTF-16, with an end; nothing at all if there is none.
    utf16: Zeroizing<Vec<u8>>,
}

impl Password {
    fn new(text: &str) -> Self {
        let utf16 = text.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect();
        Self { utf8: Zeroizing::new(text.into()), utf16: Zeroizing::new(utf16) }
    }
}

fn read(octets: &[u8], password: &Password) -> Result<Contents, PfxTrouble> {
    let mut whole = DerReader::new(octets).take(SEQUENCE)?;
    if whole.number()? != 3 {
        return Err(PfxTrouble::Damaged);
    }
    let mut content = whole.take(SEQUENCE)?;
    // The other kind is signed instead.
    if content.octets(OBJECT)? != PKCS7_DATA {
        return Err(PfxTrouble::Unsupported);
    }
    let safe = content.take(tagged(0))?.string(OCTETS)?;
    if !whole.is_empty() {
        check(whole.take(SEQUENCE)?, &safe, password)?;
    }
    let mut found = Contents::default();
    let mut parts = DerReader::new(&safe).take(SEQUENCE)?;
    while !parts.is_empty() {
        let mut part = parts.take(SEQUENCE)?;
        let plain = match part.octets(OBJECT)? {
            PKCS7_DATA => Zeroizing::new(part.take(tagged(0))?.string(OCTETS)?),
            PKCS7_ENCRYPTED => {
                let mut encrypted = part.take(tagged(0))?.take(SEQUENCE)?;
                encrypted.number()?;
                let mut info = encrypted.take(SEQUENCE)?;
                info.skip()?;
                let scheme = info.take(SEQUENCE)?;
                decrypt(scheme, &info.string(IMPLICIT)?, password)?
            }
            _ => return Err(PfxTrouble::Unsupported),
        };
        bags(DerReader::new(&plain), password, &mut found, DEPTH)?;
    }
    Ok(found)
}

/// The things in one part.
fn bags(
    mut part: DerReader<'_>,
    password: &Password,
    found: &mut Contents,
    depth: u8,
) -> Result<(), PfxTrouble> {
    let mut bags = part.take(SEQUENCE)?;
    while !bags.is_empty() {
        let mut bag = bags.take(SEQUENCE)?;
        let Some([kind]) = bag.octets(OBJECT)?.strip_prefix(BAG) else { continue };
        let mut value = bag.take(tagged(0))?;
        match kind {
            1 => {
                let start = value.octets(SEQUENCE)?;
                found.keys.push(Zeroizing::new(super::der::write(SEQUENCE, &[start])));
            }
            2 => found.keys.push(decrypt_key(value, password)?),
            3 => {
                let mut certificate = value.take(SEQUENCE)?;
                if certificate.octets(OBJECT)? == X509 {
                    found.certificates.push(certificate.take(tagged(0))?.string(OCTETS)?);
                }
            }
            6 if depth > 0 => self::bags(value, password, found, depth - 1)?,
            // Revocation lists and secrets of other kinds.
            _ => {}
        }
    }
    Ok(())
}

/// Whether the check sum over all fits the password.
fn check(mut mac: DerReader<'_>, data: &[u8], password: &Password) -> Result<(), PfxTrouble> {
    let mut info = mac.take(SEQUENCE)?;
    let salt = mac.string(OCTETS)?;
    let rounds = if mac.is_empty() { ONE } else { rounds(mac.number()?)? };
    let algorithm = info.take(SEQUENCE)?.octets(OBJECT)?;
    let wanted = info.string(OCTETS)?;
    let (hash, algorithm) = match algorithm {
        SHA1 => (&digest::SHA1_FOR_LEGACY_USE_ONLY, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        SHA256 => (&digest::SHA256, hmac::HMAC_SHA256),
        SHA384 => (&digest::SHA384, hmac::HMAC_SHA384),
        SHA512 => (&digest::SHA512, hmac::HMAC_SHA512),
        _ => return Ok(()),
    };
    let key = derive(hash, &password.utf16, &salt, Purpose::Mac, rounds, hash.output_len());
    hmac::verify(&hmac::Key::new(algorithm, &key), data, &wanted).map_err(|_| PfxTrouble::Password)
}

fn decrypt_key(mut value: DerReader<'_>, password: &Password) -> Result<Zeroizing<Vec<u8>>, PfxTrouble> {
    let mut encrypted = value.take(SEQUENCE)?;
    let scheme = encrypted.take(SEQUENCE)?;
    decrypt(scheme, &encrypted.string(OCTETS)?, password)
}

fn decrypt(
    mut scheme: DerReader<'_>,
    data: &[u8],
    password: &Password,
) -> Result<Zeroizing<Vec<u8>>, PfxTrouble> {
    let name = scheme.octets(OBJECT)?;
    let mut parameters = scheme.take(SEQUENCE)?;
    if name == PBES2 {
        return pbes2(parameters, data, password);
    }
    let salt = parameters.string(OCTETS)?;
    let rounds = rounds(parameters.number()?)?;
    let sha1 = &digest::SHA1_FOR_LEGACY_USE_ONLY;
    let derived = |purpose, length| derive(sha1, &password.utf16, &salt, purpose, rounds, length);
    let (key, iv) = (|length| derived(Purpose::Key, length), derived(Purpose::Iv, 8));
    match name.strip_prefix(PBE_SHA1) {
        Some([3]) => cbc::<des::TdesEde3>(&key(24), &iv, data),
        Some([4]) => cbc::<des::TdesEde2>(&key(16), &iv, data),
        Some([5]) => cbc::<rc2::Rc2>(&key(16), &iv, data),
        Some([6]) => cbc::<rc2::Rc2>(&key(5), &iv, data),
        _ => Err(PfxTrouble::Unsupported),
    }
}

/// RFC 8018 §6.2, with PBKDF2.
fn pbes2(
    mut parameters: DerReader<'_>,
    data: &[u8],
    password: &Password,
) -> Result<Zeroizing<Vec<u8>>, PfxTrouble> {
    let mut derivation = parameters.take(SEQUENCE)?;
    let mut cipher = parameters.take(SEQUENCE)?;
    if derivation.octets(OBJECT)? != PBKDF2 {
        return Err(PfxTrouble::Unsupported);
    }
    let mut how = derivation.take(SEQUENCE)?;
    let salt = how.string(OCTETS)?;
    let rounds = rounds(how.number()?)?;
    let mut algorithm = pbkdf2::PBKDF2_HMAC_SHA1;
    while let Some(tag) = how.peek() {
        if tag != SEQUENCE {
            // The key's length, which the cipher says too.
            how.skip()?;
            continue;
        }
        algorithm = match how.take(SEQUENCE)?.octets(OBJECT)?.strip_prefix(HMAC) {
            Some([7]) => pbkdf2::PBKDF2_HMAC_SHA1,
            Some([9]) => pbkdf2::PBKDF2_HMAC_SHA256,
            Some([10]) => pbkdf2::PBKDF2_HMAC_SHA384,
            Some([11]) => pbkdf2::PBKDF2_HMAC_SHA512,
            _ => return Err(PfxTrouble::Unsupported),
        };
    }
    let name = cipher.octets(OBJECT)?;
    let iv = cipher.string(OCTETS)?;
    let key = |length| {
        let mut key = Zeroizing::new(vec![0; length]);
        pbkdf2::derive(algorithm, rounds, &salt, &password.utf8, &mut key);
        key
    };
    match name {
        AES128_CBC => cbc::<aes::Aes128>(&key(16), &iv, data),
        AES192_CBC => cbc::<aes::Aes192>(&key(24), &iv, data),
        AES256_CBC => cbc::<aes::Aes256>(&key(32), &iv, data),
        TDES_CBC => cbc::<des::TdesEde3>(&key(24), &iv, data),
        _ => Err(PfxTrouble::Unsupported),
    }
}

fn cbc<C: BlockCipherDecrypt + KeyInit>(
    key: &[u8],
    iv: &[u8],
    data: &[u8],
) -> Result<Zeroizing<Vec<u8>>, PfxTrouble> {
    let cipher = cbc::Decryptor::<C>::new_from_slices(key, iv).map_err(|_| PfxTrouble::Damaged)?;
    cipher.decrypt_padded_vec::<Pkcs7>(data).map(Zeroizing::new).map_err(|_| PfxTrouble::Password)
}

/// What a derived key is for: RFC 7292 appendix B.3.
#[derive(Clone, Copy)]
enum Purpose {
    Key = 1,
    Iv = 2,
    Mac = 3,
}

/// RFC 7292 appendix B.2.
fn derive(
    hash: &'static digest::Algorithm,
    password: &[u8],
    salt: &[u8],
    purpose: Purpose,
    rounds: NonZeroU32,
    length: usize,
) -> Zeroizing<Vec<u8>> {
    let block = hash.block_len();
    let filled = |octets: &[u8]| -> Vec<u8> {
        octets.iter().copied().cycle().take(block * octets.len().div_ceil(block)).collect()
    };
    let mut input = Zeroizing::new([filled(salt), filled(password)].concat());
    let mut out = Zeroizing::new(Vec::with_capacity(length + block));
    while out.len() < length {
        let mut context = digest::Context::new(hash);
        context.update(&vec![purpose as u8; block]);
        context.update(&input);
        let mut sum = context.finish();
        for _ in 1..rounds.get() {
            sum = digest::digest(hash, sum.as_ref());
        }
        out.extend_from_slice(sum.as_ref());
        let add: Vec<u8> = sum.as_ref().iter().copied().cycle().take(block).collect();
        for chunk in input.chunks_mut(block) {
            let mut carry = 1;
            for (octet, add) in chunk.iter_mut().zip(&add).rev() {
                carry += u16::from(*octet) + u16::from(*add);
                *octet = carry as u8;
                carry >>= 8;
            }
        }
    }
    out.truncate(length);
    out
}

/// A file may ask for work, but not for minutes of it.
fn rounds(number: u32) -> Result<NonZeroU32, PfxTrouble> {
    NonZeroU32::new(number).filter(|rounds| rounds.get() <= 10_000_000).ok_or(PfxTrouble::Damaged)
}

const ONE: NonZeroU32 = NonZeroU32::MIN;
/// How deep bags may stand in bags.
const DEPTH: u8 = 4;
const IMPLICIT: u8 = 0x80;

// Object identifiers, as they are encoded.
const PKCS7_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
const PKCS7_ENCRYPTED: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 6];
const BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1];
const X509: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 22, 1];
const PBE_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1];
const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12];
const HMAC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2];
const TDES_CBC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 3, 7];
const AES128_CBC: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 2];
const AES192_CBC: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 22];
const AES256_CBC: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 42];
const SHA1: &[u8] = &[0x2b, 14, 3, 2, 26];
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const SHA384: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2];
const SHA512: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3];
