//! The octets of a whole message: in memory, or read and encoded while they go, so that memory stays flat
//! whatever an attachment's size.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::byte_stream::ByteStream;
use super::open_file::OpenFile;
use super::spool::{SpoolFile, Spooled};
use super::transfer::{self, LINE_OCTETS};
use crate::error::{Error, ErrorCode, Result};
use crate::input::FieldPath;
use crate::text;

/// A message's octets in order, ready for the wire: CRLF line ends, not dot-stuffed. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    segments: Arc<[Segment]>,
}

/// Some of them.
#[derive(Debug)]
pub(crate) enum Segment {
    /// In memory.
    Octets(Bytes),
    /// A file, as lines of base64.
    File(Arc<OpenFile>),
    /// A stream, as lines of base64.
    Stream(Streamed),
    /// Finished MIME in a temporary file, as it is.
    Spooled(Arc<SpoolFile>, Range<u64>),
}

/// A stream in a message.
#[derive(Clone, Debug)]
pub(crate) struct Streamed {
    pub(super) stream: ByteStream,
    /// Octets that it is to have.
    pub(super) size: Option<u64>,
    pub(super) place: FieldPath,
    /// Octets that it became.
    pub(super) became: Arc<AtomicU64>,
}

impl From<Bytes> for Content {
    fn from(octets: Bytes) -> Self {
        Self { segments: Arc::new([Segment::Octets(octets)]) }
    }
}

impl Content {
    /// `head`, and behind it what of `spooled` lies behind its own.
    pub(super) fn spooled(head: Bytes, spooled: &Spooled) -> Self {
        let mut segments = vec![Segment::Octets(head)];
        if let Some(file) = &spooled.file {
            segments.push(Segment::Spooled(file.clone(), spooled.head.len() as u64..file.size));
        }
        if !spooled.ended {
            segments.push(Segment::Octets(Bytes::from_static(b"\r\n")));
        }
        Self::new(segments)
    }

    /// Of these, in their order.
    pub(super) fn new(segments: Vec<Segment>) -> Self {
        Self { segments: segments.into() }
    }

    /// Returns this content with `front` before it.
    pub(super) fn behind(&self, front: Bytes) -> Self {
        if let Some(octets) = self.in_memory() {
            // Small messages stay in one piece, so that they may run ahead.
            return Bytes::from([&front[..], &octets[..]].concat()).into();
        }
        let rest = self.segments.iter().map(|segment| match segment {
            Segment::Octets(octets) => Segment::Octets(octets.clone()),
            Segment::File(file) => Segment::File(file.clone()),
            Segment::Stream(one) => Segment::Stream(one.clone()),
            Segment::Spooled(file, range) => Segment::Spooled(file.clone(), range.clone()),
        });
        Self { segments: std::iter::once(Segment::Octets(front)).chain(rest).collect() }
    }

    /// All of it, if it lies in memory.
    pub(crate) fn in_memory(&self) -> Option<&Bytes> {
        match &self.segments[..] {
            [Segment::Octets(octets)] => Some(octets),
            _ => None,
        }
    }

    /// Octets as RFC 1870 §3 counts them, but for the end of a last line without one; `None` where a stream
    /// does not say how many it has.
    pub(crate) fn size(&self) -> Option<u64> {
        self.segments.iter().try_fold(0_u64, |sum, segment| Some(sum.saturating_add(segment.size()?)))
    }

    /// The least size in octets.
    pub(crate) fn least_size(&self) -> u64 {
        self.segments.iter().fold(0, |sum, segment| sum.saturating_add(segment.size().unwrap_or(0)))
    }

    /// Octets of it once it was sent.
    pub(crate) fn size_sent(&self) -> u64 {
        let sent = |segment: &Segment| match segment {
            Segment::Stream(one) => one.became.load(Ordering::Acquire),
            other => other.size().unwrap_or_default(),
        };
        self.segments.iter().map(sent).sum()
    }

    /// Whether a stream in it was begun: it cannot be sent again.
    pub(crate) fn is_spent(&self) -> bool {
        self.streams().any(|one| one.stream.is_taken())
    }

