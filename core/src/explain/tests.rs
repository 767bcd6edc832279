use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::*;
use crate::error::ErrorCode::*;

const NOW: u64 = 1_800_000_000;

fn all(text: &str) -> Vec<Explanation> {
    explain_at(text, UNIX_EPOCH + Duration::from_secs(NOW))
}

fn one(text: &str) -> Explanation {
    let mut all = all(text);
    assert_eq!(all.len(), 1, "{text}: {all:?}");
    all.remove(0)
}

fn jwt(claims: Value) -> String {
    format!(
        "{}.{}.c2ln",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    )
}

#[test]
fn replies_are_found_wherever_they_stand() {
    const DISABLED: &str =
        "5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit x";
    for text in [
        format!("535 {DISABLED}"),
        format!("S: 535 {DISABLED}\r\n"),
        // smtplib, nodemailer, PHPMailer, Go, a log.
        format!(
            "smtplib.SMTPAuthenticationError: (535, b'{DISABLED} [AM0PR.prod.outlook.com 2026-11-01T10:00:00Z]')"
        ),
        format!("Error: Invalid login: 535 {DISABLED}"),
        format!("SMTP ERROR: Password command failed: 535 {DISABLED}"),
        format!(
            "2026-11-01 10:00:00 [12] mail: send failed: 535-5.7.139 Authentication unsuccessful,\n535 {DISABLED}"
        ),
        DISABLED.to_owned(),
    ] {
        let found = one(&text);
        assert_eq!(found.code, Some(SmtpAuthDisabled), "{text}");
        assert_eq!(found.seen, "535 5.7.139", "{text}");
        assert!(found.cure.unwrap().contains("Set-TransportConfig"), "{text}");
        assert_eq!(found.meaning, "SMTP AUTH is switched off for the whole organisation");
    }
    for (text, code) in [
        ("535 5.7.3 Authentication unsuccessful", AuthRejected),
        ("550 5.1.1 <x@y>: Recipient address rejected: User unknown", RecipientsRejected),
        ("432 4.3.2 Concurrent connections limit exceeded.", Throttled),
        ("Remote server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound'", RecipientsRejected),
        ("554 5.2.252 SendAsDenied; a@x not allowed to send as b@x", SendAsDenied),
        ("454 TLS not available", TemporarilyRefused),
        ("5.7.60", SendAsDenied),
        ("status 5.2.2: full", MailboxFull),
    ] {
        assert_eq!(one(text).code, Some(code), "{text}");
    }
    // Neither addresses, versions, dates nor sizes are replies.
    for text in
        ["", "hello", "connect to 10.5.1.1 port 587", "version 5.1.3.4", "sent 550 messages", "250 2.0.0 Ok"]
    {
        assert_eq!(all(text), [], "{text}");
    }
}

