//! Options, checked and with the provider's preset applied: what the rest of the crate reads.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use url::Url;

use super::auth::Resolver;
use super::credential::{BearerKey, ClientCredential};
use super::dkim::DkimSettings;
use super::options::*;
use super::{Identity, IdentityService, keyring};
use crate::address::{Mailbox, MailboxOption};
use crate::call::Partial;
use crate::error::{Error, Result};
use crate::host::{Host, TokenProvider};
use crate::input::{FieldPath, Secret, SecretSource, Spelling};
use crate::net::http::Reach;
use crate::net::http_proxy::HttpProxy;
use crate::net::server_url::{ServerUrl, is_loopback};
use crate::net::tls::Roots;
use crate::provider::{self, Family, Preset, Security};
use crate::text;

/// Everything a mailer or token source was told, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How the caller's language spells names.
    pub spelling: Spelling,
    /// The provider.
    pub preset: &'static Preset,
    /// The mailbox that authenticates.
    pub username: Option<String>,
    /// The default From.
    pub from: Option<MailboxOption>,
    /// How tokens are acquired; absent for `provider = "memory"`.
    pub auth: Option<Arc<AuthSettings>>,
    /// How the mail server is reached.
    pub smtp: Arc<SmtpSettings>,
    /// Which certificates are trusted.
    pub roots: Roots,
    /// Where tokens are kept, unless the host program brings its own store.
    pub store: StoreSettings,
    /// All tries of one send, the first included.
    pub attempts: u32,
    /// The first pause before another try.
    pub base_delay: Duration,
    /// The longest pause.
    pub max_delay: Duration,
    /// One token request.
    pub http_timeout: Duration,
    /// The way to the sign-in service.
    pub http_proxy: HttpProxy,
    /// The caller's limit for one send, if one was set.
    pub timeout: Option<Duration>,
    /// What happens when some recipients are refused.
    pub partial: Partial,
    /// Which local files a message may attach.
    pub files: FilePolicy,
    /// The signature that every message gets.
    pub dkim: Option<DkimSettings>,
}

/// How tokens are acquired.
#[derive(Clone, Debug)]
pub struct AuthSettings {
    /// The grant.
    pub grant: GrantKind,
    /// The sign-in service's dialect.
    pub family: Family,
    /// The tenant in the endpoints; empty outside Microsoft.
    pub tenant: String,
    /// The application's id; empty for `access_token` and `callback`.
    pub client_id: String,
    /// How the application proves who it is.
    pub credential: ClientCredential,
    /// Full scopes for the resource, without the login scopes.
    pub scopes: Vec<String>,
    /// What is asked for beside `scopes` when a person signs in.
    pub login_scopes: &'static [&'static str],
    /// The endpoints.
    pub endpoints: Endpoints,
    /// Added to the authorization URL.
    pub authorization_parameters: &'static [(&'static str, &'static str)],
    /// The application's own redirect URI.
    pub redirect_uri: Option<String>,
    /// `prompt`.
    pub prompt: Option<String>,
    /// `login_hint`.
    pub login_hint: Option<String>,
    /// `domain_hint`.
    pub domain_hint: Option<String>,
    /// `claims`.
    pub claims: Option<String>,
    /// `response_mode`.
    pub response_mode: Option<String>,
    /// The refresh token to start from.
    pub refresh_token: Option<SecretSource>,
    /// The token endpoint was named by the caller.
    pub endpoint_given: bool,
    /// `jwt_bearer`: whose key, and in whose name.
    pub bearer: Option<(BearerKey, String)>,
    /// `managed_identity`: who gives the token, and of which identity.
    pub managed: Option<(IdentityService, Identity)>,
    /// `command`: the program and its arguments, and how long it may take.
    pub command: Option<(Vec<String>, Duration)>,
    /// A token given as it is.
    pub access_token: Option<SecretSource>,
    /// When that token expires.
    pub expires_at: Option<SystemTime>,
    /// A token with less left than this is refreshed ahead of use.
    pub refresh_ahead: Duration,
    /// A token with less left than this is not used.
    pub min_remaining: Duration,
    /// When the application's certificate ends, as it was when the options were read.
    pub credential_expires_at: Option<SystemTime>,
}

