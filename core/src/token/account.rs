//! Who is signed in: adopting a sign-in's answer, finding it again, forgetting it.

use std::sync::Arc;
use std::time::SystemTime;

use super::entry::{Entry, StoredAccount, millis};
use super::freshness::Now;
use super::shared::Shared;
use super::state::{Held, Unsaved};
use super::store::{EntryKey, Store};
use super::{Account, import};
use crate::config::AuthSettings;
use crate::error::{Error, ErrorCode, Result};
use crate::oauth::answer::TokenAnswer;
use crate::oauth::claims;
use crate::provider::Family;

impl Shared {
    /// Takes a sign-in's answer: checks who it is, keeps it, and drops what is on its way.
    ///
    /// # Errors
    /// `account_mismatch`, with nothing kept; `store_failed`, with the sign-in kept in memory and saved when it can be.
    pub(crate) async fn adopt(self: &Arc<Self>, answer: TokenAnswer) -> Result<Account> {
        self.take(answer, None, Entry::default()).await
    }

    /// Takes over what another program kept: `text`, as it stands in its file.
    ///
    /// # Errors
    /// `login_invalid` if nothing in it fits; those of a refresh, and of [`adopt`](Self::adopt).
    pub(crate) async fn import(self: &Arc<Self>, text: &str) -> Result<Account> {
        let auth = self.auth()?;
        let Some((application, _)) = auth.grant.sign_in() else {
            let field = self.settings.spelling.path("auth.grant");
            let text = format!("a sign-in cannot be taken over: {} gets its own tokens", auth.grant.as_str());
            return Err(Error::config(field, text)
                .with_hint("Only the grants `authorization_code` and `device_code` sign a person in."));
        };
        let found = import::find(text, auth, self.settings.username.as_deref())?;
        // It is tried before anything is kept.
        let answer = self.service()?.refresh(application, &found.refresh_token, true).await?;
        self.take(answer, found.username.as_deref(), Entry::imported(found.refresh_token)).await
    }

    /// `blank` is what was known before, `whose` the name if the answer has none.
    async fn take(
        self: &Arc<Self>,
        answer: TokenAnswer,
        whose: Option<&str>,
        blank: Entry,
    ) -> Result<Account> {
        let auth = self.auth()?;
        if let Some(scopes) = answer.scopes.as_ref().filter(|_| auth.family != Family::Plain) {
            granted(&auth.scopes, scopes)?;
        }
        let now = Now::read();
        let account = self.identify(auth, &answer, whose, now.wall)?;
        let key = EntryKey::new(auth, &account.username);
        let mut entry = blank.renewed(&answer, &auth.scopes, now.wall);
        entry.account = Some(StoredAccount::new(&account));
        entry.signed_in_at = millis(now.wall);
        if entry.refresh_token.is_none() {
            let text = "the service gave no refresh token: this sign-in ends with its first access token";
            self.warn("no_refresh_token", text);
        }
        // The store comes first: a refresh that begins in between finds this sign-in there, not the one before.
        let stored = self.put(&key, Some(&entry)).await;
        {
            let mut inner = self.state().lock();
            inner.forget();
            inner.held = entry.token(now).map(|(token, times)| Held { token, times, refused: false });
            inner.account = Some(account.clone());
            inner.adopted = Some(account.username.clone());
            if stored.is_err() {
                inner.unsaved = Some(Box::new(Unsaved { key, entry, replaces: None }));
                let generation = inner.generation;
                drop(inner);
                self.save_later(generation);
            }
        }
        self.note_end(&account.username, account.refresh_expires_at);
        stored.map(|()| account)
    }

    /// When this person must sign in again, for the numbers.
    fn note_end(&self, username: &str, at: Option<SystemTime>) {
        if let Some(numbers) = self.label().and_then(|label| crate::metrics::numbers().of_service(&label)) {
            numbers.login_expires(username, at);
        }
    }

    /// Forgets the tokens, here and in the store, and tells the service where it wants to know (RFC 7009).
    pub(crate) async fn sign_out(&self) -> Result<()> {
        let auth = self.auth()?;
        let key = match self.locate(auth).await {
            Ok(key) => Some(key),
            Err(error) if error.code() == ErrorCode::InteractionRequired => None,
            Err(error) => return Err(error),
        };
        // Only a sign-in of our own is ended at the service: another's token may serve others.
        let unsaved = self.state().lock().unsaved.clone();
        let refresh_token = match (&key, unsaved) {
            _ if auth.grant.sign_in().is_none() => None,
            (Some(key), Some(unsaved)) if unsaved.key == *key => unsaved.entry.refresh_token,
            (Some(key), _) => {
                let stored = self.store()?.load(key).await.ok().flatten();
                stored.and_then(|stored| stored.entry.refresh_token)
            }
            (None, _) => None,
        };
        // What is to be saved beside is not saved any more.
        self.state().lock().unsaved = None;
        let removed = match &key {
            Some(key) => self.put(key, None).await,
            None => Ok(()),
        };
        if let Some(key) = &key {
            self.note_end(&key.principal, None);
        }
        // After the store: a refresh that began in between belongs to those who have left.
        self.state().lock().forget();
        if let (Some(token), Some((application, _))) = (refresh_token, auth.grant.sign_in())
            && let Err(error) = self.service()?.revoke(application, &token).await
        {
            let text = "signed out on this machine, but not at the service, which could not be told";
            self.warn("not_revoked", format!("{text}: {}", error.message()));
        }
        removed
    }

