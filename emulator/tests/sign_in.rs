//! People at Entra's pages: authorization codes, refresh tokens, devices.
#![allow(clippy::unwrap_used)]

mod support;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mailbearer_emulator::*;
use serde_json::{Value, json};
use support::entra::*;
use support::*;

#[test]
fn a_person_signs_in_and_the_tokens_say_who() {
    let emulator = microsoft();
    let web = Web::new(&emulator);
    let url = authorize(&emulator, "contoso.com", &[]);
    let callback = emulator.sign_in(&url, "ada@contoso.com", Decision::Approve).unwrap();
    assert!(callback.starts_with("http://localhost:4711/?"), "{callback}");
    assert_eq!(field(&callback, "state").unwrap(), "s&t");
    assert!(field(&callback, "iss").is_none());
    let code = field(&callback, "code").unwrap();
    let body = redeem(&web, &emulator, &code, &[]).json();
    assert_eq!(body["scope"], SEND);
    let access = claims(&body["access_token"]);
    assert_eq!((&access["upn"], &access["scp"]), (&json!("ada@contoso.com"), &json!("SMTP.Send")));
    assert_eq!(access["aud"], "https://outlook.office.com");
    let id = claims(&body["id_token"]);
    assert_eq!(id["preferred_username"], "ada@contoso.com");
    assert_eq!((&id["nonce"], &id["aud"]), (&json!("n1"), &json!(DEFAULT_PUBLIC_CLIENT_ID)));
    assert_eq!(id["iss"], format!("{}/{DEFAULT_TENANT_ID}/v2.0", emulator.authority()));
    let info = body["client_info"].as_str().unwrap();
    let info: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(info).unwrap()).unwrap();
    assert_eq!((&info["uid"], &info["utid"]), (&id["oid"], &id["tid"]));

    // The second time the code is gone, and what came of it too.
    let again = redeem(&web, &emulator, &code, &[]);
    assert_eq!(again.json()["error_codes"], json!([54005]));
    let refused = refresh(&web, &emulator, body["refresh_token"].as_str().unwrap());
    assert_eq!(refused.json()["error_codes"], json!([50173]));
}

#[test]
fn a_code_is_bound_to_its_request() {
    let emulator = microsoft();
    let web = Web::new(&emulator);
    for (over, code) in [
        (("code_verifier", "wrong"), 501_481),
        (("code_verifier", ""), 501_481),
        (("redirect_uri", "http://localhost:4712"), 500_112),
        (("code", "another"), 70_000),
        (("scope", "https://outlook.office.com/SMTP.Send User.Read"), 28_000),
    ] {
        let url = authorize(&emulator, "contoso.com", &[]);
        let callback = emulator.sign_in(&url, DEFAULT_USERNAME, Decision::Approve).unwrap();
        let answer = redeem(&web, &emulator, &field(&callback, "code").unwrap(), &[over]);
        assert_eq!(answer.json()["error_codes"], json!([code]), "{over:?}");
    }
    let url = authorize(&emulator, "common", &[]);
    let callback = emulator.sign_in(&url, DEFAULT_USERNAME, Decision::Approve).unwrap();
    let answer = redeem(&web, &emulator, &field(&callback, "code").unwrap(), &[]);
    assert_eq!(answer.json()["error_codes"], json!([700_005]));
    emulator.configure(json!({"code_lifetime": 0})).unwrap();
    let url = authorize(&emulator, "contoso.com", &[]);
    let callback = emulator.sign_in(&url, DEFAULT_USERNAME, Decision::Approve).unwrap();
    let answer = redeem(&web, &emulator, &field(&callback, "code").unwrap(), &[]);
    assert_eq!(answer.json()["error_codes"], json!([70_008]));
}

#[test]
fn the_client_hears_no_and_the_person_hears_what_the_client_may_not() {
    let emulator = microsoft();
    let signed = |over: &[(&str, &str)], decision| {
        emulator.sign_in(&authorize(&emulator, "contoso.com", over), DEFAULT_USERNAME, decision)
    };
    let declined = signed(&[], Decision::Deny).unwrap();
    assert_eq!(field(&declined, "error").unwrap(), "access_denied");
    assert_eq!(field(&declined, "state").unwrap(), "s&t");
    let silent = signed(&[("prompt", "none")], Decision::Approve).unwrap();
    assert_eq!(field(&silent, "error").unwrap(), "interaction_required");
    let scope = signed(&[("scope", "nonsense")], Decision::Approve).unwrap();
    assert_eq!(field(&scope, "error").unwrap(), "invalid_scope");
    let kind = signed(&[("response_type", "token")], Decision::Approve).unwrap();
    assert_eq!(field(&kind, "error").unwrap(), "unsupported_response_type");
    let fragment = signed(&[("response_mode", "fragment")], Decision::Approve).unwrap();
    assert!(fragment.contains("/#state=s%26t&code="), "{fragment}");
    for (over, code) in [
        (("client_id", "nobody"), "AADSTS700016"),
        (("redirect_uri", "http://localhost:4711/elsewhere"), "AADSTS50011"),
        (("redirect_uri", "https://evil.example/"), "AADSTS50011"),
        (("redirect_uri", "http://127.0.0.1:4711"), "AADSTS50011"),
    ] {
        let error = signed(&[over], Decision::Approve).unwrap_err();
        assert!(error.starts_with(code), "{error}");
    }
    assert!(
        emulator
            .sign_in(
                "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/authorize",
                "a@b.example",
                Decision::Approve
            )
            .is_err()
    );
    assert!(
        emulator.sign_in(&authorize(&emulator, "contoso.com", &[]), "nobody", Decision::Approve).is_err()
    );
}