impl AuthSettings {
    /// The host of the token endpoint, where it is known without asking.
    pub(crate) fn token_host(&self) -> Option<&str> {
        self.endpoints.token.as_ref().and_then(|url| url.host_str())
    }
}

/// The ways to a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantKind {
    /// RFC 6749 §4.4.
    ClientCredentials,
    /// RFC 6749 §4.1 with PKCE (RFC 7636).
    AuthorizationCode,
    /// RFC 8628.
    DeviceCode,
    /// RFC 6749 §6, from a token that the caller already has.
    RefreshToken,
    /// RFC 7523 §2.1: a service account's word, in a person's name.
    JwtBearer,
    /// The machine's own identity.
    ManagedIdentity,
    /// A token given as it is.
    AccessToken,
    /// A program that prints one.
    Command,
    /// A function of the host program.
    Callback,
}

impl GrantKind {
    /// The name in `auth.grant`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::AuthorizationCode => "authorization_code",
            Self::DeviceCode => "device_code",
            Self::RefreshToken => "refresh_token",
            Self::JwtBearer => "jwt_bearer",
            Self::ManagedIdentity => "managed_identity",
            Self::AccessToken => "access_token",
            Self::Command => "command",
            Self::Callback => "callback",
        }
    }

    /// Whether a person signs in.
    pub fn is_interactive(self) -> bool {
        matches!(self, Self::AuthorizationCode | Self::DeviceCode)
    }

    /// Whether the token comes from a sign-in service's token endpoint.
    pub(crate) fn asks_service(self) -> bool {
        matches!(self, Self::ClientCredentials | Self::JwtBearer) || self.is_delegated()
    }

    /// Whether the token stands for a person rather than for the application.
    pub fn is_delegated(self) -> bool {
        self.is_interactive() || self == Self::RefreshToken
    }

    /// Whether the token says nothing of a mailbox: one serves all.
    pub(crate) fn is_anonymous(self) -> bool {
        matches!(self, Self::ClientCredentials | Self::ManagedIdentity)
    }

    pub(super) const ALL: [Self; 9] = [
        Self::ClientCredentials,
        Self::AuthorizationCode,
        Self::DeviceCode,
        Self::RefreshToken,
        Self::JwtBearer,
        Self::ManagedIdentity,
        Self::AccessToken,
        Self::Command,
        Self::Callback,
    ];
}

/// Where the sign-in service answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// The base URL, for store keys and messages.
    pub authority: String,
    /// RFC 6749 §3.2; absent for `access_token` and `callback`.
    pub token: Option<Url>,
    /// RFC 6749 §3.1.
    pub authorization: Option<Url>,
    /// RFC 8628 §3.1.
    pub device_authorization: Option<Url>,
    /// RFC 7009 §2.
    pub revocation: Option<Url>,
    /// The issuer that answers (RFC 9207), where known.
    pub issuer: Option<String>,
    /// The issuer whose discovery document names the missing endpoints.
    pub discover: Option<Url>,
}

/// How the mail server is reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SmtpSettings {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How it is secured.
    pub security: Security,
    /// The SASL mechanism.
    pub mechanism: Mechanism,
    /// Whether the response goes on the AUTH line.
    pub initial_response: InitialResponse,
    /// Whether AUTH lines over 512 octets are known to be taken.
    pub long_auth_line: bool,
    /// The name in EHLO.
    pub hello_name: Option<String>,
    /// The address to connect from.
    pub local_address: Option<IpAddr>,
    /// The proxy on the way.
    pub proxy: Option<ServerUrl>,
    /// How far commands run ahead of their replies; never `auto`.
    pub pipelining: Pipelining,
    /// Whether bodies go in chunks.
    pub chunking: Chunking,
    /// Limits by stage.
    pub timeouts: Timeouts,
    /// Connections at once per host and mailbox.
    pub max_connections: Option<usize>,
    /// Messages in any minute.
    pub messages_per_minute: Option<u32>,
    /// Messages before a connection is replaced.
    pub max_messages_per_connection: Option<u32>,
    /// How long an unused connection is kept.
    pub idle_timeout: Option<Duration>,
    /// How old a connection may grow.
    pub max_age: Option<Duration>,
    /// Whether what goes over connections is told line by line.
    pub trace: bool,
    /// Whether refusals of AUTH in a row pause it.
    pub breaker: bool,
    /// The Redis server where a fleet keeps the mailbox's limits together.
    pub shared: Option<ServerUrl>,
}

