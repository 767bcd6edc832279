//! The token endpoint's answers (RFC 6749 §5): tokens, or an error that says whether to try again.
//!
//! Read liberally: numbers may be texts, `token_type` any case, bodies may be a proxy's HTML.

use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use url::Url;

use super::form::Form;
use super::hints::{self, Asked};
use super::service::Service;
use super::{refusals, unanswered};
use crate::crypto::random;
use crate::error::{Error, ErrorCode, OAuthDetail, Result};
use crate::input::Secret;
use crate::net::http::{self, HttpAnswer};
use crate::net::server_url::is_loopback;
use crate::provider::Family;
use crate::text;

/// What a successful request brings.
#[derive(Clone, Debug)]
pub(crate) struct TokenAnswer {
    /// The access token.
    pub(crate) access_token: Secret,
    /// The token's lifetime; ten minutes if the service does not say.
    pub(crate) expires_in: Duration,
    /// When the service wants it renewed.
    pub(crate) refresh_in: Option<Duration>,
    /// The granted scopes, if told.
    pub(crate) scopes: Option<Vec<String>>,
    /// A refresh token, perhaps a rotated one.
    pub(crate) refresh_token: Option<Secret>,
    /// The refresh token's lifetime, if the service says.
    pub(crate) refresh_expires_in: Option<Duration>,
    /// The token that names the person.
    pub(crate) id_token: Option<Secret>,
    /// The request's own id, which the service's logs have too (Entra).
    pub(crate) request_id: Option<String>,
}

/// Posts `form` and reads the answer.
///
/// # Errors
/// One of the 300s, with the service's own words (from memory, if it said the same too often); network errors as in
/// [`http::post_form`].
pub(crate) async fn request_token(
    service: Service<'_>,
    asked: Asked,
    url: &Url,
    form: &Form,
) -> Result<TokenAnswer> {
    // A device's polls are meant to be refused; a code is good for one request anyway; and a service on this machine
    // is a test's, which plays the same refusal many times.
    let local = url.host_str().is_some_and(is_loopback);
    let repeats = matches!(asked, Asked::App | Asked::Refresh) && !local;
    ask(service, asked, url, form, repeats).await
}

/// `repeats`: this request is remembered if it is refused.
async fn ask(
    service: Service<'_>,
    asked: Asked,
    url: &Url,
    form: &Form,
    repeats: bool,
) -> Result<TokenAnswer> {
    let refusals = refusals::refusals();
    let request = refusals::fingerprint(url, form);
    if let Some(error) = refusals.recall(&request, Instant::now()).filter(|_| repeats) {
        return Err(error);
    }
    let (answer, id) = post(service, url, form).await?;
    let outcome = match object(&answer) {
        Some(map) if success(&answer) && map.contains_key("access_token") => {
            read_token(&map).map(|answer| TokenAnswer { request_id: id, ..answer })
        }
        map => Err(refusal(&answer, map, service, asked, url, form, id.as_deref())),
    };
    if repeats {
        refusals.note(request, outcome.as_ref().err(), Instant::now());
    }
    outcome
}

/// Posts `form` to an endpoint that answers with a JSON object of its own (device authorization).
///
/// # Errors
/// As [`request_token`].
pub(crate) async fn request_object(
    service: Service<'_>,
    asked: Asked,
    url: &Url,
    form: &Form,
) -> Result<Map<String, Value>> {
    let (answer, id) = post(service, url, form).await?;
    match object(&answer) {
        Some(map) if success(&answer) && !map.contains_key("error") => Ok(map),
        map => Err(refusal(&answer, map, service, asked, url, form, id.as_deref())),
    }
}

