//! Connections to the outside: names, addresses, TLS. One copy for HTTP and SMTP.

pub(crate) mod certificate;
pub(crate) mod dial;
pub(crate) mod pinned;
pub(crate) mod proxy;
pub(crate) mod redis;
pub(crate) mod stream;
pub(crate) mod tls;
mod verifier;
