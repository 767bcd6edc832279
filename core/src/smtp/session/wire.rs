//! The conversation before mail flows: one command, one reply, each wait bounded.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};

use crate::error::{ErrorCode, Reply, Result};
use crate::net::stream::Stream;
use crate::smtp::protocol::classify::Stage;
use crate::smtp::protocol::pipeline::Lost;
use crate::smtp::protocol::refusal::Peer;
use crate::smtp::protocol::reply::ReplyParser;

/// A connection on which we speak in turns.
pub(crate) struct Wire {
    pub(crate) stream: Stream,
    parser: ReplyParser,
}

impl Wire {
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream, parser: ReplyParser::default() }
    }

    /// The next reply.
    ///
    /// # Errors
    /// `connection_lost` or `protocol_error`.
    pub(crate) async fn reply(&mut self, peer: &Peer, during: &str) -> Result<Reply> {
        // A server that never ends a reply is stopped by the parser's caps and by the stage's limit.
        loop {
            match self.parser.next() {
                Ok(Some(reply)) => return Ok(reply),
                Ok(None) => {}
                Err(malformed) => return Err(peer.lost(&Lost::Protocol(malformed.0), during)),
            }
            let mut octets = [0; 4096];
            let lost = match self.stream.read(&mut octets).await {
                Ok(0) => "closed by the server".to_owned(),
                Ok(n) => {
                    self.stream.acknowledge_quickly();
                    self.parser.push(&octets[..n]);
                    continue;
                }
                Err(error) => error.to_string(),
            };
            return Err(peer.lost(&Lost::Connection(lost), during));
        }
    }

    /// Sends one line and reads its reply. `name` is the command without secrets.
    ///
    /// # Errors
    /// `connection_lost` or `protocol_error`.
    pub(crate) async fn command(&mut self, line: &str, name: &str, peer: &Peer) -> Result<Reply> {
        let during = format!("at {name}");
        if !self.parser.is_empty() {
            // Unasked, and with the reason: Dovecot's submission service says so behind 235 when its relay is away.
            let why = match self.parser.next() {
                Ok(Some(reply)) if reply.code == 421 => Lost::ServerClosing(reply),
                _ => Lost::Protocol(format!("a reply too many before {name}")),
            };
            return Err(peer.lost(&why, &during));
        }
        // A server may say why it closes: what it said is read even if we cannot write.
        let written = match self.stream.write_all(line.as_bytes()).await {
            Ok(()) => self.stream.flush().await,
            failed => failed,
        };
        match (self.reply(peer, &during).await, written) {
            (Ok(reply), _) => Ok(Reply { command: Some(name.to_owned()), ..reply }),
            (Err(error), Err(write)) if error.code() == ErrorCode::ConnectionLost => {
                Err(peer.lost(&Lost::Connection(write.to_string()), &during))
            }
            (Err(error), _) => Err(error),
        }
    }

    /// The same, for a reply that must be 2xx.
    ///
    /// # Errors
    /// Also the refusal's own.
    pub(crate) async fn agreed(
        &mut self,
        line: &str,
        name: &str,
        stage: Stage,
        peer: &Peer,
    ) -> Result<Reply> {
        let reply = self.command(line, name, peer).await?;
        accepted(reply, name, stage, peer)
    }

    /// Nothing came that was not asked for, and the other side has not closed.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let mut octets = [0; 1];
        let mut buffer = ReadBuf::new(&mut octets);
        let mut context = Context::from_waker(Waker::noop());
        let read = Pin::new(&mut self.stream).poll_read(&mut context, &mut buffer);
        self.parser.is_empty() && matches!(read, Poll::Pending)
    }

    /// The stream, and what was read from it and not used yet: a server may say more than it was asked.
    pub(crate) fn into_parts(self) -> (Stream, ReplyParser) {
        (self.stream, self.parser)
    }

    /// Nothing lies in our buffer.
    pub(crate) fn is_drained(&self) -> bool {
        self.parser.is_empty()
    }
}

/// Passes a 2xx reply on.
///
/// # Errors
/// The refusal's own for 4xx and 5xx, `protocol_error` for 3xx.
pub(crate) fn accepted(reply: Reply, name: &str, stage: Stage, peer: &Peer) -> Result<Reply> {
    match reply.code / 100 {
        2 => Ok(reply),
        3 => Err(peer.lost(&Lost::Protocol(format!("to {name} the server answered {reply}")), "")),
        _ => Err(peer.refused(stage, &format!("refused {name}"), reply)),
    }
}

/// Says goodbye and closes, politely but not for long.
pub(crate) async fn quit(mut stream: Stream) {
    let goodbye = async {
        say_quit(&mut stream).await?;
        until_answered(&mut stream).await
    };
    // Nothing depends on it: the socket is closed either way.
    let _: Result<io::Result<()>, _> = tokio::time::timeout(GOODBYE, goodbye).await;
}

/// Says goodbye, and waits for the answer aside: the caller has an error to tell.
pub(crate) async fn take_leave(mut stream: Stream) {
    if let Ok(Ok(())) = tokio::time::timeout(GOODBYE, say_quit(&mut stream)).await {
        tokio::spawn(async move { tokio::time::timeout(GOODBYE, until_answered(&mut stream)).await });
    }
}

async fn say_quit(stream: &mut Stream) -> io::Result<()> {
    stream.write_all(b"QUIT\r\n").await?;
    stream.flush().await
}

/// 221 or the end of file: either will do.
async fn until_answered(stream: &mut Stream) -> io::Result<()> {
    let mut octets = [0; 512];
    let _ = stream.read(&mut octets).await?;
    stream.shutdown().await
}

const GOODBYE: Duration = Duration::from_secs(2);
