//! What a sign-in service's refusal means: (`error`, `suberror`, AADSTS numbers) → code and cure.
//!
//! Branches on `error` and `suberror`, as Microsoft asks; numbers choose the hint, and the code only
//! where `error` alone is ambiguous. Sources: Microsoft "Entra authentication and authorization error
//! codes", Google "OAuth 2.0 error responses", RFC 6749 §5.2, RFC 8628 §3.5.

use std::time::Duration;

use super::known_refusals::{ENTRA, GOOGLE};
use crate::config::{AuthSettings, ClientCredential};
use crate::error::{Error, ErrorCode, OAuthDetail};
use crate::provider::Family;

/// What was asked of the service: the same word means different things to different questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The application's own token.
    App,
    /// A refresh.
    Refresh,
    /// A code's exchange, or the authorization page's own answer.
    Code,
    /// A device's sign-in: its beginning and its polls.
    Device,
    /// The end of a refresh token (RFC 7009).
    Revocation,
}

/// The error for a refusal.
pub(crate) fn error(
    detail: OAuthDetail,
    status: u16,
    retry_after: Option<Duration>,
    asked: Asked,
    auth: &AuthSettings,
) -> Error {
    let (mut code, hint) = judge(&detail, status, asked);
    // Some services have no other word for a refresh token that is gone; the request asks for nothing else.
    if asked == Asked::Refresh && auth.family == Family::Plain && detail.error == "invalid_request" {
        code = ErrorCode::InteractionRequired;
    }
    let words = plain_words(&detail.description);
    let message = match words.is_empty() {
        true => format!("the sign-in service says {}", plain_words(&detail.error)),
        false => format!("the sign-in service says {}: {words}", plain_words(&detail.error)),
    };
    // It gives no time, and is closed for minutes.
    let looping = detail.codes.contains(&50196).then_some(Duration::from_secs(300));
    // Never a word about a secret where there is none.
    let unproven = auth.grant.application().is_none_or(|a| matches!(a.credential, ClientCredential::None));
    let fitting = fitting(code, auth);
    let hint = hint.filter(|hint| unproven || fitting.is_none() || !hint.contains("client_secret"));
    let mut error = Error::new(code, message).with_retry_after(retry_after.or(looping));
    if let Some(hint) = hint {
        error = error.with_hint(hint);
    } else if code == ErrorCode::GrantRejected && asked == Asked::Refresh {
        error = error.with_hint("Sign in again with `mailbearer login`.");
    } else if let Some(hint) = fitting {
        error = error.with_hint(hint);
    }
    let base = &auth.authority;
    if code == ErrorCode::ConsentRequired && auth.family == Family::Microsoft && !base.is_empty() {
        let (client, scopes) = (auth.client_id(), auth.scopes.join("%20"));
        error = error.with_hint(format!(
            "An administrator must grant consent once: open {base}/v2.0/adminconsent?client_id={client}&scope={scopes}"
        ));
    }
    error.with_oauth(detail)
}

/// A hint where the code's own speaks of what this source does not have.
fn fitting(code: ErrorCode, auth: &AuthSettings) -> Option<&'static str> {
    let credential = auth.grant.application().map(|application| &application.credential);
    match (code, credential) {
        (ErrorCode::ClientRejected, None) => Some("Check auth.key_file: the service does not take its key."),
        (ErrorCode::ClientRejected, Some(ClientCredential::None)) => Some(
            "Check auth.client_id. If the application has a secret at the service, set auth.client_secret.",
        ),
        (ErrorCode::ClientRejected, Some(ClientCredential::Certificate(_))) => Some(
            "Check auth.client_id, and that the certificate is uploaded to this application and has not ended.",
        ),
        (ErrorCode::ClientRejected, Some(ClientCredential::Secret(_))) => None,
        (ErrorCode::ClientRejected, Some(_)) => Some(
            "Check auth.client_id, and that the application trusts the issuer, subject and audience of the assertion.",
        ),
        (ErrorCode::ScopeRejected, _) if auth.family == Family::Plain => {
            Some("Set auth.scopes to those that the service names for SMTP.")
        }
        _ => None,
    }
}

