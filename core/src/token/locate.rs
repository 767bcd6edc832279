//! Which entry is meant: whose sign-in, or which configured refresh token; and the sentence where there is none.

use ring::digest::{SHA256, digest};

use super::shared::Shared;
use super::store::EntryKey;
use crate::config::{AuthSettings, Grant, SecretSource, StoreSettings};
use crate::error::{Error, ErrorCode, Result};
use crate::input::Secret;
use crate::private_file::own_uid;

impl Shared {
    /// The key of this source's entry.
    ///
    /// # Errors
    /// `interaction_required` if nobody is signed in; `config_invalid` listing the accounts if several
    /// are stored and no `username` says which.
    pub(crate) async fn locate(&self, auth: &AuthSettings) -> Result<EntryKey> {
        match &auth.grant {
            grant if !grant.is_delegated() => return Ok(EntryKey::of_application(auth)),
            Grant::RefreshToken(_, source) if self.settings.username.is_none() => {
                let seed = self.seed(source).await?;
                return Ok(EntryKey::new(auth, &format!("#{}", seed_digest(&seed))));
            }
            _ => {}
        }
        let adopted = || self.state().lock().adopted.clone();
        if let Some(name) = self.settings.username.clone().or_else(adopted) {
            return Ok(EntryKey::new(auth, &name));
        }
        let names = self.store()?.principals(&EntryKey::new(auth, "")).await?;
        match &names[..] {
            [] => Err(self.nobody(auth)),
            [only] => Ok(EntryKey::new(auth, only)),
            several => Err(Error::config(
                self.settings.spelling.path("username"),
                format!("several accounts are signed in: {}", several.join(", ")),
            )
            .with_hint("Set `username` to the one to use.")),
        }
    }

    /// The refresh token that the options give.
    pub(crate) async fn seed(&self, source: &SecretSource) -> Result<Secret> {
        source.read(&self.settings.spelling.path("auth.refresh_token")).await
    }

    /// The error where no sign-in was found.
    pub(crate) fn nobody(&self, auth: &AuthSettings) -> Error {
        let who = self.settings.username.as_deref().unwrap_or("anybody");
        let error = Error::new(ErrorCode::InteractionRequired, format!("no sign-in of {who} is stored"));
        error.with_hint(self.sign_in_hint(auth))
    }

    /// How a person puts it right: as which user, since root's sign-in does not help www-data, and where
    /// the tokens are looked for.
    pub(crate) fn sign_in_hint(&self, auth: &AuthSettings) -> String {
        if let Grant::RefreshToken(..) = auth.grant {
            let field = self.settings.spelling.path("auth.refresh_token");
            return format!("Put a new refresh token into {field}, or use grant `authorization_code`.");
        }
        match (&self.host.store, &self.settings.store) {
            (Some(_), _) => {
                "Sign in again: mailbearer looks for tokens in the program's own store.".to_owned()
            }
            (None, StoreSettings::Memory) => {
                "Sign in again. To keep the sign-in when the program ends, set `store`.".to_owned()
            }
            (None, store @ StoreSettings::Redis(..)) => {
                format!("Sign in again: mailbearer looks for tokens in {}.", store.place())
            }
            (None, store @ StoreSettings::File(..)) => format!(
                "Run `mailbearer login` as {1}: mailbearer looks for tokens in {0}.",
                store.place(),
                system_user()
            ),
        }
    }
}

/// Tells configured refresh tokens apart without keeping them.
pub(crate) fn seed_digest(seed: &Secret) -> String {
    let digest = digest(&SHA256, seed.expose().as_bytes());
    digest.as_ref().iter().take(12).map(|b| format!("{b:02x}")).collect()
}

/// The operating system's user, as far as it can be told.
fn system_user() -> String {
    let named =
        std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).or_else(|_| std::env::var("USERNAME"));
    match (named.ok().filter(|name| !name.is_empty()), own_uid()) {
        (_, Some(0)) => "root (uid 0)".to_owned(),
        (Some(name), Some(uid)) => format!("{name} (uid {uid})"),
        (Some(name), None) => name,
        (None, Some(uid)) => format!("the user with uid {uid}"),
        (None, None) => "the user that runs this program".to_owned(),
    }
}
