//! Google's dialect: its endpoints, its refusals, its replies.

#![allow(clippy::unwrap_used)]

mod support;

use mailbearer_emulator::{
    DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_SERVICE_ACCOUNT, Decision, Emulator, Mint,
};
use serde_json::{Value, json};
use support::{Answer, Smtp, Web, google, microsoft, xoauth2};

const USER: &str = "ada@example.com";
const MAIL: &str = "https://mail.google.com/";

fn authorize(emulator: &Emulator, over: &[(&str, &str)]) -> String {
    let mut url = url::Url::parse(&format!("{}/o/oauth2/v2/auth", emulator.authority())).unwrap();
    url.query_pairs_mut().extend_pairs([
        ("client_id", DEFAULT_CLIENT_ID),
        ("response_type", "code"),
        ("redirect_uri", "http://127.0.0.1:4711/"),
        ("scope", "openid https://mail.google.com/"),
        ("state", "s"),
    ]);
    url.query_pairs_mut().extend_pairs(over);
    url.into()
}

fn token(web: &Web, emulator: &Emulator, fields: &[(&str, &str)]) -> Answer {
    let mut fields = fields.to_vec();
    fields.push(("client_id", DEFAULT_CLIENT_ID));
    fields.push(("client_secret", DEFAULT_CLIENT_SECRET));
    web.form(&format!("{}/token", emulator.authority()), &fields)
}

fn redeem(web: &Web, emulator: &Emulator, over: &[(&str, &str)]) -> Value {
    let callback = emulator.sign_in(&authorize(emulator, over), USER, Decision::Approve).unwrap();
    let callback = url::Url::parse(&callback).unwrap();
    let field =
        |name: &str| callback.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    assert_eq!(field("iss").unwrap(), "https://accounts.google.com");
    assert_eq!(field("state").unwrap(), "s");
    let code = field("code").unwrap();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", "http://127.0.0.1:4711/"),
    ];
    let answer = token(web, emulator, &fields);
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

#[test]
fn a_person_signs_in_and_sends() {
    let emulator = google();
    let web = Web::new(&emulator);
    assert!(redeem(&web, &emulator, &[]).get("refresh_token").is_none());
    let body = redeem(&web, &emulator, &[("access_type", "offline")]);
    let access = body["access_token"].as_str().unwrap();
    assert!(access.starts_with("ya29."));
    assert!(body["refresh_token"].as_str().unwrap().starts_with("1//"));
    let mut smtp = Smtp::secured(&emulator);
    assert!(smtp.ask("EHLO x", "250-smtp.gmail.com").contains("OAUTHBEARER"));
    smtp.ask(&format!("AUTH XOAUTH2 {}", xoauth2(USER, access)), "235 2.7.0 Accepted");
    assert!(smtp.message("Subject: x\r\n\r\n").starts_with("250 2.0.0 OK "));
    let refreshed = token(
        &web,
        &emulator,
        &[("grant_type", "refresh_token"), ("refresh_token", body["refresh_token"].as_str().unwrap())],
    );
    assert_eq!(refreshed.status, 200);
    assert!(refreshed.json().get("refresh_token").is_none(), "Google does not rotate");
    for (scope, status) in
        [(MAIL, 200), ("openid https://mail.google.com/ https://www.googleapis.com/auth/drive", 400)]
    {
        let refresh_token = body["refresh_token"].as_str().unwrap();
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh_token), ("scope", scope)];
        let answer = token(&web, &emulator, &fields);
        assert_eq!(answer.status, status, "a refresh gives no more than was granted: {}", answer.body);
        assert!(status == 200 || answer.json()["error"] == "invalid_scope", "{}", answer.body);
    }
    emulator.revoke(USER);
    let refused = token(
        &web,
        &emulator,
        &[("grant_type", "refresh_token"), ("refresh_token", body["refresh_token"].as_str().unwrap())],
    );
    assert_eq!(
        (refused.status, refused.json()),
        (400, json!({"error": "invalid_grant", "error_description": "Token has been expired or revoked."}))
    );
}

#[test]
fn oauthbearer_is_taken_and_a_refusal_is_a_challenge_first() {
    use base64::Engine;
    let emulator = google();
    let token = emulator.mint(Mint { username: USER.into(), ..Mint::default() });
    let response = |token: &str| {
        base64::engine::general_purpose::STANDARD
            .encode(format!("n,a={USER},\x01host=localhost\x01port=587\x01auth=Bearer {token}\x01\x01"))
    };
    let mut smtp = Smtp::secured(&emulator);
    let challenge = smtp.ask(&format!("AUTH OAUTHBEARER {}", response("ya29.wrong")), "334 ");
    let json = base64::engine::general_purpose::STANDARD.decode(&challenge[4..]).unwrap();
    let json: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!((&json["status"], &json["scope"]), (&json!("400"), &json!(MAIL)));
    smtp.ask("AQ==", "535-5.7.8 Username and Password not accepted");
    smtp.ask("AUTH OAUTHBEARER", "334");
    smtp.ask(&response(&token), "235");
    assert_eq!(emulator.seen()["auth"][0]["challenge_answer"], "AQ==");
    // `gmail.send` is not enough for SMTP.
    let narrow = emulator.mint(Mint {
        username: USER.into(),
        scope: Some("https://www.googleapis.com/auth/gmail.send".into()),
        ..Mint::default()
    });
    let mut smtp = Smtp::secured(&emulator);
    smtp.ask(&format!("AUTH XOAUTH2 {}", xoauth2(USER, &narrow)), "334");
    smtp.ask("", "535");
}