    /// What a policy wants of the next sign-in, if the last refresh was refused for it.
    pub(crate) async fn challenge(&self, auth: &AuthSettings) -> Option<String> {
        let key = self.locate(auth).await.ok()?;
        self.store().ok()?.load(&key).await.ok()??.entry.challenge
    }

    /// Writes a sign-in, or removes it, wherever the place lists it.
    async fn put(&self, key: &EntryKey, entry: Option<&Entry>) -> Result<()> {
        self.replace(key, entry).await?;
        self.store()?.enlist(key, entry.is_some()).await
    }

    /// Writes whatever the version: a person's sign-in or sign-out wins over a refresh.
    async fn replace(&self, key: &EntryKey, entry: Option<&Entry>) -> Result<()> {
        let store = self.store()?;
        for _ in 0..50 {
            let expected = store.load(key).await?.map(|held| held.version);
            if expected.is_none() && entry.is_none() {
                return Ok(());
            }
            if store.save(key, entry, expected).await? {
                return Ok(());
            }
        }
        Err(Error::new(ErrorCode::StoreFailed, "the token store changes all the time"))
    }

    /// Finds the person that the answer names, and checks that this is the expected one.
    fn identify(
        &self,
        auth: &AuthSettings,
        answer: &TokenAnswer,
        whose: Option<&str>,
        now: SystemTime,
    ) -> Result<Account> {
        let token = answer.id_token.as_ref().unwrap_or(&answer.access_token);
        let person = claims::person(token.expose()).unwrap_or_default();
        let expected = self.settings.username.as_deref();
        let username = match (expected, person.names.first()) {
            (Some(expected), Some(first)) => {
                let same = |name: &String| name.to_lowercase() == expected.to_lowercase();
                if !person.names.iter().any(same) {
                    return Err(Error::new(
                        ErrorCode::AccountMismatch,
                        format!("{first} signed in, and {expected} was expected"),
                    ));
                }
                expected.to_owned()
            }
            // The service does not say: the configured name is all there is.
            (Some(expected), None) => expected.to_owned(),
            (None, Some(first)) => first.clone(),
            (None, None) if whose.is_some() => whose.unwrap_or_default().to_owned(),
            (None, None) => {
                let field = self.settings.spelling.path("username");
                return Err(Error::config(field.clone(), format!("`{field}` is missing"))
                    .with_hint("Set username to the mailbox: the service does not say who signed in."));
            }
        };
        Ok(Account {
            username,
            tenant: person.tenant,
            subject: person.subject,
            scopes: answer.scopes.clone().unwrap_or_else(|| auth.scopes.clone()),
            refresh_expires_at: answer.refresh_expires_in.map(|left| now + left),
        })
    }

    /// Notes where several processes look that a sign-in was finished; false if it was before.
    ///
    /// # Errors
    /// `store_failed`.
    pub(crate) async fn mark_finished(&self, id: &str, now: u64, until: u64) -> Result<bool> {
        match self.store()? {
            Store::File(file) => file.finish(id, now, until).await,
            Store::Redis(redis) => redis.finish(id, until.saturating_sub(now)).await,
            Store::Memory(_) | Store::Host(_) => Ok(true),
        }
    }
}

/// A person may untick what the consent page asks for (Google), and the service says so (RFC 6749 §5.1). Plain
/// services' names for scopes are not known well enough to be judged.
///
/// # Errors
/// `scope_rejected` if nothing that was asked for mail was granted.
fn granted(asked: &[String], granted: &[String]) -> Result<()> {
    let last =
        |scope: &str| scope.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_lowercase();
    let granted_too = |scope: &String| granted.iter().any(|other| last(other) == last(scope));
    match asked.is_empty() || asked.iter().any(granted_too) {
        true => Ok(()),
        false => {
            let text = format!("the sign-in was given {}, and not {}", granted.join(" "), asked.join(" "));
            Err(Error::new(ErrorCode::ScopeRejected, text)
                .with_hint("Start the sign-in again, and leave the boxes on the page ticked."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_that_was_unticked_is_said_so() {
        let list = |scopes: &str| scopes.split(' ').map(str::to_owned).collect::<Vec<_>>();
        const SEND: &str = "https://outlook.office.com/SMTP.Send";
        const GMAIL: &str = "https://mail.google.com/";
        for (asked, given, good) in [
            (GMAIL, "openid email", false),
            (GMAIL, "openid https://mail.google.com/", true),
            (SEND, "https://outlook.office.com/SMTP.Send openid", true),
            (SEND, "smtp.send", true),
            (SEND, "https://outlook.office.com/IMAP.AccessAsUser.All", false),
        ] {
            let judged = granted(&list(asked), &list(given));
            assert_eq!(judged.is_ok(), good, "{asked}: {given}");
            assert!(judged.err().is_none_or(|error| error.code() == ErrorCode::ScopeRejected));
        }
    }
}