#[test]
fn refusals_of_the_sign_in_service_are_explained() {
    let secret = one(
        r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app 'x'. Trace ID: a Correlation ID: b Timestamp: c","error_codes":[7000215]}"#,
    );
    assert_eq!((secret.code, secret.seen.as_str()), (Some(ClientRejected), "AADSTS7000215 (invalid_client)"));
    assert!(secret.cure.unwrap().contains("Value"));
    for (text, code) in [
        ("AADSTS700016: Application with identifier 'x' was not found in the directory", ClientRejected),
        ("msal: AADSTS53003: Access has been blocked by Conditional Access policies.", AuthPolicyBlocked),
        ("invalid_grant: AADSTS50173: The provided grant has expired", InteractionRequired),
        (
            r#"{"error": "invalid_grant", "error_description": "Token has been expired or revoked."}"#,
            InteractionRequired,
        ),
        ("error=access_denied&error_description=no", LoginDeclined),
        (r#"{"error": {"code": 401, "message": "AADSTS65001: no consent {x}"}}"#, ConsentRequired),
        (r#"{"error": "temporarily_unavailable"}"#, TokenEndpointUnavailable),
    ] {
        assert_eq!(one(text).code, Some(code), "{text}");
    }
    assert!(one("AADSTS999999: new").cure.unwrap().contains("error?code=999999"));
}

#[test]
fn a_bounce_names_its_recipients() {
    let report = "Reporting-MTA: dns; mx.example.com\n\nFinal-Recipient: rfc822; ada@example.com\nAction: failed\nStatus: 5.1.1\n\
        Diagnostic-Code: smtp; 550 5.1.1 no such\n user here\n\nFinal-Recipient: rfc822;bob@example.com\nAction: delayed\n\
        Status: 4.4.1\n\nFinal-Recipient: rfc822; cy@example.com\nAction: delivered\nStatus: 2.0.0\n\n\
        Content-Type: text/plain\n\nIn the text: 999 5.5.5\n";
    let found = all(report);
    let told: Vec<_> =
        found.iter().map(|f| (f.recipient.as_deref().unwrap(), f.code.unwrap(), f.retryable)).collect();
    assert_eq!(
        told,
        [("ada@example.com", RecipientsRejected, false), ("bob@example.com", TemporarilyRefused, true)]
    );
    assert!(found[1].cure.as_deref().unwrap().contains("goes on trying"));
}

#[test]
fn a_token_is_read_and_never_said_again() {
    let issuer = "https://sts.windows.net/t/";
    let graph = jwt(
        json!({"iss": issuer, "aud": "https://graph.microsoft.com", "scp": "Mail.Send", "exp": NOW + 60}),
    );
    let exchange = jwt(
        json!({"iss": issuer, "aud": "https://outlook.office.com", "scp": "SMTP.Send", "upn": "ada@contoso.com", "exp": NOW + 60}),
    );
    let other = jwt(json!({"iss": "https://id.example.com", "exp": NOW - 60}));
    let xoauth2 = STANDARD.encode(format!("user=ada@contoso.com\u{1}auth=Bearer {graph}\u{1}\u{1}"));
    for (text, code, said) in [
        (graph.clone(), Some(AuthRejected), "Microsoft Graph"),
        (format!("Authorization: Bearer {graph}"), Some(AuthRejected), "Microsoft Graph"),
        (
            json!({"token_type": "Bearer", "access_token": graph}).to_string(),
            Some(AuthRejected),
            "Microsoft Graph",
        ),
        (format!("AUTH XOAUTH2 {xoauth2}"), Some(AuthRejected), "Microsoft Graph"),
        (exchange.clone(), None, "as Exchange wants it"),
        (other.clone(), Some(AuthRejected), "expired"),
        (format!("ya29.{}", "a".repeat(60)), None, "Google"),
    ] {
        let found = one(&text);
        assert_eq!((found.kind, found.code), ("access_token", code), "{found:?}");
        assert!(found.meaning.contains(said), "{found:?}");
        let printed = format!("{found} {}", json!(found));
        for part in [&graph, &exchange, &other, &xoauth2] {
            assert!(!printed.contains(part.as_str()) && !printed.contains("c2ln"), "{printed}");
        }
        assert!(!printed.contains("ya29.a"), "{printed}");
    }
}

#[test]
fn every_known_text_is_explained_as_the_tables_judge_it() {
    let known = known_texts();
    assert!(known.len() > 100, "{}", known.len());
    for text in &known {
        let said = if text.text.is_empty() { &text.mark } else { &text.text };
        let found = one(said);
        assert_eq!(found.code, Some(text.code), "{said}");
        assert_eq!(found.meaning, text.cause, "{said}");
        assert!(!text.cause.is_empty() && !text.cause.ends_with('.'), "{said}");
    }
}

#[test]
fn nothing_that_was_given_is_said_again_and_nothing_panics() {
    let words = [
        "550",
        "5.1.1",
        "AADSTS",
        "7000215",
        "{\"error\":",
        "\"invalid_grant\"",
        "}",
        "Final-Recipient: rfc822;",
        "\u{e9}",
        "\r\n",
        "(535, b'",
        "eyJhbGciOiJSUzI1NiJ9.",
        "Diagnostic-Code: smtp;",
        "4.7.",
        "-",
        "secret-hunter2",
    ];
    // Every text of up to four of them.
    let mut texts = vec![String::new()];
    for _ in 0..3 {
        texts =
            texts.iter().flat_map(|text| words.iter().map(move |word| format!("{text}{word} "))).collect();
    }
    for text in texts {
        for found in all(&text) {
            assert!(!format!("{found}").contains("hunter2") || found.recipient.is_some(), "{text}: {found}");
        }
    }
}
