//! The loopback end of a sign-in (RFC 8252 §7.3): hears one redirect, answers it, closes.
//!
//! Anything may connect to a local port: requests that are not the sign-in's own get a page and change
//! nothing, and an idle connection (browsers open some ahead) keeps nobody waiting.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use url::{Host, Url, form_urlencoded};

use crate::error::{Error, ErrorCode, Result};

/// Sockets on 127.0.0.1 and ::1, at one port: `localhost` may mean either.
pub(crate) struct Listener {
    sockets: Vec<std::net::TcpListener>,
    port: u16,
    /// Where the redirect comes to.
    path: String,
}

/// What came to the redirect URI.
pub(crate) type Parameters = Vec<(String, String)>;

/// The browser, waiting for a page.
pub(crate) struct Browser(TcpStream);

impl Listener {
    /// Finds a free port; the redirect comes to `path` there.
    ///
    /// # Errors
    /// `connect_failed` if this machine lets us listen nowhere.
    pub(crate) fn bind(path: &str) -> Result<Self> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..PORTS_TRIED {
            match Self::bind_once(path) {
                Ok(listener) => return Ok(listener),
                Err(e) => last = e,
            }
        }
        Err(Error::new(
            ErrorCode::ConnectFailed,
            format!("cannot listen on this machine for the sign-in: {last}"),
        )
        .with_retryable(false)
        .with_hint("Sign in with method `device_code`, or set auth.redirect_uri."))
    }

    fn bind_once(path: &str) -> io::Result<Self> {
        let four = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = four.local_addr()?.port();
        let mut sockets = vec![four];
        match std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, port)) {
            Ok(six) => sockets.push(six),
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => return Err(e),
            // A machine without IPv6.
            Err(_) => {}
        }
        for socket in &sockets {
            socket.set_nonblocking(true)?;
        }
        Ok(Self { sockets, port, path: path.to_owned() })
    }

    /// The port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Another handle of the same sockets.
    pub(crate) fn share(&self) -> Result<Self> {
        let sockets: io::Result<Vec<_>> = self.sockets.iter().map(std::net::TcpListener::try_clone).collect();
        Ok(Self { sockets: sockets.map_err(lost)?, port: self.port, path: self.path.clone() })
    }

    /// Waits for a request that `is_ours`. The connection that brought it wants a page.
    ///
    /// # Errors
    /// `connect_failed` if the sockets cannot be used.
    pub(crate) async fn receive(
        self,
        is_ours: impl Fn(&Parameters) -> bool,
    ) -> Result<(Parameters, Browser)> {
        let mut sockets = Vec::new();
        for socket in self.sockets {
            sockets.push(TcpListener::from_std(socket).map_err(lost)?);
        }
        let mut visits: JoinSet<Option<(Parameters, TcpStream)>> = JoinSet::new();
        let mut oldest_first: VecDeque<AbortHandle> = VecDeque::new();
        loop {
            tokio::select! {
                stream = accept(&sockets) => {
                    match stream {
                        Ok(stream) => {
                            oldest_first.retain(|visit| !visit.is_finished());
                            // Whoever says nothing for longest makes room: the person's browser speaks at once.
                            if oldest_first.len() >= VISITS_CAP && let Some(oldest) = oldest_first.pop_front() {
                                oldest.abort();
                            }
                            let path = self.path.clone();
                            oldest_first.push_back(visits.spawn(async move {
                                tokio::time::timeout(VISIT_TIME, hear(stream, &path)).await.ok().flatten()
                            }));
                        }
                        // Out of descriptors, or a visitor that hung up.
                        Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                    }
                }
                Some(visit) = visits.join_next() => {
                    let Ok(Some((parameters, stream))) = visit else { continue };
                    let browser = Browser(stream);
                    if is_ours(&parameters) {
                        return Ok((parameters, browser));
                    }
                    browser.show(400, "Not this sign-in", "This answer belongs to another sign-in. Go back to \
                        the program, and use the page that it opened last.").await;
                }
            }
        }
    }
}

impl Browser {
    /// Shows a page and hangs up. A browser that went away is no loss.
    pub(crate) async fn show(mut self, status: u16, title: &str, text: &str) {
        let _ = tokio::time::timeout(Duration::from_secs(2), respond(&mut self.0, status, title, text)).await;
    }
}

async fn accept(sockets: &[TcpListener]) -> io::Result<TcpStream> {
    let (stream, _) = match sockets {
        [only] => only.accept().await?,
        [four, six, ..] => tokio::select! {
            visit = four.accept() => visit?,
            visit = six.accept() => visit?,
        },
        [] => std::future::pending().await,
    };
    Ok(stream)
}

/// Reads a request; answers it here unless it may be the redirect.
async fn hear(mut stream: TcpStream, own_path: &str) -> Option<(Parameters, TcpStream)> {
    let (status, title) = match read_request(&mut stream).await {
        None => (400, "Not understood"),
        Some(request) if !request.to_loopback() => (400, "Not for here"),
        Some(request) => {
            let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
            match (request.method.as_str(), path) {
                ("GET", path) if path == own_path => return Some((parse(query.as_bytes()), stream)),
                // response_mode=form_post
                ("POST", path) if path == own_path => return Some((parse(&request.body), stream)),
                (_, path) if path == own_path => (405, "Not understood"),
                _ => (404, "Not found"),
            }
        }
    };
    let _ = respond(&mut stream, status, title, "There is nothing here.").await;
    None
}

