//! Octets that can be read once, when the server wants them.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::sync::lock;

/// A source of octets for an attachment: asked for piece by piece while the message goes out, and only
/// once, so that a send that reads it is not repeated. Cheap to clone; clones share the source.
///
/// Nothing is read before the server said that it wants the message (RFC 5321's 354).
#[derive(Clone)]
pub struct ByteStream {
    source: Arc<Mutex<StreamSource>>,
}

enum StreamSource {
    Unread(Box<dyn Pieces>),
    Taken,
}

/// Where the pieces come from.
pub(crate) trait Pieces: Send {
    /// The next octets; none at the end.
    fn next(&mut self) -> Pin<Box<dyn Future<Output = io::Result<Bytes>> + Send + '_>>;
}

impl ByteStream {
    /// From a reader of Tokio's.
    pub fn new(reader: impl AsyncRead + Send + Unpin + 'static) -> Self {
        Self::of(BoxedReader(reader))
    }

    /// From a function that blocks until it has the next octets; none at the end. It is called on threads
    /// made for that.
    pub fn blocking(read: impl FnMut() -> io::Result<Bytes> + Send + 'static) -> Self {
        Self::of(Blocking(Some(Box::new(read))))
    }

    /// From a function that gives the next octets later; none at the end.
    pub fn asking<F>(ask: impl FnMut() -> F + Send + 'static) -> Self
    where
        F: Future<Output = io::Result<Bytes>> + Send + 'static,
    {
        Self::of(Asking(ask))
    }

    fn of(pieces: impl Pieces + 'static) -> Self {
        Self { source: Arc::new(Mutex::new(StreamSource::Unread(Box::new(pieces)))) }
    }

    /// The source, for the one who comes first.
    pub(crate) fn take(&self) -> Option<Box<dyn Pieces>> {
        let mut source = lock(&self.source);
        match std::mem::replace(&mut *source, StreamSource::Taken) {
            StreamSource::Unread(pieces) => Some(pieces),
            StreamSource::Taken => None,
        }
    }

    /// Whether a reader has begun.
    pub(crate) fn is_taken(&self) -> bool {
        matches!(&*lock(&self.source), StreamSource::Taken)
    }
}

impl PartialEq for ByteStream {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.source, &other.source)
    }
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteStream").field("taken", &self.is_taken()).finish()
    }
}

struct BoxedReader<R>(R);

impl<R: AsyncRead + Send + Unpin> Pieces for BoxedReader<R> {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = io::Result<Bytes>> + Send + '_>> {
        Box::pin(async {
            let mut piece = BytesMut::with_capacity(PIECE);
            self.0.read_buf(&mut piece).await?;
            Ok(piece.freeze())
        })
    }
}

type Read = Box<dyn FnMut() -> io::Result<Bytes> + Send>;

/// The function is lent to a thread for the time of a call; absent while it is out.
struct Blocking(Option<Read>);

impl Pieces for Blocking {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = io::Result<Bytes>> + Send + '_>> {
        Box::pin(async {
            let Some(mut read) = self.0.take() else { return Err(io::Error::other("it failed before")) };
            let call = move || {
                let piece = read();
                (read, piece)
            };
            let (read, piece) = tokio::task::spawn_blocking(call).await.map_err(io::Error::other)?;
            self.0 = Some(read);
            piece
        })
    }
}

struct Asking<A>(A);

impl<A, F> Pieces for Asking<A>
where
    A: FnMut() -> F + Send,
    F: Future<Output = io::Result<Bytes>> + Send + 'static,
{
    fn next(&mut self) -> Pin<Box<dyn Future<Output = io::Result<Bytes>> + Send + '_>> {
        Box::pin((self.0)())
    }
}

/// Octets asked for at once.
const PIECE: usize = 64 * 1024;
