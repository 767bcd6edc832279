//! How an application proves who it is: a secret, a certificate, or somebody else's word for it.

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use super::secret::{Secret, SecretSource};
use crate::error::{Error, Result};
use crate::private_key::{Algorithm, PrivateKey};

/// One of the ways.
#[derive(Clone, Debug, Default)]
pub enum ClientCredential {
    /// It does not: a public client.
    #[default]
    None,
    /// By a secret.
    Secret(SecretSource),
    /// By a signature with its certificate's key (RFC 7523 §3).
    Certificate(CertificateOptions),
    /// By a token of another issuer that the application trusts, read anew at every use.
    Assertion(SecretSource),
}

impl ClientCredential {
    /// Whether a command runs to get it.
    pub(crate) fn is_command(&self) -> bool {
        let source = match self {
            Self::None => return false,
            Self::Secret(source) | Self::Assertion(source) => source,
            Self::Certificate(options) => &options.source,
        };
        matches!(source, SecretSource::Command(_))
    }
}

/// `auth.certificate`: PEM with the private key and the certificate, the certificate's own first. A text, or
/// `{file}`, `{env}`, `{command}`; beside them `send_chain` and `algorithm`.
#[derive(Clone, Debug)]
pub struct CertificateOptions {
    /// Where it stands; read anew at every token request, so that it may be renewed.
    pub source: SecretSource,
    /// Sends the certificates along (`x5c`), for applications that are registered by subject name and
    /// issuer. Default false.
    pub send_chain: bool,
    /// `PS256` (default for RSA) or `RS256`; keys on P-256 and P-384 have their own.
    pub rs256: bool,
}

impl<'de> Deserialize<'de> for CertificateOptions {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(de)?;
        let (mut send_chain, mut rs256) = (false, false);
        if let Value::Object(map) = &mut value {
            send_chain = match map.remove("send_chain") {
                None => false,
                Some(Value::Bool(flag)) => flag,
                Some(Value::String(word)) if word == "true" || word == "false" => word == "true",
                Some(_) => return Err(de::Error::custom("send_chain is true or false")),
            };
            rs256 = match map.remove("algorithm").as_ref().map(Value::as_str) {
                None | Some(Some("PS256")) => false,
                Some(Some("RS256")) => true,
                Some(_) => return Err(de::Error::custom("algorithm is PS256 or RS256")),
            };
        }
        let source = SecretSource::deserialize(value).map_err(de::Error::custom)?;
        Ok(Self { source, send_chain, rs256 })
    }
}

/// A certificate with its key, as it was read.
pub(crate) struct Certificate {
    pub(crate) key: PrivateKey,
    pub(crate) algorithm: Algorithm,
    /// DER, the application's own first.
    pub(crate) chain: Vec<Vec<u8>>,
}

impl CertificateOptions {
    /// Checks at construction what can be read without running anything.
    ///
    /// # Errors
    /// `config_invalid` naming `field`.
    pub(super) fn check(&self, field: &str) -> Result<()> {
        self.source.check(field)?;
        match &self.source {
            SecretSource::Command(_) => Ok(()),
            source => self.parse(field, &source.read_now(field)?).map(|_| ()),
        }
    }

    /// # Errors
    /// `config_invalid` naming `field`, without the content.
    pub(crate) fn parse(&self, field: &str, text: &Secret) -> Result<Certificate> {
        use rustls::pki_types::CertificateDer;
        use rustls::pki_types::pem::PemObject;
        let wrong = |what: &str| {
            Error::config(field, format!("`{field}` {what}")).with_hint(
                "It is a PEM file with the private key and the certificate. From a PFX: openssl pkcs12 -in app.pfx -nodes -out app.pem",
            )
        };
        let key = PrivateKey::from_pem(text.expose()).map_err(|what| wrong(&what))?;
        let certificates = CertificateDer::pem_slice_iter(text.expose().as_bytes());
        let chain: Vec<Vec<u8>> = certificates
            .map(|found| found.map(|der| der.to_vec()))
            .collect::<Result<_, _>>()
            .map_err(|_| wrong("has a damaged certificate"))?;
        if chain.is_empty() {
            return Err(wrong("has no certificate, only a key"));
        }
        let algorithm = match key.algorithm() {
            Algorithm::Ps256 if self.rs256 => Algorithm::Rs256,
            Algorithm::Ed25519 => return Err(wrong("has an Ed25519 key, which no sign-in service takes")),
            own => own,
        };
        Ok(Certificate { key, algorithm, chain })
    }
}

/// `auth.client_assertion`: a text, or `{value}`, `{file}`, `{env}`, `{command}`.
#[derive(Clone, Debug)]
pub struct AssertionOption(pub SecretSource);

impl<'de> Deserialize<'de> for AssertionOption {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(de)?;
        if let Value::Object(map) = &mut value
            && map.len() == 1
            && let Some(text) = map.remove("value")
        {
            value = text;
        }
        SecretSource::deserialize(value).map(Self).map_err(de::Error::custom)
    }
}