#[test]
fn a_person_can_click_through_the_page() {
    let emulator = microsoft();
    let web = Web::new(&emulator);
    let url = authorize(&emulator, "contoso.com", &[("login_hint", "a\"<b>@contoso.com")]);
    let shown = web.get(&url);
    assert_eq!(shown.status, 200);
    assert!(shown.body.contains("a&quot;&lt;b&gt;@contoso.com") && !shown.body.contains("<b>@"));
    assert!(shown.headers["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    let query = url::Url::parse(&url).unwrap().query().unwrap().to_owned();
    let form = [("request", query.as_str()), ("username", "ada@contoso.com"), ("decision", "approve")];
    let answer = web.form(&url, &form);
    assert_eq!(answer.status, 302);
    let code = field(answer.location().as_str(), "code").unwrap();
    assert_eq!(redeem(&web, &emulator, &code, &[]).status, 200);
    let denied = web.form(&url, &[("request", query.as_str()), ("username", "x"), ("decision", "deny")]);
    assert_eq!(field(denied.location().as_str(), "error").unwrap(), "access_denied");
    assert_eq!(
        web.form(&url, &[("request", query.as_str()), ("username", "x"), ("decision", "approve")]).status,
        400
    );
    let foreign = web.send(|client| client.post(&url).header("origin", "https://evil.example").form(&form));
    assert_eq!(foreign.status, 403);
    let posted = authorize(&emulator, "contoso.com", &[("response_mode", "form_post")]);
    let query = url::Url::parse(&posted).unwrap().query().unwrap().to_owned();
    let page = web.form(
        &posted,
        &[("request", query.as_str()), ("username", "ada@contoso.com"), ("decision", "approve")],
    );
    assert!(page.body.contains("action=\"http://localhost:4711\"") && page.body.contains("name=\"code\""));
    assert_eq!(web.get(&authorize(&emulator, "fabrikam.com", &[])).status, 400);
    // Without a browser: the URL, and where to post which fields.
    let asked = |url: &str| web.post(&format!("{}/api/sign_in", emulator.url()), &json!({"url": url})).json();
    let answer = asked(&posted);
    assert_eq!(answer["form"]["url"], "http://localhost:4711");
    let code = answer["form"]["fields"]["code"].as_str().unwrap();
    assert_eq!(field(answer["callback"].as_str().unwrap(), "code").unwrap(), code);
    assert_eq!(redeem(&web, &emulator, code, &[]).status, 200);
    assert!(asked(&authorize(&emulator, "contoso.com", &[])).get("form").is_none());
}

#[test]
fn refresh_tokens_rotate_in_entras_way_and_in_the_strict_one() {
    let emulator = microsoft();
    let web = Web::new(&emulator);
    let first = signed_in(&web, &emulator);
    let old = first["refresh_token"].as_str().unwrap();
    let second = refresh(&web, &emulator, old).json();
    let new = second["refresh_token"].as_str().unwrap();
    assert_ne!(old, new);
    assert_eq!(refresh(&web, &emulator, old).status, 200, "the old one stays valid");
    emulator.configure(json!({"refresh_rotation": "reuse_detection"})).unwrap();
    let reused = refresh(&web, &emulator, old);
    assert_eq!((reused.status, &reused.json()["error"]), (400, &json!("invalid_grant")));
    assert_eq!(refresh(&web, &emulator, new).status, 400, "the family is revoked");
    assert_eq!(refresh(&web, &emulator, "nonsense").json()["error"], "invalid_grant");
    let other = configured(Config { refresh_rotation: Some(Rotation::None), ..Config::default() });
    let web = Web::new(&other);
    let first = signed_in(&web, &other);
    let kept = refresh(&web, &other, first["refresh_token"].as_str().unwrap());
    assert!(kept.json().get("refresh_token").is_none());
}

#[test]
fn revoked_means_invalid_grant_with_a_suberror() {
    let emulator = microsoft();
    let web = Web::new(&emulator);
    let settings = emulator.settings("refresh_token", "ada@contoso.com").unwrap();
    let held = settings["auth"]["refresh_token"].as_str().unwrap();
    assert_eq!(refresh(&web, &emulator, held).status, 200);
    emulator.revoke("ADA@contoso.com");
    let refused = refresh(&web, &emulator, held).json();
    assert_eq!(refused["error"], "invalid_grant");
    assert_eq!((&refused["error_codes"], &refused["suberror"]), (&json!([50173]), &json!("bad_token")));
    assert_eq!(emulator.seen()["token_requests"][1]["username"], "ada@contoso.com");
}

#[test]
fn personal_accounts_get_opaque_tokens_and_must_name_their_scope() {
    let emulator = microsoft();
    let web = Web::new(&emulator);
    let url = authorize(&emulator, "consumers", &[]);
    let callback = emulator.sign_in(&url, "ada@outlook.com", Decision::Approve).unwrap();
    let code = field(&callback, "code").unwrap();
    let fields = |grant, name, value| {
        vec![
            ("grant_type", grant),
            ("client_id", DEFAULT_PUBLIC_CLIENT_ID),
            (name, value),
            ("redirect_uri", "http://localhost:4711"),
            ("code_verifier", VERIFIER),
        ]
    };
    let body = token(&web, &emulator, "consumers", &fields("authorization_code", "code", &code)).json();
    let access = body["access_token"].as_str().unwrap();
    assert!(access.starts_with("EwB") && !access.contains('.'));
    let mut smtp = Smtp::secured(&emulator);
    smtp.ask(&format!("AUTH XOAUTH2 {}", xoauth2("ada@outlook.com", access)), "235");
    let held = body["refresh_token"].as_str().unwrap();
    let refused = token(&web, &emulator, "consumers", &fields("refresh_token", "refresh_token", held));
    assert_eq!(refused.json()["error_codes"], json!([900_144]));
}

fn device(web: &Web, emulator: &Emulator) -> Value {
    let url = format!("{}/contoso.com/oauth2/v2.0/devicecode", emulator.authority());
    let scope = format!("{SEND} offline_access openid");
    web.form(&url, &[("client_id", DEFAULT_PUBLIC_CLIENT_ID), ("scope", &scope)]).json()
}

fn poll(web: &Web, emulator: &Emulator, device_code: &str) -> Answer {
    token(
        web,
        emulator,
        "contoso.com",
        &[
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("client_id", DEFAULT_PUBLIC_CLIENT_ID),
            ("device_code", device_code),
        ],
    )
}

#[test]
fn a_device_waits_is_told_to_slow_down_and_gets_its_tokens() {
    let emulator = microsoft();
    let web = Web::new(&emulator);
    let started = device(&web, &emulator);
    assert_eq!((&started["interval"], &started["expires_in"]), (&json!(5), &json!(900)));
    let user_code = started["user_code"].as_str().unwrap();
    assert!(started["message"].as_str().unwrap().contains(user_code));
    let code = started["device_code"].as_str().unwrap();
    assert_eq!(poll(&web, &emulator, code).json()["error"], "authorization_pending");
    assert_eq!(poll(&web, &emulator, code).json()["error"], "slow_down");
    let page = web.get(started["verification_uri"].as_str().unwrap());
    assert!(page.body.contains("Sign in on a device") && page.body.contains(user_code));
    assert!(!page.body.contains("value=\"noreply@contoso.com\""), "nobody's name is suggested");
    let wrong = web.form(
        started["verification_uri"].as_str().unwrap(),
        &[("user_code", "wrong"), ("username", "ada@contoso.com"), ("decision", "approve")],
    );
    assert_eq!(wrong.status, 400);
    emulator.approve(&user_code.to_lowercase(), "ada@contoso.com", Decision::Approve).unwrap();
    assert!(emulator.approve(user_code, "ada@contoso.com", Decision::Approve).is_err());
    let body = poll(&web, &emulator, code).json();
    assert_eq!(claims(&body["access_token"])["upn"], "ada@contoso.com");
    assert!(body["refresh_token"].is_string() && body["id_token"].is_string());
    assert_eq!(poll(&web, &emulator, code).json()["error"], "invalid_grant");
}

#[test]
fn a_device_hears_no_too_late_and_wrong_code() {
    let emulator = configured(Config { device_interval: 0, ..Config::default() });
    let web = Web::new(&emulator);
    let started = device(&web, &emulator);
    let page = web.form(
        started["verification_uri"].as_str().unwrap(),
        &[
            ("user_code", started["user_code"].as_str().unwrap()),
            ("username", "a@contoso.com"),
            ("decision", "deny"),
        ],
    );
    assert_eq!(page.status, 200);
    let code = started["device_code"].as_str().unwrap();
    assert_eq!(poll(&web, &emulator, code).json()["error"], "authorization_declined");
    assert_eq!(poll(&web, &emulator, "x").json()["error"], "bad_verification_code");
    let started = device(&web, &emulator);
    emulator.configure(json!({"device_lifetime": 0})).unwrap();
    let code = started["device_code"].as_str().unwrap();
    assert_eq!(poll(&web, &emulator, code).json()["error"], "expired_token");
    assert!(
        emulator.approve(started["user_code"].as_str().unwrap(), "a@contoso.com", Decision::Approve).is_err()
    );
}