    /// The name of the first header that is not ASCII.
    pub(crate) fn wide_header(&self) -> Option<String> {
        let head = self.octets_in_memory().next()?;
        let mut name = None;
        for line in head.split(|octet| *octet == b'\n').take_while(|line| !line.trim_ascii().is_empty()) {
            if !line.starts_with(b" ") && !line.starts_with(b"\t") {
                name = line.split(|octet| *octet == b':').next();
            }
            if !line.is_ascii() {
                return name.map(|name| text::one_line(&String::from_utf8_lossy(name), 76));
            }
        }
        None
    }

    /// The parts that lie in memory.
    pub(super) fn octets_in_memory(&self) -> impl Iterator<Item = &Bytes> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Octets(octets) => Some(octets),
            _ => None,
        })
    }

    /// All of it, in one piece. Blocks on the file system.
    ///
    /// # Errors
    /// `attachment_unreadable`; `message_invalid` for a stream, which could not be sent afterwards.
    pub(crate) fn load(&self) -> Result<Bytes> {
        if let Some(one) = self.streams().next() {
            return Err(one
                .place
                .error("is a stream, which can be read only once, to send the message")
                .with_hint("If you want the bytes of the message, attach octets or a path."));
        }
        if let Some(octets) = self.in_memory() {
            return Ok(octets.clone());
        }
        let mut out = Vec::with_capacity(self.size().and_then(|n| usize::try_from(n).ok()).unwrap_or(0));
        self.each_piece(|piece| out.extend_from_slice(piece))?;
        Ok(out.into())
    }

    /// Gives `take` all octets in memory and in files. Blocks on the file system.
    ///
    /// # Errors
    /// `attachment_unreadable`.
    pub(super) fn each_piece(&self, mut take: impl FnMut(&[u8])) -> Result<()> {
        for segment in self.segments.iter() {
            match segment {
                Segment::Octets(octets) => take(octets),
                Segment::File(file) => {
                    let mut buffer = Vec::new();
                    for at in pieces(file.size()) {
                        take(&encoded_piece(file, at, &mut buffer)?);
                    }
                    file.check_unchanged()?;
                }
                Segment::Stream(_) => {}
                Segment::Spooled(file, range) => file.each_piece(range, &mut take)?,
            }
        }
        Ok(())
    }

    pub(super) fn streams(&self) -> impl Iterator<Item = &Streamed> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Stream(one) => Some(one),
            _ => None,
        })
    }

    /// Begins to read it, a little ahead of whoever takes the pieces. Streams are begun when their turn
    /// comes.
    pub(crate) fn read(self) -> Reading {
        let (out, pieces) = mpsc::channel(1);
        let task = tokio::spawn(async move {
            let end = self.feed(&out).await.map(|()| None);
            // Who dropped the receiver wants no more.
            let _ = out.send(end).await;
        });
        Reading { pieces, task: task.abort_handle() }
    }

    async fn feed(&self, out: &Out) -> Result<()> {
        for segment in self.segments.iter() {
            match segment {
                Segment::Octets(octets) => put(out, Piece { octets: octets.clone(), plain: false }).await?,
                Segment::File(file) => feed_file(file, out).await?,
                Segment::Stream(one) => one.feed(out).await?,
                Segment::Spooled(file, range) => feed_spooled(file, range, out).await?,
            }
        }
        Ok(())
    }
}

impl Segment {
    fn size(&self) -> Option<u64> {
        match self {
            Self::Octets(octets) => Some(octets.len() as u64),
            Self::File(file) => Some(transfer::base64_size(file.size())),
            Self::Stream(one) => one.size.map(transfer::base64_size),
            Self::Spooled(_, range) => Some(range.end - range.start),
        }
    }
}

type Out = mpsc::Sender<Result<Option<Piece>>>;

/// Some octets of a message.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) octets: Bytes,
    /// Whole lines of which none begins with a dot.
    pub(crate) plain: bool,
}

/// The octets of a message on their way; dropping it ends the reading.
#[derive(Debug)]
pub(crate) struct Reading {
    pieces: mpsc::Receiver<Result<Option<Piece>>>,
    task: AbortHandle,
}