/// The code, and a hint better than the code's own.
pub(crate) fn judge(detail: &OAuthDetail, status: u16, asked: Asked) -> (ErrorCode, Option<&'static str>) {
    use ErrorCode::*;
    let rows = || detail.codes.iter().filter_map(|n| ENTRA.iter().find(|row| row.0 == *n));
    let passing = matches!(status, 408 | 429 | 500..=599)
        || ["temporarily_unavailable", "server_error"].contains(&detail.error.as_str());
    if passing || rows().any(|row| row.1 == Some(TokenEndpointUnavailable)) {
        return (TokenEndpointUnavailable, rows().map(|row| row.2).find(|hint| !hint.is_empty()));
    }
    let google = GOOGLE.iter().find(|(error, words, _, _)| {
        detail.error == *error
            && (words.is_empty()
                || detail.suberror.as_deref() == Some(words)
                || detail.description.contains(words))
    });
    let hint = rows()
        .map(|row| row.2)
        .next()
        .or_else(|| google.filter(|_| detail.codes.is_empty()).map(|(_, _, _, hint)| *hint));
    if let Some(code) = rows().find_map(|row| row.1) {
        return (code, hint);
    }
    if detail.codes.is_empty()
        && let Some((_, _, Some(code), _)) = google
    {
        return (*code, hint);
    }
    let signing_in = matches!(asked, Asked::Code | Asked::Device);
    let code = match (detail.error.as_str(), detail.suberror.as_deref()) {
        (_, Some("consent_required")) | ("consent_required", _) => ConsentRequired,
        ("invalid_grant", _) => match asked {
            Asked::App => GrantRejected,
            Asked::Refresh => InteractionRequired,
            Asked::Code | Asked::Device | Asked::Revocation => LoginInvalid,
        },
        ("interaction_required" | "login_required", _) if asked == Asked::App => GrantRejected,
        ("interaction_required" | "login_required" | "account_selection_required", _) => InteractionRequired,
        ("invalid_client" | "disabled_client" | "deleted_client", _) => ClientRejected,
        ("invalid_scope" | "invalid_resource" | "invalid_target", _) => ScopeRejected,
        ("access_denied" | "authorization_declined", _) if signing_in => LoginDeclined,
        ("expired_token" | "code_expired", _) => LoginExpired,
        ("bad_verification_code", _) => LoginInvalid,
        _ => GrantRejected,
    };
    (code, hint)
}

/// Whether one of Entra's numbers has a row here.
pub(crate) fn known(number: u64) -> bool {
    ENTRA.iter().any(|row| row.0 == number)
}

/// The numbers that have one.
pub(crate) fn entra_numbers() -> impl Iterator<Item = u64> {
    ENTRA.iter().map(|row| row.0)
}

/// Google's `error` and the words beside it.
pub(crate) fn google_sentences() -> impl Iterator<Item = (&'static str, &'static str)> {
    GOOGLE.iter().map(|row| (row.0, row.1))
}

/// The numbers that stand as `AADSTS…` in a description.
pub(crate) fn numbers(description: &str) -> Vec<u64> {
    let tails = description.split("AADSTS").skip(1);
    let digits = tails.map(|t| t.chars().take_while(char::is_ascii_digit).collect::<String>());
    let mut out: Vec<u64> = Vec::new();
    for number in digits.filter_map(|d| d.parse().ok()) {
        if !out.contains(&number) {
            out.push(number);
        }
    }
    out
}

