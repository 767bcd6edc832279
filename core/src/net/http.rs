//! HTTP clients, interned by their settings, and one request: a form out, a capped body back.
//!
//! A client belongs to the runtime that it was first used on, since its connections are tasks there;
//! so the runtime is part of the key. No redirect is followed: a secret goes to one address only.

use std::collections::VecDeque;
use std::error::Error as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use rustls::ClientConfig;
use url::Url;
use zeroize::Zeroizing;

use super::http_proxy::HttpProxy;
use super::pinned::Thumbprint;
use super::server_url::ServerUrl;
use super::tls::{self, Roots};
use crate::error::{Error, ErrorCode, Result};
use crate::fork::ForkCell;
use crate::input::Secret;
use crate::sync::lock;

/// Clients by their settings, the latest last.
#[derive(Default)]
pub(crate) struct HttpClients(Mutex<VecDeque<(ClientKey, reqwest::Client)>>);

/// What makes a client. TLS configurations are interned, so identity is equality.
struct ClientKey {
    tls: Arc<ClientConfig>,
    timeout: Duration,
    proxy: HttpProxy,
    runtime: tokio::runtime::Id,
}

/// How services on the net are reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach<'a> {
    pub(crate) roots: &'a Roots,
    pub(crate) proxy: &'a HttpProxy,
    /// For one request.
    pub(crate) timeout: Duration,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The request could not be made, or TLS failed: an error with a code of its own.
    Own(Error),
    /// The service cannot be reached, or its answer cannot be used: what was seen, and what to do.
    Unanswered { seen: String, hint: String, retryable: bool },
}

