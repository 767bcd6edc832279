//! Options, checked and with the provider's preset applied: what the rest of the crate reads.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use url::Url;

use super::options::*;
use super::secret::SecretSource;
use super::spelling::Spelling;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::instant;
use crate::provider::{self, Family, Preset};

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
    pub auth: Option<AuthSettings>,
    /// How the mail server is reached.
    pub smtp: SmtpSettings,
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
    /// The caller's limit for one send, if one was set.
    pub timeout: Option<Duration>,
    /// What happens when some recipients are refused.
    pub partial: Partial,
    /// Which local files a message may attach.
    pub files: FilePolicy,
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
    /// The application's secret.
    pub client_secret: Option<SecretSource>,
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
    /// The refresh token to start from.
    pub refresh_token: Option<SecretSource>,
    /// A token given as it is.
    pub access_token: Option<SecretSource>,
    /// When that token expires.
    pub expires_at: Option<SystemTime>,
    /// A token with less left than this is refreshed ahead of use.
    pub refresh_ahead: Duration,
    /// A token with less left than this is not used.
    pub min_remaining: Duration,
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
    /// A token given as it is.
    AccessToken,
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
            Self::AccessToken => "access_token",
            Self::Callback => "callback",
        }
    }

    /// Whether a person signs in.
    pub fn is_interactive(self) -> bool {
        matches!(self, Self::AuthorizationCode | Self::DeviceCode)
    }

    /// Whether the token stands for a person rather than for the application.
    pub fn is_delegated(self) -> bool {
        self.is_interactive() || self == Self::RefreshToken
    }

    const ALL: [Self; 6] = [
        Self::ClientCredentials,
        Self::AuthorizationCode,
        Self::DeviceCode,
        Self::RefreshToken,
        Self::AccessToken,
        Self::Callback,
    ];
}

/// Where the sign-in service answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// The base URL, for store keys and messages.
    pub authority: String,
    /// RFC 6749 §3.2; absent for `access_token` and `callback`.
    pub token: Option<Url>,
    /// RFC 6749 §3.1.
    pub authorization: Option<Url>,
    /// RFC 8628 §3.1.
    pub device_authorization: Option<Url>,
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
    /// How commands are grouped.
    pub pipelining: Pipelining,
    /// Limits by stage.
    pub timeouts: Timeouts,
    /// Connections at once per host and mailbox.
    pub max_connections: Option<usize>,
    /// Messages before a connection is replaced.
    pub max_messages_per_connection: Option<u32>,
    /// How long an unused connection is kept.
    pub idle_timeout: Option<Duration>,
    /// How old a connection may grow.
    pub max_age: Option<Duration>,
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
    /// This file.
    File(PathBuf),
}

/// What else decides, beside the options.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Surroundings {
    /// The host program brought a token callback.
    pub(crate) callback: bool,
    /// The host program brought a token store.
    pub(crate) store: bool,
    /// The options came from a file: delegated grants then default to a file store.
    pub(crate) persistent: bool,
}

impl Surroundings {
    pub(crate) fn of(host: &Host) -> Self {
        Self {
            callback: host.token_provider.is_some(),
            store: host.store.is_some(),
            persistent: host.persistent,
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
        for (field, address) in [
            ("username", options.username.as_deref()),
            ("from", options.from.as_ref().map(|f| f.address.as_str())),
        ] {
            if let Some(address) = address {
                plain_text(field, address)?;
            }
        }
        let auth = match &options.auth {
            Some(auth) => Some(Resolver { options: &options, auth, preset, spelling, around }.auth()?),
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
        let store = store(&options, auth.as_ref(), around)?;
        Ok(Self {
            spelling,
            preset,
            username: options.username,
            from: options.from,
            auth,
            smtp,
            roots: options.tls.roots,
            store,
            attempts: options.retry.attempts.unwrap_or(3),
            base_delay: options.retry.base_delay.unwrap_or(Duration::from_secs(1)),
            max_delay: options.retry.max_delay.unwrap_or(Duration::from_secs(60)),
            http_timeout: options.http.timeout.unwrap_or(Duration::from_secs(15)),
            timeout: options.timeout,
            partial: options.partial,
            files: options.files,
        })
    }

    /// The same for another mailbox.
    ///
    /// # Errors
    /// `config_invalid` if `username` is empty or has control characters.
    pub(crate) fn for_mailbox(&self, username: &str, from: Option<MailboxOption>) -> Result<Self> {
        plain_text("username", username)?;
        let mut settings = self.clone();
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
        let near = super::mistake::nearest(name, &known)
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
                    .with_hint("Provider `custom` has no server of its own: name it."));
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
            .with_hint(
                "A token sent in the clear can be used by whoever sees it: use `starttls` or `tls`.",
            ));
    }
    if let Some(name) = &given.hello_name
        && (name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b)))
    {
        return Err(Error::config(
            "smtp.hello_name",
            "`smtp.hello_name` is not a host name or address literal",
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
        pipelining: given.pipelining,
        timeouts: Timeouts {
            connect: given.timeouts.connect.unwrap_or(seconds(15)),
            tls: given.timeouts.tls.unwrap_or(seconds(15)),
            greeting: given.timeouts.greeting.unwrap_or(seconds(30)),
            command: given.timeouts.command.unwrap_or(seconds(60)),
            progress: given.timeouts.progress.unwrap_or(seconds(180)),
            final_reply: given.timeouts.final_reply.unwrap_or(seconds(600)),
        },
        max_connections: limits.max_connections.unwrap_or(preset.max_connections),
        max_messages_per_connection: limits.max_messages_per_connection.unwrap_or(Some(100)),
        idle_timeout: limits.idle_timeout.unwrap_or(Some(seconds(60))),
        max_age: limits.max_age.unwrap_or(Some(seconds(600))),
    })
}

