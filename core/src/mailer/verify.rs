//! `verify`: walks the chain from the name to MAIL FROM, and says for each link what to do.

use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::Instant;

use super::Mailer;
use crate::call::Call;
use crate::doctor::{Finding, Report, Status};
use crate::error::{Error, ErrorCode, Result};
use crate::instant;
use crate::message::Message;
use crate::provider::Family;
use crate::smtp;
use crate::token::{AccessToken, GetToken};

/// What [`Mailer::verify`] does beyond walking the chain.
#[derive(Clone, Debug, Default)]
pub struct VerifyRequest {
    /// Sends one real message there: the only proof of SendAs, quota and a mailbox with room.
    pub send_to: Option<String>,
    /// Returns the report even if a link failed, instead of its error.
    pub always_report: bool,
    /// Timeout and cancel.
    pub call: Call,
}

impl Mailer {
    /// Walks the chain: DNS, TCP, TLS, greeting, EHLO, token, claims, AUTH, MAIL FROM; then resets
    /// without sending, unless `send_to` says to.
    ///
    /// # Errors
    /// The first failing link's, with the whole report in it.
    pub async fn verify(&self, request: VerifyRequest) -> Result<Report> {
        let _ticket = self.running().enter()?;
        let mut walk = Walk::default();
        self.walk(&mut walk, &request).await;
        let Walk { findings, first } = walk;
        let report = Report { ok: first.is_none(), findings };
        match first {
            Some(error) if !request.always_report => Err(error.with_report(report)),
            _ => Ok(report),
        }
    }

    async fn walk(&self, walk: &mut Walk, request: &VerifyRequest) {
        let Some(route) = self.route() else {
            walk.ok("memory", "messages are kept in memory and sent nowhere".into());
            return;
        };
        let timeout = request.call.timeout.or(self.settings().timeout).unwrap_or(VERIFY_TIME);
        let deadline = Instant::now() + timeout;
        let sender = self.sender().map(|sender| sender.address).unwrap_or_default();
        let token = match self.tokens() {
            Ok(tokens) => tokens.get(GetToken { call: request.call.clone(), ..GetToken::default() }).await,
            Err(error) => Err(error),
        };
        let links = smtp::probe(&route, &sender, deadline, &request.call.cancel).await;
        let mut links = links.into_iter().peekable();
        while let Some(link) = links.next_if(|link| !["auth", "mail_from"].contains(&link.name)) {
            walk.link(link.name, link.seen);
        }
        match &token {
            Ok(token) => {
                walk.ok("token", seen_of(token));
                self.judge(walk, token);
            }
            Err(error) => walk.link("token", Err(error.clone())),
        }
        for name in ["auth", "mail_from"] {
            match links.next_if(|link| link.name == name) {
                Some(link) => walk.link(name, link.seen),
                None => walk.skipped(name),
            }
        }
        match &request.send_to {
            Some(to) if walk.first.is_none() => self.send_one(walk, to, request).await,
            Some(_) => walk.skipped("message"),
            None => walk.findings.push(Finding {
                link: "message",
                status: Status::Skipped,
                seen: "no message was sent".into(),
                means:
                    "the right to send as another address, quota and a full mailbox show only with a real one"
                        .into(),
                cure: "Pass an address to send to for the full proof.".into(),
                code: None,
            }),
        }
    }

    /// Reads the token's own claims against what the provider wants of them.
    fn judge(&self, walk: &mut Walk, token: &AccessToken) {
        let settings = self.settings();
        let Some(claims) = token.claims() else {
            return walk.ok("claims", format!("the token is opaque; granted: {}", token.scopes().join(" ")));
        };
        if settings.preset.family != Family::Microsoft {
            return walk.ok("claims", "the token is a JWT; this provider's claims are its own".into());
        }
        match wrong_claim(&claims, settings.username.as_deref()) {
            None if lacks_role(&claims) => walk.findings.push(Finding {
                link: "claims",
                status: Status::Warning,
                seen: seen_claims(&claims),
                means: "the token has no role SMTP.SendAsApp: right only if Exchange itself gives the application \
                        the role Application SMTP.SendAsApp"
                    .into(),
                cure: "If AUTH fails, assign that Exchange role, or add the application permission SMTP.SendAsApp \
                       of Office 365 Exchange Online and grant admin consent."
                    .into(),
                code: None,
            }),
            None => walk.ok("claims", seen_claims(&claims)),
            Some((message, hint)) => {
                let error = Error::new(ErrorCode::AuthRejected, message).with_hint(hint);
                walk.link("claims", Err(error));
            }
        }
    }

    async fn send_one(&self, walk: &mut Walk, to: &str, request: &VerifyRequest) {
        let message = Message::from_json(
            serde_json::json!({
                "to": [to],
                "subject": "mailbearer verify",
                "text": "This message proves that sending works. Nothing needs to be done.\n",
            }),
            Vec::new(),
            crate::config::Spelling::Snake,
        );
        let sent = match message {
            Ok(message) => self.send(&message, request.call.clone()).await,
            Err(error) => Err(error),
        };
        walk.link("message", sent.map(|receipt| format!("accepted: {}", receipt.reply)));
    }
}

#[derive(Default)]
struct Walk {
    findings: Vec<Finding>,
    first: Option<Error>,
}

impl Walk {
    fn ok(&mut self, link: &'static str, seen: String) {
        self.findings.push(Finding {
            link,
            status: Status::Ok,
            seen,
            means: String::new(),
            cure: String::new(),
            code: None,
        });
    }

