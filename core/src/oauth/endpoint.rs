//! The token endpoint: posting to it, for the `oauth2` crate and for what that does not know, and what a refusal means that
//! no OAuth error explains.

use std::pin::Pin;
use std::sync::Mutex;
use std::time::Instant;

use oauth2::http::header::{AUTHORIZATION, CONTENT_TYPE};
use oauth2::http::{Response, StatusCode};
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse, RequestTokenError};
use serde_json::{Map, Value};
use url::Url;

use super::answer::{Denied, Granted, TokenAnswer, detail, seconds};
use super::form::Form;
use super::hints::{self, Asked};
use super::service::Service;
use super::{refusals, unanswered};
use crate::crypto::random;
use crate::error::{Error, ErrorCode, Result};
use crate::net::http::{self, HttpAnswer};
use crate::net::server_url::is_loopback;
use crate::provider::Family;
use crate::sync::lock;
use crate::text;

/// One request to an endpoint of the service. To the `oauth2` crate it is the HTTP client; what the crate does not hand on
/// (status, headers, the form as it went) is kept here, for the error.
pub(super) struct Courier<'a> {
    service: Service<'a>,
    asked: Asked,
    url: &'a Url,
    /// What tells the assertion from another, if it is new each time.
    alike: Option<String>,
    /// It is remembered if it is refused.
    repeats: bool,
    delivered: Mutex<Option<Delivered>>,
}

/// A request that was answered.
struct Delivered {
    form: Form,
    answer: HttpAnswer,
    /// The id that the request had.
    id: Option<String>,
}

impl<'a> Courier<'a> {
    pub(super) fn new(service: Service<'a>, asked: Asked, url: &'a Url) -> Self {
        // A device's polls are meant to be refused; a code is good for one request anyway; and a service on this machine
        // is a test's, which plays the same refusal many times.
        let local = url.host_str().is_some_and(is_loopback);
        let repeats = matches!(asked, Asked::App | Asked::Refresh) && !local;
        Self { service, asked, url, alike: None, repeats, delivered: Mutex::new(None) }
    }

    /// `alike` is what makes two assertions the same request.
    pub(super) fn alike(self, alike: Option<String>) -> Self {
        Self { alike, ..self }
    }

    /// Posts a form of our own and reads the tokens.
    ///
    /// # Errors
    /// As for [`tokens`](Self::tokens).
    pub(super) async fn post(self, form: Form) -> Result<TokenAnswer> {
        let map = object(&self.deliver(form).await?);
        match map {
            Some(map) => self.tokens(Ok(map.into())),
            None => self.tokens(Err(RequestTokenError::Other(String::new()))),
        }
    }

    /// What the answer brings.
    ///
    /// # Errors
    /// One of the 300s, with the service's own words (from memory, if it said the same too often); network errors as in
    /// [`http::post_form`].
    pub(super) fn tokens(
        self,
        result: Result<Granted, RequestTokenError<Error, Denied>>,
    ) -> Result<TokenAnswer> {
        let Delivered { form, answer, id } = match (result, self.take()) {
            (Err(RequestTokenError::Request(error)), _) => return Err(error),
            (Ok(granted), Some(delivered)) if granted.has_token() && success(&delivered.answer) => {
                self.note(&delivered.form, None);
                return granted.read().map(|answer| TokenAnswer { request_id: delivered.id, ..answer });
            }
            (_, Some(delivered)) => delivered,
            (Err(error), None) => return Err(Error::new(ErrorCode::Internal, error.to_string())),
            (Ok(_), None) => return Err(Error::new(ErrorCode::Internal, "an answer came to no question")),
        };
        let error =
            refusal(&answer, object(&answer), self.service, self.asked, self.url, &form, id.as_deref());
        self.note(&form, Some(&error));
        Err(error)
    }

    /// What came to a request for something else than tokens.
    ///
    /// # Errors
    /// As for [`tokens`](Self::tokens).
    pub(super) fn other<T>(self, result: Result<T, RequestTokenError<Error, Denied>>) -> Result<T> {
        let error = match result {
            Ok(found) => return Ok(found),
            Err(RequestTokenError::Request(error)) => return Err(error),
            Err(error) => error,
        };
        let Some(Delivered { form, answer, id }) = self.take() else {
            return Err(Error::new(ErrorCode::Internal, error.to_string()));
        };
        Err(refusal(&answer, object(&answer), self.service, self.asked, self.url, &form, id.as_deref()))
    }

    /// Posts a form of our own whose answer says nothing but its HTTP status.
    ///
    /// # Errors
    /// Those of the network.
    pub(super) async fn status_of(&self, form: Form) -> Result<u16> {
        Ok(self.deliver(form).await?.status)
    }

