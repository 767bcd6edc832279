//! Options, checked and with the provider's preset applied: what the rest of the crate reads. There are valid settings,
//! or none.

mod auth;
mod endpoints;
mod resolve;
mod scopes;
mod smtp;
mod store;
mod surroundings;
mod urls;

use std::sync::Arc;
use std::time::Duration;

pub use self::auth::{
    Application, AuthSettings, Endpoints, Grant, Overrides, ServiceAccount, ServiceAddress, SignInSettings,
};
use self::resolve::Resolver;
pub use self::smtp::{SmtpSettings, Timeouts};
pub use self::store::StoreSettings;
pub(crate) use self::surroundings::Surroundings;
pub(crate) use self::urls::{check_redirect_uri, parse_endpoint};
use super::dkim::DkimSettings;
use super::options::{FilePolicy, Options};
use crate::address::{Mailbox, MailboxOption};
use crate::call::Partial;
use crate::error::{Error, Result};
use crate::input::{FieldPath, Spelling};
use crate::net::http::Reach;
use crate::net::http_proxy::HttpProxy;
use crate::net::tls::Roots;
use crate::provider::{self, Family, Preset};
use crate::text;

/// Everything a mailer or token source was told, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How the caller's language spells names.
    pub spelling: Spelling,
    /// The provider.
    pub preset: &'static Preset,
    /// The mailbox that authenticates.
    pub username: Option<String>,
    /// The default From.
    pub from: Option<MailboxOption>,
    /// How tokens are acquired; absent for `provider = "memory"`.
    pub auth: Option<Arc<AuthSettings>>,
    /// How the mail server is reached.
    pub smtp: Arc<SmtpSettings>,
    /// Which certificates are trusted.
    pub roots: Roots,
    /// Where tokens are kept, unless the host program brings its own store.
    pub store: StoreSettings,
    /// All tries of one send, the first included.
    pub attempts: u32,
    /// The first pause before another try.
    pub base_delay: Duration,
    /// The longest pause.
    pub max_delay: Duration,
    /// One token request.
    pub http_timeout: Duration,
    /// The way to the sign-in service.
    pub http_proxy: HttpProxy,
    /// The caller's limit for one send, if one was set.
    pub timeout: Option<Duration>,
    /// What happens when some recipients are refused.
    pub partial: Partial,
    /// Which local files a message may attach.
    pub files: FilePolicy,
    /// The signature that every message gets.
    pub dkim: Option<DkimSettings>,
}

impl Settings {
    /// Checks `options` and applies the preset.
    ///
    /// # Errors
    /// `config_invalid`, with the cure; nothing here needs the network.
    pub(crate) fn resolve(options: Options, spelling: Spelling, around: Surroundings) -> Result<Self> {
        let preset = preset(options.provider.as_deref(), spelling)?;
        let memory = preset.name == "memory";
        if let Some(username) = &options.username {
            plain_text("username", username)?;
            a_mailbox_where_that_is_known(username, preset)?;
        }
        if let Some(from) = &options.from {
            sender(from, spelling)?;
        }
        let auth = match &options.auth {
            Some(auth) => {
                Some(Resolver { options: &options, auth, preset, spelling, around: &around }.auth()?)
            }
            None if memory => None,
            None => {
                return Err(Error::config("auth", "`auth` is missing").with_hint(
                    "Say how to get a token, for instance with auth.grant = \"client_credentials\".",
                ));
            }
        };
        let smtp = smtp::read(&options, preset)?;
        if auth.is_some() && !memory {
            smtp::token_may_go(&options, preset, &smtp.host)?;
        }
        if let Some(0) = options.retry.attempts {
            return Err(Error::config("retry.attempts", "`retry.attempts` must be at least 1"));
        }
        let delegated = auth.as_ref().is_some_and(|auth| auth.grant.is_delegated());
        let store = store::read(&options, delegated, &around)?;
        Ok(Self {
            spelling,
            preset,
            username: options.username,
            from: options.from,
            auth: auth.map(Arc::new),
            smtp: Arc::new(smtp),
            roots: options.tls.roots,
            store,
            attempts: options.retry.attempts.unwrap_or(3),
            base_delay: options.retry.base_delay.unwrap_or(Duration::from_secs(1)),
            max_delay: options.retry.max_delay.unwrap_or(Duration::from_secs(60)),
            http_timeout: options.http.timeout.unwrap_or(Duration::from_secs(15)),
            http_proxy: HttpProxy::read(options.http.proxy.as_ref(), |name| (around.variable)(name))?,
            timeout: options.timeout,
            partial: options.partial,
            files: options.files,
            dkim: options.dkim.as_ref().map(DkimSettings::read).transpose()?,
        })
    }

    /// How services on the net are reached.
    pub(crate) fn reach(&self) -> Reach<'_> {
        Reach { roots: &self.roots, proxy: &self.http_proxy, timeout: self.http_timeout }
    }

    /// Returns these settings for another mailbox.
    ///
    /// # Errors
    /// `config_invalid` if `username` or `from` is not an address.
    pub(crate) fn for_mailbox(&self, username: &str, from: Option<MailboxOption>) -> Result<Self> {
        plain_text("username", username)?;
        a_mailbox_where_that_is_known(username, self.preset)?;
        if let Some(from) = &from {
            sender(from, self.spelling)?;
        }
        let mut settings = self.clone();
        if let Some(auth) = &mut settings.auth
            && matches!(auth.grant, Grant::JwtBearer(_))
            && let Grant::JwtBearer(account) = &mut Arc::make_mut(auth).grant
        {
            // The service account asks in the other mailbox's name then.
            account.subject = username.to_owned();
        }
        settings.username = Some(username.to_owned());
        settings.from = from;
        Ok(settings)
    }
}

fn preset(name: Option<&str>, spelling: Spelling) -> Result<&'static Preset> {
    let known = provider::names();
    let Some(name) = name else {
        return Err(Error::config("provider", "`provider` is missing")
            .with_hint(format!("One of: {}.", known.join(", "))));
    };
    provider::find(name).ok_or_else(|| {
        let near =
            crate::input::nearest(name, &known).map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
        Error::config(
            spelling.path("provider"),
            format!("unknown provider `{}`{near}", text::shown(name, 60)),
        )
        .with_hint(format!("One of: {}.", known.join(", ")))
    })
}

/// The big providers know mailboxes by their address; a server of one's own may have other names.
fn a_mailbox_where_that_is_known(username: &str, preset: &Preset) -> Result<()> {
    if preset.family == Family::Plain || username.contains('@') {
        return Ok(());
    }
    Err(Error::config("username", format!("`username` is not an address: {}", text::shown(username, 60)))
        .with_hint("Write the mailbox's address, such as noreply@contoso.com."))
}

fn sender(from: &MailboxOption, spelling: Spelling) -> Result<()> {
    Mailbox::from_option(from, &FieldPath::option("from", spelling)).map(|_| ())
}

fn plain_text(field: &str, text: &str) -> Result<()> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(Error::config(field, format!("`{field}` is empty or has control characters")));
    }
    Ok(())
}
