//! The engine against a scripted server on loopback: what the caller got, and what the server saw.

mod auth;
mod bad_days;
mod pool;
mod server;
mod streams;
mod tls;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tokio::time::Instant;

use self::server::Do::{self, Body, Close, Drip, Eof, Group, Hear, Say};
use self::server::{Server, hello, one_message, signed_in, with};
use super::protocol::auth::Sasl;
use super::session::bearer::{Bearer, BearerToken};
use super::*;
use crate::call::{Call, Partial};
use crate::config::{InitialResponse, Mechanism, Pipelining, Timeouts};
use crate::error::{Delivery, ErrorCode};
use crate::input::Secret;
use crate::provider::Security;
use crate::receipt::Envelope;
use crate::token::SourceId;

/// Brings its tokens in order; the last again and again.
#[derive(Clone)]
struct Tokens(Arc<Mutex<State>>);

struct State {
    tokens: Vec<&'static str>,
    age: Duration,
    invalidated: Vec<String>,
}

struct Token(&'static str, Duration);

impl Tokens {
    fn new(tokens: &[&'static str]) -> Self {
        let age = Duration::from_secs(600);
        Self(Arc::new(Mutex::new(State { tokens: tokens.to_vec(), age, invalidated: Vec::new() })))
    }

    fn invalidated(&self) -> Vec<String> {
        self.0.lock().unwrap().invalidated.clone()
    }
}

impl Bearer for Tokens {
    type Token = Token;

    async fn token(&self, _: Call) -> Result<Token> {
        let state = self.0.lock().unwrap();
        Ok(Token(state.tokens[0], state.age))
    }

    fn invalidate(&self, secret: &str) {
        let mut state = self.0.lock().unwrap();
        state.invalidated.push(secret.to_owned());
        if state.tokens.len() > 1 && state.tokens[0] == secret {
            state.tokens.remove(0);
        }
    }

    fn identity(&self) -> SourceId {
        SourceId { source: Arc::as_ptr(&self.0).addr() as u64, generation: 0 }
    }
}

impl BearerToken for Token {
    fn secret(&self) -> &str {
        self.0
    }

    fn age(&self) -> Duration {
        self.1
    }

    fn response(&self, _: Sasl, _: &str, _: u16, username: Option<&str>) -> Result<Secret> {
        Ok(Secret::new(STANDARD.encode(format!("{} {}", username.unwrap_or_default(), self.0))))
    }
}

fn route(address: SocketAddr) -> Route<Tokens> {
    let limit = Duration::from_secs(20);
    Route {
        settings: Arc::new(SmtpSettings {
            host: address.ip().to_string(),
            port: address.port(),
            security: Security::None,
            mechanism: Mechanism::Auto,
            initial_response: InitialResponse::Auto,
            long_auth_line: false,
            hello_name: None,
            local_address: None,
            proxy: None,
            chunking: crate::config::Chunking::Off,
            pipelining: Pipelining::Auto,
            timeouts: Timeouts {
                connect: limit,
                tls: limit,
                greeting: limit,
                command: limit,
                progress: limit,
                final_reply: limit,
            },
            max_connections: Some(3),
            messages_per_minute: None,
            max_messages_per_connection: Some(100),
            idle_timeout: Some(limit),
            max_age: Some(limit * 10),
            trace: false,
            breaker: true,
            shared: None,
        }),
        roots: Roots::Bundled,
        username: Some("me@x".into()),
        tokens: Tokens::new(&["token-one"]),
        events: EventSink::default(),
    }
}

fn transaction(body: &[u8]) -> Transaction {
    to(&["you@x"], body)
}

fn to(recipients: &[&str], body: &[u8]) -> Transaction {
    Transaction {
        envelope: Arc::new(Envelope {
            mail_from: "me@x".into(),
            rcpt_to: recipients.iter().map(|&to| to.to_owned()).collect(),
        }),
        body: Bytes::copy_from_slice(body).into(),
        smtputf8: false,
        eight_bit: false,
        fallback: None,
        partial: Partial::Deliver,
        requests: Default::default(),
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

async fn send(route: &Route<Tokens>, transaction: Transaction) -> Result<Delivered> {
    deliver(route, transaction, soon(), &Cancel::default()).await
}

/// What a table compares.
fn judged(error: &Error) -> (ErrorCode, Delivery, bool) {
    (error.code(), error.delivery(), error.retryable())
}

#[tokio::test]
async fn a_message_is_delivered_as_it_is_and_the_connection_kept() {
    let server = Server::start([with(
        with(with(signed_in(), one_message()), one_message()),
        [Hear("QUIT"), Say("221 bye\r\n"), Eof],
    )])
    .await;
    let events = Arc::new(Mutex::new(Vec::new()));
    let sink = events.clone();
    let mut route = route(server.address);
    route.events = EventSink::new(move |event| sink.lock().unwrap().push(event.clone()));
    let first = send(&route, transaction(b"Subject: a\r\n\r\n.dot\r\n.\r\nlast")).await.unwrap();
    assert_eq!((first.accepted, first.rejected.len()), (vec!["you@x".to_owned()], 0));
    assert_eq!(first.reply.to_string(), "250 2.0.0 OK <id@mx.test>");
    assert!(first.connect_time > Duration::ZERO);
    let second = send(&route, transaction(b"b\r\n")).await.unwrap();
    assert_eq!(second.connect_time, Duration::ZERO);
    close_idle(&route).await;
    let seen = server.seen().await.remove(0);
    let auth = STANDARD.encode("me@x token-one");
    assert_eq!(
        seen,
        format!(
            "EHLO [127.0.0.1]\r\nAUTH XOAUTH2 {auth}\r\n\
             MAIL FROM:<me@x> SIZE=29\r\nRCPT TO:<you@x>\r\nDATA\r\n\
             Subject: a\r\n\r\n..dot\r\n..\r\nlast\r\n.\r\n\
             MAIL FROM:<me@x> SIZE=3\r\nRCPT TO:<you@x>\r\nDATA\r\nb\r\n.\r\nQUIT\r\n"
        )
    );
    let events = events.lock().unwrap();
    let names: Vec<_> = events.iter().map(|event| event.name).collect();
    assert_eq!(names, ["smtp.connected", "smtp.closed"]);
    assert!(!format!("{events:?}").contains("token-one") && !format!("{events:?}").contains(&auth));
}

#[tokio::test]
async fn one_octet_at_a_time_and_one_command_at_a_time_work_too() {
    let server = Server::start([vec![
        Drip("220-mx.test\r\n220 hello\r\n"),
        Hear("EHLO my.name"),
        Drip("250-mx.test\n250 AUTH XOAUTH2\n"),
        Hear("AUTH XOAUTH2"),
        Drip("235\r\n"),
        Group("MAIL FROM:<me@x>\r\n"),
        Drip("250\r\n"),
        Group("RCPT TO:<you@x>\r\n"),
        Drip("250 caf\u{e9}\r\n"),
        Group("DATA\r\n"),
        Drip("354\r\n"),
        Body,
        Drip("250-2.0.0 all\r\n250 2.0.0 done\r\n"),
        Eof,
    ]])
    .await;
    let mut route = route(server.address);
    Arc::make_mut(&mut route.settings).hello_name = Some("my.name".into());
    let delivered = send(&route, transaction(b"x\r\n")).await.unwrap();
    assert_eq!(delivered.reply.text, "all\ndone");
    close_idle(&route).await;
    server.seen().await;
}

#[tokio::test]
async fn recipients_are_judged_one_by_one() {
    let server = Server::start([with(
        signed_in(),
        [
            Group("DATA\r\n"),
            Say("250 ok\r\n250 ok\r\n550 5.1.1 no such user\r\n450 4.2.0 later\r\n354 go\r\n"),
            Body,
            Say("250 2.0.0 ok\r\n"),
            Eof,
        ],
    )])
    .await;
    let route = route(server.address);
    let delivered = send(&route, to(&["a@x", "b@x", "c@x"], b"x\r\n")).await.unwrap();
    assert_eq!(delivered.accepted, ["a@x"]);
    let rejected: Vec<_> =
        delivered.rejected.iter().map(|r| (r.address.as_str(), r.code, r.retryable, r.reply.code)).collect();
    assert_eq!(
        rejected,
        [("b@x", "recipients_rejected", false, 550), ("c@x", "temporarily_refused", true, 450)]
    );
    assert_eq!(delivered.rejected[0].reply.command.as_deref(), Some("RCPT TO"));
    close_idle(&route).await;
    server.seen().await;
}

#[tokio::test]
async fn partial_refuse_sends_to_nobody_and_resets() {
    let server = Server::start([with(
        signed_in(),
        [
            Group("RCPT TO:<b@x>\r\n"),
            Say("250 ok\r\n250 ok\r\n550 5.1.1 no such user\r\n"),
            Group("RSET\r\nMAIL FROM:<me@x> SIZE=3\r\nRCPT TO:<a@x>\r\n"),
            Say("250 ok\r\n250 ok\r\n250 ok\r\n"),
            Group("DATA\r\n"),
            Say("354 go\r\n"),
            Body,
            Say("250 ok\r\n"),
            Eof,
        ],
    )])
    .await;
    let route = route(server.address);
    let refuse = |recipients: &[&str]| Transaction { partial: Partial::Refuse, ..to(recipients, b"x\r\n") };
    let error = send(&route, refuse(&["a@x", "b@x"])).await.unwrap_err();
    assert_eq!(judged(&error), (ErrorCode::RecipientsRejected, Delivery::None, false));
    assert_eq!(error.rejected().len(), 1);
    send(&route, refuse(&["a@x"])).await.unwrap();
    close_idle(&route).await;
    assert!(!server.seen().await[0].contains("RCPT TO:<b@x>\r\nDATA"));
}

#[tokio::test]
async fn what_the_server_cannot_take_is_refused_before_a_word_and_the_connection_stays() {
    let server = Server::start([with(with(signed_in(), one_message()), [Eof])]).await;
    let route = route(server.address);
    let large = send(&route, transaction(&vec![b'x'; 10_000_001])).await.unwrap_err();
    assert_eq!(judged(&large), (ErrorCode::MessageTooLarge, Delivery::None, false));
    let eight = Transaction { eight_bit: true, ..transaction(b"\xff\r\n") };
    let eight = send(&route, eight).await.unwrap_err();
    assert_eq!(judged(&eight), (ErrorCode::CapabilityMissing, Delivery::None, false));
    send(&route, transaction(b"x\r\n")).await.unwrap();
    close_idle(&route).await;
    server.seen().await;
}

#[tokio::test]
async fn a_large_body_arrives_whole() {
    let server = Server::start([with(with(signed_in(), one_message()), [Eof])]).await;
    let route = route(server.address);
    let body = ".a line that begins with a dot\r\nand one that does not\r\n".repeat(30_000);
    send(&route, transaction(body.as_bytes())).await.unwrap();
    close_idle(&route).await;
    let seen = server.seen().await.remove(0);
    let (_, data) = seen.split_once("DATA\r\n").unwrap();
    let data = data.split("\r\n.\r\n").next().unwrap();
    assert!(format!("{data}\r\n") == body.replace("\r\n.", "\r\n..").replacen('.', "..", 1));
}

#[tokio::test]
async fn the_probe_walks_to_mail_from_and_sends_nothing() {
    let script = with(
        signed_in(),
        [
            Hear("MAIL FROM:<me@x>"),
            Say("250 2.1.0 ok\r\n"),
            Hear("RSET"),
            Say("250 ok\r\n"),
            Hear("QUIT"),
            Say("221 bye\r\n"),
            Eof,
        ],
    );
    let server = Server::start([script]).await;
    let links = probe(&route(server.address), "me@x", soon(), &Cancel::default()).await;
    let names: Vec<_> = links.iter().map(|link| link.name).collect();
    assert_eq!(names, ["dns", "tcp", "greeting", "ehlo", "auth", "mail_from"]);
    assert!(links.iter().all(|link| link.seen.is_ok()));
    server.seen().await;

    let denied =
        with(signed_in(), [Hear("MAIL"), Say("550 5.7.60 not permitted to send as this sender\r\n"), Eof]);
    let server = Server::start([denied]).await;
    let links = probe(&route(server.address), "me@x", soon(), &Cancel::default()).await;
    let last = links.last().unwrap();
    let error = last.seen.as_ref().unwrap_err();
    assert_eq!((last.name, error.code()), ("mail_from", ErrorCode::SendAsDenied));
}
