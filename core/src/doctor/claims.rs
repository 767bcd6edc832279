//! What a token says of itself, against what the mail server wants of it.
//!
//! Microsoft Learn: "Authenticate an IMAP, POP or SMTP connection using OAuth"; "Access token claims reference".

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::Seen;
use crate::error::{Error, ErrorCode, Result};
use crate::instant;

/// A JWT's claims.
#[derive(Clone, Copy)]
pub(crate) struct Claims<'a>(pub(crate) &'a Map<String, Value>);

impl<'a> Claims<'a> {
    /// What stands in Microsoft's, if Exchange could take it.
    ///
    /// # Errors
    /// `auth_rejected`: the first claim that Exchange would refuse, and the cure.
    pub(crate) fn for_exchange(self, username: Option<&str>, now: SystemTime) -> Result<Seen> {
        let refused =
            |what: String, cure: &str| Err(Error::new(ErrorCode::AuthRejected, what).with_hint(cure));
        let audience = self.text("aud").unwrap_or_default();
        if !EXCHANGE.iter().any(|part| audience.contains(part)) {
            let whose =
                if GRAPH.iter().any(|part| audience.contains(part)) { " (Microsoft Graph)" } else { "" };
            return refused(
                format!("the token is for {audience}{whose}, not for Exchange"),
                "Leave auth.scopes out, or ask for https://outlook.office.com/SMTP.Send; an application alone asks for https://outlook.office365.com/.default.",
            );
        }
        if let Some(until) = self.time("exp").filter(|until| *until <= now) {
            return refused(
                format!("the token has expired at {}", instant::to_rfc3339(until)),
                "Get a new token. If this one is new, this machine's clock is ahead: set the clock by NTP.",
            );
        }
        if self.is_delegated() {
            if !self.scopes().contains(&"SMTP.Send") {
                return refused(
                    format!("the token lacks the permission SMTP.Send; it has {}", self.scopes().join(" ")),
                    "Add the delegated permission SMTP.Send of Office 365 Exchange Online to the application, consent, and sign in again.",
                );
            }
            if let (Some(user), Some(username)) = (self.user(), username)
                && !user.eq_ignore_ascii_case(username)
            {
                return refused(
                    format!("the token is {user}'s, not {username}'s"),
                    "Sign in as that user. For a shared mailbox, set username to the person and from to the mailbox.",
                );
            }
        }
        let seen = self.shown();
        if let Some(ahead) = self.time("iat").and_then(|at| at.duration_since(now).ok()).filter(|d| *d > SKEW)
        {
            let means =
                format!("it was issued {} s in the future: this machine's clock is behind", ahead.as_secs());
            return Ok(Seen::warning(
                seen,
                means,
                "Set the clock by NTP: signatures and expiry times depend on it.",
            ));
        }
        if !self.is_delegated() && self.roles().iter().all(|role| !SENDING.contains(role)) {
            return Ok(Seen::warning(
                seen,
                "the token has no role SMTP.SendAsApp: this is right only if Exchange itself gives the application the role Application SMTP.SendAsApp",
                "If AUTH fails, assign that Exchange role (`mailbearer setup microsoft365` prints how), or add the application permission SMTP.SendAsApp of Office 365 Exchange Online and grant admin consent.",
            ));
        }
        Ok(Seen::from(seen))
    }

    /// What to look at, in order, when Exchange refuses a token whose claims are as they should be.
    pub(crate) fn refused_by_exchange(self, mailbox: &str) -> String {
        let auth_on = format!(
            "SMTP AUTH is on for the mailbox: Get-CASMailbox -Identity {mailbox} | Format-List SmtpClientAuthenticationDisabled"
        );
        let steps = match self.is_delegated() {
            true => vec![
                format!("{auth_on} (false; or empty, if Get-TransportConfig says false)"),
                format!(
                    "{mailbox} is the sign-in name (UPN) itself and no alias, and has a mailbox: Get-Mailbox -Identity {mailbox} | Format-List UserPrincipalName, RecipientTypeDetails"
                ),
            ],
            false => {
                let app = self.application().unwrap_or("<application id>");
                let principal = self.text("oid").unwrap_or("<object id of the enterprise application>");
                vec![
                    format!(
                        "Exchange knows the application: Get-ServicePrincipal | Format-List AppId, ObjectId shows {app} with {principal}. If not: New-ServicePrincipal -AppId {app} -ObjectId {principal} (this is the object id of the enterprise application, as the token has it, and not the registration's)"
                    ),
                    format!(
                        "Exchange lets the application into the mailbox: Test-ServicePrincipalAuthorization -Identity {principal} -Resource {mailbox} says InScope. If not: `mailbearer setup microsoft365`; or Add-MailboxPermission -Identity {mailbox} -User {principal} -AccessRights FullAccess"
                    ),
                    auth_on,
                    "Two hours have passed since the last change: `mailbearer verify --wait 2h` waits for it"
                        .to_owned(),
                ]
            }
        };
        let steps: String =
            steps.iter().enumerate().map(|(at, step)| format!("\n{}. {step}", at + 1)).collect();
        format!(
            "The token is right, so Exchange itself refuses it. In Exchange Online PowerShell, check that{steps}"
        )
    }

