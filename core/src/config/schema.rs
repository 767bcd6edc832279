//! Every option, once: its name, kind, default, who takes it, and one sentence.
//!
//! All else is read or written from here: the reading of options in every language, files, the environment and the
//! command line, `docs/options.md`, and the types of Python, Node and the C header (`make docs`).

use self::DefaultValue::{Is, Nothing, Required, Says};
use self::OptionKind::*;
use self::Takers::{All, Grants, Providers, Stores};

/// One option.
#[derive(Debug)]
pub struct OptionRow {
    /// Dotted, such as `smtp.port`.
    pub name: &'static str,
    /// What may be written.
    pub kind: OptionKind,
    /// What holds where it is not written.
    pub default: DefaultValue,
    /// Who takes it.
    pub takers: Takers,
    /// One sentence.
    pub meaning: &'static str,
}

/// What an option's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionKind {
    /// Options of its own.
    Table,
    /// A text.
    Text,
    /// A path of this machine's.
    Path,
    /// An IP address.
    Ip,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of texts.
    Texts,
    /// A whole number from 1 to this.
    Number(u32),
    /// The same, or `null` for no limit.
    Limit(u32),
    /// True or false.
    Switch,
    /// A number with its unit.
    Duration,
    /// The same, or `null` for no limit.
    DurationLimit,
    /// RFC 3339 or epoch seconds.
    Instant,
    /// A text, or where it stands.
    Secret,
    /// A secret with options of its own beside it.
    Certificate,
    /// A secret, `{value}`, `{github}`, or a function of the program.
    Assertion,
    /// A function of the program.
    Function,
    /// A mailbox.
    Mailbox,
    /// A word, or a table with `kind`.
    Store,
    /// `allow`, `deny` or a list of folders.
    Folders,
    /// True, or a text.
    SwitchOrText,
}

/// What holds where an option is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultValue {
    /// Nothing.
    Nothing,
    /// This value, as the environment would write it.
    Is(&'static str),
    /// What these words say.
    Says(&'static str),
    /// It must be written, where its table is.
    Required,
}

/// Who takes an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takers {
    /// Everybody.
    All,
    /// These grants.
    Grants(&'static [&'static str]),
    /// These providers.
    Providers(&'static [&'static str]),
    /// These kinds of store.
    Stores(&'static [&'static str]),
}

const fn row(
    name: &'static str,
    kind: OptionKind,
    default: DefaultValue,
    takers: Takers,
    meaning: &'static str,
) -> OptionRow {
    OptionRow { name, kind, default, takers, meaning }
}

impl OptionRow {
    /// The last part of the name.
    pub fn key(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }

    /// The name of the option that this one stands in; empty at the top.
    pub fn parent(&self) -> &'static str {
        self.name.rsplit_once('.').map_or("", |(parent, _)| parent)
    }

    /// Whether the value is secret, or may be.
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, Secret | Certificate | Assertion)
    }

    /// Whether `null` means something: no limit.
    pub fn takes_null(&self) -> bool {
        matches!(self.kind, Limit(_) | DurationLimit)
    }

    /// Whether a number with a unit is meant.
    pub fn is_duration(&self) -> bool {
        matches!(self.kind, Duration | DurationLimit)
    }
}

/// The option of this dotted name.
pub fn find(name: &str) -> Option<&'static OptionRow> {
    OPTIONS.iter().find(|row| row.name == name)
}

/// The options that stand directly in this one; empty is the top.
pub fn inside(name: &str) -> impl Iterator<Item = &'static OptionRow> {
    OPTIONS.iter().filter(move |row| row.parent() == name)
}

/// The option that is meant by a key that its own table does not have: one of that name elsewhere, or one that other
/// programs call so.
pub(super) fn elsewhere(key: &str) -> Option<&'static str> {
    // `caFile`, `CA_FILE` and `ca-file` are one word.
    let bare = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect()
    };
    let wanted = bare(key);
    let called = ALSO_CALLED.iter().find(|(word, _)| bare(word) == wanted).map(|(_, name)| *name);
    let same = || OPTIONS.iter().find(|row| bare(row.key()) == wanted).map(|row| row.name);
    let near = || {
        let keys: Vec<&str> = OPTIONS.iter().map(OptionRow::key).filter(|key| key.len() > 4).collect();
        let near = crate::input::nearest(key, &keys)?;
        OPTIONS.iter().find(|row| row.key() == near).map(|row| row.name)
    };
    called.or_else(same).or_else(near)
}

