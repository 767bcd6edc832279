//! HTTP for the sign-in service, the page and the control interface: accepting, answering, failing. What an
//! answer says is the business of the rooms above.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::fault::Fault;

/// Connections served at a time on each listener.
const CONNECTIONS: usize = 512;

/// Where the client reached us: `https://localhost:1234`.
#[derive(Clone, Debug)]
pub(crate) struct Base(pub(crate) String);

/// The names under which requests are served. A web page cannot reach us under a name of its own (DNS
/// rebinding): those of this machine are served, and the one that clients were given.
pub(crate) struct Names {
    own: String,
    /// Other machines may connect, so every IP address is served too: a web page cannot take one for its name.
    addresses: bool,
}

impl Names {
    pub(crate) fn new(own: String, addresses: bool) -> Self {
        Self { own, addresses }
    }

    /// On any port: the way here may lead through a forwarded one.
    fn contain(&self, host: &str) -> bool {
        let is_port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        let name = host.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(host, |(name, _)| name);
        let name = name.to_ascii_lowercase();
        let is_address = || name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        matches!(name.as_str(), "localhost" | "127.0.0.1" | "[::1]")
            || name == self.own
            || self.addresses && is_address()
    }
}

/// Put on a response: close the connection instead of sending it.
#[derive(Clone, Copy)]
struct Dropped;

/// Accepts for ever.
pub(crate) async fn listen(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    base: Base,
    names: Arc<Names>,
    router: Router,
) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: let others go first.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (tls, base, names, router) = (tls.clone(), base.clone(), names.clone(), router.clone());
        tokio::spawn(async move {
            serve(stream, tls, base, names, router).await;
            drop(slot);
        });
    }
}

async fn serve(stream: TcpStream, tls: Option<TlsAcceptor>, base: Base, names: Arc<Names>, router: Router) {
    // Without it answers wait for the client's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    match tls {
        None => converse(stream, base, names, router).await,
        Some(tls) => {
            let handshake = tokio::time::timeout(Duration::from_secs(30), tls.accept(stream));
            if let Ok(Ok(stream)) = handshake.await {
                converse(stream, base, names, router).await;
            }
        }
    }
}

async fn converse<S>(stream: S, base: Base, names: Arc<Names>, router: Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let inner = TowerToHyperService::new(router);
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        let inner = inner.clone();
        let refusal = check_host(request.headers(), &names);
        let reached = reached(request.headers(), &base, &names);
        request.extensions_mut().insert(reached);
        async move {
            if let Some(refusal) = refusal {
                return Ok(refusal);
            }
            let response: Result<Response, Infallible> = hyper::service::Service::call(&inner, request).await;
            match response {
                Ok(response) if response.extensions().get::<Dropped>().is_some() => {
                    Err(io::Error::other("dropped by a fault"))
                }
                Ok(response) => Ok(response),
                Err(never) => match never {},
            }
        }
    });
    // A client that breaks off is none of our business.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(300))
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn check_host(headers: &HeaderMap, names: &Names) -> Option<Response> {
    let host = host(headers);
    if host.is_some_and(|host| names.contain(host)) {
        return None;
    }
    let own = match names.own.as_str() {
        "localhost" => String::new(),
        own => format!(", {own}"),
    };
    Some(text(421, format!("the emulator answers to localhost, 127.0.0.1 and [::1]{own} only\n")))
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST)?.to_str().ok()
}

fn reached(headers: &HeaderMap, base: &Base, names: &Names) -> Base {
    match (host(headers), base.0.split_once("://")) {
        (Some(host), Some((scheme, _))) if names.contain(host) => {
            Base(format!("{scheme}://{}", host.to_ascii_lowercase()))
        }
        _ => base.clone(),
    }
}

/// Whether a browser sends this for another site's page.
pub(crate) fn is_cross_origin(headers: &HeaderMap) -> bool {
    // Browsers say so themselves; an Origin may be hidden by a policy.
    if let Some(site) = headers.get("sec-fetch-site") {
        return !matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    headers.get(header::ORIGIN).is_some_and(|origin| {
        let origin = origin.to_str().unwrap_or_default();
        let ours = host(headers).unwrap_or_default();
        origin != format!("http://{ours}") && origin != format!("https://{ours}")
    })
}

/// An answer as JSON that must not be stored (RFC 6749 §5.1).
pub(crate) fn json(status: u16, body: &Value) -> Response {
    let mut response = respond(status, "application/json; charset=utf-8", body.to_string());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// An answer in plain text.
pub(crate) fn text(status: u16, body: impl Into<Body>) -> Response {
    respond(status, "text/plain; charset=utf-8", body)
}

/// A file of any kind, as plain octets.
pub(crate) fn octets(body: Vec<u8>) -> Response {
    let mut response = respond(200, "application/octet-stream", body);
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// A page. Nothing in it may load or run anything.
pub(crate) fn page(status: u16, body: String) -> Response {
    let mut response = respond(status, "text/html; charset=utf-8", body);
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'",
        ),
    );
    response
}

/// A file that belongs to the page.
pub(crate) fn asset(kind: &'static str, text: &'static str) -> Response {
    respond(200, kind, text)
}

pub(crate) fn redirect(location: &str) -> Response {
    let mut response = text(302, "");
    match HeaderValue::from_str(location) {
        Ok(value) => {
            response.headers_mut().insert(header::LOCATION, value);
            response
        }
        Err(_) => text(400, "the redirect URI cannot be sent\n"),
    }
}

/// The response that a fault puts in place of the real one; None if the fault only delays. `refusal` gives
/// the answer for a fault that has a status alone.
pub(crate) fn instead(fault: &Fault, refusal: impl FnOnce(u16) -> Response) -> Option<Response> {
    let scripted = fault.status.is_some() || fault.body.is_some() || !fault.headers.is_empty();
    if !scripted && !fault.drop {
        return None;
    }
    let usual = if fault.body.is_some() { 200 } else { 400 };
    let status = fault.status.unwrap_or(usual);
    let mut response = match &fault.body {
        Some(body) if fault.drop => respond(status, kind_of(body), Body::new(CutOff::new(body))),
        Some(body) => respond(status, kind_of(body), body.clone()),
        None => refusal(status),
    };
    if fault.drop && fault.body.is_none() {
        response.extensions_mut().insert(Dropped);
    }
    for (name, value) in &fault.headers {
        // Both were checked when the fault was added; what HTTP refuses nevertheless is left out.
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
            && name != header::CONTENT_LENGTH
            && name != header::TRANSFER_ENCODING
        {
            response.headers_mut().insert(name, value);
        }
    }
    Some(response)
}

pub(crate) async fn pause(seconds: f64) {
    if seconds > 0.0 {
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    }
}

fn kind_of(body: &str) -> &'static str {
    match body.trim_start().as_bytes().first() {
        Some(b'{' | b'[') => "application/json; charset=utf-8",
        Some(b'<') => "text/html; charset=utf-8",
        _ => "text/plain; charset=utf-8",
    }
}

fn respond(status: u16, kind: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// A body that breaks off after its first octets.
struct CutOff(Option<Bytes>);

impl CutOff {
    fn new(body: &str) -> Self {
        Self(Some(Bytes::copy_from_slice(body.as_bytes())))
    }
}

impl hyper::body::Body for CutOff {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(Some(match self.0.take() {
            Some(octets) => Ok(Frame::data(octets)),
            None => Err(io::Error::other("cut off by a fault")),
        }))
    }
}
