//! Private keys that sign: messages (DKIM) and assertions (RFC 7523). They are never printed.

use std::fmt;
use std::sync::Arc;

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

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
    /// The first key in a PEM text.
    ///
    /// # Errors
    /// A sentence's end that says what is wrong, without the text.
    pub(crate) fn from_pem(pem: &str) -> Result<Self, String> {
        if pem.contains("BEGIN ENCRYPTED PRIVATE KEY") || pem.contains("Proc-Type: 4,ENCRYPTED") {
            return Err(
                "is encrypted: decrypt it with `openssl pkey`, or give a PFX with its password".into()
            );
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
            _ => return Err("is in an old form: convert it with `openssl pkcs8 -topk8 -nocrypt`".into()),
        };
        Ok(Self(Arc::new(pair)))
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

impl Algorithm {
    /// As a JWT's header has it.
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
