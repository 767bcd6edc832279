//! From a name to a TCP connection: lookup, then both address families in turn (RFC 8305).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::error::{Error, ErrorCode, Result};

/// The addresses of a host, IPv6 and IPv4 in turn, beginning with the resolver's first.
///
/// # Errors
/// `name_not_resolved`, also when the resolver does not answer in `limit`.
pub(crate) async fn resolve(host: &str, port: u16, limit: Duration) -> Result<Vec<SocketAddr>> {
    let failed = |what: String| {
        Error::new(ErrorCode::NameNotResolved, format!("the name {host} has no address: {what}"))
    };
    let found = tokio::time::timeout(limit, tokio::net::lookup_host((host, port)))
        .await
        .map_err(|_| failed("the name server did not answer in time".into()))?
        .map_err(|e| failed(e.to_string()))?;
    let addresses = interleaved(found.collect());
    if addresses.is_empty() {
        return Err(failed("the answer is empty".into()));
    }
    Ok(addresses)
}

/// The first connection that comes about; the next address is tried when one fails, or after 250 ms.
///
/// # Errors
/// `connect_failed` with the system's words for the last address.
pub(crate) async fn connect(
    host: &str,
    addresses: &[SocketAddr],
    local: Option<IpAddr>,
) -> Result<TcpStream> {
    let usable: Vec<SocketAddr> = addresses
        .iter()
        .copied()
        .filter(|a| local.is_none_or(|local| local.is_ipv4() == a.is_ipv4()))
        .collect();
    if usable.is_empty() {
        return Err(Error::new(
            ErrorCode::ConnectFailed,
            format!("{host} has no address of the same family as smtp.local_address"),
        ));
    }
    let mut running = JoinSet::new();
    let mut waiting = usable.into_iter();
    let mut last = io::Error::other("no address was tried");
    let mut next_at = Instant::now();
    let mut exhausted = false;
    // Each turn starts or ends one attempt.
    loop {
        tokio::select! {
            biased;
            Some(ended) = running.join_next() => match ended {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => {
                    last = error;
                    next_at = Instant::now();
                }
                Err(panicked) => last = io::Error::other(panicked),
            },
            () = sleep_until(next_at), if !exhausted => match waiting.next() {
                Some(address) => {
                    running.spawn(open(address, local));
                    next_at = Instant::now() + STAGGER;
                }
                None => exhausted = true,
            },
            else => {
                return Err(Error::new(ErrorCode::ConnectFailed, format!("cannot connect to {host}: {last}")));
            }
        }
    }
}

async fn open(address: SocketAddr, local: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A group is one write: with Nagle's algorithm the next would wait for the peer's delayed ACK.
    socket.set_nodelay(true)?;
    socket.set_keepalive(true)?;
    if let Some(local) = local {
        socket.bind(SocketAddr::new(local, 0))?;
    }
    socket.connect(address).await
}

fn interleaved(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = found.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = found.into_iter().partition(|a| a.is_ipv6() == first_is_v6);
    let mut out = Vec::with_capacity(first.len() + second.len());
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        let pair = (first.next(), second.next());
        out.extend(pair.0);
        out.extend(pair.1);
        if pair == (None, None) {
            return out;
        }
    }
}

/// RFC 8305 §5, "Connection Attempt Delay".
const STAGGER: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|t| t.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns() {
        let found = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "1.1.1.2:1"]);
        let turns = addresses(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "1.1.1.2:1", "[::3]:1"]);
        assert_eq!(interleaved(found), turns);
        assert_eq!(interleaved(addresses(&["1.1.1.1:1", "[::1]:1"])), addresses(&["1.1.1.1:1", "[::1]:1"]));
        assert!(interleaved(Vec::new()).is_empty());
    }

    #[tokio::test]
    async fn a_closed_address_is_passed_over() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let stream = connect("x", &[closed, open], None).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), open);
        assert!(stream.nodelay().unwrap());
        let error = connect("x", &[closed], None).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::ConnectFailed);
        assert!(error.retryable());
    }

    #[tokio::test]
    async fn the_source_address_is_kept_to() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let local: IpAddr = "127.0.0.2".parse().unwrap();
        let stream = connect("x", &[to], Some(local)).await.unwrap();
        assert_eq!(stream.local_addr().unwrap().ip(), local);
        let wrong = connect("x", &[to], Some("::1".parse().unwrap())).await.unwrap_err();
        assert_eq!(wrong.code(), ErrorCode::ConnectFailed);
    }

    #[tokio::test]
    async fn a_name_without_address_is_said_so() {
        let error = resolve("no-such-host.invalid", 25, Duration::from_secs(5)).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::NameNotResolved);
    }
}
