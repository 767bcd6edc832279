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
    ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use rustls::ClientConfig;
use url::Url;
use zeroize::Zeroizing;

use crate::config::{HttpProxy, Roots, Secret, ServerUrl, Settings};
use crate::error::{Error, ErrorCode, Result};
use crate::net::pinned::Thumbprint;
use crate::net::tls;
use crate::process::process;

/// Clients by their settings, the latest last.
#[derive(Default)]
pub(crate) struct HttpClients(Mutex<VecDeque<(Key, reqwest::Client)>>);

/// What makes a client. TLS configurations are interned, so identity is equality.
struct Key {
    tls: Arc<ClientConfig>,
    timeout: Duration,
    proxy: HttpProxy,
    runtime: tokio::runtime::Id,
}

/// What an endpoint answered.
pub(crate) struct Answer {
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

/// Nobody is made to wait longer than this by a server's word alone.
pub(crate) const RETRY_AFTER_CAP: Duration = Duration::from_secs(3600);

/// Posts an `application/x-www-form-urlencoded` body.
///
/// # Errors
/// `token_endpoint_unavailable` for network trouble, with its cause; `certificate_invalid` and
/// `tls_failed` where those are the cause.
pub(crate) async fn post_form(
    settings: &Settings,
    url: &Url,
    body: Zeroizing<String>,
    request_id: Option<&str>,
) -> Result<Answer> {
    let client = outside(settings, url)?;
    let mut request = client
        .post(url.clone())
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(ACCEPT, "application/json")
        .body(body.as_bytes().to_vec());
    if let Some(id) = request_id {
        request = request.header("client-request-id", id).header("return-client-request-id", "true");
    }
    send(SERVICE, url, request).await
}

/// Posts JSON to a service that is no sign-in service; `who` it is, for errors.
///
/// # Errors
/// As for [`post_form`]; `config_invalid` for a header that is none.
pub(crate) async fn post_json(
    settings: &Settings,
    who: &str,
    url: &Url,
    headers: &[(String, String)],
    body: Vec<u8>,
    timeout: Duration,
) -> Result<Answer> {
    let mut request = outside(settings, url)?.post(url.clone()).timeout(timeout).body(body);
    for (name, value) in headers {
        let pair = (HeaderName::try_from(name), HeaderValue::try_from(value));
        let (Ok(name), Ok(mut value)) = pair else {
            return Err(Error::config(
                "headers",
                format!("the header `{}` cannot be sent", name.escape_debug()),
            ));
        };
        value.set_sensitive(true);
        request = request.header(name, value);
    }
    send(who, url, request.header(CONTENT_TYPE, "application/json")).await
}

/// Gets from a service on the net.
///
/// # Errors
/// As for [`post_form`].
pub(crate) async fn get_outside(
    settings: &Settings,
    url: &Url,
    headers: &[(&'static str, Secret)],
) -> Result<Answer> {
    get_by(outside(settings, url)?, url, headers).await
}

/// Gets from a service of this machine's own: never through a proxy.
///
/// # Errors
/// As for [`post_form`].
pub(crate) async fn get(
    settings: &Settings,
    url: &Url,
    headers: &[(&'static str, Secret)],
    pinned: Option<Thumbprint>,
) -> Result<Answer> {
    let straight = HttpProxy::default();
    let tls = match pinned {
        Some(thumbprint) => process().tls.pinned(thumbprint)?,
        None => process().tls.client(&Roots::Bundled)?,
    };
    let client = process().http.client(tls, settings.http_timeout, &straight)?;
    get_by(client, url, headers).await
}

async fn get_by(client: reqwest::Client, url: &Url, headers: &[(&'static str, Secret)]) -> Result<Answer> {
    let mut request = client.get(url.clone()).header(ACCEPT, "application/json");
    for (name, value) in headers {
        request = request.header(*name, value.expose());
    }
    send(SERVICE, url, request).await
}

/// A client for services on the net, by the options' authorities and proxies.
fn outside(settings: &Settings, url: &Url) -> Result<reqwest::Client> {
    // Plain HTTP is loopback only; a machine without a list of authorities can still use it.
    let roots = if url.scheme() == "http" { &Roots::Bundled } else { &settings.roots };
    let tls = process().tls.client(roots)?;
    process().http.client(tls, settings.http_timeout, &settings.http_proxy)
}

async fn send(who: &str, url: &Url, request: reqwest::RequestBuilder) -> Result<Answer> {
    let mut response = request.send().await.map_err(|e| unreachable(who, url, &e))?;
    let header = |name| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let mut answer = Answer {
        status: response.status().as_u16(),
        retry_after: retry_after(response.headers(), SystemTime::now()),
        location: header(LOCATION),
        challenge: header(WWW_AUTHENTICATE),
        content_type: header(CONTENT_TYPE).unwrap_or_default(),
        body: Zeroizing::new(Vec::new()),
    };
    while let Some(chunk) = response.chunk().await.map_err(|e| unreachable(who, url, &e))? {
        if answer.body.len() + chunk.len() > BODY_CAP {
            return Err(Error::new(
                ErrorCode::TokenEndpointUnavailable,
                format!("{} answered with more than {BODY_CAP} octets", host(url)),
            )
            .with_retryable(false));
        }
        answer.body.extend_from_slice(&chunk);
    }
    Ok(answer)
}

const SERVICE: &str = "the sign-in service";

const BODY_CAP: usize = 1 << 20;

/// More kinds of clients than this at once are unusual; the oldest goes.
const CLIENTS_CAP: usize = 16;

impl HttpClients {
    fn client(
        &self,
        tls: Arc<ClientConfig>,
        timeout: Duration,
        proxy: &HttpProxy,
    ) -> Result<reqwest::Client> {
        let runtime = tokio::runtime::Handle::current().id();
        let mut clients = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
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
        clients.push_back((Key { tls, timeout, proxy: proxy.clone(), runtime }, client.clone()));
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
fn unreachable(who: &str, url: &Url, error: &reqwest::Error) -> Error {
    let host = host(url);
    let mut words: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(error) = tls_cause(cause) {
            let error = tls::describe_tls(&host, error);
            return match error.code() {
                // That code's own hint speaks of mail servers.
                ErrorCode::TlsFailed => {
                    error.with_hint("Check auth.authority and auth.token_endpoint, and proxies on the way.")
                }
                _ => error,
            };
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
    let error = Error::new(ErrorCode::TokenEndpointUnavailable, format!("{who} {host} {what}"));
    if words.iter().any(|word| word.contains("proxy") || word.contains("tunnel") || word.contains("SOCKS")) {
        return error.with_hint(
            "It is the proxy on the way: check http.proxy, or HTTPS_PROXY, ALL_PROXY and NO_PROXY, its user and password, and whether it lets this host through.",
        );
    }
    match words.iter().any(|word| word.contains("dns error") || word.contains("lookup address")) {
        true => error.with_hint(format!("Check this machine's DNS: it does not know {host}.")),
        false => {
            error.with_hint("Check that a firewall lets this machine reach it by HTTPS; else try later.")
        }
    }
}

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
