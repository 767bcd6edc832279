//! A sign-in service and an SMTP server to test mail programs against.
//!
//! It plays Entra ID with Exchange Online's client submission, or Google's OAuth with `smtp.gmail.com`:
//! their endpoints, their tokens, their replies, their refusals. Nothing is sent on: it keeps what it
//! receives, and shows it. It listens on the loopback interface, unless [`Options::listen`] says otherwise.
//!
//! ```
//! use mailbearer_emulator::{Emulator, Options, Fault, DEFAULT_USERNAME};
//!
//! let emulator = Emulator::start(Options::default())?;
//! let options = emulator.settings("client_credentials", DEFAULT_USERNAME)?;
//! assert_eq!(options["smtp"]["port"], emulator.smtp_port());
//!
//! // The next recipient is refused.
//! emulator.fail(Fault { reply: Some("550 5.1.1 nobody here".into()), ..Fault::at("rcpt") })?;
//! assert!(emulator.messages().is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Emulator::url`] has a page for people, and under `/api` everything for programs in other languages.
#![forbid(unsafe_code)]

mod access;
mod certificate;
mod clock;
mod config;
mod control;
mod defaults;
mod emulator;
mod fault;
mod files;
mod grant;
mod html;
mod http;
mod keys;
mod listeners;
mod memory;
mod mime;
mod oauth;
mod page;
mod person;
mod random;
mod received;
mod seen;
mod service_account;
mod settings;
mod smtp;
mod switches;
mod tenant;

pub use access::Mint;
pub use config::{AuthRefusal, Certificate, Config, Dialect, Options, Ports, Rotation, SendAs};
pub use defaults::{
    DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_PUBLIC_CLIENT_ID, DEFAULT_REDIRECT_URI,
    DEFAULT_SERVICE_ACCOUNT, DEFAULT_TENANT, DEFAULT_TENANT_ID, DEFAULT_USERNAME,
};
pub use emulator::Emulator;
pub use fault::Fault;
pub use person::Decision;
pub use received::Received;
