//! From a route to a connection that may send: name, TCP, TLS, greeting, EHLO, AUTH.
//!
//! STARTTLS is required where it is asked for, never opportunistic (RFC 8314 §3), and nothing that came
//! before the handshake is kept (RFC 3207 §6).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use tokio::net::TcpStream;

use super::bearer::{Bearer, BearerToken};
use super::wire::{Wire, accepted, take_leave};
use crate::config::{InitialResponse, SmtpSettings};
use crate::doctor::Seen;
use crate::error::{Error, ErrorCode, Result};
use crate::event::EventSink;
use crate::instant;
use crate::net::dial;
use crate::net::proxy::{self, ProxyTarget};
use crate::net::stream::{Stream, Tap, handshake};
use crate::net::tls::{self, Roots};
use crate::provider::Security;
use crate::smtp::Route;
use crate::smtp::bounds::Bounds;
use crate::smtp::pool::{Pool, ServerFacts};
use crate::smtp::protocol::auth::{self, AuthExchange, AuthRefusal, AuthStep, Sasl};
use crate::smtp::protocol::capabilities::Capabilities;
use crate::smtp::protocol::classify::{Stage, classify};
use crate::smtp::protocol::pipeline::Lost;
use crate::smtp::protocol::refusal::Peer;
use crate::smtp::protocol::transcript::Transcript;

/// A connection that is ready for AUTH, or for mail.
pub(crate) struct Opened {
    pub(crate) wire: Wire,
    pub(crate) capabilities: Capabilities,
    /// For logs.
    pub(crate) number: u64,
}

/// Opens a connection and signs in. The token is fetched meanwhile.
///
/// # Errors
/// Those of each step, of the token source, and `auth_rejected` at once while the breaker is open.
pub(crate) async fn open<B: Bearer>(
    route: &Route<B>,
    pool: &Pool,
    host: &ServerFacts,
    bounds: Bounds<'_>,
) -> Result<Opened> {
    let peer = route.peer();
    pool.may_sign_in(&peer)?;
    let mut steps = Steps::default();
    let connecting = prepare(&route.settings, &route.roots, &peer, &route.events, bounds, &mut steps);
    let (opened, token) = tokio::try_join!(connecting, route.tokens.token(bounds.call()))?;
    sign_in(route, pool, host, opened, token, bounds).await
}

/// What was seen on the way, and the step under way: for the doctor.
#[derive(Default)]
pub(crate) struct Steps {
    pub(crate) seen: Vec<(&'static str, Seen)>,
    pub(crate) at: &'static str,
}

impl Steps {
    pub(crate) fn begin(&mut self, step: &'static str) {
        self.at = step;
    }

