//! What a caller may write: names, types and which values exist. Defaults that depend on the
//! provider are filled in by `Settings`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use super::credential::{AssertionOption, CertificateOptions};
use super::dkim::DkimOptions;
use super::reading;
use crate::address::MailboxOption;
use crate::call::Partial;
use crate::error::Result;
use crate::input::{SecretSource, Spelling, duration};
use crate::net::tls::Roots;
use crate::provider::Security;

/// The options of a [`Mailer`](crate::Mailer) or [`TokenSource`](crate::TokenSource).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Required: `microsoft365`, `outlook`, `gmail`, … or `custom`, or `memory` for tests.
    pub provider: Option<String>,
    /// Microsoft's cloud; default `global`.
    pub cloud: Cloud,
    /// The mailbox that authenticates (the `user=` of XOAUTH2).
    pub username: Option<String>,
    /// The default From; `username` where absent.
    pub from: Option<MailboxOption>,
    /// How tokens are acquired.
    pub auth: Option<AuthOptions>,
    /// How the mail server is reached.
    pub smtp: SmtpOptions,
    /// The mailbox's limits; the provider's where absent.
    pub limits: LimitOptions,
    /// Which certificates are trusted.
    pub tls: TlsOptions,
    /// Where tokens are kept.
    pub store: Option<StoreOptions>,
    /// Signs every message (DKIM, RFC 6376); none by default, since providers sign for their own domains.
    pub dkim: Option<DkimOptions>,
    /// How often, and how soon, a send is tried again.
    pub retry: RetryOptions,
    /// How the sign-in service is reached.
    pub http: HttpOptions,
    /// The default limit for one send; 5 minutes plus the size at 16 KiB/s where absent.
    #[serde(deserialize_with = "duration::option")]
    pub timeout: Option<Duration>,
    /// What happens when some recipients are refused; default `deliver`.
    pub partial: Partial,
    /// Which local files message attachments may name; default `allow`.
    pub files: FilePolicy,
    /// Lets a Microsoft or Google token go to an SMTP host outside its preset.
    pub danger_token_to_host: bool,
    /// Tells every line that goes over a connection as an event `smtp.trace`, without secrets and bodies. Default false.
    pub trace: bool,
}

impl Options {
    /// Reads options that crossed from another language or a file.
    ///
    /// # Errors
    /// `config_invalid`, naming the option by its full path in the caller's spelling.
    pub fn from_json(value: Value, spelling: Spelling) -> Result<Self> {
        Self::from_layers(reading::layer(value, spelling)?, spelling)
    }

    /// Of layers that were read one by one and laid over each other; mistakes are told in `spelling`.
    pub(crate) fn from_layers(value: Value, spelling: Spelling) -> Result<Self> {
        reading::complete(&value, spelling)?;
        serde_path_to_error::deserialize(value)
            .map_err(|e| reading::unforeseen(&e.path().to_string(), spelling))
    }
}

/// Microsoft's national clouds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cloud {
    /// Worldwide.
    #[default]
    Global,
    /// GCC High.
    Us,
    /// United States Department of Defense.
    Dod,
    /// Operated by 21Vianet.
    China,
}

