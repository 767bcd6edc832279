//! How an application proves who it is: a secret, a certificate, or somebody else's word for it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::crypto::certificate::CertificateFacts;
use crate::crypto::pem::pem_text;
use crate::crypto::pkcs12;
use crate::crypto::private_key::{Algorithm, PrivateKey, opening};
use crate::error::{Error, Result};
use crate::host::TokenProvider;
use crate::input::{COMMAND_TIME, Secret, SecretSource, Spelling};
use crate::instant;

/// The way in which an application proves who it is.
#[derive(Clone, Debug, Default)]
pub enum ClientCredential {
    /// A public client: it proves nothing.
    #[default]
    None,
    /// By a secret.
    Secret(SecretSource),
    /// By a signature with its certificate's key (RFC 7523 §3).
    Certificate(CertificateOptions),
    /// By a token of another issuer that the application trusts, read anew at every use.
    Assertion(SecretSource),
    /// By that of the GitHub Actions job that this is, for this audience.
    Github(String),
    /// By what a function of the host program brings.
    Callback(TokenCallback),
}

/// The host program's function: it brings tokens, or assertions of who the application is.
#[derive(Clone)]
pub struct TokenCallback(pub(crate) Arc<dyn TokenProvider>);

impl fmt::Debug for TokenCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenCallback(..)")
    }
}

impl ClientCredential {
    /// How long it may take to get it; a request of our own takes `http_timeout`.
    pub(crate) fn patience(&self, http_timeout: Duration) -> Duration {
        let runs = |source: &SecretSource| u32::from(matches!(source, SecretSource::Command(_)));
        match self {
            Self::None => Duration::ZERO,
            Self::Github(_) => http_timeout,
            Self::Callback(_) => COMMAND_TIME,
            Self::Secret(source) | Self::Assertion(source) => COMMAND_TIME * runs(source),
            Self::Certificate(options) => {
                COMMAND_TIME * (runs(&options.source) + options.password.as_ref().map_or(0, runs))
            }
        }
    }
}

/// `auth.certificate`: the private key and its certificate, as PEM or PFX. A text (a PFX in base64), or `{file}`,
/// `{env}`, `{command}`; beside them `password`, `send_chain` and `algorithm`.
#[derive(Clone, Debug)]
pub struct CertificateOptions {
    /// Where it stands; read anew at every token request, so that it may be renewed.
    pub source: SecretSource,
    /// What opens the PFX or the key in PEM, if it is encrypted.
    pub password: Option<SecretSource>,
    /// Sends the certificates along (`x5c`), for applications that are registered by subject name and
    /// issuer. Default false.
    pub send_chain: bool,
    /// `PS256` (default for RSA) or `RS256`; keys on P-256 and P-384 have their own.
    pub rs256: bool,
}

impl<'de> Deserialize<'de> for CertificateOptions {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(de)?;
        let (mut send_chain, mut rs256, mut password) = (false, false, None);
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
            let given = map.remove("password").filter(|value| !value.is_null());
            password = given.map(SecretSource::deserialize).transpose().map_err(de::Error::custom)?;
        }
        let source = SecretSource::deserialize(value).map_err(de::Error::custom)?;
        Ok(Self { source, password, send_chain, rs256 })
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
    /// Checks at construction what can be read without running anything, and tells when the certificate ends.
    ///
    /// # Errors
    /// `config_invalid` naming `field`.
    pub(super) fn check(&self, field: &str) -> Result<Option<SystemTime>> {
        let password = format!("{field}.password");
        if let Some(source) = &self.password {
            source.check_password(&password)?;
        }
        let runs = |source: &SecretSource| matches!(source, SecretSource::Command(_));
        if runs(&self.source) || self.password.as_ref().is_some_and(runs) {
            return match &self.source {
                SecretSource::File(_) => Ok(None),
                source => source.check(field).map(|()| None),
            };
        }
        let octets = self.source.read_octets_now(field)?;
        let secret = self.password.as_ref().map(|source| source.read_password_now(&password)).transpose()?;
        let opened = self.open(field, &octets, secret.as_ref())?;
        let ends =
            opened.chain.first().and_then(|der| CertificateFacts::read(der)).and_then(|read| read.not_after);
        match ends.filter(|ends| *ends <= SystemTime::now()) {
            Some(ended) => {
                let text = format!("`{field}`: the certificate has ended at {}", instant::to_rfc3339(ended));
                Err(Error::config(field, text)
                    .with_hint("Make a new certificate, upload its public half to the application, and put the new file in place."))
            }
            None => Ok(ends),
        }
    }

    /// # Errors
    /// `config_invalid` naming `field`, without the content.
    pub(crate) fn open(&self, field: &str, octets: &[u8], password: Option<&Secret>) -> Result<Certificate> {
        let wrong = |what: &str| {
            Error::config(field, format!("`{field}` {what}"))
                .with_hint("Give a PEM or PFX file with the private key and its certificate.")
        };
        let (keys, mut chain) = contents(octets, password).map_err(|what| match password {
            None if what.contains("password") => {
                wrong(&what).with_hint(format!("Set `{field}.password` to the password of the file."))
            }
            _ => wrong(&what),
        })?;
        if keys.is_empty() {
            return Err(wrong("has a certificate, but no private key"));
        }
        if chain.is_empty() {
            return Err(wrong("has no certificate, only a key"));
        }
        let of = |key: &PrivateKey| {
            let public = key.public();
            chain.iter().position(|der| der.windows(public.len()).any(|octets| octets == public))
        };
        let Some((key, own)) = keys.iter().find_map(|key| Some((key.clone(), of(key)?))) else {
            return Err(wrong("has a key, and the certificate of another key"));
        };
        // The application's own goes first, whatever the file's order.
        chain[..=own].rotate_right(1);
        let algorithm = match key.algorithm() {
            Algorithm::Ps256 if self.rs256 => Algorithm::Rs256,
            Algorithm::Ed25519 => return Err(wrong("has an Ed25519 key, which no sign-in service takes")),
            own => own,
        };
        Ok(Certificate { key, algorithm, chain })
    }
}