fn store(options: &Options, auth: Option<&AuthSettings>, around: Surroundings) -> Result<StoreSettings> {
    let delegated = auth.is_some_and(|auth| auth.grant.is_delegated());
    let file = |path: &Option<PathBuf>| match path {
        Some(path) => Ok(StoreSettings::File(path.clone())),
        None => default_store().map(StoreSettings::File),
    };
    match &options.store {
        Some(StoreOptions::Memory) => Ok(StoreSettings::Memory),
        Some(StoreOptions::File { path }) => file(path),
        None if delegated && around.persistent && !around.store => file(&None),
        None => Ok(StoreSettings::Memory),
    }
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
        format!("a token for {} would be sent to {}, which is not its server", preset.name, shown(&host)),
    )
    .with_hint("Use provider `custom` for another service, or set danger_token_to_host if you mean it."))
}

/// `localhost`, 127.0.0.0/8 and ::1.
fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
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
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

/// Reads an endpoint's URL: https, or http on loopback.
fn parse_endpoint(field: &str, text: &str) -> Result<Url> {
    let url = Url::parse(text).map_err(|e| Error::config(field, format!("`{field}` is not a URL: {e}")))?;
    let loopback = url.host_str().is_some_and(is_loopback);
    if url.scheme() == "https" || (url.scheme() == "http" && loopback) {
        return Ok(url);
    }
    Err(Error::config(field, format!("`{field}` must be https"))
        .with_hint("Secrets travel to it; plain http is taken on loopback only."))
}

/// Checks `auth.*` against the grant and the provider.
struct Resolver<'a> {
    options: &'a Options,
    auth: &'a AuthOptions,
    preset: &'static Preset,
    spelling: Spelling,
    around: Surroundings,
}

