//! `smtp.*` and `limits.*`, with the provider's preset.

use std::net::IpAddr;
use std::time::Duration;

use super::store::redis_url;
use crate::config::options::{Chunking, Cloud, InitialResponse, Mechanism, Options, Pipelining};
use crate::error::{Error, Result};
use crate::input::SecretSource;
use crate::net::server_url::{ServerUrl, is_loopback};
use crate::net::tls::Roots;
use crate::provider::{Preset, Security};
use crate::text;

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

/// Checks them, and fills in what the options leave open.
///
/// # Errors
/// `config_invalid`.
pub(super) fn read(options: &Options, preset: &Preset) -> Result<SmtpSettings> {
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

/// A token of a known provider goes to that provider's servers, or to loopback, and nowhere else.
pub(super) fn token_may_go(options: &Options, preset: &Preset, host: &str) -> Result<()> {
    let host = host.to_ascii_lowercase();
    let known = preset.token_hosts.iter().any(|allowed| {
        host == *allowed || host.strip_suffix(allowed).is_some_and(|rest| rest.ends_with('.'))
    });
    if known || preset.token_hosts.is_empty() || is_loopback(&host) || options.danger_token_to_host {
        return Ok(());
    }
    Err(Error::config(
        "smtp.host",
        format!(
            "a token for {} would go to {}, which is not its provider's server",
            preset.name,
            text::shown(&host, 60)
        ),
    )
    .with_hint("Use provider `custom` for another service. To send this token there all the same, set danger_token_to_host."))
}

fn plain_host(host: &str) -> Result<String> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_ok() || matches!(url::Host::parse(host), Ok(url::Host::Domain(_))) {
        return Ok(bare.to_owned());
    }
    Err(Error::config("smtp.host", format!("`smtp.host` is not a host name: {}", text::shown(host, 60)))
        .with_hint("Write the bare name, such as smtp.office365.com, without scheme or port."))
}
