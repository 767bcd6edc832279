//! A person's sign-in: by authorization code with PKCE (RFC 6749 §4.1, RFC 7636, RFC 8252), or on another device
//! (RFC 8628).
//!
//! Tokens are kept by `token`, requests are posted by `oauth`; this room leads the person through.

mod begin;
mod browser;
mod code;
mod device;
mod listener;
mod login;
mod request;
mod saved;
mod service;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod under_way;
mod work;

pub use login::Login;
pub use request::LoginRequest;