impl Resolver<'_> {
    fn auth(&self) -> Result<AuthSettings> {
        let grant = self.grant()?;
        self.keys_belong(grant)?;
        self.refused(grant)?;
        let auth = self.auth;
        let tenant = self.tenant(grant)?;
        for (field, source) in [
            ("auth.client_secret", &auth.client_secret),
            ("auth.refresh_token", &auth.refresh_token),
            ("auth.access_token", &auth.access_token),
        ] {
            if let Some(source) = source {
                source.check(&self.spelling.path(field))?;
            }
        }
        Ok(AuthSettings {
            grant,
            family: self.preset.family,
            client_id: auth.client_id.clone().unwrap_or_default(),
            client_secret: auth.client_secret.clone(),
            scopes: self.scopes(grant)?,
            login_scopes: self.preset.login_scopes,
            endpoints: self.endpoints(grant, &tenant)?,
            tenant,
            authorization_parameters: self.preset.authorization_parameters,
            redirect_uri: self.redirect_uri()?,
            prompt: auth.prompt.clone(),
            login_hint: auth.login_hint.clone(),
            domain_hint: auth.domain_hint.clone(),
            claims: auth.claims.clone(),
            refresh_token: auth.refresh_token.clone(),
            access_token: auth.access_token.clone(),
            expires_at: self.expires_at()?,
            refresh_ahead: Duration::from_secs(self.preset.refresh_ahead),
            min_remaining: Duration::from_secs(self.preset.min_remaining),
        })
    }

    fn config(&self, path: &str, message: impl FnOnce(&str) -> String) -> Error {
        let path = self.spelling.path(path);
        let message = message(&path);
        Error::config(path, message)
    }

    fn grant(&self) -> Result<GrantKind> {
        let names: Vec<_> = GrantKind::ALL.iter().map(|g| g.as_str()).collect();
        let Some(name) = self.auth.grant.as_deref() else {
            return Err(self
                .config("auth.grant", |p| format!("`{p}` is missing"))
                .with_hint(format!("One of: {}.", names.join(", "))));
        };
        GrantKind::ALL.into_iter().find(|g| g.as_str() == name).ok_or_else(|| {
            let near = super::mistake::nearest(name, &names)
                .map(|n| format!("; did you mean `{n}`?"))
                .unwrap_or_default();
            self.config("auth.grant", |_| format!("unknown grant `{}`{near}", shown(name)))
                .with_hint(format!("One of: {}.", names.join(", ")))
        })
    }

    /// Each grant takes the keys that mean something to it, and needs some of them.
    fn keys_belong(&self, grant: GrantKind) -> Result<()> {
        use GrantKind::*;
        let auth = self.auth;
        let client = matches!(grant, ClientCredentials | AuthorizationCode | DeviceCode | RefreshToken);
        let rows: [(&str, bool, bool, bool); 12] = [
            ("client_id", auth.client_id.is_some(), client, client),
            ("client_secret", auth.client_secret.is_some(), client, grant == ClientCredentials),
            ("redirect_uri", auth.redirect_uri.is_some(), grant == AuthorizationCode, false),
            ("prompt", auth.prompt.is_some(), grant == AuthorizationCode, false),
            ("login_hint", auth.login_hint.is_some(), grant == AuthorizationCode, false),
            ("domain_hint", auth.domain_hint.is_some(), grant == AuthorizationCode, false),
            ("claims", auth.claims.is_some(), grant == AuthorizationCode, false),
            ("refresh_token", auth.refresh_token.is_some(), grant == RefreshToken, grant == RefreshToken),
            ("access_token", auth.access_token.is_some(), grant == AccessToken, grant == AccessToken),
            ("expires_at", auth.expires_at.is_some(), grant == AccessToken, false),
            ("authorization_endpoint", auth.authorization_endpoint.is_some(), client, false),
            ("token_endpoint", auth.token_endpoint.is_some(), client, false),
        ];
        for (key, present, belongs, needed) in rows {
            let path = format!("auth.{key}");
            if present && !belongs {
                return Err(
                    self.config(&path, |p| format!("`{p}` does not belong to the grant {}", grant.as_str()))
                );
            }
            if needed && !present {
                return Err(self
                    .config(&path, |p| format!("`{p}` is missing"))
                    .with_hint(format!("The grant {} needs it.", grant.as_str())));
            }
        }
        if grant == Callback && !self.around.callback {
            return Err(self
                .config("auth.callback", |p| format!("`{p}` is missing"))
                .with_hint("The grant callback needs a function that returns a token."));
        }
        if grant != Callback && self.around.callback {
            return Err(self.config("auth.callback", |p| {
                format!("`{p}` does not belong to the grant {}", grant.as_str())
            }));
        }
        Ok(())
    }

    fn refused(&self, grant: GrantKind) -> Result<()> {
        let name = self.preset.name;
        if let Some((_, cure)) = self.preset.refused_grants.iter().find(|(g, _)| *g == grant.as_str()) {
            return Err(self
                .config("auth.grant", |_| format!("{name} does not take the grant {}", grant.as_str()))
                .with_hint(*cure));
        }
        if grant == GrantKind::ClientCredentials && self.options.username.is_none() {
            return Err(self
                .config("username", |p| format!("`{p}` is missing"))
                .with_hint("An application's token does not say whose mailbox to use: name it."));
        }
        Ok(())
    }

    fn tenant(&self, grant: GrantKind) -> Result<String> {
        if self.preset.family != Family::Microsoft {
            return match &self.auth.tenant {
                Some(_) => Err(self.config("auth.tenant", |p| format!("`{p}` is a Microsoft option"))),
                None => Ok(String::new()),
            };
        }
        let app_only = grant == GrantKind::ClientCredentials;
        let tenant = match self.auth.tenant.as_deref() {
            Some(tenant) => tenant,
            None if app_only && self.auth.token_endpoint.is_none() => {
                return Err(self.config("auth.tenant", |p| format!("`{p}` is missing")).with_hint(
                    "Name your organisation: its domain, such as contoso.com, or its tenant id.",
                ));
            }
            None => self.preset.tenant,
        };
        let plain = tenant.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        if !plain || (tenant.is_empty() && self.auth.tenant.is_some()) {
            return Err(self
                .config("auth.tenant", |p| format!("`{p}` is not a domain or tenant id"))
                .with_hint("Write a domain such as contoso.com, or the tenant's GUID."));
        }
        if app_only && ["common", "organizations", "consumers"].contains(&tenant) {
            return Err(self
                .config("auth.tenant", |p| {
                    format!("`{p}` cannot be `{tenant}` for an application's own token")
                })
                .with_hint("Name the one organisation whose mailbox is used: its domain or tenant id."));
        }
        Ok(tenant.to_owned())
    }

    fn scopes(&self, grant: GrantKind) -> Result<Vec<String>> {
        let preset = self.preset;
        let app_only = grant == GrantKind::ClientCredentials;
        let delegated = match self.options.cloud {
            Cloud::Global => None,
            Cloud::Us | Cloud::Dod => Some("https://outlook.office365.us/"),
            Cloud::China => Some("https://partner.outlook.cn/"),
        };
        let in_cloud = |scope: &str| match delegated {
            Some(base) if preset.family == Family::Microsoft => scope
                .strip_prefix("https://outlook.office.com/")
                .or_else(|| scope.strip_prefix("https://outlook.office365.com/"))
                .map_or_else(|| scope.to_owned(), |rest| format!("{base}{rest}")),
            _ => scope.to_owned(),
        };
        let short = |word: &str| match word {
            _ if app_only && !preset.app_scope.is_empty() => Some(preset.app_scope),
            "smtp" => Some(preset.smtp_scope),
            "imap" => Some(preset.imap_scope),
            "pop" => Some(preset.pop_scope),
            _ => None,
        };
        let mut out: Vec<String> = Vec::new();
        let default = vec!["smtp".to_owned()];
        for scope in self.auth.scopes.as_ref().unwrap_or(&default) {
            let full = match scope.as_str() {
                "smtp" | "imap" | "pop" => in_cloud(short(scope).unwrap_or_default()),
                full => full.to_owned(),
            };
            if full.is_empty() {
                if self.auth.scopes.is_some() {
                    return Err(self.config("auth.scopes", |_| {
                        format!("{} has no known scope for {scope}; write it in full", preset.name)
                    }));
                }
                continue;
            }
            if full.chars().any(|c| c.is_control() || c.is_whitespace()) {
                return Err(
                    self.config("auth.scopes", |p| format!("`{p}`: a scope has no blanks; give a list"))
                );
            }
            if !out.contains(&full) {
                out.push(full);
            }
        }
        self.one_right_resource(grant, &out)?;
        Ok(out)
    }

    fn one_right_resource(&self, grant: GrantKind, scopes: &[String]) -> Result<()> {
        if self.preset.family != Family::Microsoft {
            return Ok(());
        }
        let wrong = |message: &str, hint: &str| {
            Err(self.config("auth.scopes", |p| format!("`{p}`: {message}")).with_hint(hint))
        };
        let mut resources: Vec<String> = Vec::new();
        for scope in scopes {
            let Ok(url) = Url::parse(scope) else {
                if ["openid", "profile", "offline_access", "email"].contains(&scope.as_str()) {
                    continue;
                }
                return wrong(
                    &format!("`{}` alone means Microsoft Graph, which is not for SMTP", shown(scope)),
                    "Write the full scope, such as https://outlook.office.com/SMTP.Send, or just `smtp`.",
                );
            };
            let host = url.host_str().unwrap_or_default().to_owned();
            if host.starts_with("graph.microsoft") || host == "microsoftgraph.chinacloudapi.cn" {
                return wrong(
                    "a Graph token cannot be used over SMTP",
                    "Leave auth.scopes out, or use https://outlook.office.com/SMTP.Send.",
                );
            }
            if scope.ends_with("/.default") && grant.is_delegated() {
                return wrong(
                    "`.default` is for applications, not for a person's token",
                    "Leave auth.scopes out, or use https://outlook.office.com/SMTP.Send.",
                );
            }
            if !resources.contains(&host) {
                resources.push(host);
            }
        }
        if resources.len() > 1 {
            return wrong(
                &format!("one token is for one resource, not for {}", resources.join(" and ")),
                "Make a second token source for the other resource.",
            );
        }
        Ok(())
    }

    fn endpoints(&self, grant: GrantKind, tenant: &str) -> Result<Endpoints> {
        let auth = self.auth;
        if matches!(grant, GrantKind::AccessToken | GrantKind::Callback) {
            let authority = grant.as_str().to_owned();
            return Ok(Endpoints { authority, token: None, authorization: None, device_authorization: None });
        }
        let authority = match (auth.authority.as_deref(), self.options.cloud) {
            (Some(authority), _) => authority,
            (None, Cloud::Global) => self.preset.authority,
            (None, _) if self.preset.family != Family::Microsoft => {
                return Err(self.config("cloud", |p| format!("`{p}` is a Microsoft option")));
            }
            (None, Cloud::Us | Cloud::Dod) => "https://login.microsoftonline.us",
            (None, Cloud::China) => "https://login.partner.microsoftonline.cn",
        }
        .trim_end_matches('/');
        if !authority.is_empty() {
            parse_endpoint(&self.spelling.path("auth.authority"), authority)?;
        }
        let endpoint = |key: &str, given: &Option<String>, preset: &str, path: &str| {
            let field = self.spelling.path(&format!("auth.{key}"));
            match given.as_deref() {
                Some(text) => parse_endpoint(&field, text).map(Some),
                None if self.preset.family == Family::Microsoft => {
                    parse_endpoint(&field, &format!("{authority}/{tenant}/oauth2/v2.0/{path}")).map(Some)
                }
                None if !preset.is_empty() => parse_endpoint(&field, preset).map(Some),
                None => Ok(None),
            }
        };
        let preset = self.preset;
        let endpoints = Endpoints {
            token: endpoint("token_endpoint", &auth.token_endpoint, preset.token_endpoint, "token")?,
            authorization: endpoint(
                "authorization_endpoint",
                &auth.authorization_endpoint,
                preset.authorization_endpoint,
                "authorize",
            )?,
            device_authorization: endpoint(
                "device_authorization_endpoint",
                &auth.device_authorization_endpoint,
                preset.device_authorization_endpoint,
                "devicecode",
            )?,
            authority: String::new(),
        };
        let needed = [
            ("auth.token_endpoint", endpoints.token.is_some(), true),
            (
                "auth.authorization_endpoint",
                endpoints.authorization.is_some(),
                grant == GrantKind::AuthorizationCode,
            ),
            (
                "auth.device_authorization_endpoint",
                endpoints.device_authorization.is_some(),
                grant == GrantKind::DeviceCode,
            ),
        ];
        for (path, present, needed) in needed {
            if needed && !present {
                return Err(self
                    .config(path, |p| format!("`{p}` is missing"))
                    .with_hint(format!("{} has none of its own: name it.", preset.name)));
            }
        }
        let authority = match authority {
            "" => endpoints.token.as_ref().map(|u| u.origin().ascii_serialization()).unwrap_or_default(),
            _ if tenant.is_empty() => authority.to_owned(),
            _ => format!("{authority}/{tenant}"),
        };
        Ok(Endpoints { authority, ..endpoints })
    }

    fn redirect_uri(&self) -> Result<Option<String>> {
        let Some(text) = self.auth.redirect_uri.as_deref() else { return Ok(None) };
        check_redirect_uri(&self.spelling.path("auth.redirect_uri"), text)?;
        Ok(Some(text.to_owned()))
    }

    fn expires_at(&self) -> Result<Option<SystemTime>> {
        let wrong = || {
            self.config("auth.expires_at", |p| format!("`{p}` is not an instant"))
                .with_hint("Write epoch seconds, or RFC 3339 with an offset, such as 2026-12-31T23:00:00Z.")
        };
        match &self.auth.expires_at {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => instant::from_rfc3339(text).map(Some).ok_or_else(wrong),
            Some(Value::Number(n)) => n
                .as_f64()
                .filter(|s| (0.0..1e11).contains(s))
                .map(|s| Some(UNIX_EPOCH + Duration::from_secs_f64(s)))
                .ok_or_else(wrong),
            Some(_) => Err(wrong()),
        }
    }
}

/// A redirect URI is absolute, without fragment (RFC 6749 §3.1.2); on loopback its path is `/`, since
/// Entra compares paths and registrations of `http://localhost` have none.
pub(crate) fn check_redirect_uri(field: &str, text: &str) -> Result<()> {
    let url = Url::parse(text).map_err(|e| Error::config(field, format!("`{field}` is not a URL: {e}")))?;
    if url.fragment().is_some() {
        return Err(Error::config(field, format!("`{field}` may not have a fragment")));
    }
    let loopback = url.scheme() == "http" && url.host_str().is_some_and(is_loopback);
    if loopback && url.path() != "/" {
        return Err(Error::config(field, format!("`{field}` on loopback may not have a path"))
            .with_hint("Register http://localhost and leave redirect_uri out: we listen there ourselves."));
    }
    Ok(())
}