const MICROSOFT: Takers = Providers(&["microsoft365", "outlook", "hve"]);
const CLIENT: Takers = Grants(&["client_credentials", "authorization_code", "device_code", "refresh_token"]);
const PERSON: Takers = Grants(&["authorization_code", "device_code"]);
const SERVICE: Takers =
    Grants(&["client_credentials", "authorization_code", "device_code", "refresh_token", "jwt_bearer"]);
const REFRESH: Takers = Grants(&["refresh_token"]);
const BEARER: Takers = Grants(&["jwt_bearer"]);
const MACHINE: Takers = Grants(&["managed_identity"]);
const COMMAND: Takers = Grants(&["command"]);
const TOKEN: Takers = Grants(&["access_token"]);

/// A port, or a count that nobody reaches.
const PORT: OptionKind = Number(65_535);
const MANY: OptionKind = Limit(u32::MAX);

const PROVIDERS: &[&str] = &[
    "microsoft365",
    "outlook",
    "gmail",
    "hve",
    "yahoo",
    "aol",
    "fastmail",
    "yandex",
    "comcast",
    "custom",
    "memory",
];
const GRANTS: &[&str] = &[
    "client_credentials",
    "authorization_code",
    "device_code",
    "refresh_token",
    "jwt_bearer",
    "managed_identity",
    "access_token",
    "command",
    "callback",
];