/// `auth.*`: which keys a grant takes is checked by `Settings`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthOptions {
    /// Required: `client_credentials`, `authorization_code`, `device_code`, `refresh_token`, `jwt_bearer`,
    /// `managed_identity`, `access_token`, `command` or `callback`.
    pub grant: Option<String>,
    /// Microsoft's tenant: a GUID, a verified domain, `organizations`, `consumers` or `common`.
    pub tenant: Option<String>,
    /// The application's id.
    pub client_id: Option<String>,
    /// The application's secret; absent for public clients.
    pub client_secret: Option<SecretSource>,
    /// The application's certificate, instead of a secret.
    pub certificate: Option<CertificateOptions>,
    /// A federated token, instead of a secret: a text, `{file}`, `{env}` or `{command}`, read at every use.
    pub client_assertion: Option<AssertionOption>,
    /// `smtp`, `imap`, `pop`, or full scopes; the provider's SMTP scope where absent.
    pub scopes: Option<Vec<String>>,
    /// The sign-in service's base URL; Microsoft's paths are put behind it. For `custom`: the issuer, whose own
    /// document names the endpoints.
    pub authority: Option<String>,
    /// The token endpoint, instead of the preset's.
    pub token_endpoint: Option<String>,
    /// The authorization endpoint, instead of the preset's.
    pub authorization_endpoint: Option<String>,
    /// The device authorization endpoint, instead of the preset's.
    pub device_authorization_endpoint: Option<String>,
    /// The revocation endpoint (RFC 7009), instead of the preset's.
    pub revocation_endpoint: Option<String>,
    /// `authorization_code`: the application's own redirect URI.
    pub redirect_uri: Option<String>,
    /// `authorization_code`: `login`, `none`, `consent` or `select_account`.
    pub prompt: Option<String>,
    /// `authorization_code`: the account to offer.
    pub login_hint: Option<String>,
    /// `authorization_code`: the domain to offer.
    pub domain_hint: Option<String>,
    /// How the secret travels; default `auto`.
    pub client_auth: ClientAuth,
    /// `authorization_code`: a claims request, as JSON text.
    pub claims: Option<String>,
    /// `authorization_code`: how the answer comes back, `query` (default) or `form_post`.
    pub response_mode: Option<String>,
    /// `refresh_token`: the token to start from.
    pub refresh_token: Option<SecretSource>,
    /// `jwt_bearer`: a Google service account's key file (JSON).
    pub key_file: Option<PathBuf>,
    /// `jwt_bearer`: who signs, where there is no key file.
    pub issuer: Option<String>,
    /// `jwt_bearer`: the issuer's private key as PEM.
    pub private_key: Option<SecretSource>,
    /// `jwt_bearer`: in whose name; `username` where absent.
    pub subject: Option<String>,
    /// `managed_identity`: which one, by its client id; the machine's own where absent.
    pub identity_client_id: Option<String>,
    /// `managed_identity`: by its object id.
    pub object_id: Option<String>,
    /// `managed_identity`: by its resource id.
    pub resource_id: Option<String>,
    /// `command`: a program and its arguments, which prints a token, or JSON with `access_token` and
    /// `expires_in` or `expires_at`.
    pub command: Option<Vec<String>>,
    /// `command`: how long it may take; default 30 s.
    #[serde(deserialize_with = "duration::option")]
    pub timeout: Option<Duration>,
    /// `access_token`: the token itself.
    pub access_token: Option<SecretSource>,
    /// `access_token`: when it expires, RFC 3339 or epoch seconds.
    pub expires_at: Option<Value>,
}

/// How an application's secret travels (RFC 6749 §2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// As the issuer's document says, else in the body, and as HTTP Basic authentication if that is refused.
    #[default]
    Auto,
    /// In the body.
    Post,
    /// As HTTP Basic authentication.
    Basic,
}

/// `smtp.*`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SmtpOptions {
    /// The submission server, instead of the preset's.
    pub host: Option<String>,
    /// The server's port, instead of the preset's.
    pub port: Option<u16>,
    /// `starttls` (required, never opportunistic), `tls`, or `none` (loopback only).
    pub security: Option<Security>,
    /// The SASL mechanism; default `auto`: XOAUTH2 where offered, else OAUTHBEARER.
    pub mechanism: Mechanism,
    /// Whether the token goes on the AUTH line (RFC 4954 §4); default `auto`.
    pub initial_response: InitialResponse,
    /// The name in EHLO; default this machine's address literal.
    pub hello_name: Option<String>,
    /// The address to connect from.
    pub local_address: Option<IpAddr>,
    /// A proxy by its URL: `http://` (CONNECT), `socks5h://` (the proxy looks the name up) or `socks5://` (we
    /// do), with user and password if it wants them. None by default, whatever the environment says.
    pub proxy: Option<SecretSource>,
    /// How far commands run ahead of their replies (RFC 2920); default `auto`.
    pub pipelining: Pipelining,
    /// Whether bodies go in chunks where the server offers it (RFC 3030); default `off`.
    pub chunking: Chunking,
    /// One limit per stage.
    pub timeouts: TimeoutOptions,
}

/// The SASL mechanism.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mechanism {
    /// XOAUTH2 where offered, else OAUTHBEARER.
    #[default]
    Auto,
    /// Google's and Microsoft's.
    Xoauth2,
    /// RFC 7628.
    Oauthbearer,
}

/// Whether the SASL response goes on the AUTH line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InitialResponse {
    /// If the line fits 512 octets, or the preset says that longer is taken.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How far commands run ahead of their replies, where the server offers PIPELINING.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pipelining {
    /// `group` for Microsoft's servers, `chain` elsewhere.
    #[default]
    Auto,
    /// The next message's commands ride behind the end of this one: one round trip a message. A server
    /// that cannot follow is remembered, and served in groups.
    Chain,
    /// MAIL, RCPT and DATA in one write: two round trips a message.
    Group,
    /// One command at a time.
    Off,
}

/// Whether bodies go in chunks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chunking {
    /// DATA.
    #[default]
    Off,
    /// BDAT, once its own MAIL and RCPT were accepted; the next message's ride behind it.
    On,
    /// BDAT right behind its envelope, up to 16 messages ahead. Dangerous with a server that does not
    /// discard a refused chunk: it would read the body as commands.
    Pipelined,
}

