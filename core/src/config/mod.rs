//! The options: plain data, its defaults, and the sentence for each mistake, once for every language.
//!
//! [`Options`] is what a caller writes; [`Settings`] is what the rest of the crate reads, checked and
//! with the provider's preset applied. Nothing here touches the network.

mod auth;
mod credential;
mod dkim;
mod duration;
mod keyring;
mod load;
mod mistake;
mod options;
mod proxy;
mod secret;
mod server_url;
mod settings;
mod spelling;

pub(crate) use auth::check_redirect_uri;
pub(crate) use auth::parse_endpoint;
pub use credential::{AssertionCallback, AssertionOption, BearerKey, CertificateOptions, ClientCredential};
pub(crate) use credential::{Bearer, Certificate, Proof};
pub use dkim::{DkimKey, DkimOptions, DkimSettings};
pub use duration::parse_duration;
pub use load::{from_env, from_file, overlay, scalar, search_path, user_file};
pub(crate) use mistake::nearest;
pub use options::{
    AuthOptions, Chunking, Cloud, FilePolicy, HttpOptions, InitialResponse, LimitOptions, MailboxOption,
    Mechanism, Options, Partial, Pipelining, RetryOptions, Roots, Security, SmtpOptions, StoreOptions,
    TimeoutOptions, TlsOptions,
};
pub use proxy::HttpProxy;
pub(crate) use secret::run;
pub use secret::{Secret, SecretSource};
pub use server_url::ServerUrl;
pub(crate) use settings::Surroundings;
pub(crate) use settings::is_loopback;
pub use settings::{AuthSettings, Endpoints, GrantKind, Settings, SmtpSettings, StoreSettings, Timeouts};
pub use spelling::Spelling;
