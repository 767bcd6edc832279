//! Send mail through Microsoft 365, Gmail and others with OAuth2 tokens.

#![forbid(unsafe_code)]

mod address;
pub mod blocking;
mod call;
pub mod config;
mod crypto;
pub mod doctor;
mod error;
mod event;
mod explain;
mod fork;
mod host;
mod input;
mod instant;
mod mailer;
mod message;
mod metrics;
mod net;
mod oauth;
mod private_file;
pub mod provider;
mod receipt;
mod retry;
pub mod setup;
mod sign_in;
mod smtp;
mod sync;
#[cfg(test)]
mod testing;
mod text;
mod token;

pub use crate::call::{Call, Cancel};
pub use crate::config::{Load, Options};
pub use crate::error::{CODES, CodeRow, Delivery, Error, ErrorCode, OAuthDetail, Rejection, Reply, Result};
pub use crate::event::{EVENTS, Event, EventKind, EventSink, Level};
pub use crate::explain::{Explanation, KnownText, explain, known_texts};
#[doc(hidden)]
pub use crate::fork::ForkCell;
pub use crate::host::{BoxFuture, Host, ProvidedToken, StoredEntry, TokenProvider, TokenRequest, TokenStore};
pub use crate::instant::to_rfc3339;
pub use crate::mailer::{Bulk, Counts, Kept, Mailer, SharedBulk, VerifyRequest, prometheus};
pub use crate::message::{Attachment, Blob, ByteStream, Message, MessageBuilder, Spool, Spooled};
pub use crate::receipt::{Envelope, Outcome, Receipt, SendResult, Timings};
pub use crate::sign_in::{Login, LoginRequest};
pub use crate::token::{AccessToken, Account, GetToken, TokenSource, settled};
