//! The options: plain data, its defaults, and the sentence for each mistake, once for every language.
//!
//! [`Options`] is what a caller writes; [`Settings`] is what the rest of the crate reads, checked and
//! with the provider's preset applied. Nothing here touches the network.

mod credential;
mod dkim;
pub(crate) mod github_job;
mod identity;
mod keyring;
mod load;
mod options;
mod reading;
pub mod schema;
mod settings;
mod spelled;

pub use self::credential::{AssertionOption, BearerKey, CertificateOptions, ClientCredential, TokenCallback};
pub(crate) use self::credential::{Certificate, JwtKey};
pub use self::dkim::{DkimKey, DkimOptions, DkimSettings};
pub use self::identity::{Identity, IdentityService};
pub use self::load::{Load, from_env, from_file, overlay, scalar, search_path, user_file};
pub use self::options::{
    AuthOptions, Chunking, ClientAuth, Cloud, FilePolicy, HttpOptions, InitialResponse, LimitOptions,
    Mechanism, Options, Pipelining, RetryOptions, SmtpOptions, StoreOptions, TimeoutOptions, TlsOptions,
};
pub(crate) use self::reading::layer;
pub use self::settings::{
    Application, AuthSettings, Endpoints, Grant, Overrides, ServiceAccount, ServiceAddress, Settings,
    SignInSettings, SmtpSettings, StoreSettings, Timeouts,
};
pub(crate) use self::settings::{Surroundings, check_redirect_uri, parse_endpoint};
pub use self::spelled::spelled;
pub use crate::address::MailboxOption;
pub use crate::call::Partial;
pub use crate::input::duration::{parse_duration, read_duration};
pub use crate::input::{Environment, Secret, SecretSource, Spelling, Variable, Variables};
pub use crate::net::http_proxy::HttpProxy;
pub use crate::net::server_url::ServerUrl;
pub use crate::net::tls::Roots;
pub use crate::provider::Security;
