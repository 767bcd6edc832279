//! A server that follows a script, one script per connection, and says what it saw.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// One step of a script.
#[derive(Clone, Debug)]
pub(super) enum Do {
    /// Sends these octets.
    Say(&'static str),
    /// Sends them one at a time.
    Drip(&'static str),
    /// Reads a line and keeps it; it must begin with this.
    Hear(&'static str),
    /// Reads once; the octets must end with this: one write is one group.
    Group(&'static str),
    /// Reads to the end of data.
    Body,
    /// Reads this many octets.
    Read(usize),
    /// Reads until the client closes or says QUIT.
    Eof,
    /// Does the server's side of a handshake.
    Tls(Arc<ServerConfig>),
    /// Says that it is here, and waits to be let on.
    Wait(Arc<Gate>),
    /// Closes with what is unread, so that the client gets a reset.
    Close,
}

use Do::{Body, Close, Drip, Eof, Group, Hear, Read, Say, Tls, Wait};

/// Where a script waits for its test.
#[derive(Debug)]
pub(super) struct Gate(Mutex<Option<(oneshot::Sender<()>, oneshot::Receiver<()>)>>);

/// Greeting and EHLO, with PIPELINING.
pub(super) fn hello() -> Vec<Do> {
    vec![
        Say("220 mx.test ESMTP\r\n"),
        Hear("EHLO ["),
        Say("250-mx.test\r\n250-PIPELINING\r\n250-SIZE 10000000\r\n250 AUTH XOAUTH2 OAUTHBEARER\r\n"),
    ]
}

/// Up to AUTH accepted.
pub(super) fn signed_in() -> Vec<Do> {
    with(hello(), [Hear("AUTH XOAUTH2 "), Say("235 2.7.0 ok\r\n")])
}

/// One message to one recipient, accepted.
pub(super) fn one_message() -> Vec<Do> {
    vec![
        Group("DATA\r\n"),
        Say("250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go\r\n"),
        Body,
        Say("250 2.0.0 OK <id@mx.test>\r\n"),
    ]
}

pub(super) fn with(mut script: Vec<Do>, more: impl IntoIterator<Item = Do>) -> Vec<Do> {
    script.extend(more);
    script
}

/// What the connections saw: the octets of each.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    task: JoinHandle<Vec<JoinHandle<String>>>,
}

impl Server {
    /// Serves as many connections as there are scripts, each with its own.
    pub(super) async fn start(scripts: impl IntoIterator<Item = Vec<Do>>) -> Self {
        let scripts: Vec<Vec<Do>> = scripts.into_iter().collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut connections = Vec::new();
            for script in scripts {
                let (stream, _) = listener.accept().await.unwrap();
                connections.push(tokio::spawn(follow(stream, script)));
            }
            connections
        });
        Self { address, task }
    }

    /// One connection: `before`, then a wait at the gate (which tells that it was reached), then `after`.
    pub(super) async fn gated(
        before: Vec<Do>,
        gate: oneshot::Receiver<()>,
        after: Vec<Do>,
    ) -> (Self, oneshot::Receiver<()>) {
        let (reached, here) = oneshot::channel();
        let wait = Wait(Arc::new(Gate(Mutex::new(Some((reached, gate))))));
        (Self::start([with(with(before, [wait]), after)]).await, here)
    }

    /// Waits until every script was followed to its end.
    pub(super) async fn seen(self) -> Vec<String> {
        let mut seen = Vec::new();
        for connection in self.task.await.unwrap() {
            seen.push(connection.await.unwrap());
        }
        seen
    }
}

trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

async fn follow(stream: TcpStream, script: Vec<Do>) -> String {
    stream.set_nodelay(true).unwrap();
    let mut stream: Box<dyn Socket> = Box::new(stream);
    let mut seen = Vec::new();
    for step in script {
        match step {
            Say(octets) => {
                let _ = stream.write_all(octets.as_bytes()).await;
                let _ = stream.flush().await;
            }
            Drip(octets) => {
                for octet in octets.bytes() {
                    let _ = stream.write_all(&[octet]).await;
                    tokio::task::yield_now().await;
                }
            }
            Hear(prefix) => {
                let line = until(&mut stream, b"\r\n", &mut seen).await;
                assert!(line.starts_with(prefix), "{line:?} instead of {prefix:?}");
            }
            Group(end) => {
                let mut octets = vec![0; 65_536];
                let n = stream.read(&mut octets).await.unwrap();
                seen.extend_from_slice(&octets[..n]);
                assert!(octets[..n].ends_with(end.as_bytes()), "{:?}", String::from_utf8_lossy(&octets[..n]));
            }
            Body => {
                until(&mut stream, b"\r\n.\r\n", &mut seen).await;
            }
            Read(n) => {
                let mut octets = vec![0; n];
                stream.read_exact(&mut octets).await.unwrap();
                seen.extend(octets);
            }
            Eof => {
                let mut octets = [0; 65_536];
                while let Ok(n @ 1..) = stream.read(&mut octets).await {
                    seen.extend_from_slice(&octets[..n]);
                    if seen.ends_with(b"QUIT\r\n") {
                        break;
                    }
                }
            }
            Tls(config) => match TlsAcceptor::from(config).accept(stream).await {
                Ok(secured) => stream = Box::new(secured),
                // The client does not trust us: that was the script's last word.
                Err(_) => return String::from_utf8(seen).unwrap(),
            },
            Wait(gate) => {
                let (reached, open) = gate.0.lock().unwrap().take().unwrap();
                let _ = reached.send(());
                let _ = open.await;
            }
            Close => break,
        }
    }
    String::from_utf8(seen).unwrap()
}

/// Reads octet by octet, so that nothing behind the end is taken.
async fn until(stream: &mut Box<dyn Socket>, end: &[u8], seen: &mut Vec<u8>) -> String {
    let from = seen.len();
    while !seen[from..].ends_with(end) {
        match stream.read_u8().await {
            Ok(octet) => seen.push(octet),
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&seen[from..])),
        }
    }
    String::from_utf8(seen[from..].to_vec()).unwrap()
}