/// Keys and certificates of a PEM or a PFX, or a sentence's end.
fn contents(octets: &[u8], password: Option<&Secret>) -> Result<(Vec<PrivateKey>, Vec<Vec<u8>>), String> {
    let password = password.map(Secret::expose);
    if let Some(pem) = pem_text(octets) {
        let certificates = CertificateDer::pem_slice_iter(pem.as_bytes());
        let chain: Result<Vec<_>, _> = certificates.map(|found| found.map(|der| der.to_vec())).collect();
        let key = match (PrivateKey::from_pem(&pem, password), &chain) {
            (Ok(key), _) => key,
            (Err(what), Err(_)) => return Err(what),
            (Err(what), Ok(chain)) => {
                let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| what.clone())?;
                PrivateKey::with_certificates(der.secret_der(), chain).ok_or(what)?
            }
        };
        let chain = chain.map_err(|_| "has a damaged certificate")?;
        return Ok((vec![key], chain));
    }
    let text = std::str::from_utf8(octets).ok().map(|text| text.trim_start_matches('\u{feff}'));
    let decoded = text.and_then(|text| {
        let text: Zeroizing<String> = Zeroizing::new(text.split_ascii_whitespace().collect());
        STANDARD.decode(&*text).ok().map(Zeroizing::new)
    });
    let found =
        pkcs12::open(decoded.as_ref().map_or(octets, |decoded| decoded), password).map_err(opening)?;
    let keys = found.keys.iter().map(|key| {
        let read = PrivateKey::from_der(&PrivateKeyDer::Pkcs8((&key[..]).into()));
        read.or_else(|what| PrivateKey::with_certificates(key, &found.certificates).ok_or(what))
    });
    Ok((keys.collect::<Result<_, _>>()?, found.certificates))
}

/// `auth.client_assertion`: a text, or `{value}`, `{file}`, `{env}`, `{command}`; or `{github}`, an audience, or true for
/// the usual one; or `{callback = true}`, where the host program brings a function.
#[derive(Clone, Debug)]
pub enum AssertionOption {
    /// Where the token stands.
    Source(SecretSource),
    /// The audience of a GitHub Actions job's own; absent: Entra's.
    Github(Option<String>),
    /// A function of the host program.
    Callback,
}

