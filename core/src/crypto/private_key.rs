//! Private keys that sign: messages (DKIM) and assertions (RFC 7523). They are never printed.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use zeroize::Zeroizing;

use super::der::{self, DerReader};
use super::pem::pem_text;
use super::pkcs12::{self, PfxTrouble};
use crate::error::{Error, ErrorCode, Result};

/// A key of one of the kinds that are in use.
#[derive(Clone)]
pub(crate) struct PrivateKey(Arc<Pair>);

enum Pair {
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
}

/// How to sign, by the names of RFC 7518 §3.1 and RFC 8037.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Rs256,
    Ps256,
    Es256,
    Es384,
    Ed25519,
}

impl PrivateKey {
    /// The first key in a PEM text; an encrypted one is opened by `password`.
    ///
    /// # Errors
    /// A sentence's end that says what is wrong, without the text.
    pub(crate) fn from_pem(pem: &str, password: Option<&str>) -> Result<Self, String> {
        let pem = &**pem_text(pem.as_bytes()).ok_or("is no private key in PEM")?;
        if pem.contains("Proc-Type: 4,ENCRYPTED") {
            return Err("is encrypted in an old form: convert it with `openssl pkcs8 -topk8`".into());
        }
        if let Some(encrypted) = section(pem, "ENCRYPTED PRIVATE KEY") {
            let password = password.ok_or("is encrypted, and there is no password")?;
            let der = STANDARD.decode(encrypted).map_err(|_| "is no private key in PEM")?;
            let opened = pkcs12::open_key(&der, password).map_err(opening)?;
            return Self::from_der(&PrivateKeyDer::Pkcs8((&opened[..]).into()));
        }
        match PrivateKeyDer::from_pem_slice(pem.as_bytes()) {
            Ok(der) => Self::from_der(&der),
            Err(_) => Err("is no private key in PEM".into()),
        }
    }

    /// # Errors
    /// As for [`from_pem`](Self::from_pem).
    pub(crate) fn from_der(der: &PrivateKeyDer<'_>) -> Result<Self, String> {
        let random = SystemRandom::new();
        let unusable = |e: ring::error::KeyRejected| {
            format!("cannot be used: RSA with at least 2,048 bits, P-256, P-384 or Ed25519 is needed ({e})")
        };
        let pair = match der {
            PrivateKeyDer::Pkcs1(der) => {
                Pair::Rsa(RsaKeyPair::from_der(der.secret_pkcs1_der()).map_err(unusable)?)
            }
            PrivateKeyDer::Sec1(der) => return Self::from_sec1(der.secret_sec1_der()),
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                // OpenSSL writes Ed25519 keys without their public half, which is as good.
                if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
                    Pair::Ed25519(pair)
                } else if let Ok(pair) =
                    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &random)
                {
                    Pair::P256(pair)
                } else if let Ok(pair) =
                    EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, der, &random)
                {
                    Pair::P384(pair)
                } else {
                    Pair::Rsa(RsaKeyPair::from_pkcs8(der).map_err(unusable)?)
                }
            }
            _ => return Err("is in an unknown form: convert it with `openssl pkcs8 -topk8`".into()),
        };
        if let Pair::Rsa(pair) = &pair
            && pair.sign(&RSA_PKCS1_SHA256, &random, b"", &mut vec![0; pair.public().modulus_len()]).is_err()
        {
            // Its parts do not belong together, which shows at the first signature alone.
            return Err("is damaged".into());
        }
        Ok(Self(Arc::new(pair)))
    }

    /// A PKCS #8 key on a curve that has no public half, as Java writes it; the public half stands in a certificate.
    pub(crate) fn with_certificates(pkcs8: &[u8], certificates: &[Vec<u8>]) -> Option<Self> {
        let mut whole = DerReader::new(pkcs8).take(der::SEQUENCE).ok()?;
        whole.skip().ok()?;
        whole.skip().ok()?;
        let inner = whole.octets(der::OCTETS).ok()?;
        let mut inner = DerReader::new(inner).take(der::SEQUENCE).ok()?;
        inner.skip().ok()?;
        let private = inner.octets(der::OCTETS).ok()?;
        // The head of the public key's bits, and their length.
        for (head, length, curve) in [
            ([3, 66, 0, 4], 65, &ECDSA_P256_SHA256_FIXED_SIGNING),
            ([3, 98, 0, 4], 97, &ECDSA_P384_SHA384_FIXED_SIGNING),
        ] {
            for certificate in certificates {
                let ends = certificate.windows(length + 3).filter(|found| found.starts_with(&head));
                for found in ends {
                    let random = SystemRandom::new();
                    // Refused if it is another key's.
                    let pair =
                        EcdsaKeyPair::from_private_key_and_public_key(curve, private, &found[3..], &random);
                    if let Ok(pair) = pair {
                        let pair = if length == 65 { Pair::P256(pair) } else { Pair::P384(pair) };
                        return Some(Self(Arc::new(pair)));
                    }
                }
            }
        }
        None
    }

    /// A key on a curve in the form of RFC 5915: wrapped, it is PKCS #8.
    fn from_sec1(key: &[u8]) -> Result<Self, String> {
        for curve in [P256, P384] {
            let algorithm = der::write(
                der::SEQUENCE,
                &[&der::write(der::OBJECT, &[EC_KEY]), &der::write(der::OBJECT, &[curve])],
            );
            let inner = der::write(der::OCTETS, &[key]);
            let whole = Zeroizing::new(der::write(
                der::SEQUENCE,
                &[&der::write(der::INTEGER, &[&[0]]), &algorithm, &inner],
            ));
            if let Ok(found) = Self::from_der(&PrivateKeyDer::Pkcs8((&whole[..]).into())) {
                return Ok(found);
            }
        }
        Err("cannot be used: a key on P-256 or P-384 with its public half is needed".into())
    }

    /// The public half, as it stands in a certificate.
    pub(crate) fn public(&self) -> &[u8] {
        match &*self.0 {
            Pair::Rsa(pair) => pair.public_key().as_ref(),
            Pair::Ed25519(pair) => pair.public_key().as_ref(),
            Pair::P256(pair) | Pair::P384(pair) => pair.public_key().as_ref(),
        }
    }

    /// What it is used for by default.
    pub(crate) fn algorithm(&self) -> Algorithm {
        match &*self.0 {
            Pair::Rsa(_) => Algorithm::Ps256,
            Pair::Ed25519(_) => Algorithm::Ed25519,
            Pair::P256(_) => Algorithm::Es256,
            Pair::P384(_) => Algorithm::Es384,
        }
    }

    /// The signature; of an RSA key as `algorithm` says, of others as they can.
    ///
    /// # Errors
    /// `internal` if the system has no randomness.
    pub(crate) fn sign(&self, algorithm: Algorithm, input: &[u8]) -> Result<Vec<u8>> {
        let random = SystemRandom::new();
        let failed =
            |_| Error::new(ErrorCode::Internal, "nothing can be signed: the system has no randomness");
        match &*self.0 {
            Pair::Rsa(pair) => {
                let padding: &dyn ring::signature::RsaEncoding = match algorithm {
                    Algorithm::Rs256 => &RSA_PKCS1_SHA256,
                    _ => &RSA_PSS_SHA256,
                };
                let mut out = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, input, &mut out).map_err(failed)?;
                Ok(out)
            }
            Pair::Ed25519(pair) => Ok(pair.sign(input).as_ref().to_vec()),
            Pair::P256(pair) | Pair::P384(pair) => {
                Ok(pair.sign(&random, input).map_err(failed)?.as_ref().to_vec())
            }
        }
    }
}

