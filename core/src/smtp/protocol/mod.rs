//! What goes over an SMTP connection and what it means: commands, replies, capabilities, verdicts (RFC 5321, 2920,
//! 3030, 4954). Octets and replies in, octets and decisions out; no sockets and no clock.

pub(crate) mod auth;
pub(crate) mod breaker;
pub(crate) mod capabilities;
pub(crate) mod classify;
#[cfg(test)]
mod classify_tests;
pub(crate) mod dot_stuffing;
pub(crate) mod pipeline;
pub(crate) mod refusal;
pub(crate) mod reply;
pub(crate) mod submission;
pub(crate) mod transcript;