impl SmtpSettings {
    /// How many messages a connection may have under way.
    pub(crate) fn messages_at_once(&self) -> usize {
        match (self.pipelining, self.chunking) {
            (Pipelining::Off, _) => 1,
            (_, Chunking::Pipelined) => 16,
            (Pipelining::Chain, _) => 2,
            _ => 1,
        }
    }
}

/// Limits by stage of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Timeouts {
    /// TCP connection.
    pub connect: Duration,
    /// TLS handshake.
    pub tls: Duration,
    /// The server's greeting.
    pub greeting: Duration,
    /// The reply to a command.
    pub command: Duration,
    /// A body that does not move.
    pub progress: Duration,
    /// The reply to the end of the message.
    pub final_reply: Duration,
}

/// Where tokens are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreSettings {
    /// Forgotten with the process.
    Memory,
    /// This file, and what its entries are encrypted with.
    File(PathBuf, Option<Secret>),
    /// This Redis server, and the same.
    Redis(ServerUrl, Option<Secret>),
}

impl StoreSettings {
    /// What seals entries and saved sign-ins.
    pub(crate) fn key(&self) -> Option<&Secret> {
        match self {
            Self::Memory => None,
            Self::File(_, key) | Self::Redis(_, key) => key.as_ref(),
        }
    }

    /// The place in words, without a password: `memory`, the file's path, the server's address.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Memory => "memory".to_owned(),
            Self::File(path, _) => path.display().to_string(),
            Self::Redis(url, _) => format!("Redis at {}", url.place()),
        }
    }
}

/// Reads an environment variable.
type Variable = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What else decides, beside the options.
#[derive(Clone)]
pub(crate) struct Surroundings {
    /// The host program's token callback.
    pub(crate) callback: Option<Arc<dyn TokenProvider>>,
    /// The host program brought a token store.
    pub(crate) store: bool,
    /// The options came from a file: delegated grants then default to a file store.
    pub(crate) persistent: bool,
    /// The environment.
    pub(crate) variable: Variable,
}

impl Surroundings {
    pub(crate) fn of(host: &Host) -> Self {
        Self {
            callback: host.token_provider.clone(),
            store: host.store.is_some(),
            persistent: host.persistent,
            variable: {
                let environment = host.environment.clone();
                Arc::new(move |name| environment.get(name))
            },
        }
    }
}

impl Settings {
    /// Checks `options` and applies the preset.
    ///
    /// # Errors
    /// `config_invalid`, with the cure; nothing here needs the network.
    pub(crate) fn resolve(options: Options, spelling: Spelling, around: Surroundings) -> Result<Self> {
        let preset = preset(options.provider.as_deref(), spelling)?;
        let memory = preset.name == "memory";
        if let Some(username) = &options.username {
            plain_text("username", username)?;
            a_mailbox_where_that_is_known(username, preset)?;
        }
        if let Some(from) = &options.from {
            sender(from, spelling)?;
        }
        let auth = match &options.auth {
            Some(auth) => {
                Some(Resolver { options: &options, auth, preset, spelling, around: &around }.auth()?)
            }
            None if memory => None,
            None => {
                return Err(Error::config("auth", "`auth` is missing").with_hint(
                    "Say how to get a token, for instance with auth.grant = \"client_credentials\".",
                ));
            }
        };
        let smtp = smtp(&options, preset)?;
        if auth.is_some() && !memory {
            token_may_go(&options, preset, &smtp.host)?;
        }
        if let Some(0) = options.retry.attempts {
            return Err(Error::config("retry.attempts", "`retry.attempts` must be at least 1"));
        }
        let store = store(&options, auth.as_ref(), &around)?;
        Ok(Self {
            spelling,
            preset,
            username: options.username,
            from: options.from,
            auth: auth.map(Arc::new),
            smtp: Arc::new(smtp),
            roots: options.tls.roots,
            store,
            attempts: options.retry.attempts.unwrap_or(3),
            base_delay: options.retry.base_delay.unwrap_or(Duration::from_secs(1)),
            max_delay: options.retry.max_delay.unwrap_or(Duration::from_secs(60)),
            http_timeout: options.http.timeout.unwrap_or(Duration::from_secs(15)),
            http_proxy: HttpProxy::read(options.http.proxy.as_ref(), |name| (around.variable)(name))?,
            timeout: options.timeout,
            partial: options.partial,
            files: options.files,
            dkim: options.dkim.as_ref().map(DkimSettings::read).transpose()?,
        })
    }