impl<'de> Deserialize<'de> for AssertionOption {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(de)?;
        if let Value::Object(map) = &mut value
            && map.len() == 1
            && let Some(text) = map.remove("value")
        {
            value = text;
        }
        if value.get("callback").is_some_and(|flag| *flag == true || *flag == "true") {
            return Ok(Self::Callback);
        }
        if let Some(audience) = value.get("github") {
            return match audience {
                Value::Bool(true) => Ok(Self::Github(None)),
                Value::String(text) if text == "true" => Ok(Self::Github(None)),
                Value::String(text) if !text.is_empty() => Ok(Self::Github(Some(text.clone()))),
                _ => Err(de::Error::custom("`github` is true, or an audience")),
            };
        }
        SecretSource::deserialize(value).map(Self::Source).map_err(de::Error::custom)
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
pub(crate) struct JwtKey {
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
    pub(crate) async fn read(&self, spelling: Spelling) -> Result<JwtKey> {
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

    fn parse(&self, field: &str, text: &Secret) -> Result<JwtKey> {
        let wrong = |what: &str| Error::config(field, format!("`{field}` {what}"));
        let key = |pem: &str| PrivateKey::from_pem(pem, None).map_err(|what| wrong(&what));
        match self {
            Self::Own { issuer, .. } => {
                Ok(JwtKey { issuer: issuer.clone(), key: key(text.expose())?, key_id: None, token_uri: None })
            }
            Self::File(_) => {
                // The parser's own words could quote the key.
                let file: KeyFile = serde_json::from_str(text.expose()).map_err(|_| {
                    wrong("is not a service account's key file").with_hint(
                        "Make a JSON key for the service account in the Google Cloud console, and name its file here.",
                    )
                })?;
                let key = key(&file.private_key)?;
                let KeyFile { client_email, private_key_id, token_uri, .. } = file;
                Ok(JwtKey { issuer: client_email, key, key_id: private_key_id, token_uri })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::error::ErrorCode;

    const PASSWORD: &str = "only for tests: Grüße";
    const APP: &[u8] = include_bytes!("../../testdata/app.der");
    const ISSUER: &[u8] = include_bytes!("../../testdata/issuer.der");
    const FILES: [(&str, &[u8], bool); 5] = [
        ("aes.pfx", include_bytes!("../../testdata/aes.pfx"), true),
        ("legacy.pfx", include_bytes!("../../testdata/legacy.pfx"), true),
        ("encrypted.pem", include_bytes!("../../testdata/encrypted.pem"), true),
        ("open.pfx", include_bytes!("../../testdata/open.pfx"), false),
        ("sec1.pem", include_bytes!("../../testdata/sec1.pem"), false),
    ];

    fn open(octets: &[u8], password: Option<&str>) -> Result<Certificate> {
        let options: CertificateOptions = serde_json::from_str(r#"{"file": "x"}"#).unwrap();
        options.open("auth.certificate", octets, password.map(Secret::new).as_ref())
    }

    #[test]
    fn remarks_in_latin_1_and_line_ends_written_out_are_read_past() {
        let pem = std::str::from_utf8(FILES[4].1).unwrap();
        let remarks = [b"    friendlyName: Gr\xfc\xdfe\n", pem.as_bytes()].concat();
        assert_eq!(open(&remarks, None).unwrap().chain, [APP, ISSUER]);
        assert_eq!(open(pem.replace('\n', "\\n").as_bytes(), None).unwrap().chain, [APP, ISSUER]);
    }

    #[test]
    fn a_key_on_a_curve_without_its_public_half_is_completed_from_the_certificate() {
        use crate::crypto::der::{self, DerReader};
        let pem = std::str::from_utf8(FILES[4].1).unwrap();
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap();
        let mut inner = DerReader::new(key.secret_der()).take(der::SEQUENCE).unwrap();
        inner.skip().unwrap();
        let private = inner.octets(der::OCTETS).unwrap();
        let object = |octets: &[u8]| der::write(der::OBJECT, &[octets]);
        let number = |octet: u8| der::write(der::INTEGER, &[&[octet]]);
        let own = der::write(der::SEQUENCE, &[&number(1), &der::write(der::OCTETS, &[private])]);
        let curve =
            [object(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]), object(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7])];
        let java = der::write(
            der::SEQUENCE,
            &[
                &number(0),
                &der::write(der::SEQUENCE, &[&curve[0], &curve[1]]),
                &der::write(der::OCTETS, &[&own]),
            ],
        );
        let java =
            format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(java));
        let certificates = &pem[pem.find("-----BEGIN CERTIFICATE-----").unwrap()..];
        let found = open(format!("{java}{certificates}").as_bytes(), None).unwrap();
        assert_eq!((found.chain, found.algorithm), (vec![APP.to_vec(), ISSUER.to_vec()], Algorithm::Es256));
        assert!(found.key.sign(Algorithm::Es256, b"x").is_ok());
        assert!(open(java.as_bytes(), None).is_err());
    }

    #[test]
    fn an_empty_password_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("app.pfx");
        std::fs::write(&file, FILES[3].1).unwrap();
        let options = |password: serde_json::Value| -> CertificateOptions {
            serde_json::from_value(serde_json::json!({"file": file, "password": password})).unwrap()
        };
        let empty = dir.path().join("empty");
        std::fs::write(&empty, "\n").unwrap();
        for password in [serde_json::json!(""), serde_json::json!({ "file": empty })] {
            let told =
                options(password).check("auth.certificate").err().map(|error| error.message().to_owned());
            assert!(told.as_ref().is_none_or(|told| !told.contains("password` is empty")), "{told:?}");
        }
    }

    #[test]
    fn every_form_of_a_certificate_gives_the_same_key_and_the_own_certificate_first() {
        for (name, octets, sealed) in FILES {
            let found = open(octets, sealed.then_some(PASSWORD)).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(found.chain, [APP, ISSUER], "{name}");
            assert_eq!(found.algorithm, Algorithm::Es256);
            assert_eq!(found.key.sign(found.algorithm, b"x").unwrap().len(), 64);
            let text = STANDARD.encode(octets);
            if name.ends_with("pfx") {
                assert_eq!(open(text.as_bytes(), sealed.then_some(PASSWORD)).unwrap().chain.len(), 2);
            }
            if sealed {
                let error = open(octets, Some("wrong")).err().unwrap();
                assert!(error.message().contains("cannot be opened with this password"), "{name}: {error}");
                let error = open(octets, None).err().unwrap();
                assert!(error.hint().unwrap().contains("auth.certificate.password"), "{name}: {error}");
            }
        }
    }

    #[test]
    fn damaged_files_are_refused_and_never_more() {
        for (_, octets, sealed) in FILES {
            let password = sealed.then_some(PASSWORD);
            for cut in (0..octets.len()).step_by(37) {
                if let Err(error) = open(&octets[..cut], password) {
                    assert_eq!(error.code(), ErrorCode::ConfigInvalid);
                }
                let mut bent = octets.to_vec();
                bent[cut] ^= 0x55;
                let _ = open(&bent, password);
            }
        }
    }

    #[test]
    fn a_key_and_a_certificate_that_do_not_belong_together_are_refused() {
        let sec1 = std::str::from_utf8(FILES[4].1).unwrap();
        let key = &sec1[..sec1.find("-----BEGIN CERT").unwrap()];
        let last = &sec1[sec1.rfind("-----BEGIN CERT").unwrap()..];
        for (text, said) in [
            (format!("{key}{last}"), "the certificate of another key"),
            (key.to_owned(), "has no certificate"),
            (last.to_owned(), "no private key"),
            (sec1.replace("-----BEGIN EC", "-----BEGIN AN"), "no private key"),
            (String::new(), "damaged"),
        ] {
            let error = open(text.as_bytes(), None).err().unwrap();
            assert!(error.message().contains(said), "{said}: {error}");
        }
    }

    #[test]
    fn a_workload_of_aks_is_known_by_its_environment_alone() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "e30.e30.c2ln").unwrap();
        let set = [
            ("AZURE_CLIENT_ID", "the-id"),
            ("AZURE_TENANT_ID", "contoso.com"),
            ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.us/"),
            ("AZURE_FEDERATED_TOKEN_FILE", file.path().to_str().unwrap()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let resolve = |more: Value, set: Vec<(String, String)>| {
            let mut options = serde_json::json!({"provider": "microsoft365", "username": "a@contoso.com",
                "auth": {"grant": "client_credentials"}});
            crate::config::overlay(&mut options, more);
            let variable = move |name: &str| set.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
            let around = crate::config::Surroundings {
                callback: None,
                store: false,
                persistent: false,
                variable: std::sync::Arc::new(variable),
            };
            let options = crate::config::Options::from_json(options, Spelling::Snake).unwrap();
            Settings::resolve(options, Spelling::Snake, around)
        };
        let auth = resolve(serde_json::json!({}), set.to_vec()).unwrap().auth.unwrap();
        let application = auth.grant.application().unwrap();
        assert_eq!((&*application.id, auth.token_host()), ("the-id", Some("login.microsoftonline.us")));
        assert!(matches!(application.credential, ClientCredential::Assertion(SecretSource::File(_))));
        assert_eq!(auth.authority, "https://login.microsoftonline.us/contoso.com");
        // What the options say goes first.
        let china = resolve(serde_json::json!({"cloud": "china"}), set.to_vec()).unwrap().auth.unwrap();
        assert!(china.authority.contains("partner.microsoftonline.cn"));
        let own = serde_json::json!({"auth": {"client_id": "mine", "client_secret": "hunter22"}});
        let error = resolve(own, set.to_vec()).unwrap_err();
        assert!(error.message().contains("tenant"), "nothing is mixed: {error}");
        assert!(resolve(serde_json::json!({}), Vec::new()).is_err());
    }
}
