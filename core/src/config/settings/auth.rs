//! How tokens are acquired: each grant with what it needs, and nothing that another one has.

use std::time::{Duration, SystemTime};

use url::Url;

use crate::config::credential::{BearerKey, ClientCredential, TokenCallback};
use crate::config::identity::{Identity, IdentityService};
use crate::config::options::ClientAuth;
use crate::input::SecretSource;
use crate::provider::Family;

/// How tokens are acquired.
#[derive(Clone, Debug)]
pub struct AuthSettings {
    /// The way to a token.
    pub grant: Grant,
    /// The sign-in service's dialect.
    pub family: Family,
    /// The sign-in service's base URL, with the tenant, for store keys and messages; the grant's name where no service
    /// is asked.
    pub authority: String,
    /// Full scopes for the resource, without those of a sign-in.
    pub scopes: Vec<String>,
    /// A token with less left than this is refreshed ahead of use.
    pub refresh_ahead: Duration,
    /// A token with less left than this is not used.
    pub min_remaining: Duration,
}

/// The ways to a token.
#[derive(Clone, Debug)]
pub enum Grant {
    /// RFC 6749 §4.4.
    ClientCredentials(Application),
    /// RFC 6749 §4.1 with PKCE (RFC 7636).
    AuthorizationCode(Application, SignInSettings),
    /// RFC 8628.
    DeviceCode(Application, SignInSettings),
    /// RFC 6749 §6, from a token that the caller already has.
    RefreshToken(Application, SecretSource),
    /// RFC 7523 §2.1: a service account's word, in a person's name.
    JwtBearer(ServiceAccount),
    /// The machine's own identity: who gives the token, and of which identity.
    ManagedIdentity(IdentityService, Identity),
    /// A token given as it is.
    AccessToken {
        /// Where it stands.
        token: SecretSource,
        /// When it expires, if that was said.
        expires_at: Option<SystemTime>,
    },
    /// A program that prints one.
    Command {
        /// The program and its arguments.
        words: Vec<String>,
        /// How long it may take.
        limit: Duration,
    },
    /// A function of the host program.
    Callback(TokenCallback),
}

/// An application that is registered at a sign-in service (RFC 6749 §2).
#[derive(Clone, Debug)]
pub struct Application {
    /// The client id.
    pub id: String,
    /// How it proves who it is.
    pub credential: ClientCredential,
    /// When its certificate ends, as it was when the options were read.
    pub credential_expires_at: Option<SystemTime>,
    /// How its secret travels.
    pub client_auth: ClientAuth,
    /// Where the service answers.
    pub address: ServiceAddress,
}

/// How a person signs in.
#[derive(Clone, Debug, Default)]
pub struct SignInSettings {
    /// What is asked for beside the resource's scopes.
    pub scopes: &'static [&'static str],
    /// They are asked for only where the service's document lists them.
    pub if_supported: bool,
    /// Added to the authorization URL.
    pub parameters: &'static [(&'static str, &'static str)],
    /// The application's own redirect URI.
    pub redirect_uri: Option<String>,
    /// `prompt`.
    pub prompt: Option<String>,
    /// `login_hint`.
    pub login_hint: Option<String>,
    /// `domain_hint`.
    pub domain_hint: Option<String>,
    /// `claims`.
    pub claims: Option<String>,
    /// `response_mode`.
    pub response_mode: Option<String>,
}

/// A service account.
#[derive(Clone, Debug)]
pub struct ServiceAccount {
    /// What signs its word.
    pub key: BearerKey,
    /// In whose name it asks.
    pub subject: String,
    /// Where the service answers, if the key file does not say.
    pub address: ServiceAddress,
    /// The caller named the token endpoint: then the key file's own does not count.
    pub endpoint_given: bool,
}

/// Where the sign-in service answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceAddress {
    /// At these endpoints.
    Known(Endpoints),
    /// Where its own document says.
    Described {
        /// Whose document.
        issuer: Url,
        /// What the options say goes before it.
        overrides: Overrides,
    },
}

/// The endpoints that requests go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// RFC 6749 §3.2.
    pub token: Url,
    /// RFC 6749 §3.1.
    pub authorization: Option<Url>,
    /// RFC 8628 §3.1.
    pub device_authorization: Option<Url>,
    /// RFC 7009 §2.
    pub revocation: Option<Url>,
    /// The issuer that answers (RFC 9207), where known.
    pub issuer: Option<String>,
    /// The scopes that the issuer's document lists.
    pub scopes_supported: Option<Vec<String>>,
    /// The document lists HTTP Basic authentication of clients, and no secret in the body.
    pub basic_only: bool,
    /// The document demands pushed authorization requests (RFC 9126).
    pub pushed_only: bool,
}