    /// How services on the net are reached.
    pub(crate) fn reach(&self) -> Reach<'_> {
        Reach { roots: &self.roots, proxy: &self.http_proxy, timeout: self.http_timeout }
    }

    /// Returns these settings for another mailbox.
    ///
    /// # Errors
    /// `config_invalid` if `username` or `from` is not an address.
    pub(crate) fn for_mailbox(&self, username: &str, from: Option<MailboxOption>) -> Result<Self> {
        plain_text("username", username)?;
        a_mailbox_where_that_is_known(username, self.preset)?;
        if let Some(from) = &from {
            sender(from, self.spelling)?;
        }
        let mut settings = self.clone();
        if let Some(auth) = &mut settings.auth
            && auth.bearer.is_some()
            && let Some((_, subject)) = &mut Arc::make_mut(auth).bearer
        {
            // The service account asks in the other mailbox's name then.
            *subject = username.to_owned();
        }
        settings.username = Some(username.to_owned());
        settings.from = from;
        Ok(settings)
    }
}

fn preset(name: Option<&str>, spelling: Spelling) -> Result<&'static Preset> {
    let known = provider::names();
    let Some(name) = name else {
        return Err(Error::config("provider", "`provider` is missing")
            .with_hint(format!("One of: {}.", known.join(", "))));
    };
    provider::find(name).ok_or_else(|| {
        let near = crate::input::mistake::nearest(name, &known)
            .map(|n| format!("; did you mean `{n}`?"))
            .unwrap_or_default();
        Error::config(spelling.path("provider"), format!("unknown provider `{}`{near}", shown(name)))
            .with_hint(format!("One of: {}.", known.join(", ")))
    })
}

