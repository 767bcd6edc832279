//! Octets in and out of the socket, for the pipeline.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Connection;
use crate::smtp::protocol::pipeline::{Lost, too_large};
use crate::smtp::protocol::reply::ReplyParser;

impl Connection {
    /// Reads first: a refusal that is there saves the rest of the body. A write error is not the end:
    /// what the server said before it closed is still to be read.
    pub(super) fn poll_exchange(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut octets = [std::mem::MaybeUninit::uninit(); 8192];
        let mut buffer = ReadBuf::uninit(&mut octets);
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
            match (read, buffer.filled()) {
                (Ok(()), []) => {
                    let why = self.write_error.take().map(|error| error.to_string());
                    let why = why.unwrap_or_else(|| "closed by the server".to_owned());
                    self.pipeline.closed(Lost::Connection(why));
                }
                (Ok(()), filled) => {
                    self.pipeline.received(filled);
                    self.stream.acknowledge_quickly();
                }
                (Err(error), _) => self.pipeline.closed(Lost::Connection(error.to_string())),
            }
            return Poll::Ready(());
        }
        if self.write_error.is_some() {
            return Poll::Pending;
        }
        if let Poll::Ready(()) = self.poll_body(cx) {
            return Poll::Ready(());
        }
        let output = self.pipeline.output();
        if !output.is_empty() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, output)) {
                Ok(0) => self.write_error = Some(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    self.pipeline.handed_over(n);
                    self.needs_flush = true;
                }
                Err(error) => self.write_error = Some(error),
            }
            return Poll::Ready(());
        }
        if self.needs_flush {
            match ready!(Pin::new(&mut self.stream).poll_flush(cx)) {
                Ok(()) => self.needs_flush = false,
                Err(error) => {
                    self.write_error = Some(error);
                    return Poll::Ready(());
                }
            }
        }
        Poll::Pending
    }

    /// Ready when more of a body that is read as it goes came, or none can be had.
    pub(super) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(id) = self.pipeline.hungry() else { return Poll::Pending };
        let Some(flight) = self.flights.iter_mut().find(|flight| flight.id == id) else {
            return Poll::Pending;
        };
        if let Some(body) = flight.body.take() {
            self.reading = Some((id, body.read()));
        }
        let Some((_, reading)) = &mut self.reading else { return Poll::Pending };
        let mut piece = ready!(reading.poll_next(cx));
        if let (Ok(Some(some)), Some(Some(limit))) = (&piece, self.capabilities.size) {
            flight.fed += some.octets.len() as u64;
            if flight.fed > limit {
                piece = Err(too_large(&format!("has more than {limit} octets"), limit));
            }
        }
        match piece {
            Ok(piece) => self.pipeline.feed(piece),
            Err(error) => {
                flight.failure = Some(error);
                let why = "closed within a message, since its octets could not be read to the end";
                self.pipeline.abandon(id, Lost::Connection(why.to_owned()));
            }
        }
        Poll::Ready(())
    }

    /// Ready when the server closes or speaks although nothing is under way, with the reason.
    pub(super) fn poll_unsolicited(&mut self, cx: &mut Context<'_>) -> Poll<String> {
        let mut octets = [0; 512];
        let mut buffer = ReadBuf::new(&mut octets);
        Poll::Ready(match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
            Err(error) => error.to_string(),
            Ok(()) if buffer.filled().is_empty() => "closed by the server".to_owned(),
            Ok(()) => {
                let mut parser = ReplyParser::default();
                parser.push(buffer.filled());
                match parser.next() {
                    Ok(Some(reply)) => format!("the server said {reply}"),
                    _ => "the server spoke out of turn".to_owned(),
                }
            }
        })
    }
}