/// `smtp.timeouts.*`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeoutOptions {
    /// TCP connection; default 15 s.
    #[serde(deserialize_with = "duration::option")]
    pub connect: Option<Duration>,
    /// TLS handshake; default 15 s.
    #[serde(deserialize_with = "duration::option")]
    pub tls: Option<Duration>,
    /// The server's greeting; default 30 s.
    #[serde(deserialize_with = "duration::option")]
    pub greeting: Option<Duration>,
    /// The reply to a command; default 60 s.
    #[serde(deserialize_with = "duration::option")]
    pub command: Option<Duration>,
    /// A body that does not move; default 3 minutes.
    #[serde(deserialize_with = "duration::option")]
    pub progress: Option<Duration>,
    /// The reply to the end of the message; default 10 minutes (RFC 5321 §4.5.3.2.6).
    #[serde(deserialize_with = "duration::option")]
    pub final_reply: Option<Duration>,
}

/// `limits.*`; `null` means none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitOptions {
    /// Connections at once per host and mailbox, in this process.
    #[serde(deserialize_with = "nullable")]
    pub max_connections: Option<Option<usize>>,
    /// Messages in any minute, in this process; Microsoft 365 takes 30.
    #[serde(deserialize_with = "nullable")]
    pub messages_per_minute: Option<Option<u32>>,
    /// Messages before a connection is replaced; default 100.
    #[serde(deserialize_with = "nullable")]
    pub max_messages_per_connection: Option<Option<u32>>,
    /// How long an unused connection is kept; default 60 s.
    #[serde(deserialize_with = "duration::nullable")]
    pub idle_timeout: Option<Option<Duration>>,
    /// How old a connection may grow; default 10 minutes.
    #[serde(deserialize_with = "duration::nullable")]
    pub max_age: Option<Option<Duration>>,
    /// Stop signing in for 30 s after three refusals in a row, lest the provider lock the account; default true.
    pub breaker: Option<bool>,
    /// A Redis server by its URL (`redis://`, `rediss://` for TLS, `unix://`): all processes and hosts that
    /// name the same one keep a mailbox's `max_connections` and `messages_per_minute` together.
    pub shared: Option<SecretSource>,
}

fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(de: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(de).map(Some)
}

/// `tls.*`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsOptions {
    /// `platform` (default), `bundled`, or the path of a PEM file.
    pub roots: Roots,
}

/// `store`: a word or a table; a store of the host program's own comes beside the options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreOptions {
    /// Forgotten with the process.
    Memory,
    /// A file readable by this user alone.
    File {
        /// Default: `mailbearer/tokens.json` under the user's state folder.
        path: Option<PathBuf>,
        /// Encrypts what stands in it: at least 24 characters.
        key: Option<SecretSource>,
    },
    /// The same, encrypted with a key that the system's keyring keeps.
    Keyring {
        /// Default: as for a file.
        path: Option<PathBuf>,
    },
    /// A Redis server that processes and hosts share.
    Redis {
        /// `redis://`, `rediss://` or `unix://`.
        url: SecretSource,
        /// Encrypts what stands there: at least 24 characters.
        key: Option<SecretSource>,
    },
}

impl<'de> Deserialize<'de> for StoreOptions {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        // The schema has checked which kind takes what.
        let value = match Value::deserialize(de)? {
            Value::String(kind) => serde_json::json!({ "kind": kind }),
            table => table,
        };
        let StoreTable { kind, path, url, key } =
            StoreTable::deserialize(value).map_err(de::Error::custom)?;
        match (kind, url) {
            (StoreKind::Memory, _) => Ok(Self::Memory),
            (StoreKind::File, _) => Ok(Self::File { path, key }),
            (StoreKind::Keyring, _) => Ok(Self::Keyring { path }),
            (StoreKind::Redis, Some(url)) => Ok(Self::Redis { url, key }),
            (StoreKind::Redis, None) => Err(de::Error::missing_field("url")),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoreTable {
    kind: StoreKind,
    path: Option<PathBuf>,
    url: Option<SecretSource>,
    key: Option<SecretSource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoreKind {
    Memory,
    File,
    Keyring,
    Redis,
}

/// `retry.*`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetryOptions {
    /// All tries of one send, the first included; default 3.
    pub attempts: Option<u32>,
    /// The first pause; default 1 s, doubled each time.
    #[serde(deserialize_with = "duration::option")]
    pub base_delay: Option<Duration>,
    /// The longest pause; default 60 s.
    #[serde(deserialize_with = "duration::option")]
    pub max_delay: Option<Duration>,
}

/// `http.*`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpOptions {
    /// One token request; default 15 s.
    #[serde(deserialize_with = "duration::option")]
    pub timeout: Option<Duration>,
    /// A proxy for them by its URL, as for `smtp.proxy`, or `none`. Default: as HTTPS_PROXY, ALL_PROXY and
    /// NO_PROXY say. Never for loopback.
    pub proxy: Option<SecretSource>,
}

/// Which local files a message may attach by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FilePolicy {
    /// Any that this process may read.
    #[default]
    Allow,
    /// None: attachments are given as bytes.
    Deny,
    /// Files under these folders, after links are followed.
    Folders(Vec<PathBuf>),
}

