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
use serde_json::{Map, Value, json};

use crate::access::Mint;
use crate::defaults::DEFAULT_USERNAME;
use crate::fault::Fault;
use crate::http;
use crate::memory::{Shared, too_few};
use crate::oauth::authorize;
use crate::oauth::device;
use crate::oauth::form::Form;
use crate::person::Decision;
use crate::settings;

/// How long `changes` waits for something to change.
const QUIET: Duration = Duration::from_secs(25);

/// `/api`. Only on the plain listener.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/api", get(description))
        .route("/api/messages", get(messages).delete(clear))
        .route("/api/messages/{number}/raw", get(raw))
        .route("/api/changes", get(changes))
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

type Here = State<Arc<Shared>>;

/// This interface in words; `docs/reference/emulator.md` has the same.
const DESCRIPTION: &str = include_str!("api.md");

async fn description() -> Response {
    http::text(200, DESCRIPTION)
}

async fn messages(State(shared): Here) -> Response {
    http::json(200, &json!(shared.lock().inbox.all().iter().map(|m| json!(**m)).collect::<Vec<_>>()))
}

async fn raw(State(shared): Here, Path(number): Path<usize>) -> Response {
    match shared.lock().inbox.numbered(number) {
        // As text, so that a browser shows it and runs nothing.
        Some(message) => http::text(200, message.raw.clone()),
        None => http::text(404, "there is no such message\n"),
    }
}

async fn clear(State(shared): Here, headers: HeaderMap) -> Response {
    guarded(&headers, || {
        shared.clear();
        Ok(json!({}))
    })
}

async fn seen(State(shared): Here) -> Response {
    http::json(200, &shared.seen())
}

async fn wait(State(shared): Here, RawQuery(query): RawQuery) -> Response {
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
    let mut changes = shared.changes();
    let enough = async {
        while shared.lock().inbox.total < count {
            if changes.changed().await.is_err() {
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

/// Answers as soon as something is new since that revision, or after a while.
async fn changes(State(shared): Here, RawQuery(query): RawQuery) -> Response {
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let Ok(since) = form.text("since").map_or(Ok(0), str::parse::<u64>) else {
        return problem(400, "`since` must be a number");
    };
    let mut changes = shared.changes();
    // Whether something changed or the time is up: the answer says which it is.
    let _ = tokio::time::timeout(QUIET, changes.wait_for(|revision| *revision != since)).await;
    http::json(200, &json!({"revision": shared.revision()}))
}

async fn settings_json(State(shared): Here, RawQuery(query): RawQuery) -> Response {
    let (grant, username) = who(query.as_deref());
    outcome(settings::settings(&shared, &grant, &username))
}

async fn environ(State(shared): Here, RawQuery(query): RawQuery) -> Response {
    let (grant, username) = who(query.as_deref());
    outcome(settings::environ(&shared, &grant, &username).map(|variables| {
        Value::Object(variables.into_iter().map(|(name, value)| (name, value.into())).collect())
    }))
}

async fn fail(State(shared): Here, headers: HeaderMap, body: Bytes) -> Response {
    guarded(&headers, || {
        shared.fail(parsed::<Fault>(&body)?)?;
        Ok(json!({}))
    })
}

async fn configure(State(shared): Here, headers: HeaderMap, body: Bytes) -> Response {
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

async fn sign_in(State(shared): Here, headers: HeaderMap, body: Bytes) -> Response {
    guarded(&headers, || {
        let asked: SignIn = parsed(&body)?;
        let callback = authorize::sign_in(&shared, &asked.url, &asked.username, asked.decision)?;
        let mut answer = json!({"callback": callback.url()});
        if let Some((url, fields)) = callback.posted() {
            let form: Map<_, _> = fields.iter().map(|(name, value)| ((*name).into(), json!(value))).collect();
            answer["form"] = json!({"url": url, "fields": form});
        }
        Ok(answer)
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

async fn approve(State(shared): Here, headers: HeaderMap, body: Bytes) -> Response {
    guarded(&headers, || {
        let asked: Approve = parsed(&body)?;
        let mut memory = shared.lock();
        device::decide(&mut memory, &asked.user_code, &asked.username, asked.decision)?;
        Ok(json!({}))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoke {
    #[serde(default = "default_username")]
    username: String,
}

async fn revoke(State(shared): Here, headers: HeaderMap, body: Bytes) -> Response {
    guarded(&headers, || {
        let asked: Revoke = parsed(&body)?;
        shared.revoke(&asked.username);
        Ok(json!({}))
    })
}

async fn expire_tokens(State(shared): Here, headers: HeaderMap) -> Response {
    guarded(&headers, || {
        shared.expire_tokens();
        Ok(json!({}))
    })
}

async fn mint(State(shared): Here, headers: HeaderMap, body: Bytes) -> Response {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_description_names_every_path_and_every_member() {
        let source = include_str!("control.rs").split("#[cfg(test)]").next().unwrap();
        let paths: Vec<_> =
            source.split(".route(\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(paths.len() > 14, "{paths:?}");
        for path in paths.iter().filter(|path| **path != "/api") {
            assert!(DESCRIPTION.contains(&path.replace("{number}", "1")), "{path}");
        }
        let members = |value: Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let all = [
            members(json!(Config::default())),
            members(json!(Fault::at(""))),
            ["app_only", "audience", "scope", "lifetime"].map(str::to_owned).into(),
            Fault::points(),
        ];
        for name in all.concat() {
            assert!(DESCRIPTION.contains(&format!("`{name}`")), "{name}");
        }
    }

    /// `MAILBEARER_WRITE_DOCS=1` writes the page.
    #[test]
    fn the_reference_has_the_same_page() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/emulator.md");
        if std::env::var_os("MAILBEARER_WRITE_DOCS").is_some() {
            std::fs::write(page, DESCRIPTION).unwrap();
        }
        assert_eq!(std::fs::read_to_string(page).unwrap(), DESCRIPTION, "run with MAILBEARER_WRITE_DOCS=1");
    }
}
