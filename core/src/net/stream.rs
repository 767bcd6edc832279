//! A byte stream to a server, plain or in TLS.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::tls;
use crate::crypto::certificate::CertificateFacts;
use crate::error::{Error, ErrorCode, Result};

/// The stream.
pub(crate) struct Stream {
    kind: StreamKind,
    tap: Option<Box<dyn Tap>>,
}

enum StreamKind {
    /// Without TLS: on loopback, and before STARTTLS.
    Plain(TcpStream),
    /// In TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

/// Whoever listens to what goes over it.
pub(crate) trait Tap: Send {
    /// These octets were handed over.
    fn sent(&mut self, octets: &[u8]);
    /// These came.
    fn received(&mut self, octets: &[u8]);
    /// From here on it is in TLS.
    fn secured(&mut self, version: &str);
}

/// Does the handshake.
///
/// # Errors
/// `tls_failed` or `certificate_invalid`, with the cure.
pub(crate) async fn handshake(
    tcp: TcpStream,
    tap: Option<Box<dyn Tap>>,
    config: Arc<ClientConfig>,
    host: &str,
) -> Result<Stream> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| {
        Error::new(ErrorCode::TlsFailed, format!("{host} is not a name that a certificate can have"))
    })?;
    match TlsConnector::from(config).connect(name, tcp).await {
        Ok(stream) => {
            let mut stream = Stream { kind: StreamKind::Tls(Box::new(stream)), tap };
            if let (Some(version), Some(tap)) = (stream.tls_version(), &mut stream.tap) {
                tap.secured(version);
            }
            Ok(stream)
        }
        Err(error) => Err(tls::describe(host, &error)),
    }
}

impl Stream {
    /// Without TLS.
    pub(crate) fn plain(tcp: TcpStream, tap: Option<Box<dyn Tap>>) -> Self {
        Self { kind: StreamKind::Plain(tcp), tap }
    }

    /// What is below; nothing for one in TLS.
    pub(crate) fn into_plain(self) -> Option<(TcpStream, Option<Box<dyn Tap>>)> {
        match self.kind {
            StreamKind::Plain(tcp) => Some((tcp, self.tap)),
            StreamKind::Tls(_) => None,
        }
    }

    /// `TLSv1_3` and the like; `None` for a plain stream.
    pub(crate) fn tls_version(&self) -> Option<&'static str> {
        match &self.kind {
            StreamKind::Plain(_) => None,
            StreamKind::Tls(stream) => {
                stream.get_ref().1.protocol_version().and_then(|version| version.as_str())
            }
        }
    }
}

impl Stream {
    /// The server's own.
    pub(crate) fn certificate(&self) -> Option<CertificateFacts> {
        match &self.kind {
            StreamKind::Plain(_) => None,
            StreamKind::Tls(stream) => {
                CertificateFacts::read(stream.get_ref().1.peer_certificates()?.first()?)
            }
        }
    }

    /// See [`acknowledge_quickly`].
    pub(crate) fn acknowledge_quickly(&self) {
        acknowledge_quickly(match &self.kind {
            StreamKind::Plain(tcp) => tcp,
            StreamKind::Tls(stream) => stream.get_ref().0,
        });
    }
}

/// The next acknowledgement goes out at once (TCP_QUICKACK, Linux): a server that sends its replies one
/// by one, with Nagle's algorithm on, else waits 40 ms for each. It does not last, so it is asked for
/// again while replies are due.
pub(crate) fn acknowledge_quickly(tcp: &TcpStream) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        // A socket that cannot is as good as before.
        let _ = socket2::SockRef::from(tcp).set_tcp_quickack(true);
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = tcp;
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (this, before) = (self.get_mut(), buf.filled().len());
        let read = match &mut this.kind {
            StreamKind::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            StreamKind::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        if let (Some(tap), Poll::Ready(Ok(()))) = (&mut this.tap, &read) {
            tap.received(&buf.filled()[before..]);
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = match &mut this.kind {
            StreamKind::Plain(stream) => Pin::new(stream).poll_write(cx, octets),
            StreamKind::Tls(stream) => Pin::new(stream).poll_write(cx, octets),
        };
        if let (Some(tap), Poll::Ready(Ok(count))) = (&mut this.tap, &written) {
            tap.sent(&octets[..*count]);
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().kind {
            StreamKind::Plain(stream) => Pin::new(stream).poll_flush(cx),
            StreamKind::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().kind {
            StreamKind::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            StreamKind::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
