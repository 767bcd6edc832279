//! A connection's octets: bounded buffers, lines, TLS in the middle, and three ways to close.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The longest line that is ever read, also if the configuration allows more.
const LONGEST: usize = 65_536;

/// How long a peer may take over one write or a handshake.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why a session ends.
#[derive(Debug)]
pub(crate) enum Closed {
    /// The peer went: nothing more is sent.
    Gone,
    /// A fault says that we go: what waits is sent, then the connection ends without a word.
    Cut,
    /// The last reply was sent; say goodbye properly.
    Done,
    /// The peer was silent for too long.
    Idle,
}

impl From<io::Error> for Closed {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// One line of a client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Without its CRLF.
    Whole(Vec<u8>),
    /// It was longer than allowed, and was skipped to its end.
    TooLong,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Closed,
}

/// The octets of one connection.
pub(crate) struct Wire {
    stream: Stream,
    input: Vec<u8>,
    /// Where the unread part of `input` starts.
    start: usize,
    output: Vec<u8>,
    pub(crate) latency: f64,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream: Stream::Plain(stream), input: Vec::new(), start: 0, output: Vec::new(), latency: 0.0 }
    }

    pub(crate) fn is_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    /// What has arrived and was not yet looked at.
    pub(crate) fn waiting(&self) -> &[u8] {
        &self.input[self.start..]
    }

    pub(crate) fn consume(&mut self, octets: usize) {
        self.start += octets;
        if self.start >= self.input.len() {
            self.input.clear();
            self.start = 0;
        }
    }

    /// Puts a reply behind those that wait to be sent.
    pub(crate) fn queue(&mut self, reply: &[u8]) {
        self.output.extend_from_slice(reply);
    }

    /// Sends what waits.
    pub(crate) async fn flush(&mut self) -> Result<(), Closed> {
        if self.output.is_empty() {
            return Ok(());
        }
        crate::http::pause(self.latency).await;
        let output = std::mem::take(&mut self.output);
        self.write(&output).await
    }

    /// Sends one octet after the other, each in a segment of its own as far as the kernel plays along.
    pub(crate) async fn send_bytewise(&mut self, octets: &[u8]) -> Result<(), Closed> {
        self.flush().await?;
        for octet in octets {
            self.write(&[*octet]).await?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn write(&mut self, octets: &[u8]) -> Result<(), Closed> {
        let write = async {
            match &mut self.stream {
                Stream::Plain(stream) => {
                    stream.write_all(octets).await?;
                    stream.flush().await
                }
                Stream::Tls(stream) => {
                    stream.write_all(octets).await?;
                    stream.flush().await
                }
                Stream::Closed => Err(io::ErrorKind::NotConnected.into()),
            }
        };
        match timeout(PATIENCE, write).await {
            Ok(result) => Ok(result?),
            Err(_) => Err(Closed::Gone),
        }
    }

    /// Waits for more input; never cut short in the middle, so it may be raced against a timer.
    pub(crate) async fn fill(&mut self, idle: Duration) -> Result<(), Closed> {
        if self.start > 0 {
            self.input.drain(..self.start);
            self.start = 0;
        }
        self.input.reserve(LONGEST);
        let read = async {
            match &mut self.stream {
                Stream::Plain(stream) => stream.read_buf(&mut self.input).await,
                Stream::Tls(stream) => stream.read_buf(&mut self.input).await,
                Stream::Closed => Ok(0),
            }
        };
        match timeout(idle, read).await {
            Ok(Ok(0)) => Err(Closed::Gone),
            Ok(result) => {
                result?;
                Ok(())
            }
            Err(_) => Err(Closed::Idle),
        }
    }

    /// Whether a whole line has arrived.
    pub(crate) fn has_line(&self) -> bool {
        line_end(self.waiting()).is_some()
    }

    /// Sends the replies that wait, then reads the next line. A line longer than `longest` octets, without its
    /// CRLF, is skipped.
    pub(crate) async fn line(&mut self, longest: Option<usize>, idle: Duration) -> Result<Line, Closed> {
        let longest = longest.unwrap_or(LONGEST).min(LONGEST);
        let mut skipping = false;
        loop {
            if let Some(end) = line_end(self.waiting()) {
                let line = if skipping || end > longest {
                    Line::TooLong
                } else {
                    Line::Whole(self.waiting()[..end].to_vec())
                };
                self.consume(end + 2);
                return Ok(line);
            }
            if self.waiting().len() > LONGEST {
                skipping = true;
                // A CR may be the first half of the end.
                let keep = usize::from(self.waiting().last() == Some(&b'\r'));
                self.consume(self.waiting().len() - keep);
            }
            self.flush().await?;
            self.fill(idle).await?;
        }
    }

    /// TLS from here on. What arrived in clear text is thrown away (RFC 3207 §4.2).
    pub(crate) async fn start_tls(&mut self, acceptor: &TlsAcceptor) -> Result<(), Closed> {
        self.input.clear();
        self.start = 0;
        match std::mem::replace(&mut self.stream, Stream::Closed) {
            Stream::Plain(stream) => {
                let Ok(stream) = timeout(PATIENCE, acceptor.accept(stream)).await else {
                    return Err(Closed::Gone);
                };
                self.stream = Stream::Tls(Box::new(stream?));
                Ok(())
            }
            Stream::Tls(_) | Stream::Closed => Err(Closed::Gone),
        }
    }

    /// Ends the connection without TLS's goodbye, as a crash would.
    pub(crate) async fn cut(&mut self) {
        if self.flush().await.is_ok() {
            self.close(Duration::from_millis(250)).await;
        }
    }

    /// Ends the connection with what waits and a goodbye.
    pub(crate) async fn finish(&mut self) {
        if self.flush().await.is_err() {
            return;
        }
        if let Stream::Tls(stream) = &mut self.stream {
            // Whether or not the peer still takes close_notify, TCP is closed next.
            let _ = timeout(PATIENCE, stream.shutdown()).await;
        }
        self.close(Duration::from_secs(2)).await;
    }

    /// Closes our half, then reads on for a while: a socket that is closed with unread input resets the
    /// connection, and the reset takes the last reply with it.
    async fn close(&mut self, patience: Duration) {
        let mut tcp = match std::mem::replace(&mut self.stream, Stream::Closed) {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => stream.into_inner().0,
            Stream::Closed => return,
        };
        // An error means that the peer has closed already.
        let _ = tcp.shutdown().await;
        let drain = async {
            let mut sink = vec![0; LONGEST];
            while matches!(tcp.read(&mut sink).await, Ok(1..)) {}
        };
        // Whether the peer closed or the time is up, the connection is over.
        let _ = timeout(patience, drain).await;
    }
}

/// Where the first CRLF starts. A bare LF or CR ends nothing.
fn line_end(octets: &[u8]) -> Option<usize> {
    octets.windows(2).position(|pair| pair == b"\r\n")
}
