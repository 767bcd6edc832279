//! Raw clients for the tests: they send what they are told and judge nothing.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

pub mod entra;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mailbearer_emulator::{Config, DEFAULT_USERNAME, Dialect, Emulator, Mint, Options};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

pub fn microsoft() -> Emulator {
    Emulator::start(Options::default()).unwrap()
}

pub fn google() -> Emulator {
    Emulator::start(Options { dialect: Dialect::Google, ..Options::default() }).unwrap()
}

pub fn configured(config: Config) -> Emulator {
    Emulator::start(Options { config, ..Options::default() }).unwrap()
}

pub fn tls(emulator: &Emulator) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(emulator.ca_file()).unwrap()).unwrap();
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// An SMTP client that does nothing by itself.
pub struct Smtp {
    stream: Option<Stream>,
    buffer: Vec<u8>,
}

impl Smtp {
    pub fn plain(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: Some(Stream::Plain(stream)), buffer: Vec::new() }
    }

    /// Up to the second EHLO, over STARTTLS.
    pub fn secured(emulator: &Emulator) -> Self {
        let mut smtp = Self::plain(emulator.smtp_port());
        smtp.expect("220");
        smtp.ask("EHLO tests.example", "250");
        smtp.ask("STARTTLS", "220");
        smtp.start_tls(emulator).unwrap();
        smtp.ask("EHLO tests.example", "250");
        smtp
    }

    /// Authenticated with a good token.
    pub fn ready(emulator: &Emulator) -> Self {
        let mut smtp = Self::secured(emulator);
        let token = emulator.mint(Mint::default());
        smtp.ask(&format!("AUTH XOAUTH2 {}", xoauth2(DEFAULT_USERNAME, &token)), "235");
        smtp
    }

    pub fn start_tls(&mut self, emulator: &Emulator) -> std::io::Result<()> {
        self.start_tls_as(emulator, "localhost")
    }

    pub fn start_tls_as(&mut self, emulator: &Emulator, name: &'static str) -> std::io::Result<()> {
        let Some(Stream::Plain(stream)) = self.stream.take() else {
            panic!("TLS twice");
        };
        let name = ServerName::try_from(name).unwrap();
        let connection = ClientConnection::new(Arc::new(tls(emulator)), name).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        self.stream = Some(Stream::Tls(Box::new(stream)));
        Ok(())
    }

    pub fn send(&mut self, octets: &[u8]) -> std::io::Result<()> {
        match self.stream.as_mut().unwrap() {
            Stream::Plain(stream) => stream.write_all(octets).and_then(|()| stream.flush()),
            Stream::Tls(stream) => stream.write_all(octets).and_then(|()| stream.flush()),
        }
    }

    /// One reply, all its lines. Empty at the end of the connection.
    pub fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let Some(line) = self.line() else {
                return reply;
            };
            let more = line.as_bytes().get(3) == Some(&b'-');
            reply.push_str(&line);
            if !more {
                return reply;
            }
            reply.push('\n');
        }
    }

    /// One line, or what there was before the end; None at the end.
    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Some(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if self.read() == 0 {
                let rest = std::mem::take(&mut self.buffer);
                return (!rest.is_empty()).then(|| String::from_utf8_lossy(&rest).into_owned());
            }
        }
    }

    fn read(&mut self) -> usize {
        let mut octets = [0; 4096];
        let result = match self.stream.as_mut().unwrap() {
            Stream::Plain(stream) => stream.read(&mut octets),
            Stream::Tls(stream) => stream.read(&mut octets),
        };
        let count = match result {
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("the server is silent")
            }
            Err(_) => 0,
        };
        self.buffer.extend_from_slice(&octets[..count]);
        count
    }

    pub fn expect(&mut self, start: &str) -> String {
        let reply = self.reply();
        assert!(reply.starts_with(start), "wanted {start:?}, got {reply:?}");
        reply
    }

    pub fn ask(&mut self, line: &str, start: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes()).unwrap();
        let reply = self.reply();
        assert!(reply.starts_with(start), "{line:?}: wanted {start:?}, got {reply:?}");
        reply
    }

    /// Nothing more comes.
    pub fn expect_end(&mut self) {
        assert_eq!(self.reply(), "");
    }

    /// A whole message by DATA; gives the final reply.
    pub fn message(&mut self, body: &str) -> String {
        self.ask("MAIL FROM:<noreply@contoso.com>", "250");
        self.ask("RCPT TO:<ada@example.com>", "250");
        self.ask("DATA", "354");
        self.send(format!("{body}\r\n.\r\n").as_bytes()).unwrap();
        self.reply()
    }
}

pub fn xoauth2(username: &str, token: &str) -> String {
    STANDARD.encode(format!("user={username}\x01auth=Bearer {token}\x01\x01"))
}

/// An HTTP client with a runtime of its own, so that tests read from top to bottom.
pub struct Web {
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.body))
    }

    pub fn location(&self) -> url::Url {
        url::Url::parse(self.headers["location"].to_str().unwrap()).unwrap()
    }
}

impl Web {
    pub fn new(emulator: &Emulator) -> Self {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(emulator))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(10))
            .build()
            .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { runtime, client }
    }

    pub fn try_send(
        &self,
        build: impl FnOnce(&reqwest::Client) -> reqwest::RequestBuilder,
    ) -> Result<Answer, reqwest::Error> {
        self.runtime.block_on(async {
            let response = build(&self.client).send().await?;
            Ok(Answer {
                status: response.status().as_u16(),
                headers: response.headers().clone(),
                body: response.text().await?,
            })
        })
    }

    pub fn send(&self, build: impl FnOnce(&reqwest::Client) -> reqwest::RequestBuilder) -> Answer {
        self.try_send(build).unwrap()
    }

    pub fn get(&self, url: &str) -> Answer {
        self.send(|client| client.get(url))
    }

    pub fn form(&self, url: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(|client| client.post(url).form(fields))
    }

    pub fn post(&self, url: &str, body: &Value) -> Answer {
        let body = body.to_string();
        self.send(|client| client.post(url).body(body))
    }
}