fn smtp(options: &Options, preset: &Preset) -> Result<SmtpSettings> {
    let given = &options.smtp;
    let host = match given.host.as_deref() {
        Some(host) => plain_host(host)?,
        None => match (preset.smtp_host, options.cloud) {
            ("", _) => {
                return Err(Error::config("smtp.host", "`smtp.host` is missing")
                    .with_hint("Set smtp.host to your mail server: provider `custom` has no preset."));
            }
            ("smtp.office365.com", Cloud::Us) => "smtp.office365.us".to_owned(),
            ("smtp.office365.com", Cloud::Dod) => "outlook-dod.office365.us".to_owned(),
            ("smtp.office365.com", Cloud::China) => "smtp.partner.outlook.cn".to_owned(),
            (host, _) => host.to_owned(),
        },
    };
    let security = given.security.unwrap_or(match given.port {
        Some(465) => Security::Tls,
        Some(587) => Security::Starttls,
        _ => preset.smtp_security,
    });
    if security == Security::None && !is_loopback(&host) {
        return Err(Error::config("smtp.security", "`smtp.security` may be `none` on loopback only")
            .with_hint("Use `starttls` or `tls`: anybody who sees the token on its way can use it."));
    }
    if security == Security::None && given.proxy.is_some() {
        return Err(Error::config("smtp.security", "`smtp.security` may not be `none` through a proxy")
            .with_hint("Use `starttls` or `tls`: the proxy can read the token otherwise."));
    }
    if let Some(name) = &given.hello_name
        && (name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b)))
    {
        return Err(Error::config(
            "smtp.hello_name",
            "`smtp.hello_name` is not a host name or address literal",
        ));
    }
    if given.port == Some(0) {
        return Err(Error::config("smtp.port", "`smtp.port` must be at least 1"));
    }
    if let Roots::File(path) = &options.tls.roots {
        std::fs::File::open(path).map_err(|e| {
            Error::config("tls.roots", format!("`tls.roots`: cannot read {}: {e}", path.display()))
                .with_hint("Give `platform`, `bundled`, or the path of a PEM file.")
        })?;
    }
    if let Some(Some(0)) = options.limits.messages_per_minute {
        return Err(Error::config(
            "limits.messages_per_minute",
            "`limits.messages_per_minute` must be at least 1",
        ));
    }
    if let Some(Some(0)) = options.limits.max_connections {
        return Err(Error::config("limits.max_connections", "`limits.max_connections` must be at least 1"));
    }
    let port = given.port.unwrap_or(match security {
        Security::Tls if given.security.is_some() => 465,
        Security::Starttls if given.security.is_some() => 587,
        _ => preset.smtp_port,
    });
    let limits = &options.limits;
    let seconds = Duration::from_secs;
    Ok(SmtpSettings {
        host,
        port,
        security,
        mechanism: given.mechanism,
        initial_response: given.initial_response,
        long_auth_line: preset.long_auth_line,
        hello_name: given.hello_name.clone(),
        local_address: given.local_address,
        proxy: given.proxy.as_ref().map(|url| ServerUrl::proxy("smtp.proxy", url)).transpose()?,
        pipelining: match given.pipelining {
            Pipelining::Auto if preset.chains => Pipelining::Chain,
            Pipelining::Auto => Pipelining::Group,
            wanted => wanted,
        },
        chunking: given.chunking,
        timeouts: Timeouts {
            connect: given.timeouts.connect.unwrap_or(seconds(15)),
            tls: given.timeouts.tls.unwrap_or(seconds(15)),
            greeting: given.timeouts.greeting.unwrap_or(seconds(30)),
            command: given.timeouts.command.unwrap_or(seconds(60)),
            progress: given.timeouts.progress.unwrap_or(seconds(180)),
            final_reply: given.timeouts.final_reply.unwrap_or(seconds(600)),
        },
        max_connections: limits.max_connections.unwrap_or(preset.max_connections),
        messages_per_minute: limits.messages_per_minute.unwrap_or(preset.messages_per_minute),
        max_messages_per_connection: limits.max_messages_per_connection.unwrap_or(Some(100)),
        idle_timeout: limits.idle_timeout.unwrap_or(Some(seconds(60))),
        max_age: limits.max_age.unwrap_or(Some(seconds(600))),
        trace: options.trace,
        breaker: limits.breaker.unwrap_or(true),
        shared: limits.shared.as_ref().map(|url| shared_limits(url, options)).transpose()?,
    })
}

fn shared_limits(url: &SecretSource, options: &Options) -> Result<ServerUrl> {
    const FIELD: &str = "limits.shared";
    if options.username.is_none() {
        return Err(Error::config("username", "`username` is missing, and `limits.shared` is set")
            .with_hint(
                "Set username to the mailbox: processes that share its limits recognise each other by it.",
            ));
    }
    redis_url(FIELD, url)
}

fn redis_url(field: &str, url: &SecretSource) -> Result<ServerUrl> {
    let url = ServerUrl::read(field, url, &[("redis", 6379), ("rediss", 6379), ("unix", 0)])?;
    if url.scheme != "unix" && !url.path.is_empty() && url.path.parse::<u16>().is_err() {
        return Err(Error::config(
            field,
            format!("`{field}`: a database is a number, not {}", shown(&url.path)),
        ));
    }
    Ok(url)
}