    fn skipped(&mut self, link: &'static str) {
        self.findings.push(Finding {
            link,
            status: Status::Skipped,
            seen: "not tried, because of the failure above".into(),
            means: String::new(),
            cure: String::new(),
            code: None,
        });
    }

    fn link(&mut self, link: &'static str, seen: Result<String>) {
        let error = match seen {
            Ok(seen) => return self.ok(link, seen),
            Err(error) => error,
        };
        self.findings.push(Finding {
            link,
            status: Status::Failed,
            seen: error.message().to_owned(),
            means: error.code().row().meaning.to_owned(),
            cure: without_this_walk(error.hint().unwrap_or_default()),
            code: Some(error.code().as_str()),
        });
        self.first.get_or_insert(error);
    }
}

/// A hint that sends people here would send them in a circle.
fn without_this_walk(hint: &str) -> String {
    match hint.strip_prefix(RUN_VERIFY) {
        Some(rest) => rest.split_once(". ").map_or(COMPARE_CLAIMS, |(_, causes)| causes).to_owned(),
        None => hint.to_owned(),
    }
}

fn seen_of(token: &AccessToken) -> String {
    match token.expires_at() {
        Some(at) => format!("a token that expires at {}", instant::to_rfc3339(at)),
        None => "a token without a known expiry".into(),
    }
}

fn seen_claims(claims: &Map<String, Value>) -> String {
    let text = |key: &str| claims.get(key).and_then(Value::as_str).unwrap_or("-").to_owned();
    format!(
        "audience {}, scopes {}, roles {}, tenant {}, user {}",
        text("aud"),
        text("scp"),
        roles(claims).join(" "),
        text("tid"),
        user(claims).unwrap_or("-"),
    )
}

/// The first claim that Exchange would refuse, and the cure (facts: Microsoft Learn, "Authenticate an
/// IMAP, POP or SMTP connection using OAuth").
fn wrong_claim(claims: &Map<String, Value>, username: Option<&str>) -> Option<(String, String)> {
    let audience = claims.get("aud").and_then(Value::as_str).unwrap_or_default();
    let exchange = ["outlook.office", "outlook.office365", "00000002-0000-0ff1-ce00", "partner.outlook.cn"];
    if !exchange.iter().any(|part| audience.contains(part)) {
        return Some((
            format!("the token is for {audience}, not for Exchange"),
            "Leave auth.scopes out, or ask for https://outlook.office.com/SMTP.Send.".into(),
        ));
    }
    let scopes: Vec<_> = claims.get("scp").and_then(Value::as_str).unwrap_or_default().split(' ').collect();
    let delegated = claims.contains_key("scp");
    if delegated && !scopes.contains(&"SMTP.Send") {
        return Some((
            "the token lacks the permission SMTP.Send".into(),
            "Add the delegated permission SMTP.Send of Office 365 Exchange Online, consent, and sign in again."
                .into(),
        ));
    }
    if delegated
        && let (Some(user), Some(username)) = (user(claims), username)
        && !user.eq_ignore_ascii_case(username)
    {
        return Some((
            format!("the token is {user}'s, not {username}'s"),
            "Sign in as that user; for a shared mailbox let username be the person and from the mailbox."
                .into(),
        ));
    }
    None
}

fn lacks_role(claims: &Map<String, Value>) -> bool {
    let app = !claims.contains_key("scp");
    app && roles(claims).iter().all(|role| *role != "SMTP.SendAsApp" && *role != "Mail.Send")
}

fn user(claims: &Map<String, Value>) -> Option<&str> {
    ["upn", "preferred_username", "unique_name", "email"]
        .iter()
        .find_map(|key| claims.get(*key).and_then(Value::as_str))
}

fn roles(claims: &Map<String, Value>) -> Vec<&str> {
    let roles = claims.get("roles").and_then(Value::as_array);
    roles.map(|roles| roles.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

const RUN_VERIFY: &str = "Run `mailbearer verify`";
const COMPARE_CLAIMS: &str =
    "Compare the claims above with what this server wants: audience, user and scopes.";
const VERIFY_TIME: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_token_that_exchange_would_refuse_is_named() {
        let judge = |claims: Value| {
            let Value::Object(claims) = claims else { unreachable!() };
            wrong_claim(&claims, Some("ada@contoso.com")).map(|(message, _)| message).unwrap_or_default()
        };
        let office = "https://outlook.office.com";
        assert_eq!(judge(json!({"aud": office, "scp": "SMTP.Send", "upn": "Ada@contoso.com"})), "");
        assert_eq!(judge(json!({"aud": office, "roles": ["SMTP.SendAsApp"]})), "");
        assert!(judge(json!({"aud": "https://graph.microsoft.com", "scp": "SMTP.Send"})).contains("graph"));
        assert!(judge(json!({"aud": office, "scp": "IMAP.AccessAsUser.All"})).contains("SMTP.Send"));
        assert!(judge(json!({"aud": office, "scp": "SMTP.Send", "upn": "bob@contoso.com"})).contains("bob"));
        let Value::Object(bare) = json!({"aud": office, "roles": []}) else { unreachable!() };
        assert!(lacks_role(&bare) && wrong_claim(&bare, None).is_none(), "Exchange may still have the role");
    }

    #[test]
    fn nobody_is_sent_in_a_circle() {
        assert_eq!(without_this_walk(ErrorCode::AuthRejected.row().hint), COMPARE_CLAIMS);
        let causes = "Run `mailbearer verify`: it reads the token. Usual causes: a; b.";
        assert_eq!(without_this_walk(causes), "Usual causes: a; b.");
        assert_eq!(without_this_walk("Sign in again."), "Sign in again.");
    }
}