    pub(crate) fn end(&mut self, seen: impl Into<Seen>) {
        self.seen.push((self.at, seen.into()));
    }
}

/// Everything before AUTH.
///
/// # Errors
/// The first step's that failed; `steps.at` names it.
pub(crate) async fn prepare(
    settings: &SmtpSettings,
    roots: &Roots,
    peer: &Peer,
    events: &EventSink,
    bounds: Bounds<'_>,
    steps: &mut Steps,
) -> Result<Opened> {
    let (host, times) = (settings.host.as_str(), &settings.timeouts);
    let tcp = tcp(settings, bounds, steps).await?;
    let ours = tcp.local_addr().map_err(|e| peer.lost(&Lost::Connection(e.to_string()), "at once"))?;

    let hello = settings.hello_name.clone().unwrap_or_else(|| literal(ours));
    let config = match settings.security {
        Security::None => None,
        _ => {
            steps.begin("tls");
            Some(tls::configs().client(roots)?)
        }
    };
    let what = format!("TLS handshake with {host}");
    static NUMBERS: AtomicU64 = AtomicU64::new(1);
    let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
    let tap = settings.trace.then(|| Box::new(Transcript::new(events.clone(), number)) as Box<dyn Tap>);
    let mut wire = Wire::new(match &config {
        Some(config) if settings.security == Security::Tls => {
            let stream = bounds.within(times.tls, &what, handshake(tcp, tap, config.clone(), host)).await?;
            steps.end(secured(&stream));
            stream
        }
        _ => Stream::plain(tcp, tap),
    });

    steps.begin("greeting");
    let what = format!("greeting from {host}");
    let greeting = bounds.within(times.greeting, &what, wire.reply(peer, "at its greeting")).await?;
    let greeting = accepted(greeting, "the connection", Stage::Greeting, peer)?;
    steps.end(greeting.to_string());

    steps.begin("ehlo");
    let mut capabilities = ehlo(&mut wire, &hello, peer, settings, bounds).await?;
    if let (Security::Starttls, Some(config)) = (settings.security, config) {
        steps.begin("tls");
        wire = starttls(wire, &capabilities, config, peer, settings, bounds).await?;
        steps.end(secured(&wire.stream));
        steps.begin("ehlo");
        // What was said in the clear counts no more (RFC 3207 §4.2).
        capabilities = ehlo(&mut wire, &hello, peer, settings, bounds).await?;
    }
    steps.end(summary(&capabilities));
    Ok(Opened { wire, capabilities, number })
}

/// The connection, straight or through a proxy.
async fn tcp(settings: &SmtpSettings, bounds: Bounds<'_>, steps: &mut Steps) -> Result<TcpStream> {
    let (host, port, limit) = (settings.host.as_str(), settings.port, settings.timeouts.connect);
    let shown =
        |found: &[SocketAddr]| found.iter().map(|a| a.ip().to_string()).collect::<Vec<_>>().join(", ");
    // The lookup has its own limit, which is a matter of names and not of time.
    let resolve = |host, port| bounds.within(limit * 2, "address", dial::resolve(host, port, limit));
    steps.begin("dns");
    let Some(proxy) = &settings.proxy else {
        let addresses = resolve(host, port).await?;
        steps.end(shown(&addresses));
        steps.begin("tcp");
        let place = format!("{host} port {port}");
        let connecting = dial::connect(&place, &addresses, settings.local_address);
        let what = format!("connection to {place}");
        let tcp = bounds.within(limit, &what, connecting).await?;
        steps.end(format!("connected to {}", tcp.peer_addr().map_or(place, |address| address.to_string())));
        return Ok(tcp);
    };
    let target = match ProxyTarget::wants_address(proxy) {
        true => ProxyTarget::Address(resolve(host, port).await?[0]),
        false => ProxyTarget::Name(host.to_owned(), port),
    };
    let addresses = resolve(&proxy.host, proxy.port).await?;
    steps.end(format!("the proxy {}: {}", proxy.host, shown(&addresses)));
    steps.begin("tcp");
    let place = proxy.place();
    let connecting = async {
        let mut tcp =
            dial::connect(&format!("the proxy {place}"), &addresses, settings.local_address).await?;
        proxy::open(&mut tcp, proxy, &target).await?;
        Ok(tcp)
    };
    let what = format!("connection to {host} through the proxy {place}");
    let tcp = bounds.within(limit, &what, connecting).await?;
    steps.end(format!("connected to {host} port {port} through the proxy {place}"));
    Ok(tcp)
}

/// AUTH, with the one more try that design §5 allows.
///
/// # Errors
/// The refusal's, the token source's, or those of a lost connection.
pub(crate) async fn sign_in<B: Bearer>(
    route: &Route<B>,
    pool: &Pool,
    host: &ServerFacts,
    mut opened: Opened,
    mut token: B::Token,
    bounds: Bounds<'_>,
) -> Result<Opened> {
    let peer = route.peer();
    let Some(first) = authenticate(route, host, &mut opened, &token, bounds).await? else {
        pool.signed_in();
        return Ok(opened);
    };
    let breaker_open = pool.sign_in_refused(&first, route.settings.breaker);
    let error = refused(&peer, &first);
    if !first.calls_for_another_token(token.age(), breaker_open) {
        take_leave(opened.wire.stream).await;
        return Err(error);
    }
    route.tokens.invalidate(token.secret());
    let another = route.tokens.token(bounds.call()).await.map_err(|e| e.with_smtp(first.reply.clone()))?;
    if another.secret() == token.secret() {
        take_leave(opened.wire.stream).await;
        return Err(error);
    }
    token = another;
    // Many servers close after a refusal, some only when they are spoken to again.
    let mut end = None;
    if opened.wire.is_quiet() {
        end = match authenticate(route, host, &mut opened, &token, bounds).await {
            Err(lost) if lost.code() == ErrorCode::ConnectionLost => None,
            other => Some(other?),
        };
    }
    let end = match end {
        Some(end) => end,
        None => {
            drop(opened);
            opened =
                prepare(&route.settings, &route.roots, &peer, &route.events, bounds, &mut Steps::default())
                    .await?;
            authenticate(route, host, &mut opened, &token, bounds).await?
        }
    };
    match end {
        None => {
            pool.signed_in();
            Ok(opened)
        }
        Some(refusal) => {
            pool.sign_in_refused(&refusal, route.settings.breaker);
            take_leave(opened.wire.stream).await;
            Err(refused(&peer, &refusal))
        }
    }
}

async fn authenticate<B: Bearer>(
    route: &Route<B>,
    memory: &ServerFacts,
    opened: &mut Opened,
    token: &B::Token,
    bounds: Bounds<'_>,
) -> Result<Option<AuthRefusal>> {
    let (settings, peer) = (&route.settings, route.peer());
    let host = settings.host.as_str();
    let mechanism = Sasl::choose(settings.mechanism, &opened.capabilities, host)?;
    let response = token.response(mechanism, host, settings.port, route.username.as_deref())?;
    let inline = auth::inline(
        settings.initial_response,
        mechanism,
        response.expose(),
        settings.long_auth_line,
        memory.is_two_step(),
    );
    let may_fall_back = settings.initial_response == InitialResponse::Auto;
    let (mut exchange, mut line) = AuthExchange::start(mechanism, response, inline, may_fall_back);
    let what = format!("reply to AUTH from {host}");
    // Inline, fall back, response, end of challenge: no exchange has more lines.
    for _ in 0..5 {
        let command = opened.wire.command(line.expose(), "AUTH", &peer);
        let reply = bounds.within(settings.timeouts.command, &what, command).await;
        let reply = reply.map_err(|error| match error.code() {
            // It may be our own line that comes back.
            ErrorCode::ProtocolError => {
                let what = "the server's answer to AUTH is not an SMTP reply, and it may repeat the token";
                peer.lost(&Lost::Protocol(what.into()), "at AUTH")
            }
            _ => error,
        })?;
        line = match exchange.reply(reply) {
            AuthStep::Send(line) => line,
            AuthStep::FallBack(line) => {
                memory.remember_two_step();
                line
            }
            AuthStep::Done => return Ok(None),
            AuthStep::Refused(refusal) => return Ok(Some(refusal)),
            AuthStep::Unexpected(reply) => {
                let what = format!("to AUTH the server answered {}", reply.code);
                return Err(peer.lost(&Lost::Protocol(what), "at AUTH"));
            }
        };
    }
    Err(peer.lost(&Lost::Protocol("AUTH does not end".into()), "at AUTH"))
}

fn refused(peer: &Peer, refusal: &AuthRefusal) -> Error {
    if refusal.is_about_the_length() {
        let what = format!(
            "{} does not take a line of {} octets at AUTH: {}",
            peer.host, refusal.line, refusal.reply
        );
        return Error::new(ErrorCode::CapabilityMissing, what)
            .with_hint(format!(
                "The token is not refused: it does not fit. Raise the server's limit for the length of a line to at least {} octets (RFC 4954 §4 asks for 12,288), or use a server that takes OAuth2 sign-ins.",
                refusal.line
            ))
            .with_smtp(refusal.reply.clone());
    }
    if refusal.is_about_the_line() && refusal.reply.code != 504 {
        let what = format!("{} does not know the sign-in that it offers: {}", peer.host, refusal.reply);
        return Error::new(ErrorCode::CapabilityMissing, what)
            .with_hint("Something between us and the mail server, such as a proxy, may not know OAuth2 sign-ins: connect to the server itself.")
            .with_smtp(refusal.reply.clone());
    }
    if refusal.reply.code == 504 {
        let what = format!("{} offers a mechanism that it does not take: {}", peer.host, refusal.reply);
        return Error::new(ErrorCode::CapabilityMissing, what)
            .with_hint("Set smtp.mechanism to `xoauth2` or `oauthbearer`, as the provider documents it.")
            .with_smtp(refusal.reply.clone());
    }
    let code = classify(Stage::Auth, &refusal.reply).code;
    let what = match (&refusal.status, refusal.is_permanent()) {
        _ if code == ErrorCode::SmtpAuthDisabled => {
            "refused the sign-in, because SMTP AUTH is switched off".to_owned()
        }
        (Some(status), _) => format!("refused the token (status {status})"),
        (None, true) => "refused the token".to_owned(),
        (None, false) => "cannot sign us in for now".to_owned(),
    };
    peer.refused(Stage::Auth, &what, refusal.reply.clone())
}

async fn ehlo(
    wire: &mut Wire,
    hello: &str,
    peer: &Peer,
    settings: &SmtpSettings,
    bounds: Bounds<'_>,
) -> Result<Capabilities> {
    let what = format!("reply to EHLO from {}", settings.host);
    let line = format!("EHLO {hello}\r\n");
    let command = wire.agreed(&line, "EHLO", Stage::Hello, peer);
    let reply = bounds.within(settings.timeouts.command, &what, command).await?;
    Ok(Capabilities::from_reply(&reply))
}

async fn starttls(
    mut wire: Wire,
    capabilities: &Capabilities,
    config: Arc<rustls::ClientConfig>,
    peer: &Peer,
    settings: &SmtpSettings,
    bounds: Bounds<'_>,
) -> Result<Wire> {
    let host = settings.host.as_str();
    if !capabilities.starttls {
        return Err(Error::new(ErrorCode::CapabilityMissing, format!("{host} does not offer STARTTLS"))
            .with_hint("Use the provider's submission port (587), or smtp.security = \"tls\" on 465: mailbearer never sends a token in the clear."));
    }
    let what = format!("reply to STARTTLS from {host}");
    let command = wire.agreed("STARTTLS\r\n", "STARTTLS", Stage::StartTls, peer);
    bounds.within(settings.timeouts.command, &what, command).await?;
    let injected = || {
        Err(Error::new(ErrorCode::ProtocolError, format!("{host} sent something between STARTTLS and TLS"))
            .with_hint("Somebody on the way to the server may be changing the connection."))
    };
    let drained = wire.is_drained();
    let Some((tcp, tap)) = wire.stream.into_plain() else {
        return Err(Error::new(ErrorCode::Internal, "STARTTLS inside TLS"));
    };
    let mut octet = [0; 1];
    if !drained || tcp.try_read(&mut octet).is_ok_and(|n| n > 0) {
        return injected();
    }
    let what = format!("TLS handshake with {host}");
    let shaking = handshake(tcp, tap, config, host);
    Ok(Wire::new(bounds.within(settings.timeouts.tls, &what, shaking).await?))
}

/// An address literal (RFC 5321 §4.1.3): always true, and never a surprise for the server.
fn literal(ours: SocketAddr) -> String {
    match ours {
        SocketAddr::V4(address) => format!("[{}]", address.ip()),
        SocketAddr::V6(address) => format!("[IPv6:{}]", address.ip()),
    }
}

/// The version, and whose certificate it is.
fn secured(stream: &Stream) -> Seen {
    let version = stream.tls_version().unwrap_or("TLS").replace('_', ".");
    let Some(certificate) = stream.certificate() else { return Seen::from(version) };
    let Some(until) = certificate.not_after else { return Seen::from(version) };
    let seen = format!(
        "{version}, certificate of {}, signed by {}, good until {}",
        certificate.subject,
        certificate.issuer,
        instant::to_rfc3339(until)
    );
    match until.duration_since(SystemTime::now()).unwrap_or_default() {
        left if left < EXPIRES_SOON => Seen::warning(
            seen,
            format!("the certificate ends in {} days; after that, nothing is sent", left.as_secs() / 86_400),
            "The server's operator must renew the certificate before then.",
        ),
        _ => Seen::from(seen),
    }
}

const EXPIRES_SOON: Duration = Duration::from_secs(14 * 86_400);

/// What is offered, and what that means for messages.
fn summary(capabilities: &Capabilities) -> Seen {
    let offered: Vec<&str> = [
        ("PIPELINING", capabilities.pipelining),
        ("CHUNKING", capabilities.chunking),
        ("8BITMIME", capabilities.eight_bit_mime),
        ("SMTPUTF8", capabilities.smtputf8),
        ("DSN", capabilities.dsn),
    ]
    .iter()
    .filter_map(|(word, there)| there.then_some(*word))
    .collect();
    let mechanisms = match capabilities.auth.as_slice() {
        [] => "no AUTH".to_owned(),
        mechanisms => format!("AUTH {}", mechanisms.join(" ")),
    };
    let seen = std::iter::once(mechanisms.as_str()).chain(offered).collect::<Vec<_>>().join(", ");
    let mut means = match capabilities.size {
        Some(Some(size)) => {
            let mib = size as f64 / f64::from(1 << 20);
            // Base64 makes 57 octets 78.
            format!("messages up to {mib:.0} MiB ({:.0} MiB of attachments)", mib * 57.0 / 78.0)
        }
        _ => "it does not say how large a message may be".to_owned(),
    };
    means.push_str(match capabilities.pipelining {
        true => "; commands go together",
        false => "; every command waits for the reply before it",
    });
    if !capabilities.eight_bit_mime {
        means.push_str("; finished messages with octets beyond ASCII are refused");
    }
    Seen::meaning(seen, means)
}