/// All options, in the order of their page.
#[rustfmt::skip]
pub static OPTIONS: &[OptionRow] = &[
    row("provider", Word(PROVIDERS), Required, All,
        "Whose mail service it is; `custom` is any other, and `memory` keeps messages for tests and sends nothing."),
    row("cloud", Word(&["global", "us", "dod", "china"]), Is("global"), MICROSOFT,
        "Microsoft's cloud: worldwide, GCC High, Department of Defense, or 21Vianet's."),
    row("username", Text, Nothing, All,
        "The mailbox that signs in (the `user=` of XOAUTH2)."),
    row("from", Mailbox, Says("`username`"), All,
        "The author of messages that name none."),
    row("timeout", Duration, Says("5 minutes, and a second for each 16 KiB"), All,
        "How long one send may take, with its waiting and its retries."),
    row("partial", Word(&["deliver", "refuse"]), Is("deliver"), All,
        "What happens if the server refuses some of the recipients: send to the others, or to nobody."),
    row("files", Folders, Is("allow"), All,
        "Which local files a message may attach by path: all, none (`deny`), or those in a list of folders."),
    row("danger_token_to_host", Switch, Is("false"), All,
        "Lets a token of a known provider go to an SMTP host that is not the provider's."),
    row("trace", Switch, Is("false"), All,
        "Tells every line that goes over a connection as an event `smtp.trace`, without secrets and bodies."),

    row("auth", Table, Nothing, All,
        "How tokens are acquired."),
    row("auth.grant", Word(GRANTS), Required, All,
        "The way to a token."),
    row("auth.tenant", Text, Says("`organizations`; `consumers` for outlook; required for an application's own token"), MICROSOFT,
        "Microsoft's tenant: a verified domain, a GUID, `organizations`, `consumers` or `common`."),
    row("auth.client_id", Text, Says("must be written, but where Azure gives a workload its own"), CLIENT,
        "The application's (client) id."),
    row("auth.client_secret", Secret, Nothing, CLIENT,
        "The application's secret; a public client has none."),
    row("auth.certificate", Certificate, Nothing, CLIENT,
        "The application's private key and its certificate, instead of a secret: PEM, or PFX (as a text: in base64)."),
    row("auth.certificate.password", Secret, Nothing, CLIENT,
        "What opens the PFX, or the key in PEM, if it is encrypted."),
    row("auth.certificate.send_chain", Switch, Is("false"), CLIENT,
        "Sends the certificates along, for applications that are registered by subject name and issuer."),
    row("auth.certificate.algorithm", Word(&["PS256", "RS256"]), Is("PS256"), CLIENT,
        "How an RSA key signs; keys on P-256 and P-384 have their own way."),
    row("auth.client_assertion", Assertion, Nothing, CLIENT,
        "Another issuer's token that the application trusts, instead of a secret; it is read anew at every use."),
    row("auth.client_assertion.value", Secret, Nothing, CLIENT,
        "The token itself, or where it stands."),
    row("auth.client_assertion.github", SwitchOrText, Nothing, CLIENT,
        "The token of the GitHub Actions job that this is: true, or its audience."),
    row("auth.client_assertion.callback", Switch, Nothing, CLIENT,
        "A function of the program brings the token; Python and Node take the function itself instead."),
    row("auth.scopes", Texts, Says("the provider's scope for SMTP"), All,
        "`smtp`, `imap`, `pop`, or full scopes."),
    row("auth.authority", Text, Says("the provider's"), SERVICE,
        "The sign-in service's base URL; for `custom` the issuer, whose own document names the endpoints."),
    row("auth.token_endpoint", Text, Says("the provider's"), SERVICE,
        "The token endpoint (RFC 6749 §3.2)."),
    row("auth.authorization_endpoint", Text, Says("the provider's"), CLIENT,
        "The authorization endpoint (RFC 6749 §3.1)."),
    row("auth.device_authorization_endpoint", Text, Says("the provider's"), CLIENT,
        "The device authorization endpoint (RFC 8628 §3.1)."),
    row("auth.revocation_endpoint", Text, Says("the provider's"), CLIENT,
        "The revocation endpoint (RFC 7009 §2), which `logout` tells."),
    row("auth.redirect_uri", Text, Says("a listener of our own on loopback"), PERSON,
        "The application's own address for the answer."),
    row("auth.prompt", Text, Nothing, PERSON,
        "What the sign-in page asks: `login`, `none`, `consent` or `select_account`."),
    row("auth.login_hint", Text, Nothing, PERSON,
        "The account that the sign-in page offers."),
    row("auth.domain_hint", Text, Nothing, PERSON,
        "The domain that the sign-in page offers."),
    row("auth.client_auth", Word(&["auto", "post", "basic"]), Says("`auto`"), CLIENT,
        "How `auth.client_secret` travels: in the body (`post`), or as HTTP Basic authentication. `auto`: as the issuer's document says, else in the body, and as `basic` if that is refused."),
    row("auth.claims", Text, Nothing, PERSON,
        "A claims request, as JSON text."),
    row("auth.response_mode", Word(&["query", "form_post"]), Says("`query`"), PERSON,
        "How the answer comes back."),
    row("auth.refresh_token", Secret, Required, REFRESH,
        "The refresh token to start from."),
    row("auth.key_file", Path, Nothing, BEARER,
        "The key file of a Google service account (JSON)."),
    row("auth.issuer", Text, Nothing, BEARER,
        "Who signs, if there is no key file."),
    row("auth.private_key", Secret, Nothing, BEARER,
        "The issuer's private key as PEM, if there is no key file."),
    row("auth.subject", Text, Says("`username`"), BEARER,
        "The person in whose name the token is."),
    row("auth.identity_client_id", Text, Says("the machine's own identity"), MACHINE,
        "The identity, by its client id."),
    row("auth.object_id", Text, Nothing, MACHINE,
        "The identity, by its object id."),
    row("auth.resource_id", Text, Nothing, MACHINE,
        "The identity, by its resource id."),
    row("auth.access_token", Secret, Required, TOKEN,
        "The token itself."),
    row("auth.expires_at", Instant, Says("the token's own `exp`"), TOKEN,
        "When the token expires: RFC 3339, or epoch seconds."),
    row("auth.command", Texts, Required, COMMAND,
        "A program and its arguments, which prints a token, or JSON with `access_token` and `expires_in` or `expires_at`."),
    row("auth.timeout", Duration, Says("30 s"), COMMAND,
        "How long the program may take."),
    row("auth.callback", Function, Required, Grants(&["callback"]),
        "A function of the program that gets the tokens; C sets it by mailbearer_config_set_token_callback()."),

    row("smtp", Table, Nothing, All,
        "How the mail server is reached."),
    row("smtp.host", Text, Says("the provider's; required for custom"), All,
        "The mail server, without scheme or port."),
    row("smtp.port", PORT, Says("the provider's; 465 for `tls`, 587 for `starttls`"), All,
        "The mail server's port."),
    row("smtp.security", Word(&["starttls", "tls", "none"]), Says("the provider's; `tls` at port 465"), All,
        "STARTTLS (required, never opportunistic), TLS from the first octet, or none, on loopback only."),
    row("smtp.mechanism", Word(&["auto", "xoauth2", "oauthbearer"]), Is("auto"), All,
        "The SASL mechanism; `auto` takes XOAUTH2 where it is offered, else OAUTHBEARER (RFC 7628)."),
    row("smtp.initial_response", Word(&["auto", "always", "never"]), Is("auto"), All,
        "Whether the token goes on the AUTH line (RFC 4954 §4)."),
    row("smtp.hello_name", Text, Says("this machine's address"), All,
        "The name in EHLO."),
    row("smtp.local_address", Ip, Nothing, All,
        "The address to connect from."),
    row("smtp.proxy", Secret, Nothing, All,
        "A proxy's URL: `http://` (CONNECT), `socks5h://` (the proxy looks the name up) or `socks5://`, with user and password if it wants them."),
    row("smtp.pipelining", Word(&["auto", "chain", "group", "off"]), Is("auto"), All,
        "How far commands run ahead of their replies (RFC 2920); `auto` is `group` for Microsoft's servers and `chain` elsewhere."),
    row("smtp.chunking", Word(&["off", "on", "pipelined"]), Is("off"), All,
        "Whether bodies go in chunks (BDAT, RFC 3030); `pipelined` is dangerous with servers that do not discard a refused chunk."),
    row("smtp.timeouts", Table, Nothing, All,
        "One limit for each stage of a connection."),
    row("smtp.timeouts.connect", Duration, Is("15s"), All,
        "The TCP connection."),
    row("smtp.timeouts.tls", Duration, Is("15s"), All,
        "The TLS handshake."),
    row("smtp.timeouts.greeting", Duration, Is("30s"), All,
        "The server's greeting."),
    row("smtp.timeouts.command", Duration, Is("60s"), All,
        "The reply to a command."),
    row("smtp.timeouts.progress", Duration, Is("3m"), All,
        "A body that does not move."),
    row("smtp.timeouts.final_reply", Duration, Is("10m"), All,
        "The reply to the end of the message (RFC 5321 §4.5.3.2.6)."),

    row("limits", Table, Nothing, All,
        "The mailbox's limits."),
    row("limits.max_connections", MANY, Says("the provider's"), All,
        "Connections at once for a host and mailbox, in this process."),
    row("limits.messages_per_minute", MANY, Says("30 for microsoft365 and outlook, else none"), All,
        "Messages in any minute, in this process."),
    row("limits.max_messages_per_connection", MANY, Is("100"), All,
        "Messages before a connection is replaced."),
    row("limits.idle_timeout", DurationLimit, Is("60s"), All,
        "How long an unused connection is kept."),
    row("limits.max_age", DurationLimit, Is("10m"), All,
        "How old a connection may grow."),
    row("limits.breaker", Switch, Is("true"), All,
        "Stops signing in for 30 s after three refusals in a row, before the provider locks the account."),
    row("limits.shared", Secret, Nothing, All,
        "A Redis server's URL (`redis://`, `rediss://`, `unix://`): all processes that name it keep `limits.max_connections` and `limits.messages_per_minute` together."),

    row("tls", Table, Nothing, All,
        "Which certificates are trusted."),
    row("tls.roots", Text, Is("platform"), All,
        "`platform`, `bundled` (Mozilla's), or the path of a PEM file."),

    row("store", Store, Says("`memory`; `file` if a person signed in and the options came from a file"), All,
        "Where tokens are kept; Python and Node take an object of the program's own, too."),
    row("store.kind", Word(&["memory", "file", "keyring", "redis"]), Required, All,
        "This process's memory, a file that this user alone may read, a file whose key the system's keyring keeps, or a Redis server."),
    row("store.path", Path, Says("`mailbearer/tokens.json` in the user's state folder"), Stores(&["file", "keyring"]),
        "The file."),
    row("store.url", Secret, Required, Stores(&["redis"]),
        "The server: `redis://`, `rediss://` or `unix://`."),
    row("store.key", Secret, Nothing, Stores(&["file", "redis"]),
        "Encrypts what is kept; at least 24 characters."),

    row("retry", Table, Nothing, All,
        "How often, and how soon, a send is tried again."),
    row("retry.attempts", Number(u32::MAX), Is("3"), All,
        "All tries of one send, with the first."),
    row("retry.base_delay", Duration, Is("1s"), All,
        "The first pause, doubled each time."),
    row("retry.max_delay", Duration, Is("60s"), All,
        "The longest pause."),

    row("http", Table, Nothing, All,
        "How the sign-in service is reached."),
    row("http.timeout", Duration, Is("15s"), All,
        "One token request."),
    row("http.proxy", Secret, Says("HTTPS_PROXY, ALL_PROXY and NO_PROXY"), All,
        "A proxy's URL, as for `smtp.proxy`, or `none`; never for loopback."),

    row("dkim", Table, Nothing, All,
        "Signs every message (DKIM, RFC 6376)."),
    row("dkim.domain", Text, Required, All,
        "The domain that signs (`d=`): the author's own, or one above it."),
    row("dkim.selector", Text, Required, All,
        "Which of its keys (`s=`): the public one stands in DNS at `SELECTOR._domainkey.DOMAIN`."),
    row("dkim.private_key", Secret, Required, All,
        "The private key as PEM: RSA of at least 2,048 bits, or Ed25519."),
];

