//! Send mail through Microsoft 365, Gmail and others with OAuth2 tokens.

#![forbid(unsafe_code)]

pub mod blocking;
mod call;
pub mod config;
mod der;
pub mod doctor;
mod error;
mod event;
mod fork;
mod host;
mod instant;
mod mailer;
mod message;
mod metrics;
mod net;
mod oauth;
mod pkcs12;
mod private_key;
mod process;
pub mod provider;
mod random;
mod receipt;
mod retry;
pub mod setup;
mod smtp;
mod token;

pub use call::{Call, Cancel};
pub use config::Options;
pub use error::{CODES, CodeRow, Delivery, Error, ErrorCode, OAuthDetail, Result};
pub use event::{EVENTS, Event, EventKind, EventSink};
#[doc(hidden)]
pub use fork::ForkCell;
pub use host::{BoxFuture, Host, ProvidedToken, StoredEntry, TokenProvider, TokenRequest, TokenStore};
pub use instant::to_rfc3339;
pub use mailer::{Bulk, Counts, Kept, Load, Mailer, VerifyRequest};
pub use message::{Attachment, Blob, ByteStream, Message, MessageBuilder};
pub use metrics::prometheus;
pub use oauth::login::{Login, LoginRequest};
pub use receipt::{Envelope, Outcome, Receipt, Rejection, Reply, SendResult, Timings};
pub use token::{AccessToken, Account, GetToken, TokenSource, settled};