/// Endpoints that the options name beside an issuer's own document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// RFC 6749 §3.1.
    pub authorization: Option<Url>,
    /// RFC 8628 §3.1.
    pub device_authorization: Option<Url>,
    /// RFC 7009 §2.
    pub revocation: Option<Url>,
}

impl AuthSettings {
    /// The host of the token endpoint, where it is known without asking.
    pub(crate) fn token_host(&self) -> Option<&str> {
        let address = match &self.grant {
            Grant::JwtBearer(account) => &account.address,
            grant => &grant.application()?.address,
        };
        match address {
            ServiceAddress::Known(endpoints) => endpoints.token.host_str(),
            ServiceAddress::Described { .. } => None,
        }
    }

    /// The application's id; empty where there is none.
    pub(crate) fn client_id(&self) -> &str {
        self.grant.application().map_or("", |application| &application.id)
    }

    /// When the application's certificate ends.
    pub(crate) fn credential_expires_at(&self) -> Option<SystemTime> {
        self.grant.application()?.credential_expires_at
    }
}

impl Grant {
    /// The name in `auth.grant`.
    pub fn as_str(&self) -> &'static str {
        self.name().as_str()
    }

    fn name(&self) -> GrantName {
        match self {
            Self::ClientCredentials(_) => GrantName::ClientCredentials,
            Self::AuthorizationCode(..) => GrantName::AuthorizationCode,
            Self::DeviceCode(..) => GrantName::DeviceCode,
            Self::RefreshToken(..) => GrantName::RefreshToken,
            Self::JwtBearer(_) => GrantName::JwtBearer,
            Self::ManagedIdentity(..) => GrantName::ManagedIdentity,
            Self::AccessToken { .. } => GrantName::AccessToken,
            Self::Command { .. } => GrantName::Command,
            Self::Callback(_) => GrantName::Callback,
        }
    }

    /// The application that asks, for grants that have one.
    pub(crate) fn application(&self) -> Option<&Application> {
        match self {
            Self::ClientCredentials(application)
            | Self::AuthorizationCode(application, _)
            | Self::DeviceCode(application, _)
            | Self::RefreshToken(application, _) => Some(application),
            _ => None,
        }
    }

    /// How a person signs in, for grants where one does.
    pub(crate) fn sign_in(&self) -> Option<(&Application, &SignInSettings)> {
        match self {
            Self::AuthorizationCode(application, sign_in) | Self::DeviceCode(application, sign_in) => {
                Some((application, sign_in))
            }
            _ => None,
        }
    }

    /// Whether a person signs in.
    pub fn is_interactive(&self) -> bool {
        self.name().is_interactive()
    }

    /// Whether the token comes from a sign-in service's token endpoint.
    pub(crate) fn asks_service(&self) -> bool {
        matches!(self, Self::JwtBearer(_)) || self.application().is_some()
    }

    /// Whether the token stands for a person rather than for the application.
    pub fn is_delegated(&self) -> bool {
        self.name().is_delegated()
    }

    /// Whether the token says nothing of a mailbox: one serves all.
    pub(crate) fn is_anonymous(&self) -> bool {
        self.name().is_anonymous()
    }
}

/// What stands in `auth.grant`, before the rest was looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum GrantName {
    ClientCredentials,
    AuthorizationCode,
    DeviceCode,
    RefreshToken,
    JwtBearer,
    ManagedIdentity,
    AccessToken,
    Command,
    Callback,
}

impl GrantName {
    pub(super) const ALL: [Self; 9] = [
        Self::ClientCredentials,
        Self::AuthorizationCode,
        Self::DeviceCode,
        Self::RefreshToken,
        Self::JwtBearer,
        Self::ManagedIdentity,
        Self::AccessToken,
        Self::Command,
        Self::Callback,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::AuthorizationCode => "authorization_code",
            Self::DeviceCode => "device_code",
            Self::RefreshToken => "refresh_token",
            Self::JwtBearer => "jwt_bearer",
            Self::ManagedIdentity => "managed_identity",
            Self::AccessToken => "access_token",
            Self::Command => "command",
            Self::Callback => "callback",
        }
    }

    pub(super) fn is_interactive(self) -> bool {
        matches!(self, Self::AuthorizationCode | Self::DeviceCode)
    }

    pub(super) fn is_delegated(self) -> bool {
        self.is_interactive() || self == Self::RefreshToken
    }

    pub(super) fn is_anonymous(self) -> bool {
        matches!(self, Self::ClientCredentials | Self::ManagedIdentity)
    }

    /// Whether an application that is registered at the service asks.
    pub(super) fn has_application(self) -> bool {
        self == Self::ClientCredentials || self.is_delegated()
    }
}