/// What other programs call an option, or people do.
#[rustfmt::skip]
const ALSO_CALLED: &[(&str, &str)] = &[
    ("ca", "tls.roots"), ("ca_file", "tls.roots"), ("ca_bundle", "tls.roots"), ("ca_certs", "tls.roots"),
    ("ca_path", "tls.roots"), ("ca_cert", "tls.roots"), ("root_certificates", "tls.roots"), ("verify", "tls.roots"),
    ("server", "smtp.host"), ("hostname", "smtp.host"), ("smtp_server", "smtp.host"), ("smtp_host", "smtp.host"),
    ("smtp_port", "smtp.port"), ("ssl", "smtp.security"), ("starttls", "smtp.security"), ("secure", "smtp.security"),
    ("use_tls", "smtp.security"), ("encryption", "smtp.security"), ("helo", "smtp.hello_name"),
    ("ehlo", "smtp.hello_name"), ("local_hostname", "smtp.hello_name"), ("helo_name", "smtp.hello_name"),
    ("auth_method", "smtp.mechanism"), ("sasl_mechanism", "smtp.mechanism"), ("source_address", "smtp.local_address"),
    ("user", "username"), ("mailbox", "username"), ("email", "username"), ("sender", "from"), ("account", "username"),
    ("tenant_id", "auth.tenant"), ("directory_id", "auth.tenant"), ("app_id", "auth.client_id"),
    ("application_id", "auth.client_id"), ("secret", "auth.client_secret"), ("app_secret", "auth.client_secret"),
    ("grant_type", "auth.grant"), ("flow", "auth.grant"), ("scope", "auth.scopes"), ("token", "auth.access_token"),
    ("issuer_url", "auth.authority"), ("token_url", "auth.token_endpoint"), ("token_uri", "auth.token_endpoint"),
    ("redirect_url", "auth.redirect_uri"), ("service_account", "auth.key_file"), ("credentials", "auth.key_file"),
    ("access_url", "auth.token_endpoint"), ("oauth2", "auth"), ("pool_size", "limits.max_connections"),
    ("rate_limit", "limits.messages_per_minute"), ("max_messages", "limits.max_messages_per_connection"),
    ("retries", "retry.attempts"), ("max_retries", "retry.attempts"), ("https_proxy", "http.proxy"),
    ("token_store", "store"), ("cache", "store"), ("debug", "trace"), ("key_selector", "dkim.selector"),
    ("domain_name", "dkim.domain"),
];