/// A service's words on one line, without what is for its own support (that stands in the detail).
fn plain_words(text: &str) -> String {
    let end = ["Trace ID:", "Correlation ID:", "Timestamp:"].iter().filter_map(|mark| text.find(mark)).min();
    let text: String = text[..end.unwrap_or(text.len())]
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    text.trim_end_matches('.').chars().take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::known_refusals::PASSING;
    use ErrorCode::*;

    fn detail(error: &str, suberror: &str, number: u64) -> OAuthDetail {
        OAuthDetail {
            error: error.into(),
            suberror: (!suberror.is_empty()).then(|| suberror.into()),
            codes: if number == 0 { vec![] } else { vec![number] },
            ..OAuthDetail::default()
        }
    }

    #[test]
    fn refusals_are_judged_by_word_and_number() {
        for (error, suberror, number, status, asked, code) in [
            ("invalid_grant", "", 50173, 400, Asked::Refresh, InteractionRequired),
            ("invalid_grant", "bad_token", 700_082, 400, Asked::Refresh, InteractionRequired),
            ("invalid_grant", "consent_required", 0, 400, Asked::Refresh, ConsentRequired),
            ("invalid_grant", "", 65001, 400, Asked::Refresh, ConsentRequired),
            ("invalid_grant", "", 54005, 400, Asked::Code, LoginInvalid),
            ("invalid_grant", "", 501_481, 400, Asked::Code, LoginInvalid),
            ("invalid_grant", "", 0, 400, Asked::Code, LoginInvalid),
            ("invalid_grant", "", 0, 400, Asked::App, GrantRejected),
            ("invalid_grant", "", 53003, 400, Asked::Refresh, AuthPolicyBlocked),
            ("invalid_grant", "", 90033, 400, Asked::Refresh, TokenEndpointUnavailable),
            ("interaction_required", "basic_action", 50076, 400, Asked::Refresh, InteractionRequired),
            ("interaction_required", "", 0, 400, Asked::App, GrantRejected),
            ("invalid_client", "", 7_000_215, 401, Asked::App, ClientRejected),
            ("invalid_client", "", 7_000_222, 401, Asked::App, ClientRejected),
            ("invalid_client", "", 650_052, 401, Asked::Refresh, ConsentRequired),
            ("unauthorized_client", "", 700_016, 400, Asked::App, ClientRejected),
            ("unauthorized_client", "", 0, 400, Asked::App, GrantRejected),
            ("invalid_request", "", 7_000_218, 400, Asked::Device, ClientRejected),
            ("invalid_request", "", 90002, 400, Asked::App, GrantRejected),
            ("invalid_request", "", 28000, 400, Asked::Refresh, ScopeRejected),
            ("invalid_resource", "", 500_011, 400, Asked::App, ScopeRejected),
            ("invalid_scope", "", 0, 400, Asked::Refresh, ScopeRejected),
            ("authorization_declined", "", 0, 400, Asked::Device, LoginDeclined),
            ("access_denied", "", 0, 400, Asked::Device, LoginDeclined),
            ("access_denied", "", 65004, 400, Asked::Code, LoginDeclined),
            ("expired_token", "", 70019, 400, Asked::Device, LoginExpired),
            ("bad_verification_code", "", 70018, 400, Asked::Device, LoginInvalid),
            ("temporarily_unavailable", "", 0, 400, Asked::App, TokenEndpointUnavailable),
            ("server_error", "", 0, 400, Asked::App, TokenEndpointUnavailable),
            ("invalid_grant", "", 50173, 503, Asked::Refresh, TokenEndpointUnavailable),
            ("whatever", "", 0, 429, Asked::Refresh, TokenEndpointUnavailable),
            ("admin_policy_enforced", "", 0, 400, Asked::Code, ConsentRequired),
            ("unsupported_grant_type", "", 0, 400, Asked::App, GrantRejected),
        ] {
            let (seen, _) = judge(&detail(error, suberror, number), status, asked);
            assert_eq!(seen, code, "{error} {suberror} {number} {status} {asked:?}");
        }
    }

    #[test]
    fn every_number_has_its_cure_and_they_stand_in_order() {
        for pair in ENTRA.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{} before {}", pair[0].0, pair[1].0);
        }
        for (number, code, hint) in ENTRA {
            // What passes by itself may go without.
            let cure = Some(*hint).filter(|hint| !hint.is_empty());
            assert!(cure.map_or(*code == PASSING, |hint| hint.ends_with('.') && hint.len() > 20), "{number}");
            let (_, seen) = judge(&detail("invalid_grant", "", *number), 400, Asked::Refresh);
            assert_eq!(seen, cure, "{number}");
        }
        let google = detail("invalid_grant", "invalid_rapt", 0);
        assert!(judge(&google, 400, Asked::Refresh).1.unwrap().contains("session length"));
    }

    #[test]
    fn google_says_what_is_wrong_and_so_do_we() {
        for (error, words, code, hint) in [
            ("invalid_grant", "Token has been expired or revoked.", InteractionRequired, "every 7 days"),
            (
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.",
                ClientRejected,
                "clock",
            ),
            ("invalid_grant", "Invalid JWT Signature.", ClientRejected, "new key"),
            ("invalid_grant", "Invalid grant: account not found", ClientRejected, "auth.key_file"),
            ("invalid_grant", "Invalid email or User ID", InteractionRequired, "not in the Workspace"),
            ("invalid_grant", "Account has been deleted", InteractionRequired, "was deleted"),
            ("deleted_client", "The OAuth client was deleted.", ClientRejected, "make a new one"),
            ("unauthorized_client", "Client is unauthorized", GrantRejected, "domain-wide delegation"),
        ] {
            let said =
                OAuthDetail { error: error.into(), description: words.into(), ..OAuthDetail::default() };
            let (seen, cure) = judge(&said, 400, Asked::Refresh);
            assert_eq!(seen, code, "{words}");
            assert!(cure.unwrap_or_default().contains(hint), "{words}: {cure:?}");
        }
    }

    #[test]
    fn no_hint_speaks_of_a_secret_where_there_is_none() {
        use serde_json::json;
        for number in [700_211, 7_000_229, 9_002_325, 9_002_327, 90072, 900_382, 900_439, 0] {
            let auth = json!({"grant": "client_credentials", "client_id": "app", "tenant": "contoso.com",
                "client_assertion": "a.b.c"});
            let options = json!({"provider": "microsoft365", "username": "a@contoso.com", "auth": auth});
            let options = crate::config::Options::from_json(options, crate::config::Spelling::Snake).unwrap();
            let source = crate::TokenSource::new(options, crate::Host::default()).unwrap();
            let auth = source.shared.auth().unwrap();
            let error = error(detail("invalid_client", "", number), 401, None, Asked::App, auth);
            let hint = error.hint().unwrap();
            assert!(!hint.contains("secret") && !hint.contains("mailbearer login"), "{number}: {hint}");
        }
    }

    #[test]
    fn words_lose_what_is_for_support() {
        for text in [
            "AADSTS50173: The grant was revoked.\r\nTrace ID: 0\r\nCorrelation ID: 1\r\nTimestamp: 2",
            "AADSTS50173: The grant was revoked. Trace ID: 0 Correlation ID: 1 Timestamp: 2",
        ] {
            assert_eq!(plain_words(text), "AADSTS50173: The grant was revoked");
        }
        assert_eq!(numbers("AADSTS50173: x AADSTS65001 AADSTS: AADSTS50173"), [50173, 65001]);
    }
}