fn store(options: &Options, auth: Option<&AuthSettings>, around: &Surroundings) -> Result<StoreSettings> {
    let delegated = auth.is_some_and(|auth| auth.grant.is_delegated());
    let file = |path: &Option<PathBuf>| path.clone().map_or_else(default_store, Ok);
    match &options.store {
        Some(StoreOptions::Memory) => Ok(StoreSettings::Memory),
        Some(StoreOptions::File { path, key }) => Ok(StoreSettings::File(file(path)?, store_key(key)?)),
        Some(StoreOptions::Keyring { path }) => {
            let path = file(path)?;
            let usual = default_store()?;
            let key = keyring::key(&usual.with_file_name("keyring.lock"), &[&path, &usual])?;
            Ok(StoreSettings::File(path, Some(key)))
        }
        Some(StoreOptions::Redis { url, key }) => {
            Ok(StoreSettings::Redis(redis_url("store.url", url)?, store_key(key)?))
        }
        None if delegated && around.persistent && !around.store => {
            Ok(StoreSettings::File(file(&None)?, None))
        }
        None => Ok(StoreSettings::Memory),
    }
}

fn store_key(source: &Option<SecretSource>) -> Result<Option<Secret>> {
    const FIELD: &str = "store.key";
    let Some(source) = source else { return Ok(None) };
    let hint = "Make a key with `openssl rand -base64 32`, and keep it where only this program can read it: {file} or {env}.";
    if matches!(source, SecretSource::Command(_)) {
        return Err(Error::config(FIELD, format!("`{FIELD}` cannot come from a command")).with_hint(hint));
    }
    let key = source.read_now(FIELD)?;
    if key.expose().len() < 24 {
        return Err(Error::config(FIELD, format!("`{FIELD}` is shorter than 24 characters")).with_hint(hint));
    }
    Ok(Some(key))
}

/// `$XDG_STATE_HOME/mailbearer/tokens.json`, else below `~/.local/state`.
fn default_store() -> Result<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::home_dir().map(|home| home.join(".local/state")));
    state.map(|state| state.join("mailbearer/tokens.json")).ok_or_else(|| {
        Error::config("store.path", "this user has no home folder to keep tokens in")
            .with_hint("Set store.path to a file that only this user may read.")
    })
}

/// A token of a known provider goes to that provider's servers, or to loopback, and nowhere else.
fn token_may_go(options: &Options, preset: &Preset, host: &str) -> Result<()> {
    let host = host.to_ascii_lowercase();
    let known = preset.token_hosts.iter().any(|allowed| {
        host == *allowed || host.strip_suffix(allowed).is_some_and(|rest| rest.ends_with('.'))
    });
    if known || preset.token_hosts.is_empty() || is_loopback(&host) || options.danger_token_to_host {
        return Ok(());
    }
    Err(Error::config(
        "smtp.host",
        format!("a token for {} would go to {}, which is not its provider's server", preset.name, shown(&host)),
    )
    .with_hint("Use provider `custom` for another service. To send this token there all the same, set danger_token_to_host."))
}

/// The big providers know mailboxes by their address; a server of one's own may have other names.
fn a_mailbox_where_that_is_known(username: &str, preset: &Preset) -> Result<()> {
    if preset.family == Family::Plain || username.contains('@') {
        return Ok(());
    }
    Err(Error::config("username", format!("`username` is not an address: {}", shown(username)))
        .with_hint("Write the mailbox's address, such as noreply@contoso.com."))
}

fn sender(from: &MailboxOption, spelling: Spelling) -> Result<()> {
    Mailbox::from_option(from, &FieldPath::top(spelling).field("from")).map(|_| ()).map_err(|error| {
        let told = Error::config("from", error.message());
        match error.hint() {
            Some(hint) => told.with_hint(hint),
            None => told,
        }
    })
}

fn plain_host(host: &str) -> Result<String> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_ok() || matches!(url::Host::parse(host), Ok(url::Host::Domain(_))) {
        return Ok(bare.to_owned());
    }
    Err(Error::config("smtp.host", format!("`smtp.host` is not a host name: {}", shown(host)))
        .with_hint("Write the bare name, such as smtp.office365.com, without scheme or port."))
}

fn plain_text(field: &str, text: &str) -> Result<()> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(Error::config(field, format!("`{field}` is empty or has control characters")));
    }
    Ok(())
}

/// A name the caller wrote, short enough to print.
pub(super) fn shown(text: &str) -> String {
    text::shown(text, 60)
}