impl Failure {
    /// The error for the service `who`, whose absence has the code `code`.
    pub(crate) fn into_error(self, who: &str, code: ErrorCode) -> Error {
        match self {
            Self::Own(error) => error,
            Self::Unanswered { seen, hint, retryable } => {
                Error::new(code, format!("{who} {seen}")).with_hint(hint).with_retryable(retryable)
            }
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Own(error)
    }
}

/// What an endpoint answered.
#[derive(Clone)]
pub(crate) struct HttpAnswer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// `Retry-After`, in seconds or as a date, at most [`RETRY_AFTER_CAP`].
    pub(crate) retry_after: Option<Duration>,
    /// Where a redirect would have led.
    pub(crate) location: Option<String>,
    /// `WWW-Authenticate`.
    pub(crate) challenge: Option<String>,
    /// `Content-Type`.
    pub(crate) content_type: String,
    /// The body; it may hold tokens.
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// The longest wait that a server can ask for.
pub(crate) const RETRY_AFTER_CAP: Duration = Duration::from_secs(3600);

/// Posts an `application/x-www-form-urlencoded` body.
///
/// # Errors
/// `Unanswered` for network trouble, with its cause; `certificate_invalid` and `tls_failed` where those are the cause.
pub(crate) async fn post_form(
    reach: Reach<'_>,
    url: &Url,
    body: Zeroizing<String>,
    authorization: Option<&Secret>,
    request_id: Option<&str>,
) -> Result<HttpAnswer, Failure> {
    let client = outside(reach, url)?;
    let mut request = client
        .post(url.clone())
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(ACCEPT, "application/json")
        .body(body.as_bytes().to_vec());
    if let Some(authorization) = authorization {
        let mut value = HeaderValue::from_str(authorization.expose())
            .map_err(|_| Error::new(ErrorCode::Internal, "the client's authentication cannot be a header"))?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    if let Some(id) = request_id {
        request = request.header("client-request-id", id).header("return-client-request-id", "true");
    }
    send(url, request).await
}

/// Posts JSON.
///
/// # Errors
/// As for [`post_form`]; `config_invalid` for a header that is none.
pub(crate) async fn post_json(
    reach: Reach<'_>,
    url: &Url,
    headers: &[(String, String)],
    body: Vec<u8>,
    timeout: Duration,
) -> Result<HttpAnswer, Failure> {
    let mut request = outside(reach, url)?.post(url.clone()).timeout(timeout).body(body);
    for (name, value) in headers {
        let pair = (HeaderName::try_from(name), HeaderValue::try_from(value));
        let (Ok(name), Ok(mut value)) = pair else {
            let message = format!("the header `{}` cannot be sent", name.escape_debug());
            return Err(Error::config("headers", message).into());
        };
        value.set_sensitive(true);
        request = request.header(name, value);
    }
    send(url, request.header(CONTENT_TYPE, "application/json")).await
}

/// Gets from a service on the net.
///
/// # Errors
/// As for [`post_form`].
pub(crate) async fn get_outside(
    reach: Reach<'_>,
    url: &Url,
    headers: &[(&'static str, Secret)],
) -> Result<HttpAnswer, Failure> {
    get_by(outside(reach, url)?, url, headers).await
}

/// Gets from a service of this machine's own: never through a proxy.
///
/// # Errors
/// As for [`post_form`].
pub(crate) async fn get(
    reach: Reach<'_>,
    url: &Url,
    headers: &[(&'static str, Secret)],
    pinned: Option<Thumbprint>,
) -> Result<HttpAnswer, Failure> {
    let straight = HttpProxy::default();
    let tls = match pinned {
        Some(thumbprint) => tls::configs().pinned(thumbprint)?,
        None => tls::configs().client(&Roots::Bundled)?,
    };
    let client = clients().client(tls, reach.timeout, &straight)?;
    get_by(client, url, headers).await
}

async fn get_by(
    client: reqwest::Client,
    url: &Url,
    headers: &[(&'static str, Secret)],
) -> Result<HttpAnswer, Failure> {
    let mut request = client.get(url.clone()).header(ACCEPT, "application/json");
    for (name, value) in headers {
        request = request.header(*name, value.expose());
    }
    send(url, request).await
}

/// A client for services on the net, by the options' authorities and proxies.
fn outside(reach: Reach<'_>, url: &Url) -> Result<reqwest::Client> {
    // Plain HTTP is loopback only; a machine without a list of authorities can still use it.
    let roots = if url.scheme() == "http" { &Roots::Bundled } else { reach.roots };
    let tls = tls::configs().client(roots)?;
    clients().client(tls, reach.timeout, reach.proxy)
}

async fn send(url: &Url, request: reqwest::RequestBuilder) -> Result<HttpAnswer, Failure> {
    let mut response = request.send().await.map_err(|e| unreachable(url, &e))?;
    let header = |name| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let mut answer = HttpAnswer {
        status: response.status().as_u16(),
        retry_after: retry_after(response.headers(), SystemTime::now()),
        location: header(LOCATION),
        challenge: header(WWW_AUTHENTICATE),
        content_type: header(CONTENT_TYPE).unwrap_or_default(),
        body: Zeroizing::new(Vec::new()),
    };
    while let Some(chunk) = response.chunk().await.map_err(|e| unreachable(url, &e))? {
        if answer.body.len() + chunk.len() > BODY_CAP {
            return Err(Failure::Unanswered {
                seen: format!("{} answered with more than {BODY_CAP} octets", host(url)),
                hint: "Check the endpoint's address: something else answers there.".to_owned(),
                retryable: false,
            });
        }
        answer.body.extend_from_slice(&chunk);
    }
    Ok(answer)
}

const BODY_CAP: usize = 1 << 20;

/// More kinds of clients than this at once are unusual; the oldest goes.
const CLIENTS_CAP: usize = 16;

/// This process's HTTP clients.
pub(crate) fn clients() -> &'static HttpClients {
    static CELL: ForkCell<HttpClients> = ForkCell::new();
    CELL.get(|_| HttpClients::default())
}

impl HttpClients {
    fn client(
        &self,
        tls: Arc<ClientConfig>,
        timeout: Duration,
        proxy: &HttpProxy,
    ) -> Result<reqwest::Client> {
        let runtime = tokio::runtime::Handle::current().id();
        let mut clients = lock(&self.0);
        let known = clients.iter().find(|(k, _)| {
            Arc::ptr_eq(&k.tls, &tls) && k.timeout == timeout && k.proxy == *proxy && k.runtime == runtime
        });
        if let Some((_, client)) = known {
            return Ok(client.clone());
        }
        let broken = |e| Error::new(ErrorCode::Internal, format!("HTTP cannot be set up: {e}"));
        // The environment was read with the options: what it reads itself, it may pass over in silence.
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured((*tls).clone())
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("mailbearer/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(timeout)
            .timeout(timeout)
            .pool_idle_timeout(Duration::from_secs(30))
            .tcp_nodelay(true);
        if let Some(url) = &proxy.url {
            builder = builder.proxy(through(url, &proxy.except)?);
        }
        let client = builder.build().map_err(broken)?;
        if clients.len() >= CLIENTS_CAP {
            clients.pop_front();
        }
        clients.push_back((ClientKey { tls, timeout, proxy: proxy.clone(), runtime }, client.clone()));
        Ok(client)
    }
}

fn through(proxy: &ServerUrl, except: &str) -> Result<reqwest::Proxy> {
    // Its own errors may repeat the URL, and with it the password.
    let broken = |_| Error::config("http.proxy", format!("`http.proxy`: {} cannot be used", proxy.place()));
    let mut url = Url::parse(&format!("{}://{}", proxy.scheme, proxy.place())).map_err(|_| broken(()))?;
    // It is decoded once more on the way.
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    url.set_username(&encoded(proxy.username.as_deref().unwrap_or_default())).map_err(broken)?;
    let password = proxy.password.as_ref().map(|password| encoded(password.expose()));
    url.set_password(password.as_deref()).map_err(broken)?;
    // A machine's own services are its own.
    let except = format!("{except},localhost,127.0.0.0/8,::1");
    let made = reqwest::Proxy::all(url).map_err(|_| broken(()))?;
    Ok(made.no_proxy(reqwest::NoProxy::from_string(&except)))
}

/// Says what a failed request means.
fn unreachable(url: &Url, error: &reqwest::Error) -> Failure {
    let host = host(url);
    let mut words: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(error) = tls_cause(cause) {
            let error = tls::describe_tls(&host, error);
            return Failure::Own(match error.code() {
                // That code's own hint speaks of mail servers.
                ErrorCode::TlsFailed => {
                    error.with_hint("Check auth.authority and auth.token_endpoint, and proxies on the way.")
                }
                _ => error,
            });
        }
        let text = cause.to_string();
        if !words.iter().any(|word| word.contains(&text)) {
            words.push(text);
        }
        next = cause.source();
    }
    let what = match () {
        () if error.is_timeout() => "did not answer in time".to_owned(),
        () if words.is_empty() => format!("cannot be reached: {}", last_words(error)),
        () => format!("cannot be reached: {}", words.join(": ")),
    };
    let proxy = words.iter().any(|word| ["proxy", "tunnel", "SOCKS"].iter().any(|sign| word.contains(sign)));
    let hint = match words.iter().any(|word| word.contains("dns error") || word.contains("lookup address")) {
        _ if proxy => PROXY_HINT.to_owned(),
        true => format!("Check this machine's DNS: it does not know {host}."),
        false => "Check whether a firewall blocks HTTPS to this host. If not, try again later.".to_owned(),
    };
    Failure::Unanswered { seen: format!("{host} {what}"), hint, retryable: true }
}

const PROXY_HINT: &str = "Check http.proxy, or HTTPS_PROXY, ALL_PROXY and NO_PROXY: the proxy's user and password, and whether the proxy lets this host through.";

/// An `io::Error` hides what it wraps from `source`, and comes wrapped in another.
fn tls_cause<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let mut error = error;
    while let Some(outer) = error.downcast_ref::<std::io::Error>() {
        error = outer.get_ref()?;
    }
    error.downcast_ref()
}

fn last_words(error: &reqwest::Error) -> &'static str {
    if error.is_body() || error.is_decode() { "the answer broke off" } else { "the request failed" }
}

fn host(url: &Url) -> String {
    let name = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"))
}

/// RFC 9110 §10.2.3: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let after = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(after.min(RETRY_AFTER_CAP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_capped() {
        let now = httpdate::parse_http_date("Tue, 24 Nov 2026 10:00:00 GMT").unwrap();
        for (text, expected) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("999999", Some(3600)),
            ("Tue, 24 Nov 2026 10:00:30 GMT", Some(30)),
            ("Tue, 24 Nov 2026 09:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{text}");
        }
    }
}
