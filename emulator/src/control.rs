//! The control interface: everything the Rust interface does, over HTTP, for any language.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::DEFAULT_USERNAME;
use crate::access::Mint;
use crate::fault::Fault;
use crate::http;
use crate::oauth::authorize::{self, Decision};
use crate::oauth::device;
use crate::oauth::form::Form;
use crate::page;
use crate::settings;
use crate::state::{Shared, too_few};
use crate::switches;

/// The page and `/api`. Only on the plain listener, which is loopback like the others.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(inbox))
        .route("/messages/{number}", get(message))
        .route("/messages/{number}/html", get(message_html))
        .route("/messages/{number}/files/{file}", get(message_file))
        .route("/switch", post(switch))
        .route("/api/messages", get(messages).delete(clear))
        .route("/api/messages/{number}/raw", get(raw))
        .route("/api/seen", get(seen))
        .route("/api/wait", get(wait))
        .route("/api/settings", get(settings_json))
        .route("/api/environ", get(environ))
        .route("/api/fail", post(fail))
        .route("/api/configure", post(configure))
        .route("/api/sign_in", post(sign_in))
        .route("/api/approve", post(approve))
        .route("/api/revoke", post(revoke))
        .route("/api/expire_tokens", post(expire_tokens))
        .route("/api/mint", post(mint))
}

type Session = State<Arc<Shared>>;

async fn inbox(State(shared): Session) -> Response {
    let messages = shared.lock().inbox.all();
    http::page(200, page::inbox(&shared, &messages))
}

async fn message(State(shared): Session, Path(number): Path<usize>) -> Response {
    let message = shared.lock().inbox.numbered(number);
    match message {
        Some(message) => http::page(200, page::message(&shared, &message)),
        None => http::text(404, "there is no such message\n"),
    }
}

async fn message_html(State(shared): Session, Path(number): Path<usize>) -> Response {
    let message = shared.lock().inbox.numbered(number);
    match message {
        Some(message) => page::message_html(&message),
        None => http::text(404, "there is no such message\n"),
    }
}

async fn message_file(State(shared): Session, Path((number, file)): Path<(usize, usize)>) -> Response {
    let message = shared.lock().inbox.numbered(number);
    match message.and_then(|message| page::message_file(&message, file)) {
        Some(response) => response,
        None => http::text(404, "there is no such attachment\n"),
    }
}

/// A button of the page was pressed.
async fn switch(State(shared): Session, headers: HeaderMap, body: Bytes) -> Response {
    if http::is_cross_origin(&headers) {
        return problem(403, "another site's page cannot control the emulator");
    }
    let form = Form::parse(&body);
    let done = match form.text("do") {
        Some("clear") => {
            shared.clear();
            Ok(())
        }
        Some("heal") => {
            shared.lock().faults.clear();
            Ok(())
        }
        Some("expire_tokens") => {
            shared.expire_tokens();
            Ok(())
        }
        Some("revoke") => {
            shared.revoke(form.text("username").unwrap_or(crate::DEFAULT_USERNAME));
            Ok(())
        }
        Some("fail") => {
            let name = form.text("fault").unwrap_or_default();
            let times = if form.text("times") == Some("1") { 1 } else { 0 };
            switches::fault(name, times)
                .ok_or_else(|| "there is no such fault".to_owned())
                .and_then(|fault| shared.fail(fault))
        }
        _ => Err("there is nothing of that name to do".to_owned()),
    };
    match done {
        Ok(()) => http::redirect("/"),
        Err(text) => problem(400, &text),
    }
}

async fn messages(State(shared): Session) -> Response {
    http::json(200, &json!(shared.lock().inbox.all().iter().map(|m| json!(**m)).collect::<Vec<_>>()))
}

async fn raw(State(shared): Session, Path(number): Path<usize>) -> Response {
    match shared.lock().inbox.numbered(number) {
        // As text, so that a browser shows it and runs nothing.
        Some(message) => http::text(200, message.raw.clone()),
        None => http::text(404, "there is no such message\n"),
    }
}

async fn clear(State(shared): Session, headers: HeaderMap) -> Response {
    guarded(&headers, || {
        shared.clear();
        Ok(json!({}))
    })
}

async fn seen(State(shared): Session) -> Response {
    http::json(200, &shared.seen())
}

