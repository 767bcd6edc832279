//! A token as the mail server wants it: XOAUTH2 (Google, "OAuth 2.0 Mechanism") and OAUTHBEARER
//! (RFC 7628 §3.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::AccessToken;
use crate::error::{Error, Result};
use crate::oauth::claims;

impl AccessToken {
    /// The JWT's claims, unverified; `None` if it is no JWT. For diagnosis only.
    pub fn claims(&self) -> Option<Map<String, Value>> {
        claims::claims(self.secret())
    }

    /// The XOAUTH2 response as plain text: what smtplib's and imaplib's authobjects return.
    /// `username` defaults to the token's own.
    ///
    /// # Errors
    /// `config_invalid` without a username, or with control characters in it.
    pub fn xoauth2(&self, username: Option<&str>) -> Result<String> {
        let user = self.user(username)?;
        Ok(format!("user={user}\x01auth=Bearer {}\x01\x01", self.plain_secret()?))
    }

    /// Returns the SASL text in base64, as it goes over the wire.
    ///
    /// # Errors
    /// The errors of [`AccessToken::xoauth2`].
    pub fn xoauth2_base64(&self, username: Option<&str>) -> Result<String> {
        Ok(STANDARD.encode(self.xoauth2(username)?))
    }

    /// The OAUTHBEARER response as plain text (RFC 7628 §3.1).
    ///
    /// # Errors
    /// As [`AccessToken::xoauth2`]; also for a control character in `host`.
    pub fn oauthbearer(&self, host: &str, port: u16, username: Option<&str>) -> Result<String> {
        // A GS2 saslname (RFC 5801 §4).
        let user = self.user(username)?.replace('=', "=3D").replace(',', "=2C");
        let host = printable("smtp.host", host)?;
        let secret = self.plain_secret()?;
        Ok(format!("n,a={user},\x01host={host}\x01port={port}\x01auth=Bearer {secret}\x01\x01"))
    }

    fn user<'a>(&'a self, username: Option<&'a str>) -> Result<&'a str> {
        let user = username.or_else(|| self.username()).ok_or_else(|| {
            Error::config("username", "`username` is missing")
                .with_hint("Set username to the mailbox: the mail server asks for its name.")
        })?;
        printable("username", user)
    }

    fn plain_secret(&self) -> Result<&str> {
        printable("auth.access_token", self.secret())
    }
}

/// `\x01` separates the fields: a control character in one would forge another.
fn printable<'a>(field: &str, text: &'a str) -> Result<&'a str> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(Error::config(field, format!("`{field}` is empty or has control characters")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::input::Secret;

    fn token(secret: &str, username: Option<&str>) -> AccessToken {
        AccessToken {
            secret: Secret::new(secret),
            username: username.map(Into::into),
            scopes: [].into(),
            expires_at: None,
            acquired: std::time::Instant::now(),
        }
    }

    #[test]
    fn xoauth2_is_microsofts_and_googles_published_example() {
        for (user, secret, expected) in [
            (
                "test@contoso.onmicrosoft.com",
                "EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA",
                "dXNlcj10ZXN0QGNvbnRvc28ub25taWNyb3NvZnQuY29tAWF1dGg9QmVhcmVyIEV3QkFBbDNCQUFVRkZwVUFvN0ozVmUw\
                 YmpMQldaV0NjbFJDM0VvQUEBAQ==",
            ),
            (
                "someuser@example.com",
                "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg",
                "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJo\
                 ZG1semRHRXVZMjl0Q2cBAQ==",
            ),
        ] {
            assert_eq!(token(secret, Some(user)).xoauth2_base64(None).unwrap(), expected);
            assert_eq!(token(secret, None).xoauth2_base64(Some(user)).unwrap(), expected);
        }
    }

    #[test]
    fn oauthbearer_is_rfc_7628_section_4_1() {
        let token = token("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==", None);
        let text = token.oauthbearer("server.example.com", 143, Some("user@example.com")).unwrap();
        assert_eq!(
            STANDARD.encode(text),
            "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIHZGOWRm\
             dDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"
        );
        let odd = token.oauthbearer("h", 1, Some("a=b,c@x")).unwrap();
        assert!(odd.starts_with("n,a=a=3Db=2Cc@x,\x01"), "{odd:?}");
    }

    #[test]
    fn nobody_and_control_characters_are_refused() {
        for (secret, user) in [("t", None), ("t", Some("")), ("t", Some("a\x01b")), ("t\r\n", Some("a"))] {
            let error = token(secret, None).xoauth2(user).unwrap_err();
            assert_eq!(error.code(), ErrorCode::ConfigInvalid, "{user:?}");
        }
        assert!(token("t", Some("a")).oauthbearer("h\x01", 1, None).is_err());
    }
}
