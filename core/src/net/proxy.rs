//! Through a proxy to a server: HTTP's CONNECT (RFC 9110 §9.3.6) and SOCKS5 (RFC 1928, RFC 1929).
//!
//! By hand, since a mail server speaks first: the libraries for CONNECT read its greeting together with the
//! proxy's answer, and lose it. Here nothing is taken from the socket beyond the answer.

use std::io;
use std::net::{IpAddr, SocketAddr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use super::server_url::ServerUrl;
use super::stream::acknowledge_quickly;
use crate::error::{Error, ErrorCode, Result};
use crate::input::Secret;

/// Schemes of proxies, and their ports.
pub(crate) const SCHEMES: &[(&str, u16)] = &[("http", 80), ("socks5", 1080), ("socks5h", 1080)];

/// Where the proxy is to connect us to.
#[derive(Clone, Debug)]
pub(crate) enum ProxyTarget {
    /// The proxy looks the name up.
    Name(String, u16),
    /// An address of ours.
    Address(SocketAddr),
}

impl ProxyTarget {
    /// The proxy gets the name, but for `socks5`, which is for names that only we know.
    pub(crate) fn wants_address(proxy: &ServerUrl) -> bool {
        proxy.scheme == "socks5"
    }

    fn authority(&self) -> String {
        match self {
            Self::Name(name, port) if name.contains(':') => format!("[{name}]:{port}"),
            Self::Name(name, port) => format!("{name}:{port}"),
            Self::Address(address) => address.to_string(),
        }
    }
}

/// Has the proxy at the other end of `tcp` connect us to `target`. The caller limits the time.
///
/// # Errors
/// `connect_failed`: what the proxy said, and the cure.
pub(crate) async fn open(tcp: &mut TcpStream, proxy: &ServerUrl, target: &ProxyTarget) -> Result<()> {
    let opened = match proxy.scheme {
        "http" => connect(tcp, proxy, target).await,
        _ => socks(tcp, proxy, target).await,
    };
    opened.map_err(|refusal| refusal.told(&proxy.place(), &target.authority()))
}

/// Why there is no tunnel.
#[derive(Debug)]
enum ProxyRefusal {
    /// The proxy wants a user and a password, or others.
    SignIn(&'static str),
    /// The proxy's rules forbid the connection.
    Forbidden(String),
    /// The proxy cannot reach the server.
    Unreachable(String),
    /// The server is not a proxy of this kind.
    Foreign(&'static str),
    Lost(io::Error),
}

impl From<io::Error> for ProxyRefusal {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

impl ProxyRefusal {
    fn told(self, proxy: &str, target: &str) -> Error {
        let (what, hint, again) = match self {
            Self::SignIn(what) => (
                what.to_owned(),
                "Put the user and the password into the proxy's URL. If the proxy accepts only NTLM or Negotiate, run a relay on this machine, or ask for an exemption for this server.",
                false,
            ),
            Self::Forbidden(what) => {
                (what, "Ask the proxy's administrator to allow CONNECT to this host and port.", false)
            }
            Self::Unreachable(what) => (
                what,
                "Check whether the proxy's machine can reach the mail server. Many networks let only their own mail servers out.",
                true,
            ),
            Self::Foreign(what) => {
                (what.to_owned(), "Check the scheme and the port of the proxy's URL.", false)
            }
            Self::Lost(error) => (
                format!("closed or broke off: {error}"),
                "Check whether this is a proxy of this kind, and whether it allows this server.",
                true,
            ),
        };
        Error::new(
            ErrorCode::ConnectFailed,
            format!("the proxy {proxy} does not connect to {target}: {what}"),
        )
        .with_retryable(again)
        .with_hint(hint)
    }
}

async fn connect(tcp: &mut TcpStream, proxy: &ServerUrl, target: &ProxyTarget) -> Result<(), ProxyRefusal> {
    let authority = target.authority();
    let mut request = Zeroizing::new(format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n"));
    if let Some(user) = &proxy.username {
        let password = proxy.password.as_ref().map_or("", Secret::expose);
        let pair = Zeroizing::new(format!("{user}:{password}"));
        let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
        request.push_str("Proxy-Authorization: Basic ");
        request.push_str(&encoded);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    tcp.write_all(request.as_bytes()).await?;
    for _ in 0..INTERIM {
        let head = head(tcp).await?;
        let mut fields = [httparse::EMPTY_HEADER; 128];
        let mut answer = httparse::Response::new(&mut fields);
        let parsed = answer.parse(&head).map_err(|_| ProxyRefusal::Foreign(NO_HTTP))?;
        let (httparse::Status::Complete(_), Some(code)) = (parsed, answer.code) else {
            return Err(ProxyRefusal::Foreign(NO_HTTP));
        };
        let said = || format!("it answers {code} {}", answer.reason.unwrap_or_default().escape_debug());
        return match code {
            101 => Err(ProxyRefusal::Foreign(NO_HTTP)),
            100..=199 => continue,
            200..=299 => Ok(()),
            // Some say 401 to a wrong password, and 407 only to none.
            401 | 407 => {
                let basic = answer.headers.iter().any(|field| {
                    field.name.to_ascii_lowercase().ends_with("-authenticate")
                        && String::from_utf8_lossy(field.value).to_ascii_lowercase().contains("basic")
                });
                Err(ProxyRefusal::SignIn(match (basic, proxy.username.is_some()) {
                    (true, true) => "it refuses the user or password",
                    (true, false) => "it wants a user and password",
                    (false, _) => "it wants a sign-in other than a password",
                }))
            }
            500..=599 => Err(ProxyRefusal::Unreachable(said())),
            _ => Err(ProxyRefusal::Forbidden(said())),
        };
    }
    Err(ProxyRefusal::Foreign(NO_HTTP))
}

/// An answer's status line and fields, and not an octet of what follows.
async fn head(tcp: &mut TcpStream) -> Result<Vec<u8>, ProxyRefusal> {
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    while head.len() < LONGEST_HEAD {
        let there = tcp.peek(&mut piece).await?;
        if there == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let before = head.len();
        head.extend_from_slice(&piece[..there]);
        if !head.starts_with(&b"HTTP/"[..head.len().min(5)]) {
            return Err(ProxyRefusal::Foreign(NO_HTTP));
        }
        let end = memchr::memmem::find(&head, b"\r\n\r\n").map(|at| at + 4);
        head.truncate(end.unwrap_or(head.len()));
        let taken = head.len() - before;
        tcp.read_exact(&mut piece[..taken]).await?;
        if end.is_some() {
            return Ok(head);
        }
    }
    Err(ProxyRefusal::Foreign("its answer has no end"))
}

async fn socks(tcp: &mut TcpStream, proxy: &ServerUrl, target: &ProxyTarget) -> Result<(), ProxyRefusal> {
    // Version 5; ways to sign in: none, and user with password if we have them.
    let ways: &[u8] = if proxy.username.is_some() { &[5, 2, 0, 2] } else { &[5, 1, 0] };
    tcp.write_all(ways).await?;
    match answer(tcp).await? {
        [5, 0] => {}
        [5, 2] => sign_in(tcp, proxy).await?,
        [5, 0xff] => {
            return Err(ProxyRefusal::SignIn(match proxy.username.is_some() {
                true => "it takes neither our user and password nor none",
                false => "it wants a user and password",
            }));
        }
        _ => return Err(ProxyRefusal::Foreign(NO_SOCKS)),
    }
    let mut request = vec![5, 1, 0];
    let port = match target {
        ProxyTarget::Name(name, port) => {
            match name.parse::<IpAddr>() {
                Ok(address) => push_address(address, &mut request),
                Err(_) => {
                    let length = u8::try_from(name.len())
                        .map_err(|_| ProxyRefusal::Foreign("the name is too long for it"))?;
                    request.extend_from_slice(&[3, length]);
                    request.extend_from_slice(name.as_bytes());
                }
            }
            *port
        }
        ProxyTarget::Address(address) => {
            push_address(address.ip(), &mut request);
            address.port()
        }
    };
    request.extend_from_slice(&port.to_be_bytes());
    tcp.write_all(&request).await?;
    // Some close right behind a refusal's first octets.
    match answer(tcp).await? {
        [5, 0] => {}
        [5, 2] => return Err(ProxyRefusal::Forbidden("its rules forbid it".into())),
        [5, code] => return Err(ProxyRefusal::Unreachable(reason(code).into())),
        _ => return Err(ProxyRefusal::Foreign(NO_SOCKS)),
    }
    let [_, kind] = answer(tcp).await?;
    let bound = match kind {
        1 => 4,
        4 => 16,
        3 => usize::from(tcp.read_u8().await?),
        _ => return Err(ProxyRefusal::Foreign(NO_SOCKS)),
    };
    tcp.read_exact(&mut [0; 257][..bound + 2]).await?;
    Ok(())
}

async fn sign_in(tcp: &mut TcpStream, proxy: &ServerUrl) -> Result<(), ProxyRefusal> {
    let mut request = Zeroizing::new(vec![1]);
    let password = proxy.password.as_ref().map_or("", Secret::expose);
    for text in [proxy.username.as_deref().unwrap_or_default(), password] {
        let length = u8::try_from(text.len())
            .map_err(|_| ProxyRefusal::SignIn("user or password are too long for it"))?;
        request.push(length);
        request.extend_from_slice(text.as_bytes());
    }
    tcp.write_all(&request).await?;
    match answer(tcp).await? {
        [_, 0] => Ok(()),
        _ => Err(ProxyRefusal::SignIn("it refuses the user or password")),
    }
}

async fn answer(tcp: &mut TcpStream) -> io::Result<[u8; 2]> {
    // Its answer may wait in its kernel for the acknowledgement of the one before.
    acknowledge_quickly(tcp);
    let mut octets = [0; 2];
    tcp.read_exact(&mut octets).await?;
    Ok(octets)
}

fn push_address(address: IpAddr, out: &mut Vec<u8>) {
    match address {
        IpAddr::V4(address) => {
            out.push(1);
            out.extend_from_slice(&address.octets());
        }
        IpAddr::V6(address) => {
            out.push(4);
            out.extend_from_slice(&address.octets());
        }
    }
}

/// RFC 1928 §6.
fn reason(code: u8) -> &'static str {
    match code {
        1 => "it failed",
        3 => "the network cannot be reached",
        4 => "the host cannot be reached",
        5 => "the connection was refused",
        6 => "the call took too long",
        7 => "it does not take this command",
        8 => "it does not take this kind of address",
        _ => "it refuses for a reason that is not in its protocol",
    }
}

const NO_HTTP: &str = "the server there is not an HTTP proxy";
const NO_SOCKS: &str = "the server there is not a SOCKS5 proxy";
/// Answers 1xx before the real one.
const INTERIM: usize = 8;
const LONGEST_HEAD: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::SecretSource;
    use std::time::Duration;
    use tokio::net::TcpListener;

    fn url(text: &str) -> ServerUrl {
        ServerUrl::read("smtp.proxy", &SecretSource::Value(Secret::new(text)), SCHEMES).unwrap()
    }

    fn name() -> ProxyTarget {
        ProxyTarget::Name("mx.test".into(), 587)
    }

    /// A proxy that hears this and says that, in turn, and then closes.
    async fn play(scheme: &str, target: ProxyTarget, script: &[(&[u8], &[u8])]) -> Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script: Vec<_> = script.iter().map(|(hear, say)| (hear.to_vec(), say.to_vec())).collect();
        let proxy = tokio::spawn(async move {
            let (mut tcp, _) = listener.accept().await.unwrap();
            for (hear, say) in script {
                let mut heard = vec![0; hear.len()];
                tcp.read_exact(&mut heard).await.unwrap();
                assert_eq!(String::from_utf8_lossy(&heard), String::from_utf8_lossy(&hear));
                tcp.write_all(&say).await.unwrap();
            }
        });
        let mut tcp = TcpStream::connect(address).await.unwrap();
        let url = url(scheme);
        let opened = open(&mut tcp, &url, &target);
        let opened = tokio::time::timeout(Duration::from_secs(10), opened).await.expect("it ends");
        proxy.await.unwrap();
        opened?;
        let mut rest = String::new();
        tcp.read_to_string(&mut rest).await.unwrap();
        Ok(rest)
    }

    const ASK: &[u8] = b"CONNECT mx.test:587 HTTP/1.1\r\nHost: mx.test:587\r\n\r\n";

    #[tokio::test]
    async fn the_greeting_that_comes_with_the_answer_is_kept() {
        for answer in [
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.0 200\r\nX: y\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 So be it\r\nContent-Length: 9\r\n\r\n",
        ] {
            let both = format!("{answer}220 mx.test\r\n");
            assert_eq!(play("http://h", name(), &[(ASK, both.as_bytes())]).await.unwrap(), "220 mx.test\r\n");
        }
        let request = b"\x05\x01\0\x03\x07mx.test\x02\x4b";
        let script: &[(&[u8], &[u8])] =
            &[(b"\x05\x01\0", b"\x05\0"), (request, b"\x05\0\0\x03\x02ab\0\x01220 mx.test\r\n")];
        assert_eq!(play("socks5h://h", name(), script).await.unwrap(), "220 mx.test\r\n");
    }

    #[tokio::test]
    async fn it_signs_in_where_it_is_asked_to() {
        let asked = b"CONNECT [::1]:587 HTTP/1.1\r\nHost: [::1]:587\r\nProxy-Authorization: Basic bWU6cEBzcw==\r\n\r\n";
        let six = ProxyTarget::Name("::1".into(), 587);
        let answer: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";
        play("http://me:p%40ss@h", six.clone(), &[(asked, answer)]).await.unwrap();
        let mut request = b"\x05\x01\0\x04".to_vec();
        request.extend_from_slice(&[0; 15]);
        request.extend_from_slice(b"\x01\x02\x4b");
        let end: &[u8] = b"\x05\0\0\x01\x7f\0\0\x01\x12\x34";
        let script: &[(&[u8], &[u8])] =
            &[(b"\x05\x02\0\x02", b"\x05\x02"), (b"\x01\x02me\x04p@ss", b"\x01\0"), (&request, end)];
        play("socks5h://me:p%40ss@h", six, script).await.unwrap();
        let address = ProxyTarget::Address("127.0.0.1:587".parse().unwrap());
        let script: &[(&[u8], &[u8])] =
            &[(b"\x05\x02\0\x02", b"\x05\0"), (b"\x05\x01\0\x01\x7f\0\0\x01\x02\x4b", end)];
        play("socks5://me:p%40ss@h", address, script).await.unwrap();
    }

    #[tokio::test]
    async fn each_refusal_has_its_words() {
        let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n", "y".repeat(20_000));
        let basic =
            "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n";
        let table: &[(&str, &str, bool)] = &[
            (basic, "wants a user and password", false),
            (
                "HTTP/1.1 407 x\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate\r\n\r\n",
                "other than a password",
                false,
            ),
            ("HTTP/1.1 403 Filtered\r\n\r\n", "it answers 403 Filtered", false),
            ("HTTP/1.1 503 no\r\n\r\n", "it answers 503 no", true),
            ("HTTP/1.1 302 Found\r\nLocation: http://portal\r\n\r\n", "it answers 302", false),
            ("HTTP/1.1 101 Switching\r\n\r\n", "not an HTTP proxy", false),
            ("220 mx.test ESMTP\r\n", "not an HTTP proxy", false),
            ("\x05\0", "not an HTTP proxy", false),
            ("HTTP/1.1 2", "closed or broke off", true),
            ("", "closed or broke off", true),
            (&long, "no end", false),
        ];
        for (answer, words, again) in table {
            let error = play("http://h", name(), &[(ASK, answer.as_bytes())]).await.unwrap_err();
            assert!(error.message().contains(words), "{answer:.60}: {error}");
            assert_eq!((error.code(), error.retryable()), (ErrorCode::ConnectFailed, *again), "{error}");
            assert!(error.message().contains("mx.test:587") && error.hint().is_some(), "{error}");
        }
        let ask = b"\x05\x01\0\x03\x07mx.test\x02\x4b".as_slice();
        let table: &[(&[u8], &str, bool)] = &[
            (b"\x05\x01\0\x01", "it failed", true),
            (b"\x05\x02", "rules forbid", false),
            (b"\x05\x05", "refused", true),
            (b"\x05\x63", "not in its protocol", true),
            (b"HT", "not a SOCKS5", false),
            (b"", "closed or broke off", true),
        ];
        for (answer, words, again) in table {
            let script: &[(&[u8], &[u8])] = &[(b"\x05\x01\0", b"\x05\0"), (ask, answer)];
            let error = play("socks5h://h", name(), script).await.unwrap_err();
            assert!(error.message().contains(words), "{error}");
            assert_eq!(error.retryable(), *again, "{error}");
        }
        for (answer, words) in
            [(b"\x05\xff", "wants a user"), (b"HT", "not a SOCKS5"), (b"\x04\0", "not a SOCKS5")]
        {
            let error = play("socks5h://h", name(), &[(b"\x05\x01\0", answer)]).await.unwrap_err();
            assert!(error.message().contains(words), "{error}");
        }
        let script: &[(&[u8], &[u8])] =
            &[(b"\x05\x02\0\x02", b"\x05\x02"), (b"\x01\x02me\x07hunter2", b"\x01\x01")];
        let error = play("socks5h://me:hunter2@h", name(), script).await.unwrap_err();
        assert!(error.message().contains("refuses the user") && !format!("{error:?}").contains("hunter2"));
    }
}
