//! A sign-in service and an SMTP server to test mail programs against.
//!
//! It plays Entra ID with Exchange Online's client submission, or Google's OAuth with `smtp.gmail.com`:
//! their endpoints, their tokens, their replies, their refusals. Nothing leaves this machine: it binds
//! the loopback interface only, keeps what it receives, and shows it.
//!
//! ```
//! use mailbearer_emulator::{Emulator, Options, Fault, DEFAULT_USERNAME};
//!
//! let emulator = Emulator::start(Options::default())?;
//! let options = emulator.settings("client_credentials", DEFAULT_USERNAME)?;
//! assert_eq!(options["smtp"]["port"], emulator.smtp_port());
//!
//! // The next recipient is refused, whoever it is.
//! emulator.fail(Fault { reply: Some("550 5.1.1 nobody here".into()), ..Fault::at("rcpt") })?;
//! assert!(emulator.messages().is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The same is there over HTTP, at [`Emulator::url`]: a page for people, `/api` for programs.
#![forbid(unsafe_code)]

mod access;
mod certificate;
mod clock;
mod config;
mod control;
mod emulator;
mod fault;
mod grant;
mod http;
mod keys;
mod mime;
mod oauth;
mod page;
mod random;
mod received;
mod seen;
mod settings;
mod smtp;
mod state;
mod switches;
mod tenant;

pub use access::Mint;
pub use config::{AuthRefusal, Certificate, Config, Dialect, Options, Rotation, SendAs};
pub use emulator::Emulator;
pub use fault::Fault;
pub use oauth::authorize::Decision;
pub use received::Received;

/// The confidential client, which proves itself with [`DEFAULT_CLIENT_SECRET`] or an assertion.
pub const DEFAULT_CLIENT_ID: &str = "6f1c1d0e-2f5b-4a52-9c1e-0d6a5d2b7c11";

/// Its secret, unless [`Config::client_secret`] says otherwise.
pub const DEFAULT_CLIENT_SECRET: &str = "emu8Q~not-a-real-secret-but-as-long-as-one";

/// The public client: no secret, for people at a browser or a device.
pub const DEFAULT_PUBLIC_CLIENT_ID: &str = "a2d4c7b0-93e1-4f0c-8b57-5c9be0f3d922";

/// The tenant's domain.
pub const DEFAULT_TENANT: &str = "contoso.com";

/// The tenant's id.
pub const DEFAULT_TENANT_ID: &str = "3c0fd6b8-7a1d-4c39-8f6e-2b9a41d0e733";

/// The mailbox that is meant where none is named.
pub const DEFAULT_USERNAME: &str = "noreply@contoso.com";

/// The redirect URI of both clients that is not a loopback one, for web applications.
pub const DEFAULT_REDIRECT_URI: &str = "https://app.contoso.com/callback";

/// Google's name for itself in tokens and callbacks.
const GOOGLE_ISSUER: &str = "https://accounts.google.com";