impl<'de> Deserialize<'de> for FilePolicy {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        match Value::deserialize(de)? {
            Value::String(word) if word == "allow" => Ok(Self::Allow),
            Value::String(word) if word == "deny" => Ok(Self::Deny),
            value @ Value::Array(_) => serde_json::from_value(value)
                .map(Self::Folders)
                .map_err(|_| de::Error::custom("`files` lists folders as strings")),
            _ => Err(de::Error::custom("`files` is `allow`, `deny` or a list of folders")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema::{DefaultValue, OPTIONS, OptionKind, OptionRow};
    use super::super::{Settings, Surroundings, layer, scalar};
    use super::*;
    use crate::host::Host;
    use serde_json::json;

    fn nested(name: &str, value: Value) -> Value {
        name.rsplit('.').fold(value, |inner, key| json!({ key: inner }))
    }

    /// A right value of each kind.
    fn sample(row: &OptionRow) -> Option<Value> {
        use OptionKind::*;
        Some(match row.kind {
            Word(words) => json!(words[0]),
            Text | Path | Secret | Mailbox => json!("x"),
            Ip => json!("127.0.0.1"),
            Texts | Folders => json!(["x"]),
            Number(_) | Limit(_) => json!(1),
            Switch | SwitchOrText => json!(true),
            Duration | DurationLimit => json!("1s"),
            Instant => json!(1_900_000_000),
            Table | Certificate | Assertion | Store | Function => return None,
        })
    }

    #[test]
    fn every_row_of_the_schema_has_its_place_here() {
        let companions = json!({
            "auth": {"certificate": {"file": "x"}},
            "store": {"kind": "file"},
            "dkim": {"domain": "x", "selector": "x", "private_key": "x"},
        });
        for row in OPTIONS {
            let Some(value) = sample(row) else { continue };
            let mut value = nested(row.name, value);
            let top = row.name.split('.').next().unwrap();
            if row.name.starts_with("auth.certificate.")
                || row.name.starts_with("dkim.")
                || row.name == "store.path"
                || row.name == "store.key"
            {
                super::super::overlay(&mut value, json!({ top: companions[top] }));
            }
            if row.name == "store.url" {
                super::super::overlay(&mut value, json!({"store": {"kind": "redis"}}));
            }
            let read = Options::from_json(value.clone(), Spelling::Snake);
            assert!(read.is_ok(), "{}: {:?}", row.name, read.err());
        }
    }

    #[test]
    fn every_field_here_has_its_row_in_the_schema() {
        fn names<T: serde::de::DeserializeOwned>() -> Vec<String> {
            let told = serde_json::from_value::<T>(json!({"?": 1})).err().unwrap().to_string();
            told.split('`').skip(3).step_by(2).map(str::to_owned).collect()
        }
        for (parent, fields) in [
            ("", names::<Options>()),
            ("auth", names::<AuthOptions>()),
            ("smtp", names::<SmtpOptions>()),
            ("smtp.timeouts", names::<TimeoutOptions>()),
            ("limits", names::<LimitOptions>()),
            ("tls", names::<TlsOptions>()),
            ("retry", names::<RetryOptions>()),
            ("http", names::<HttpOptions>()),
            ("dkim", names::<DkimOptions>()),
        ] {
            let mut fields = fields;
            let mut rows: Vec<_> = super::super::schema::inside(parent)
                .filter(|row| row.kind != OptionKind::Function)
                .map(|row| row.key().to_owned())
                .collect();
            fields.sort();
            rows.sort();
            assert_eq!(fields, rows, "{parent}");
        }
    }

    #[test]
    fn a_default_of_the_schema_is_what_holds() {
        let settings = |more: Value| {
            let mut all = json!({"provider": "custom", "username": "a@x.example", "smtp": {"host": "127.0.0.1"},
                "auth": {"grant": "access_token", "access_token": "x"}});
            super::super::overlay(&mut all, layer(more, Spelling::Snake).unwrap());
            let options = Options::from_json(all, Spelling::Snake).unwrap();
            format!(
                "{:?}",
                Settings::resolve(options, Spelling::Snake, Surroundings::of(&Host::default())).unwrap()
            )
        };
        let usual = settings(json!({}));
        for row in OPTIONS.iter().filter(|row| !row.name.starts_with("auth.")) {
            if let DefaultValue::Is(text) = row.default {
                let given = settings(nested(row.name, scalar(row.name, text.to_owned())));
                assert_eq!(given, usual, "{}", row.name);
            }
        }
    }
}