    /// The answer's HTTP status, once there is one.
    pub(super) fn status(&self) -> Option<u16> {
        lock(&self.delivered).as_ref().map(|delivered| delivered.answer.status)
    }

    fn take(&self) -> Option<Delivered> {
        lock(&self.delivered).take()
    }

    fn note(&self, form: &Form, refused: Option<&Error>) {
        if self.repeats {
            let request = refusals::fingerprint(self.url, form);
            refusals::refusals().note(request, refused, Instant::now());
        }
    }

    async fn deliver(&self, form: Form) -> Result<HttpAnswer> {
        if self.repeats {
            let request = refusals::fingerprint(self.url, &form);
            if let Some(error) = refusals::refusals().recall(&request, Instant::now()) {
                return Err(error);
            }
        }
        // What Microsoft's support asks for; other services would not know it.
        let id = match self.service.auth.family {
            Family::Microsoft => Some(request_id()?),
            _ => None,
        };
        let reach = self.service.settings.reach();
        let posted =
            http::post_form(reach, self.url, form.encode(), form.authorization(), id.as_deref()).await;
        let answer = posted.map_err(unanswered).map_err(|error| with_id(error, id.as_deref()))?;
        *lock(&self.delivered) = Some(Delivered { form, answer: answer.clone(), id });
        Ok(answer)
    }
}

impl<'c> AsyncHttpClient<'c> for Courier<'_> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Error>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let basic = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
            let form = Form::read(request.body(), basic, self.alike.as_deref());
            response(&self.deliver(form).await?)
        })
    }
}

/// As the crate takes it: it wants 200, a JSON content type, numbers that are numbers, and no member twice.
fn response(answer: &HttpAnswer) -> Result<HttpResponse> {
    let mut body = answer.body.to_vec();
    let mut response = Response::builder().header(CONTENT_TYPE, "application/json");
    if let Some(mut map) = object(answer) {
        for name in ["expires_in", "interval"] {
            if let Some(whole) = seconds(map.get(name)) {
                map.insert(name.to_owned(), whole.as_secs().into());
            }
        }
        if map.contains_key("device_code") {
            device_answer(&mut map);
        }
        body = serde_json::to_vec(&map).unwrap_or_default();
    }
    response = match success(answer) {
        true => response.status(StatusCode::OK),
        false => response.status(answer.status),
    };
    response.body(body).map_err(|e| Error::new(ErrorCode::Internal, format!("an answer cannot be read: {e}")))
}

/// The crate wants each of these members once, and of its own kind.
fn device_answer(map: &mut Map<String, Value>) {
    if map.contains_key("verification_uri") {
        map.remove("verification_url");
    }
    for name in ["message", "verification_uri_complete"] {
        if map.get(name).is_some_and(|value| !value.is_string()) {
            map.remove(name);
        }
    }
    if seconds(map.get("expires_in")).is_none() {
        map.insert("expires_in".to_owned(), UNTOLD_DEVICE_TIME.into());
    }
}