async fn wait(State(shared): Session, RawQuery(query): RawQuery) -> Response {
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let count = form.text("count").map_or(Ok(1), str::parse::<usize>);
    let timeout = form.text("timeout").map_or(Ok(5.0), str::parse::<f64>);
    let (Ok(count), Ok(timeout)) = (count, timeout) else {
        return problem(400, "`count` and `timeout` must be numbers");
    };
    if !(0.0..=3600.0).contains(&timeout) {
        return problem(400, "`timeout` must be from 0 to 3600 seconds");
    }
    let timeout = Duration::from_secs_f64(timeout);
    let mut arrivals = shared.arrivals();
    let enough = async {
        while shared.lock().inbox.total < count {
            if arrivals.changed().await.is_err() {
                return;
            }
        }
    };
    if tokio::time::timeout(timeout, enough).await.is_err() {
        let total = shared.lock().inbox.total;
        return problem(408, &too_few(count, total, timeout));
    }
    messages(State(shared)).await
}

async fn settings_json(State(shared): Session, RawQuery(query): RawQuery) -> Response {
    let (grant, username) = who(query.as_deref());
    outcome(settings::settings(&shared, &grant, &username))
}

async fn environ(State(shared): Session, RawQuery(query): RawQuery) -> Response {
    let (grant, username) = who(query.as_deref());
    outcome(settings::environ(&shared, &grant, &username).map(|variables| {
        Value::Object(variables.into_iter().map(|(name, value)| (name, value.into())).collect())
    }))
}

async fn fail(State(shared): Session, headers: HeaderMap, body: Bytes) -> Response {
    guarded(&headers, || {
        shared.fail(parsed::<Fault>(&body)?)?;
        Ok(json!({}))
    })
}

async fn configure(State(shared): Session, headers: HeaderMap, body: Bytes) -> Response {
    guarded(&headers, || {
        shared.configure(&parsed::<Value>(&body)?)?;
        Ok(json!({}))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    url: String,
    #[serde(default = "default_username")]
    username: String,
    #[serde(default)]
    decision: Decision,
}

async fn sign_in(State(shared): Session, headers: HeaderMap, body: Bytes) -> Response {
    guarded(&headers, || {
        let asked: SignIn = parsed(&body)?;
        let callback = authorize::sign_in(&shared, &asked.url, &asked.username, asked.decision)?;
        Ok(json!({"callback": callback}))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Approve {
    user_code: String,
    #[serde(default = "default_username")]
    username: String,
    #[serde(default)]
    decision: Decision,
}

async fn approve(State(shared): Session, headers: HeaderMap, body: Bytes) -> Response {
    guarded(&headers, || {
        let asked: Approve = parsed(&body)?;
        let mut state = shared.lock();
        device::decide(&mut state, &asked.user_code, &asked.username, asked.decision)?;
        Ok(json!({}))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoke {
    #[serde(default = "default_username")]
    username: String,
}

async fn revoke(State(shared): Session, headers: HeaderMap, body: Bytes) -> Response {
    guarded(&headers, || {
        let asked: Revoke = parsed(&body)?;
        shared.revoke(&asked.username);
        Ok(json!({}))
    })
}

async fn expire_tokens(State(shared): Session, headers: HeaderMap) -> Response {
    guarded(&headers, || {
        shared.expire_tokens();
        Ok(json!({}))
    })
}

async fn mint(State(shared): Session, headers: HeaderMap, body: Bytes) -> Response {
    guarded(&headers, || {
        let token = settings::access_token(&shared, parsed::<Mint>(&body)?);
        Ok(json!({"access_token": token}))
    })
}

/// Does it, unless a browser asks on another site's behalf.
fn guarded(headers: &HeaderMap, work: impl FnOnce() -> Result<Value, String>) -> Response {
    if http::is_cross_origin(headers) {
        return problem(403, "another site's page cannot control the emulator");
    }
    outcome(work())
}

fn outcome(result: Result<Value, String>) -> Response {
    match result {
        Ok(body) => http::json(200, &body),
        Err(text) => problem(400, &text),
    }
}

fn problem(status: u16, text: &str) -> Response {
    http::json(status, &json!({"error": text}))
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

fn who(query: Option<&str>) -> (String, String) {
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    (
        form.text("grant").unwrap_or("client_credentials").to_owned(),
        form.text("username").unwrap_or(DEFAULT_USERNAME).to_owned(),
    )
}

fn default_username() -> String {
    DEFAULT_USERNAME.into()
}