    fn shown(self) -> String {
        let permissions = match self.is_delegated() {
            true => format!("scopes {}", self.scopes().join(" ")),
            false => {
                format!("roles {}", if self.roles().is_empty() { "-".into() } else { self.roles().join(" ") })
            }
        };
        let text = |key: &str| self.text(key).unwrap_or("-").to_owned();
        format!(
            "audience {}, {permissions}, tenant {}, application {}, user {}, until {}",
            text("aud"),
            text("tid"),
            self.application().unwrap_or("-"),
            self.user().unwrap_or("-"),
            self.time("exp").map_or_else(|| "-".to_owned(), instant::to_rfc3339),
        )
    }

    fn is_delegated(self) -> bool {
        self.0.contains_key("scp")
    }

    fn scopes(self) -> Vec<&'a str> {
        self.text("scp").unwrap_or_default().split(' ').filter(|scope| !scope.is_empty()).collect()
    }

    fn roles(self) -> Vec<&'a str> {
        let roles = self.0.get("roles").and_then(Value::as_array);
        roles.map(|roles| roles.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
    }

    /// The application's id: tokens of version 1 have `appid`, those of version 2 `azp`.
    fn application(self) -> Option<&'a str> {
        self.text("appid").or_else(|| self.text("azp"))
    }

    fn user(self) -> Option<&'a str> {
        ["upn", "preferred_username", "unique_name", "email"].iter().find_map(|key| self.text(key))
    }

    fn text(self, key: &str) -> Option<&'a str> {
        self.0.get(key).and_then(Value::as_str)
    }

    fn time(self, key: &str) -> Option<SystemTime> {
        // Some write milliseconds, which is a year that no calendar has.
        let seconds = self.0.get(key)?.as_u64().filter(|seconds| *seconds < 100_000_000_000)?;
        UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    }
}

/// Parts of the audiences that are Exchange's, by address or by number.
const EXCHANGE: [&str; 4] =
    ["outlook.office", "outlook.office365", "00000002-0000-0ff1-ce00", "partner.outlook.cn"];
const GRAPH: [&str; 3] = ["graph.microsoft", "00000003-0000-0000-c000", "microsoftgraph.chinacloudapi.cn"];
const SENDING: [&str; 2] = ["SMTP.SendAsApp", "Mail.Send"];

/// A token from a little into the future is nobody's trouble.
const SKEW: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: u64 = 1_800_000_000;

    fn judge(claims: Value) -> Result<Seen> {
        let Value::Object(claims) = claims else { unreachable!() };
        Claims(&claims).for_exchange(Some("ada@contoso.com"), UNIX_EPOCH + Duration::from_secs(NOW))
    }

    #[test]
    fn a_token_that_exchange_would_refuse_is_named() {
        const OFFICE: &str = "https://outlook.office.com";
        let good =
            judge(json!({"aud": OFFICE, "scp": "SMTP.Send", "upn": "Ada@contoso.com", "appid": "app"}));
        let good = good.unwrap();
        assert!(good.cure.is_empty() && good.seen.contains("application app"), "{good:?}");
        assert!(judge(json!({"aud": OFFICE, "roles": ["SMTP.SendAsApp"]})).unwrap().cure.is_empty());
        // Exchange may still have given the role.
        assert!(judge(json!({"aud": OFFICE, "roles": []})).unwrap().cure.contains("setup microsoft365"));
        let ahead = judge(json!({"aud": OFFICE, "scp": "SMTP.Send", "iat": NOW + 600})).unwrap();
        assert!(ahead.means.contains("600 s"), "{ahead:?}");
        for (claims, said) in [
            (json!({"aud": "https://graph.microsoft.com", "scp": "SMTP.Send"}), "Microsoft Graph"),
            (json!({"aud": "00000003-0000-0000-c000-000000000000", "scp": "Mail.Send"}), "Microsoft Graph"),
            (json!({"aud": OFFICE, "scp": "IMAP.AccessAsUser.All"}), "it has IMAP.AccessAsUser.All"),
            (json!({"aud": OFFICE, "scp": "SMTP.Send", "upn": "bob@contoso.com"}), "bob@contoso.com's"),
            (
                json!({"aud": OFFICE, "scp": "SMTP.Send", "exp": NOW - 1}),
                "has expired at 2027-01-15T07:59:59Z",
            ),
        ] {
            let error = judge(claims).unwrap_err();
            assert!(error.message().contains(said), "{error}");
        }
    }

    #[test]
    fn what_remains_when_the_token_is_right_is_told_with_its_own_numbers() {
        let Value::Object(app) = json!({"appid": "a-1", "oid": "o-2", "roles": ["SMTP.SendAsApp"]}) else {
            unreachable!()
        };
        let cure = Claims(&app).refused_by_exchange("noreply@contoso.com");
        assert!(cure.contains("New-ServicePrincipal -AppId a-1 -ObjectId o-2"), "{cure}");
        assert!(cure.contains("Add-MailboxPermission -Identity noreply@contoso.com -User o-2"), "{cure}");
        let Value::Object(person) = json!({"scp": "SMTP.Send"}) else { unreachable!() };
        let cure = Claims(&person).refused_by_exchange("ada@contoso.com");
        assert!(
            cure.contains("Get-CASMailbox -Identity ada@contoso.com") && !cure.contains("ServicePrincipal")
        );
    }
}