#[test]
fn a_long_line_gets_555() {
    let emulator = google();
    emulator.configure(json!({"max_line": 1024})).unwrap();
    let mut smtp = Smtp::secured(&emulator);
    smtp.ask(&format!("AUTH XOAUTH2 {}", "x".repeat(1100)), "555-5.5.2 Syntax error, command line too long");
    smtp.ask("NOOP", "250");
}

#[test]
fn refusals_are_in_googles_words() {
    let emulator = google();
    let web = Web::new(&emulator);
    let wrong = web.form(
        &format!("{}/token", emulator.authority()),
        &[("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", "nobody")],
    );
    assert_eq!((wrong.status, &wrong.json()["error"]), (401, &json!("invalid_client")));
    assert!(wrong.json().get("error_codes").is_none());
    let device = web.form(
        &format!("{}/device/code", emulator.authority()),
        &[("client_id", DEFAULT_CLIENT_ID), ("scope", MAIL)],
    );
    assert_eq!((device.status, &device.json()["error"]), (400, &json!("invalid_scope")));
    let started = web
        .form(
            &format!("{}/device/code", emulator.authority()),
            &[("client_id", DEFAULT_CLIENT_ID), ("scope", "openid email")],
        )
        .json();
    let poll = || {
        let code = started["device_code"].as_str().unwrap();
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        token(&web, &emulator, &[("grant_type", grant), ("device_code", code)])
    };
    let pending = poll();
    assert_eq!((pending.status, &pending.json()["error"]), (428, &json!("authorization_pending")));
    emulator.approve(started["user_code"].as_str().unwrap(), USER, Decision::Deny).unwrap();
    assert_eq!((poll().status, &poll().json()["error"]), (403, &json!("access_denied")));
    assert!(emulator.settings("client_credentials", USER).is_err());
    assert!(emulator.settings("device_code", USER).is_err());
    let app = token(&web, &emulator, &[("grant_type", "client_credentials")]);
    assert_eq!(app.json()["error"], "unsupported_grant_type");
}

/// A service account's assertion with some claims changed.
fn assertion(emulator: &Emulator, changes: Value) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
    use rustls::pki_types::PrivatePkcs8KeyDer;
    use rustls::pki_types::pem::PemObject;

    let settings = emulator.settings("jwt_bearer", USER).unwrap();
    let file = std::fs::read(settings["auth"]["key_file"].as_str().unwrap()).unwrap();
    let file: Value = serde_json::from_slice(&file).unwrap();
    let key = PrivatePkcs8KeyDer::from_pem_slice(file["private_key"].as_str().unwrap().as_bytes()).unwrap();
    let random = SystemRandom::new();
    let pair =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.secret_pkcs8_der(), &random).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let mut claims = json!({
        "iss": file["client_email"], "sub": USER, "aud": file["token_uri"], "scope": MAIL, "iat": now, "exp": now + 3600,
    });
    claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let mut token = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","typ":"JWT"}"#);
    token.push('.');
    token.push_str(&URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature = pair.sign(&random, token.as_bytes()).unwrap();
    format!("{token}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn a_service_account_speaks_for_a_mailbox() {
    let emulator = google();
    let web = Web::new(&emulator);
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let ask = |assertion: &str| {
        let url = format!("{}/token", emulator.authority());
        web.form(&url, &[("grant_type", grant), ("assertion", assertion)])
    };
    let good = assertion(&emulator, json!({}));
    let answer = ask(&good);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.json().get("refresh_token").is_none() && answer.json().get("scope").is_none());
    let access = answer.json()["access_token"].as_str().unwrap().to_owned();
    Smtp::secured(&emulator).ask(&format!("AUTH XOAUTH2 {}", xoauth2(USER, &access)), "235");
    Smtp::secured(&emulator).ask(&format!("AUTH XOAUTH2 {}", xoauth2("bob@example.com", &access)), "334");
    let seen = emulator.seen()["token_requests"][0].clone();
    assert_eq!((&seen["username"], &seen["client_auth"]), (&json!(USER), &json!("assertion")));
    assert_eq!(seen["client_id"], DEFAULT_SERVICE_ACCOUNT);

    let mut forged = good.clone();
    forged.truncate(good.len() - 4);
    forged.push_str("AAAA");
    for (assertion, status, error, words) in [
        (forged, 400, "invalid_grant", "Invalid JWT Signature."),
        ("x".into(), 400, "invalid_grant", "Failed to parse the JWT"),
        (assertion(&emulator, json!({"iss": "nobody"})), 400, "invalid_grant", "account not found"),
        (assertion(&emulator, json!({"aud": "https://x.example/"})), 400, "invalid_grant", "audience check"),
        (assertion(&emulator, json!({"exp": 1})), 400, "invalid_grant", "reasonable timeframe"),
        (assertion(&emulator, json!({"exp": 99_999_999_999_u64})), 400, "invalid_grant", "short-lived"),
        (assertion(&emulator, json!({"scope": ""})), 400, "invalid_scope", "scopes were invalid"),
        (assertion(&emulator, json!({"sub": "nobody"})), 400, "invalid_grant", "Invalid email or User ID"),
        (assertion(&emulator, json!({"sub": "a@gmail.com"})), 401, "unauthorized_client", "is unauthorized"),
    ] {
        let answer = ask(&assertion);
        assert_eq!(
            (answer.status, answer.json()["error"].as_str()),
            (status, Some(error)),
            "{}",
            answer.body
        );
        assert!(answer.json()["error_description"].as_str().unwrap().contains(words), "{}", answer.body);
    }
    // Another account's key is not known here: its word is taken.
    let other = assertion(&emulator, json!({"iss": "own@project.iam.gserviceaccount.com"}));
    assert_eq!(ask(&other).status, 200);
    assert!(microsoft().settings("jwt_bearer", USER).is_err());
}
