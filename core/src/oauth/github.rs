//! A GitHub Actions job's own token, for applications that trust it (GitHub, "OpenID Connect reference").
//!
//! The job needs `permissions: id-token: write`. Its token lives for minutes, so it is fetched anew each time.

use serde_json::{Map, Value};
use url::Url;

use super::unanswered;
use crate::config::github_job::{TOKEN, URL, missing};
use crate::config::{Settings, parse_endpoint};
use crate::error::{Error, ErrorCode, Result};
use crate::input::Secret;
use crate::net::http;

/// The job's token for `audience`.
///
/// # Errors
/// `config_invalid` outside a job that may have one; `token_endpoint_unavailable` if GitHub gives none.
pub(crate) async fn token(settings: &Settings, field: &str, audience: &str) -> Result<Secret> {
    let variable = |name: &str| std::env::var(name).map_err(|_| missing(field));
    let mut url = parse_endpoint(URL, &variable(URL)?)?;
    url.query_pairs_mut().append_pair("audience", audience);
    let bearer = Secret::new(format!("bearer {}", variable(TOKEN)?));
    let answer =
        http::get_outside(settings.reach(), &url, &[("Authorization", bearer)]).await.map_err(unanswered)?;
    read(&url, answer.status, &answer.body)
}

fn read(url: &Url, status: u16, body: &[u8]) -> Result<Secret> {
    let map: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    match map.get("value").and_then(Value::as_str).filter(|text| !text.is_empty()) {
        Some(token) if status == 200 => Ok(Secret::new(token)),
        _ => {
            let host = url.host_str().unwrap_or_default();
            Err(Error::new(
                ErrorCode::TokenEndpointUnavailable,
                format!("{host} gave the job no token: HTTP {status}"),
            )
            .with_retryable(matches!(status, 408 | 429 | 500..=599)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_from_a_whole_answer_alone() {
        let url = Url::parse("https://token.actions.example/x").unwrap();
        assert_eq!(read(&url, 200, br#"{"count": 1, "value": "a.b.c"}"#).unwrap(), Secret::new("a.b.c"));
        for (status, body, retryable) in
            [(200, "{}", false), (403, r#"{"value": "a.b.c"}"#, false), (503, "<html>", true)]
        {
            let error = read(&url, status, body.as_bytes()).unwrap_err();
            assert_eq!(error.retryable(), retryable, "{status}");
        }
    }
}
