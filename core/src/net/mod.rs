//! Connections to the outside: names, addresses, TLS. One copy for HTTP and SMTP.

pub(crate) mod dial;
pub(crate) mod http;
pub(crate) mod http_proxy;
pub(crate) mod pinned;
pub(crate) mod proxy;
pub(crate) mod redis;
pub(crate) mod server_url;
pub(crate) mod stream;
pub(crate) mod tls;
mod verifier;
