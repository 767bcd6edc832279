//! The submission server: Exchange Online's, or Gmail's (RFC 5321, 6409).
//!
//! It keeps what it accepts and relays nothing. It is as strict as the real servers: a line ends with CRLF,
//! a body with CRLF.CRLF and nothing else, and MAIL is refused before STARTTLS and AUTH.

mod auth;
mod command;
mod conversation;
mod data;
mod envelope;
mod reply;
mod session;
mod transaction;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::memory::Shared;
use session::Session;

/// Connections served at a time on each port.
const CONNECTIONS: usize = 1024;

/// Accepts for ever; `implicit` for TLS from the first octet (RFC 8314).
pub(crate) async fn listen(listener: TcpListener, tls: TlsAcceptor, implicit: bool, shared: Arc<Shared>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else {
            return;
        };
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of descriptors, most likely: let others go first.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Without it a reply waits for the client's delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        let session = Session::new(shared.clone(), stream, tls.clone(), peer.ip());
        tokio::spawn(async move {
            session.run(implicit).await;
            drop(slot);
        });
    }
}
