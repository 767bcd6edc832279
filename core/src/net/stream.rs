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

use super::certificate::Certificate;
use super::tls;
use crate::error::{Error, ErrorCode, Result};

/// The stream.
pub(crate) enum Stream {
    /// As it is: on loopback, and before STARTTLS.
    Plain(TcpStream),
    /// In TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

/// Does the handshake.
///
/// # Errors
/// `tls_failed` or `certificate_invalid`, with the cure.
pub(crate) async fn handshake(tcp: TcpStream, config: Arc<ClientConfig>, host: &str) -> Result<Stream> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| {
        Error::new(ErrorCode::TlsFailed, format!("{host} is not a name that a certificate can have"))
    })?;
    match TlsConnector::from(config).connect(name, tcp).await {
        Ok(stream) => Ok(Stream::Tls(Box::new(stream))),
        Err(error) => Err(tls::describe(host, &error)),
    }
}

impl Stream {
    /// `TLSv1_3` and the like; `None` for a plain stream.
    pub(crate) fn tls_version(&self) -> Option<&'static str> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => stream.get_ref().1.protocol_version().and_then(|version| version.as_str()),
        }
    }
}

impl Stream {
    /// The server's own.
    pub(crate) fn certificate(&self) -> Option<Certificate> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => Certificate::read(stream.get_ref().1.peer_certificates()?.first()?),
        }
    }

    /// See [`acknowledge_quickly`].
    pub(crate) fn acknowledge_quickly(&self) {
        acknowledge_quickly(match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(stream) => stream.get_ref().0,
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
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, octets),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
