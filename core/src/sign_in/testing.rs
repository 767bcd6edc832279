//! A sign-in service for tests: a socket on 127.0.0.1, a function that answers, a list of what came.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::listener::{parse, read_request};
use crate::config::{Options, overlay};
use crate::event::{Event, EventSink};
use crate::host::Host;
use crate::input::Spelling;
use crate::token::TokenSource;

/// One request that came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) form: HashMap<String, String>,
    pub(crate) request_id: Option<String>,
    pub(crate) authorization: Option<String>,
}

/// What to answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: u16,
    headers: String,
    body: Vec<u8>,
    delay: Duration,
    /// Only so much of the body is sent, under the whole one's length.
    cut: Option<usize>,
}

pub(crate) fn reply(status: u16, body: Value) -> Reply {
    raw(status, "application/json", &body.to_string())
}

pub(crate) fn raw(status: u16, content_type: &str, body: &str) -> Reply {
    octets(status, content_type, body.as_bytes())
}

pub(crate) fn octets(status: u16, content_type: &str, body: &[u8]) -> Reply {
    Reply {
        status,
        headers: format!("Content-Type: {content_type}\r\n"),
        body: body.to_owned(),
        delay: Duration::ZERO,
        cut: None,
    }
}

impl Reply {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers += &format!("{name}: {value}\r\n");
        self
    }

    pub(crate) fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    pub(crate) fn cut(mut self, at: usize) -> Self {
        self.cut = Some(at);
        self
    }
}

/// A token answer; `refresh` where a person signed in.
pub(crate) fn token(secret: &str, refresh: Option<&str>, expires_in: u64) -> Reply {
    let mut body = json!({"token_type": "Bearer", "access_token": secret, "expires_in": expires_in});
    if let Some(refresh) = refresh {
        body["refresh_token"] = json!(refresh);
    }
    reply(200, body)
}

/// An unsigned-in-earnest JWT.
pub(crate) fn jwt(claims: &Value) -> String {
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// The service.
pub(crate) struct Fake {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    pub(crate) async fn start(answer: impl FnMut(&Asked) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let log = asked.clone();
        let answer = Arc::new(Mutex::new(answer));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (log, answer) = (log.clone(), answer.clone());
                tokio::spawn(async move {
                    let Some(request) = read_request(&mut stream).await else { return };
                    let asked = Asked {
                        path: request.target.clone(),
                        form: parse(&request.body).into_iter().collect(),
                        request_id: request.header("client-request-id").map(str::to_owned),
                        authorization: request.header("authorization").map(str::to_owned),
                    };
                    log.lock().unwrap().push(asked.clone());
                    let reply = (answer.lock().unwrap())(&asked);
                    tokio::time::sleep(reply.delay).await;
                    let head = format!(
                        "HTTP/1.1 {} X\r\n{}Content-Length: {}\r\nConnection: close\r\n\r\n",
                        reply.status,
                        reply.headers,
                        reply.body.len()
                    );
                    let body = &reply.body[..reply.cut.unwrap_or(reply.body.len())];
                    let _ = stream.write_all(&[head.as_bytes(), body].concat()).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        Self { url, asked }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// A source of an application's own tokens.
    pub(crate) fn app(&self, more: Value) -> TokenSource {
        let auth =
            json!({"grant": "client_credentials", "tenant": "contoso.com", "client_secret": "hunter22"});
        self.source(&json!({"username": "noreply@contoso.com", "auth": auth}), more, Host::default())
    }

    /// A source of a person's tokens.
    pub(crate) fn person(&self, more: Value, host: Host) -> TokenSource {
        self.source(&json!({"auth": {"grant": "authorization_code"}}), more, host)
    }

    fn source(&self, kind: &Value, more: Value, host: Host) -> TokenSource {
        let mut options = json!({
            "provider": "microsoft365",
            "auth": {"client_id": "app", "authority": self.url},
            "retry": {"base_delay": "5ms"}
        });
        overlay(&mut options, kind.clone());
        overlay(&mut options, more);
        TokenSource::new(Options::from_json(options, Spelling::Snake).unwrap(), host).unwrap()
    }
}

/// A host that remembers events.
pub(crate) fn listening() -> (Host, Arc<Mutex<Vec<Event>>>) {
    let events: Arc<Mutex<Vec<Event>>> = Arc::default();
    let sink = events.clone();
    let host = Host {
        events: EventSink::new(move |event| sink.lock().unwrap().push(event.clone())),
        ..Host::default()
    };
    (host, events)
}