/// A whole number of seconds, written as a number or as text.
pub(crate) fn seconds(value: Option<&Value>) -> Option<Duration> {
    let number = match value? {
        Value::Number(n) => n.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (0.0..1e10).contains(&number).then(|| Duration::from_secs_f64(number))
}

/// The answer, and the id that the request had.
async fn post(service: Service<'_>, url: &Url, form: &Form) -> Result<(HttpAnswer, Option<String>)> {
    // What Microsoft's support asks for; other services would not know it.
    let id = match service.auth.family {
        Family::Microsoft => Some(request_id()?),
        _ => None,
    };
    match http::post_form(service.settings.reach(), url, form.encode(), id.as_deref())
        .await
        .map_err(unanswered)
    {
        Ok(answer) => Ok((answer, id)),
        Err(error) => Err(with_id(error, id.as_deref())),
    }
}

/// Without words of the service's, our own id is what its support can look for.
fn with_id(error: Error, id: Option<&str>) -> Error {
    match id {
        Some(id) => {
            let text = format!("{} (client-request-id {id})", error.message());
            error.reworded(text)
        }
        None => error,
    }
}

/// A random UUID (RFC 9562 §5.4).
fn request_id() -> Result<String> {
    let mut b = random::bytes::<16>()?;
    b[6] = b[6] & 0x0f | 0x40;
    b[8] = b[8] & 0x3f | 0x80;
    let hex: String = b.iter().map(|b| format!("{b:02x}")).collect();
    Ok([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}

fn success(answer: &HttpAnswer) -> bool {
    (200..300).contains(&answer.status)
}

fn object(answer: &HttpAnswer) -> Option<Map<String, Value>> {
    match serde_json::from_slice(&answer.body).ok()? {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

pub(super) fn read_token(map: &Map<String, Value>) -> Result<TokenAnswer> {
    let text = |name: &str| map.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
    let useless = |what: &str| {
        Error::new(ErrorCode::TokenEndpointUnavailable, format!("the sign-in service's answer {what}"))
            .with_retryable(false)
    };
    if let Some(kind) = text("token_type")
        && !kind.eq_ignore_ascii_case("bearer")
    {
        return Err(useless("is a token of another kind than Bearer"));
    }
    let token = text("access_token").ok_or_else(|| useless("has an empty access token"))?;
    if !text::is_word(token) {
        return Err(useless("has an access token with blanks in it"));
    }
    Ok(TokenAnswer {
        access_token: Secret::new(token),
        expires_in: seconds(map.get("expires_in")).unwrap_or(UNTOLD_LIFETIME),
        refresh_in: seconds(map.get("refresh_in")),
        scopes: text("scope").map(|list| list.split_ascii_whitespace().map(str::to_owned).collect()),
        refresh_token: text("refresh_token").map(Secret::new),
        refresh_expires_in: seconds(map.get("refresh_token_expires_in"))
            .or_else(|| seconds(map.get("refresh_expires_in"))),
        id_token: text("id_token").map(Secret::new),
        request_id: None,
    })
}

/// MSAL assumes the same.
const UNTOLD_LIFETIME: Duration = Duration::from_secs(600);

fn refusal(
    answer: &HttpAnswer,
    map: Option<Map<String, Value>>,
    service: Service<'_>,
    asked: Asked,
    url: &Url,
    form: &Form,
    id: Option<&str>,
) -> Error {
    if let Some(detail) = map.as_ref().and_then(|map| detail(map, form)) {
        return hints::error(detail, answer.status, answer.retry_after, asked, service.auth);
    }
    let host = url.host_str().unwrap_or_default();
    let status = answer.status;
    let html = answer.content_type.contains("html") || answer.body.trim_ascii_start().starts_with(b"<");
    let unavailable = |what: String| with_id(Error::new(ErrorCode::TokenEndpointUnavailable, what), id);
    match status {
        408 | 429 | 500..=599 => {
            let body = if html { ", with a web page" } else { "" };
            unavailable(format!("{host} answered HTTP {status}{body}")).with_retry_after(answer.retry_after)
        }
        300..=399 => {
            let to = answer.location.as_deref().and_then(|l| url.join(l).ok());
            let to = to.and_then(|to| to.host_str().map(str::to_owned)).unwrap_or_else(|| "elsewhere".into());
            unavailable(format!("{host} redirects to {to}, and mailbearer sends no secret after a redirect"))
                .with_retryable(false)
                .with_hint(
                    "Check auth.authority and auth.token_endpoint. A proxy's sign-in page can also cause this.",
                )
        }
        200..=299 if answer.body.is_empty() => unavailable(format!("{host} answered with nothing")),
        200..=299 if html => unavailable(format!("{host} answered with a web page instead of a token"))
            .with_retryable(false)
            .with_hint("A proxy or a network's sign-in page answers in its place. Let this machine through."),
        200..=299 => unavailable(format!("{host} answered with something that is not a token")),
        _ if html => unavailable(format!("{host} answered HTTP {status} with a web page"))
            .with_retryable(false)
            .with_hint("Check auth.authority, auth.tenant and auth.token_endpoint, and proxies on the way."),
        _ => unavailable(format!("{host} answered HTTP {status} without saying why"))
            .with_retryable(false)
            .with_hint("Check auth.authority, auth.tenant and auth.token_endpoint."),
    }
}

/// RFC 6749 §5.2 with Entra's and Google's extras; Google's other services wrap it in an object.
fn detail(map: &Map<String, Value>, form: &Form) -> Option<OAuthDetail> {
    let text = |name: &str| map.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
    let (error, description) = match map.get("error")? {
        Value::String(error) => (error.clone(), text("error_description").unwrap_or_default().to_owned()),
        Value::Object(inner) => {
            let word = |name: &str| inner.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            (word("status").to_ascii_lowercase(), word("message"))
        }
        _ => return None,
    };
    let codes = match map.get("error_codes") {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_u64).collect(),
        _ => hints::numbers(&description),
    };
    Some(OAuthDetail {
        error: form.redact(&error),
        description: form.redact(&description),
        suberror: text("suberror").or_else(|| text("error_subtype")).map(|text| form.redact(text)),
        codes,
        correlation_id: text("correlation_id").map(|text| form.redact(text)),
        trace_id: text("trace_id").map(|text| form.redact(text)),
        claims: text("claims").map(|text| form.redact(text)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ServiceAddress;
    use serde_json::json;

    #[tokio::test]
    async fn a_request_that_is_refused_three_times_is_not_made_again() {
        use crate::sign_in::testing::{Fake, reply};
        let fake = Fake::start(|_| {
            let text = "AADSTS7000215: Invalid client secret.";
            reply(
                401,
                json!({"error": "invalid_client", "error_description": text, "error_codes": [7_000_215]}),
            )
        })
        .await;
        let source = fake.app(json!({}));
        let settings = &source.shared.settings;
        let auth = settings.auth.as_ref().unwrap();
        let ServiceAddress::Known(endpoints) = &auth.grant.application().unwrap().address else {
            unreachable!()
        };
        let url = &endpoints.token;
        let refused = async |scope: &str, repeats: bool| {
            let form = Form::default().with("client_id", "app").with("scope", scope);
            ask(Service { settings, auth }, Asked::App, url, &form, repeats).await.unwrap_err()
        };
        for _ in 0..5 {
            let error = refused("one", true).await;
            assert_eq!((error.code(), error.retryable()), (ErrorCode::ClientRejected, false));
        }
        assert_eq!(fake.count(), 3);
        let hint = refused("one", true).await;
        assert!(hint.hint().unwrap().contains("asks again in"), "{hint}");
        refused("two", true).await;
        assert_eq!(fake.count(), 4);
        for _ in 0..5 {
            refused("three", false).await;
        }
        assert_eq!(fake.count(), 9);
    }

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn answers_are_read_liberally() {
        let answer = read_token(&map(json!({
            "access_token": "at", "token_type": "bEaReR", "expires_in": "3599", "refresh_in": 1800,
            "scope": "a  b", "refresh_token": "rt", "refresh_token_expires_in": 604_800
        })))
        .unwrap();
        assert_eq!(answer.expires_in, Duration::from_secs(3599));
        assert_eq!(answer.refresh_in, Some(Duration::from_secs(1800)));
        assert_eq!(answer.scopes, Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(answer.refresh_expires_in, Some(Duration::from_secs(604_800)));
        let bare = read_token(&map(json!({"access_token": "at"}))).unwrap();
        assert_eq!((bare.expires_in, bare.scopes.is_none()), (Duration::from_secs(600), true));
        assert!(read_token(&map(json!({"access_token": "at", "token_type": "pop"}))).is_err());
        assert!(read_token(&map(json!({"access_token": "a\nt"}))).is_err());
    }

    #[test]
    fn error_shapes_of_entra_and_google_are_read() {
        let form = Form::default().with("refresh_token", "0.AXoAsecret");
        let entra = detail(
            &map(json!({
                "error": "invalid_grant", "suberror": "bad_token", "error_codes": [50173],
                "error_description": "AADSTS50173: revoked 0.AXoAsecret\r\nTrace ID: t", "trace_id": "t",
                "correlation_id": "c", "claims": "{}"
            })),
            &form,
        )
        .unwrap();
        assert_eq!(
            (entra.codes.as_slice(), entra.suberror.as_deref()),
            ([50173].as_slice(), Some("bad_token"))
        );
        assert!(!entra.description.contains("secret"), "{}", entra.description);
        let google = detail(&map(json!({"error": "invalid_grant", "error_subtype": "invalid_rapt"})), &form);
        assert_eq!(google.unwrap().suberror.as_deref(), Some("invalid_rapt"));
        let wrapped = detail(
            &map(json!({"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "off"}})),
            &form,
        );
        assert_eq!(wrapped.unwrap().error, "permission_denied");
        assert_eq!(detail(&map(json!({"other": 1})), &form), None);
    }

    #[test]
    fn request_ids_are_random_uuids() {
        let id = request_id().unwrap();
        assert_eq!((id.len(), id.as_bytes()[14], id != request_id().unwrap()), (36, b'4', true), "{id}");
    }
}