pub(crate) fn parse(text: &[u8]) -> Parameters {
    form_urlencoded::parse(text).into_owned().collect()
}

/// An HTTP/1.1 request, as far as we care.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// A header's value; names are compared without case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// A page elsewhere may have its own name resolve to us (DNS rebinding): only loopback names are ours.
    fn to_loopback(&self) -> bool {
        let url = self.header("host").and_then(|host| Url::parse(&format!("http://{host}/")).ok());
        match url.as_ref().and_then(Url::host) {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        }
    }
}

/// Reads one request of at most [`REQUEST_CAP`] octets; `None` if it is none.
pub(crate) async fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut octets = Vec::new();
    let (mut request, end) = loop {
        read_some(stream, &mut octets).await?;
        if let Some(found) = head(&octets).ok()? {
            break found;
        }
    };
    request.body = octets.split_off(end);
    let length: usize = request.header("content-length").unwrap_or("0").parse().ok()?;
    if length > REQUEST_CAP {
        return None;
    }
    while request.body.len() < length {
        read_some(stream, &mut request.body).await?;
    }
    request.body.truncate(length);
    Some(request)
}

/// The head of a request, and where it ends; nothing while there is more to come.
fn head(octets: &[u8]) -> Result<Option<(Request, usize)>, httparse::Error> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_CAP];
    let mut parsed = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(end) = parsed.parse(octets)? else { return Ok(None) };
    let request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        target: parsed.path.unwrap_or_default().to_owned(),
        headers: parsed
            .headers
            .iter()
            .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).trim().to_owned()))
            .collect(),
        body: Vec::new(),
    };
    Ok(Some((request, end)))
}

async fn read_some(stream: &mut TcpStream, octets: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 4096];
    let n = stream.read(&mut chunk).await.ok().filter(|n| *n > 0)?;
    octets.extend_from_slice(&chunk[..n]);
    (octets.len() <= REQUEST_CAP).then_some(())
}

async fn respond(stream: &mut TcpStream, status: u16, title: &str, text: &str) -> io::Result<()> {
    let reason = match status {
        200 => "OK",
        404 => "Not Found",
        405 => "Method Not Allowed",
        _ => "Bad Request",
    };
    let body = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
         <body style=\"font:1.1em sans-serif;max-width:34em;margin:4em auto;padding:0 1em\">\
         <h1>{title}</h1><p>{text}</p></body></html>\n",
        title = escape(title),
        text = escape(text),
    );
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\
         Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    stream.shutdown().await
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn lost(error: io::Error) -> Error {
    Error::new(ErrorCode::ConnectFailed, format!("the sign-in's local port cannot be used: {error}"))
        .with_retryable(false)
}

const PORTS_TRIED: usize = 20;
const VISITS_CAP: usize = 32;
const VISIT_TIME: Duration = Duration::from_secs(10);
const REQUEST_CAP: usize = 16 << 10;
const HEADERS_CAP: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    async fn visit(port: u16, request: String) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    }

    fn get(target: &str, host: &str) -> String {
        format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")
    }

    #[tokio::test]
    async fn strangers_get_a_page_and_change_nothing() {
        let listener = Listener::bind("/").unwrap();
        let port = listener.port();
        let idle = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let waiting = tokio::spawn(listener.receive(|p| p.contains(&("state".into(), "good".into()))));
        let host = format!("localhost:{port}");
        for (request, status) in [
            (get("/favicon.ico", &host), "404"),
            (get("/?state=bad", &host), "400"),
            (get("/?state=good", "evil.example"), "400"),
            (get("/other?state=good", &host), "404"),
            (format!("PUT / HTTP/1.1\r\nHost: {host}\r\n\r\n"), "405"),
            ("\x16\x03\x01 nonsense\r\n\r\n".into(), "400"),
            (get(&format!("/?state=good&x={}", "a".repeat(REQUEST_CAP)), &host), "400"),
        ] {
            let answer = visit(port, request.clone()).await;
            // The oversized one may be cut off with its answer unread.
            let cut = answer.is_empty() && request.len() > REQUEST_CAP;
            assert!(cut || answer.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {answer}");
        }
        let body = "code=c&state=good";
        let post = format!(
            "POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let browser = tokio::spawn(visit(port, post));
        let (parameters, page) = waiting.await.unwrap().unwrap();
        assert_eq!(parameters, parse(body.as_bytes()));
        page.show(200, "Done", "<b>").await;
        let answer = browser.await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("&lt;b&gt;"), "{answer}");
        drop(idle);
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err(), "it closed");
    }

    #[tokio::test]
    async fn silent_visitors_do_not_keep_the_person_out() {
        let listener = Listener::bind("/cb").unwrap();
        let port = listener.port();
        let waiting = tokio::spawn(listener.receive(|_| true));
        let mut silent = Vec::new();
        for _ in 0..VISITS_CAP * 2 {
            silent.push(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap());
        }
        let browser = tokio::spawn(visit(port, get("/cb?code=c", &format!("127.0.0.1:{port}"))));
        let (parameters, page) = waiting.await.unwrap().unwrap();
        assert_eq!(parameters, parse(b"code=c"));
        page.show(200, "Done", "").await;
        assert!(browser.await.unwrap().starts_with("HTTP/1.1 200"));
    }
}
