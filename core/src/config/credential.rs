//! How an application proves who it is: a secret, a certificate, or somebody else's word for it.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use super::secret::{Secret, SecretSource};
use super::spelling::Spelling;
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

/// The key of a service account (RFC 7523 §2.1).
#[derive(Clone, Debug)]
pub enum BearerKey {
    /// Google's JSON file.
    File(PathBuf),
    /// An issuer and its key.
    Own {
        /// `iss`.
        issuer: String,
        /// PEM.
        key: SecretSource,
    },
}

/// What signs in a service account's name.
pub(crate) struct Bearer {
    pub(crate) issuer: String,
    pub(crate) key: PrivateKey,
    /// Which of its keys.
    pub(crate) key_id: Option<String>,
    /// Where it is told to go.
    pub(crate) token_uri: Option<String>,
}

#[derive(Deserialize)]
struct KeyFile {
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
    token_uri: Option<String>,
}

impl BearerKey {
    /// Checks at construction what can be read without running anything.
    pub(super) fn check(&self, spelling: Spelling) -> Result<()> {
        match self {
            Self::Own { key: SecretSource::Command(_), .. } => Ok(()),
            Self::Own { key, .. } => {
                let field = spelling.path("auth.private_key");
                self.parse(&field, &key.read_now(&field)?).map(|_| ())
            }
            Self::File(path) => {
                let field = spelling.path("auth.key_file");
                self.parse(&field, &SecretSource::File(path.clone()).read_now(&field)?).map(|_| ())
            }
        }
    }

    /// Reads it as it is now.
    ///
    /// # Errors
    /// `config_invalid`.
    pub(crate) async fn read(&self, spelling: Spelling) -> Result<Bearer> {
        match self {
            Self::Own { key, .. } => {
                let field = spelling.path("auth.private_key");
                self.parse(&field, &key.read(&field).await?)
            }
            Self::File(path) => {
                let field = spelling.path("auth.key_file");
                self.parse(&field, &SecretSource::File(path.clone()).read(&field).await?)
            }
        }
    }

    fn parse(&self, field: &str, text: &Secret) -> Result<Bearer> {
        let wrong = |what: &str| Error::config(field, format!("`{field}` {what}"));
        let key = |pem: &str| PrivateKey::from_pem(pem).map_err(|what| wrong(&what));
        match self {
            Self::Own { issuer, .. } => {
                Ok(Bearer { issuer: issuer.clone(), key: key(text.expose())?, key_id: None, token_uri: None })
            }
            Self::File(_) => {
                // The parser's own words could quote the key.
                let file: KeyFile = serde_json::from_str(text.expose()).map_err(|_| {
                    wrong("is no key file of a service account").with_hint(
                        "Make a key for the service account in the Google Cloud console, as JSON, and give its file.",
                    )
                })?;
                let key = key(&file.private_key)?;
                let KeyFile { client_email, private_key_id, token_uri, .. } = file;
                Ok(Bearer { issuer: client_email, key, key_id: private_key_id, token_uri })
            }
        }
    }
}