/// How long a device's code is good, in seconds, where the service does not say.
const UNTOLD_DEVICE_TIME: u64 = 900;

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
    let body = answer.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&answer.body);
    let value = match std::str::from_utf8(body) {
        Ok(text) => serde_json::from_str(text),
        // Some services write their words in Latin-1; what is read is ASCII.
        Err(_) => serde_json::from_str(&body.iter().map(|octet| char::from(*octet)).collect::<String>()),
    };
    match value.ok()? {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

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
    // RFC 9457.
    let problem = |name: &str| map.as_ref().and_then(|map| map.get(name)).and_then(Value::as_str);
    let words = problem("detail").or(problem("title")).map(|words| text::one_line(&form.redact(words), 300));
    let words = words.map_or_else(|| " without saying why".to_owned(), |words| format!(": {words}"));
    let html = answer.content_type.contains("html") || answer.body.trim_ascii_start().starts_with(b"<");
    // A captive portal answers for a while in the middle of a sign-in, and then lets the polls through.
    let passes = asked == Asked::Device;
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
                .with_retryable(passes)
                .with_hint(
                    "Check auth.authority and auth.token_endpoint. A proxy's sign-in page can also cause this.",
                )
        }
        200..=299 if answer.body.is_empty() => unavailable(format!("{host} answered with nothing")),
        200..=299 if html => unavailable(format!("{host} answered with a web page instead of a token"))
            .with_retryable(passes)
            .with_hint("A proxy or a network's sign-in page answers in its place. Let this machine through."),
        200..=299 if asked == Asked::Device => {
            unavailable(format!("{host} answered the device sign-in without a code or an address"))
        }
        200..=299 => unavailable(format!("{host} answered with something that is not a token")),
        _ if html => unavailable(format!("{host} answered HTTP {status} with a web page"))
            .with_retryable(false)
            .with_hint("Check auth.authority, auth.tenant and auth.token_endpoint, and proxies on the way."),
        401 | 403 => {
            let text = format!("{host} answered HTTP {status}{words}");
            with_id(Error::new(ErrorCode::ClientRejected, text), id).with_hint(
                "Check auth.client_id and what proves the application: the service does not accept them.",
            )
        }
        400 if asked == Asked::Refresh => {
            let text = format!("{host} answered HTTP 400 to the refresh{words}");
            with_id(Error::new(ErrorCode::InteractionRequired, text), id)
                .with_hint("The sign-in has ended at the service.")
        }
        404 | 410 => unavailable(format!("{host} answered HTTP {status}: nothing is at {}", url.path()))
            .with_retryable(false)
            .with_hint("Check auth.authority, auth.tenant and auth.token_endpoint."),
        _ => unavailable(format!("{host} answered HTTP {status}{words}"))
            .with_retryable(false)
            .with_hint("Check auth.authority, auth.tenant and auth.token_endpoint."),
    }
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
            let courier = Courier::new(Service { settings, auth }, Asked::App, url);
            Courier { repeats, ..courier }.post(form).await.unwrap_err()
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

    #[tokio::test]
    async fn refusals_are_read_in_every_shape_that_services_write() {
        use crate::sign_in::testing::{Fake, octets, reply};
        let latin = b"{\"error\": \"invalid_client\", \"error_description\": \"ung\xfcltig\"}".to_vec();
        let bom = [b"\xef\xbb\xbf", &b"{\"error\": \"invalid_client\"}"[..]].concat();
        let list = json!({"error": "invalid_client", "error_description": ["one", "two"]}).to_string();
        let problem = json!({"type": "about:blank", "title": "Forbidden", "detail": "no such client"});
        let json = "application/json";
        for (status, kind, body, asked, code, said) in [
            (401, json, latin, Asked::App, ErrorCode::ClientRejected, "ungültig"),
            (401, json, bom, Asked::App, ErrorCode::ClientRejected, "invalid_client"),
            (401, json, list.into_bytes(), Asked::App, ErrorCode::ClientRejected, "one two"),
            (
                403,
                "application/problem+json",
                problem.to_string().into_bytes(),
                Asked::App,
                ErrorCode::ClientRejected,
                "no such client",
            ),
            (401, json, Vec::new(), Asked::App, ErrorCode::ClientRejected, "HTTP 401"),
            (403, json, Vec::new(), Asked::Refresh, ErrorCode::ClientRejected, "HTTP 403"),
            (
                400,
                json,
                Vec::new(),
                Asked::Refresh,
                ErrorCode::InteractionRequired,
                "HTTP 400 to the refresh",
            ),
            (404, json, Vec::new(), Asked::App, ErrorCode::TokenEndpointUnavailable, "nothing is at /"),
        ] {
            let what = String::from_utf8_lossy(&body).into_owned();
            let fake = Fake::start(move |_| octets(status, kind, &body)).await;
            let source = fake.app(json!({}));
            let service = source.shared.service().unwrap();
            let url = Url::parse(&fake.url).unwrap();
            let error = Courier::new(service, asked, &url).post(Form::default()).await.unwrap_err();
            assert_eq!((error.code(), error.retryable()), (code, false), "{what}: {error}");
            assert!(error.message().contains(said), "{what}: {error}");
        }
        // A service that has no other word for it.
        let fake = Fake::start(|_| reply(400, json!({"error": "invalid_request"}))).await;
        let auth = json!({"grant": "refresh_token", "client_id": "app", "refresh_token": "r", "scopes": ["s"],
            "token_endpoint": fake.url});
        let options = json!({"provider": "custom", "smtp": {"host": "mail.example.com"}, "auth": auth});
        let options = crate::config::Options::from_json(options, crate::config::Spelling::Snake).unwrap();
        let source = crate::TokenSource::new(options, crate::Host::default()).unwrap();
        let error = source.get(crate::GetToken::default()).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InteractionRequired, "{error}");
        assert!(!fake.asked()[0].form.contains_key("scope"), "it asks for what was granted");
    }

    #[test]
    fn request_ids_are_random_uuids() {
        let id = request_id().unwrap();
        assert_eq!((id.len(), id.as_bytes()[14], id != request_id().unwrap()), (36, b'4', true), "{id}");
    }
}
