//! What a sign-in service's refusal means: (`error`, `suberror`, AADSTS numbers) → code and cure.
//!
//! Branches on `error` and `suberror`, as Microsoft asks; numbers choose the hint, and the code only
//! where `error` alone is ambiguous. Sources: Microsoft "Entra authentication and authorization error
//! codes", Google "OAuth 2.0 error responses", RFC 6749 §5.2, RFC 8628 §3.5.

use std::time::Duration;

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

type Row = (u64, Option<ErrorCode>, &'static str);

const CONSENT: Option<ErrorCode> = Some(ErrorCode::ConsentRequired);
const CLIENT: Option<ErrorCode> = Some(ErrorCode::ClientRejected);
const SCOPE: Option<ErrorCode> = Some(ErrorCode::ScopeRejected);
const POLICY: Option<ErrorCode> = Some(ErrorCode::AuthPolicyBlocked);
const LOGIN: Option<ErrorCode> = Some(ErrorCode::LoginInvalid);
const PASSING: Option<ErrorCode> = Some(ErrorCode::TokenEndpointUnavailable);

const TENANT: &str = "Set auth.tenant to your organisation's domain, such as contoso.com, or its tenant id.";
const ACCOUNT: &str =
    "The account is not in this tenant: check auth.tenant, or sign in with an account of the right kind.";
const MFA: &str =
    "Sign in again with `mailbearer login`; for a program without a person use grant `client_credentials`.";
const DEVICE: &str =
    "Sign in from a managed device, or ask an administrator for a Conditional Access exception.";
const AGAIN: &str = "The sign-in was revoked, as after a change of password: run `mailbearer login`.";
const UNUSED: &str =
    "The sign-in was unused for too long: run `mailbearer login`, and keep the token store between runs.";
const UPLOAD: &str =
    "Upload the certificate to the application's registration, and check that it is the one configured.";
const CLOCK: &str = "Check this machine's clock: the assertion's time does not fit the service's.";
const FEDERATED: &str =
    "The federated credential's issuer, subject and audience must be exactly those of the assertion.";
const PERMISSION: &str =
    "Add the permission (SMTP.Send or SMTP.SendAsApp) of `Office 365 Exchange Online` to the registration.";
const ONE_RESOURCE: &str = "Ask for one resource at a time: leave auth.scopes out, or name one.";
const STALE_CODE: &str =
    "Start a new sign-in: a sign-in's code works once, in the sign-in that it belongs to.";
const FIELD: &str = "The request lacks a field: leave auth.scopes out, so that the preset fills it in.";
const CLOUD: &str =
    "The application belongs to another of Microsoft's clouds: set `cloud` (`global`, `us`, `dod`, `china`).";
const PLATFORM: &str = "The redirect URI is registered as `Single-page application`: register it as `Mobile and desktop applications`.";
const AUDIENCE: &str =
    "The registration takes work accounts only: let it support personal accounts, or set auth.tenant.";

/// Entra's numbers, in their order.
static ENTRA: &[Row] = &[
    (28000, SCOPE, ONE_RESOURCE),
    (
        50011,
        None,
        "Register the redirect URI exactly: http://localhost under `Mobile and desktop applications`; the path is case-sensitive.",
    ),
    (50012, CLIENT, UPLOAD),
    (50020, None, ACCOUNT),
    (50033, PASSING, ""),
    (50034, None, ACCOUNT),
    (50053, None, "Wait a while, or ask an administrator to unlock the account."),
    (50055, None, "The account's password has expired: set a new one, then run `mailbearer login`."),
    (50057, None, "The account is disabled: an administrator must enable it."),
    (50058, None, "Nobody is signed in there: leave auth.prompt out, so that the person is asked."),
    (50059, None, TENANT),
    (50072, None, MFA),
    (50074, None, MFA),
    (50076, None, MFA),
    (50079, None, MFA),
    (50097, None, DEVICE),
    (50105, None, "Assign the person to the application: Enterprise applications, Users and groups."),
    (50126, None, "Check the name and the password: one of them is wrong."),
    (50128, None, TENANT),
    (50132, None, AGAIN),
    (50133, None, AGAIN),
    (50173, None, AGAIN),
    (50194, None, TENANT),
    (
        50196,
        PASSING,
        "Stop the program that asks again and again, and let it keep its tokens: the service sees a loop.",
    ),
    (53000, None, DEVICE),
    (53001, None, DEVICE),
    (
        53003,
        POLICY,
        "Conditional Access blocks it: exclude the application or location, or use another grant.",
    ),
    (54005, LOGIN, STALE_CODE),
    (65001, CONSENT, "The application was not granted the permission: an administrator must consent once."),
    (65004, Some(ErrorCode::LoginDeclined), "Start the sign-in again and accept what the page asks."),
    (70008, None, UNUSED),
    (70011, SCOPE, "Leave auth.scopes out, or write a full URL; `.default` is for applications only."),
    (70016, None, "The person has not finished signing in yet."),
    (70018, LOGIN, "The device code belongs to another sign-in: start a new one."),
    (70019, Some(ErrorCode::LoginExpired), "Start the sign-in again; a device code lasts 15 minutes."),
    (70020, Some(ErrorCode::LoginExpired), "Start the sign-in again; a device code lasts 15 minutes."),
    (70021, CLIENT, FEDERATED),
    (70043, None, "A policy demands a sign-in every so often: use grant `client_credentials` for a program."),
    (90002, None, TENANT),
    (90006, PASSING, ""),
    (90012, PASSING, ""),
    (90014, None, FIELD),
    (90024, PASSING, ""),
    (90033, PASSING, ""),
    (90055, PASSING, ""),
    (90072, None, ACCOUNT),
    (90094, CONSENT, "Only an administrator may grant this permission."),
    (90095, CONSENT, "Only an administrator may grant this permission."),
    (
        500011,
        SCOPE,
        "The service does not know the scope's resource: check auth.scopes and `cloud`; the organisation may have no Exchange.",
    ),
    (500133, CLIENT, CLOCK),
    (500208, None, ACCOUNT),
    (501481, LOGIN, STALE_CODE),
    (530032, None, DEVICE),
    (
        530035,
        POLICY,
        "The organisation's security defaults block it: an administrator must allow modern sign-in.",
    ),
    (650052, CONSENT, PERMISSION),
    (650053, CONSENT, PERMISSION),
    (650054, CONSENT, PERMISSION),
    (650055, CONSENT, PERMISSION),
    (650056, CONSENT, PERMISSION),
    (650057, CONSENT, PERMISSION),
    (700005, LOGIN, "The code came from another tenant: use the same auth.tenant for both steps."),
    (
        700016,
        CLIENT,
        "The application is not in this organisation: check auth.client_id and auth.tenant, or consent to it there.",
    ),
    (700022, SCOPE, ONE_RESOURCE),
    (700024, CLIENT, CLOCK),
    (700025, CLIENT, "The application is a public client: remove auth.client_secret."),
    (700027, CLIENT, UPLOAD),
    (700082, None, UNUSED),
    (
        700084,
        None,
        "The redirect URI is of type SPA, whose sign-ins last 24 hours: register it as `Mobile and desktop`.",
    ),
    (700211, CLIENT, FEDERATED),
    (700212, CLIENT, FEDERATED),
    (700213, CLIENT, FEDERATED),
    (700214, CLIENT, FEDERATED),
    (900144, None, FIELD),
    (900382, CLIENT, CLOUD),
    (900439, CLIENT, CLOUD),
    (7000112, CLIENT, "The application is disabled: use an application of your own in auth.client_id."),
    (7000215, CLIENT, "auth.client_secret must be the secret's Value, not its Secret ID."),
    (
        7000218,
        CLIENT,
        "Set `Allow public client flows` to Yes in the registration, or give auth.client_secret.",
    ),
    (
        7000222,
        CLIENT,
        "The application's secret has expired: make a new one and put its Value into auth.client_secret.",
    ),
    (
        7000229,
        CONSENT,
        "The application has no account in this organisation: an administrator must consent once, or set auth.tenant to the right one.",
    ),
    (9001023, None, TENANT),
    (9002325, CLIENT, PLATFORM),
    (9002326, CLIENT, PLATFORM),
    (9002327, CLIENT, PLATFORM),
    (9002332, None, AUDIENCE),
];

type GoogleRow = (&'static str, &'static str, Option<ErrorCode>, &'static str);

/// `error`, a word of `error_subtype` or of the description (or any), the code if not the usual, the cure.
static GOOGLE: &[GoogleRow] = &[
    (
        "invalid_grant",
        "reasonable timeframe",
        CLIENT,
        "Check this machine's clock: the time in the service account's assertion does not fit Google's.",
    ),
    (
        "invalid_grant",
        "Invalid JWT Signature",
        CLIENT,
        "Google does not know this key: it was deleted or disabled. Make a new key for the service account, and set auth.key_file.",
    ),
    (
        "invalid_grant",
        "account not found",
        CLIENT,
        "Google does not know the service account, or it was deleted: check auth.key_file.",
    ),
    (
        "invalid_grant",
        "Invalid email or User ID",
        None,
        "The mailbox in auth.subject (or username) is not in the Workspace: name an account of the organisation, not an alias or a group.",
    ),
    (
        "invalid_request",
        "Invalid impersonation",
        None,
        "The mailbox in auth.subject (or username) is not in the Workspace: name an account of the organisation, not an alias or a group.",
    ),
    (
        "invalid_grant",
        "has been deleted",
        None,
        "The Google account was deleted: use another one, or ask an administrator to restore it within 20 days.",
    ),
    (
        "deleted_client",
        "",
        None,
        "The OAuth client was deleted in the Google Cloud console: make a new one, and set auth.client_id.",
    ),
    (
        "disabled_client",
        "",
        None,
        "The OAuth client is disabled in the Google Cloud console: enable it there.",
    ),
    (
        "invalid_grant",
        "invalid_rapt",
        None,
        "The organisation's session length policy asks for a new sign-in: run `mailbearer login`.",
    ),
    (
        "invalid_grant",
        "expired or revoked",
        None,
        "Sign in again with `mailbearer login`; while Google's consent screen is in `Testing` that is needed every 7 days.",
    ),
    (
        "invalid_grant",
        "Malformed auth code",
        None,
        "The code was cut or encoded twice on its way: start a new sign-in.",
    ),
    (
        "redirect_uri_mismatch",
        "",
        None,
        "Register the redirect URI exactly as it is, or make the client of type `Desktop app`.",
    ),
    (
        "unauthorized_client",
        "",
        None,
        "The client may not use this grant: check its type, and for service accounts the domain-wide delegation.",
    ),
    (
        "invalid_client",
        "",
        None,
        "Check auth.client_id and auth.client_secret against the service's console.",
    ),
    (
        "admin_policy_enforced",
        "",
        Some(ErrorCode::ConsentRequired),
        "A Workspace administrator must allow the application under Security, API controls.",
    ),
    (
        "org_internal",
        "",
        Some(ErrorCode::ConsentRequired),
        "The application is for its own organisation only: sign in with an account of it.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
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