/// The octets of the first section of this name, still in base64.
fn section(pem: &str, name: &str) -> Option<String> {
    let (_, rest) = pem.split_once(&format!("-----BEGIN {name}-----"))?;
    let (inner, _) = rest.split_once("-----END")?;
    Some(inner.split_ascii_whitespace().collect())
}

/// Why a key or a PFX was not opened, as a sentence's end.
pub(crate) fn opening(trouble: PfxTrouble) -> String {
    match trouble {
        PfxTrouble::Damaged => "is damaged, or something else",
        PfxTrouble::Password => "cannot be opened with this password",
        PfxTrouble::Unsupported => {
            "is encrypted in an unknown way: convert it with `openssl pkcs12`, or to PEM"
        }
    }
    .into()
}

const EC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const P384: &[u8] = &[0x2b, 0x81, 4, 0, 34];

impl Algorithm {
    /// The name in a JWT's header.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Ed25519 => "EdDSA",
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.algorithm().name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    #[test]
    fn a_damaged_key_is_refused_when_it_is_read_and_not_when_it_signs() {
        let der = include_bytes!("../../testdata/rfc7515-a2.der");
        let mut damaged = 0;
        for at in (40..der.len()).step_by(61) {
            let mut bent = der.to_vec();
            bent[at] ^= 1;
            match PrivateKey::from_der(&PrivateKeyDer::Pkcs8((&bent[..]).into())) {
                Err(what) => damaged += usize::from(what == "is damaged"),
                Ok(key) => assert!(key.sign(Algorithm::Ps256, b"x").is_ok(), "{at}"),
            }
        }
        assert!(damaged > 0);
    }

    #[test]
    fn rfc_7515_a2_is_signed_as_it_stands_there() {
        let der = include_bytes!("../../testdata/rfc7515-a2.der");
        let key = PrivateKey::from_der(&PrivateKeyDer::Pkcs8((&der[..]).into())).unwrap();
        let input = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = key.sign(Algorithm::Rs256, input.as_bytes()).unwrap();
        assert_eq!(
            URL_SAFE_NO_PAD.encode(signature),
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
        );
    }
}