impl Reading {
    /// The next octets; `None` at the end.
    ///
    /// # Errors
    /// `attachment_unreadable`.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<Option<Piece>>> {
        let died = || Err(Error::new(ErrorCode::Internal, "the reading of an attachment ended"));
        self.pieces.poll_recv(cx).map(|piece| piece.unwrap_or_else(died))
    }

    /// All of it.
    ///
    /// # Errors
    /// `attachment_unreadable`.
    pub(crate) async fn collect(mut self) -> Result<Bytes> {
        let mut out = Vec::new();
        while let Some(piece) = std::future::poll_fn(|cx| self.poll_next(cx)).await? {
            out.extend_from_slice(&piece.octets);
        }
        Ok(out.into())
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn feed_spooled(file: &Arc<SpoolFile>, range: &Range<u64>, out: &Out) -> Result<()> {
    let mut at = range.start;
    while at < range.end {
        let (file, end) = (file.clone(), range.end);
        let piece = tokio::task::spawn_blocking(move || file.piece(at, end)).await;
        let octets =
            piece.map_err(|e| Error::new(ErrorCode::Internal, format!("the reading ended: {e}")))??;
        at += octets.len() as u64;
        put(out, Piece { octets, plain: false }).await?;
    }
    Ok(())
}

async fn put(out: &Out, piece: Piece) -> Result<()> {
    let gone = |_| Error::new(ErrorCode::Cancelled, "nobody takes the message's octets any more");
    out.send(Ok(Some(piece))).await.map_err(gone)
}

async fn feed_file(file: &Arc<OpenFile>, out: &Out) -> Result<()> {
    let died = |e| Error::new(ErrorCode::Internal, format!("the reading of an attachment ended: {e}"));
    let mut buffer = Vec::new();
    for at in pieces(file.size()) {
        let reader = file.clone();
        // A thread for the moment of reading, and not for the time of sending.
        let read = move || encoded_piece(&reader, at, &mut buffer).map(|piece| (piece, buffer));
        let piece;
        (piece, buffer) = tokio::task::spawn_blocking(read).await.map_err(died)??;
        put(out, Piece { octets: piece.into(), plain: true }).await?;
    }
    let reader = file.clone();
    tokio::task::spawn_blocking(move || reader.check_unchanged()).await.map_err(died)?
}

/// Where the pieces of a file begin.
fn pieces(size: u64) -> impl Iterator<Item = u64> {
    (0..size).step_by(PIECE)
}

/// `buffer` is used again for the next one.
fn encoded_piece(file: &OpenFile, at: u64, buffer: &mut Vec<u8>) -> Result<Vec<u8>> {
    buffer.resize((file.size() - at).min(PIECE as u64) as usize, 0);
    file.read_exact_at(buffer, at)?;
    let mut lines = Vec::new();
    transfer::base64(buffer, &mut lines);
    Ok(lines)
}

impl Streamed {
    async fn feed(&self, out: &Out) -> Result<()> {
        let mut pieces = self.stream.take().ok_or_else(|| self.unreadable("the stream was read before"))?;
        let (mut rest, mut seen) = (Vec::new(), 0);
        // The server's limit, the caller's time and the limit on standing still bound the turns.
        loop {
            let piece = match pieces.next().await {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                piece => piece.map_err(|e| self.unreadable(&e.to_string()))?,
            };
            seen += piece.len() as u64;
            if self.size.is_some_and(|size| seen > size) {
                return Err(self.wrong_size("more"));
            }
            let ended = piece.is_empty();
            rest.extend_from_slice(&piece);
            // Whole lines go; what is less waits for more.
            let whole = if ended { rest.len() } else { rest.len() - rest.len() % LINE_OCTETS };
            let mut lines = Vec::new();
            transfer::base64(&rest[..whole], &mut lines);
            rest.drain(..whole);
            if !lines.is_empty() {
                self.became.fetch_add(lines.len() as u64, Ordering::AcqRel);
                put(out, Piece { octets: lines.into(), plain: true }).await?;
            }
            if ended {
                break;
            }
        }
        match self.size {
            Some(size) if seen < size => Err(self.wrong_size("fewer")),
            _ => Ok(()),
        }
    }

    fn wrong_size(&self, how: &str) -> Error {
        let size = self.size.unwrap_or_default();
        self.unreadable(&format!("it has {how} octets than the {size} that were told"))
            .with_hint("Give the stream's own size, or leave it out.")
    }

    fn unreadable(&self, why: &str) -> Error {
        let message = format!("`{}` cannot be read: {why}", self.place.path());
        Error::new(ErrorCode::AttachmentUnreadable, message).with_field(self.place.path())
    }
}

/// Octets of a file read at once: whole lines of base64, a third of a megabyte of them.
const PIECE: usize = LINE_OCTETS * 4096;
