//! The sign-in service in Entra's words: apps, discovery, bad days.
#![allow(clippy::unwrap_used)]

mod support;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mailbearer_emulator::*;
use serde_json::{Value, json};
use support::entra::*;
use support::*;

#[test]
fn an_app_gets_a_token_and_sends_with_it() {
    let emulator = microsoft();
    let web = Web::new(&emulator);
    let answer = token(&web, &emulator, "contoso.com", &app_only(&[]));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let body = answer.json();
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 3599);
    assert!(body.get("refresh_token").is_none() && body.get("scope").is_none());
    let claims = claims(&body["access_token"]);
    assert_eq!(claims["aud"], "https://outlook.office365.com");
    assert_eq!(claims["roles"], json!(["SMTP.SendAsApp"]));
    assert_eq!(claims["tid"], DEFAULT_TENANT_ID);
    assert_eq!(claims["appid"], DEFAULT_CLIENT_ID);
    assert!(claims.get("upn").is_none());
    let length = body["access_token"].as_str().unwrap().len();
    assert!((1500..3000).contains(&length), "{length}");
    let mut smtp = Smtp::secured(&emulator);
    let auth = xoauth2("anybody@contoso.com", body["access_token"].as_str().unwrap());
    smtp.ask(&format!("AUTH XOAUTH2 {auth}"), "235");
    let seen = emulator.seen();
    assert_eq!(seen["token_requests"][0]["grant"], "client_credentials");
    assert_eq!(seen["token_requests"][0]["status"], 200);
    assert_eq!(seen["token_requests"][0]["client_auth"], "secret");
    assert_eq!(seen["auth"][0]["token_id"], 1);
    assert!(!seen.to_string().contains(DEFAULT_CLIENT_SECRET));
}

#[test]
fn basic_and_assertion_prove_a_client_too() {
    let emulator = microsoft();
    let web = Web::new(&emulator);
    let url = format!("{}/{DEFAULT_TENANT_ID}/oauth2/v2.0/token", emulator.authority());
    let fields = app_only(&[("client_id", ""), ("client_secret", "")]);
    let answer = web.send(|client| {
        client.post(&url).basic_auth(DEFAULT_CLIENT_ID, Some(DEFAULT_CLIENT_SECRET)).form(&fields)
    });
    assert_eq!(answer.status, 200, "{}", answer.body);
    let assertion = |exp: i64, issuer: &str| {
        let claims = json!({"iss": issuer, "sub": issuer, "jti": "1", "aud": url, "exp": exp});
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
    };
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    for (assertion, status, code) in [
        (assertion(now + 300, DEFAULT_CLIENT_ID), 200, Value::Null),
        (assertion(now - 1, DEFAULT_CLIENT_ID), 401, json!([700024])),
        (assertion(now + 300, DEFAULT_PUBLIC_CLIENT_ID), 401, json!([50027])),
        ("nonsense".to_owned(), 401, json!([50027])),
    ] {
        let fields = app_only(&[
            ("client_secret", ""),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &assertion),
        ]);
        let answer = token(&web, &emulator, "contoso.com", &fields);
        assert_eq!((answer.status, &answer.json()["error_codes"]), (status, &code));
    }
}

#[test]
fn each_mistake_has_its_number() {
    let emulator = microsoft();
    let web = Web::new(&emulator);
    let public = DEFAULT_PUBLIC_CLIENT_ID;
    let cases = [
        ("contoso.com", app_only(&[("client_id", "nobody")]), 400, "unauthorized_client", 700_016),
        ("contoso.com", app_only(&[("client_secret", "wrong")]), 401, "invalid_client", 7_000_215),
        ("contoso.com", app_only(&[("client_secret", "")]), 401, "invalid_client", 7_000_218),
        ("contoso.com", app_only(&[("client_id", public)]), 401, "invalid_client", 700_025),
        ("fabrikam.com", app_only(&[]), 400, "invalid_request", 90_002),
        ("common", app_only(&[]), 400, "invalid_request", 9_001_023),
        ("contoso.com", app_only(&[("scope", "")]), 400, "invalid_request", 900_144),
        ("contoso.com", app_only(&[("scope", "nonsense")]), 400, "invalid_scope", 70_011),
        ("contoso.com", app_only(&[("scope", SEND)]), 400, "invalid_scope", 1_002_012),
        (
            "contoso.com",
            app_only(&[("scope", "https://outlook.example.com/.default")]),
            400,
            "invalid_resource",
            500_011,
        ),
        (
            "contoso.com",
            app_only(&[(
                "scope",
                "https://outlook.office.com/.default https://graph.microsoft.com/.default",
            )]),
            400,
            "invalid_request",
            28_000,
        ),
        ("contoso.com", app_only(&[("grant_type", "password")]), 400, "unsupported_grant_type", 70_003),
        ("contoso.com", app_only(&[("grant_type", "")]), 400, "invalid_request", 900_144),
    ];
    for (tenant, fields, status, error, code) in cases {
        let answer = token(&web, &emulator, tenant, &fields);
        let body = answer.json();
        assert_eq!((answer.status, body["error"].as_str()), (status, Some(error)), "{code}: {body}");
        assert_eq!(body["error_codes"], json!([code]));
        let description = body["error_description"].as_str().unwrap();
        assert!(description.starts_with(&format!("AADSTS{code}: ")), "{description}");
        for part in [" Trace ID: ", " Correlation ID: ", " Timestamp: "] {
            assert!(description.contains(part), "{description}");
        }
        for name in ["timestamp", "trace_id", "correlation_id", "error_uri"] {
            assert!(body[name].is_string(), "{name}");
        }
        assert!(!answer.body.contains('\''), "apostrophes are escaped");
    }
    let seen = emulator.seen();
    assert_eq!(seen["token_requests"][1]["error"], "invalid_client");
    assert_eq!(seen["token_requests"][4]["tenant"], "fabrikam.com");
}

#[test]
fn a_graph_token_gets_no_mail_out() {
    let emulator = microsoft();
    let web = Web::new(&emulator);
    let fields = app_only(&[("scope", "https://graph.microsoft.com/.default")]);
    let body = token(&web, &emulator, "contoso.com", &fields).json();
    assert_eq!(claims(&body["access_token"])["aud"], "https://graph.microsoft.com");
    let mut smtp = Smtp::secured(&emulator);
    let auth = xoauth2(DEFAULT_USERNAME, body["access_token"].as_str().unwrap());
    smtp.ask(&format!("AUTH XOAUTH2 {auth}"), "535 5.7.3");
}

#[test]
fn what_clients_look_up_fits_together() {
    let emulator = microsoft();
    let web = Web::new(&emulator);
    let base = emulator.authority();
    let doc = web.get(&format!("{base}/contoso.com/v2.0/.well-known/openid-configuration")).json();
    assert_eq!(doc["issuer"], format!("{base}/{DEFAULT_TENANT_ID}/v2.0"));
    assert_eq!(doc["token_endpoint"], format!("{base}/contoso.com/oauth2/v2.0/token"));
    let keys = web.get(doc["jwks_uri"].as_str().unwrap()).json();
    let key = &keys["keys"][0];
    let point = [
        &[4][..],
        &URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap(),
        &URL_SAFE_NO_PAD.decode(key["y"].as_str().unwrap()).unwrap(),
    ]
    .concat();
    let body = token(&web, &emulator, "contoso.com", &app_only(&[])).json();
    let (signed, signature) = body["access_token"].as_str().unwrap().rsplit_once('.').unwrap();
    ring::signature::UnparsedPublicKey::new(&ring::signature::ECDSA_P256_SHA256_FIXED, point)
        .verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
        .unwrap();
    for name in ["common", "organizations"] {
        let doc = web.get(&format!("{base}/{name}/v2.0/.well-known/openid-configuration")).json();
        assert_eq!(doc["issuer"], format!("{base}/{{tenantid}}/v2.0"));
    }
    let unknown = web.get(&format!("{base}/fabrikam.com/v2.0/.well-known/openid-configuration"));
    // Entra says `invalid_tenant` here, and `invalid_request` at the token endpoint.
    assert_eq!((unknown.status, &unknown.json()["error"]), (400, &"invalid_tenant".into()));
    let description = unknown.json()["error_description"].as_str().unwrap().to_owned();
    assert!(description.starts_with("AADSTS90002: Tenant 'fabrikam.com' not found. "), "{description}");
    let instance = web.get(&format!("{base}/common/discovery/instance?api-version=1.1&authorization_endpoint={base}/contoso.com/oauth2/v2.0/authorize")).json();
    assert!(instance["tenant_discovery_endpoint"].as_str().unwrap().contains("/contoso.com/"));
    // The same without TLS, for those who configure an endpoint on the loopback interface.
    let plain = emulator.url();
    let doc = web.get(&format!("{plain}/contoso.com/v2.0/.well-known/openid-configuration")).json();
    assert!(doc["token_endpoint"].as_str().unwrap().starts_with(plain));
}

#[test]
fn the_token_endpoint_has_bad_days() {
    let emulator = microsoft();
    let web = Web::new(&emulator);
    let ask = || {
        let url = format!("{}/contoso.com/oauth2/v2.0/token", emulator.authority());
        web.try_send(|client| client.post(&url).form(&app_only(&[])))
    };
    let fail = |fault| emulator.fail(fault).unwrap();
    let http = |status| Fault { status: Some(status), ..Fault::at("token") };
    fail(Fault { headers: [("Retry-After".into(), "7".into())].into(), ..http(429) });
    let throttled = ask().unwrap();
    assert_eq!((throttled.status, &throttled.headers["retry-after"]), (429, &"7".parse().unwrap()));
    fail(Fault { body: Some("<html>Bad gateway</html>".into()), ..http(502) });
    let page = ask().unwrap();
    assert_eq!((page.status, page.body.as_str()), (502, "<html>Bad gateway</html>"));
    assert!(page.headers["content-type"].to_str().unwrap().starts_with("text/html"));
    fail(Fault { body: Some("{\"access_token\":\"x".into()), ..Fault::at("token") });
    assert_eq!(ask().unwrap().body, "{\"access_token\":\"x");
    fail(Fault { drop: true, ..Fault::at("token") });
    assert!(ask().is_err());
    fail(Fault { drop: true, body: Some("{\"acc".into()), ..Fault::at("token") });
    assert!(ask().is_err());
    fail(Fault { delay: 0.1, ..Fault::at("token") });
    let before = std::time::Instant::now();
    assert_eq!(ask().unwrap().status, 200);
    assert!(before.elapsed().as_millis() >= 100);
    fail(Fault { matching: Some("grant_type=refresh".into()), ..http(500) });
    assert_eq!(ask().unwrap().status, 200);
    let held = emulator.settings("refresh_token", DEFAULT_USERNAME).unwrap();
    let held = held["auth"]["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(refresh(&web, &emulator, &held).status, 500);

    // The answer is lost, the rotation happened.
    emulator.configure(json!({"refresh_rotation": "reuse_detection"})).unwrap();
    fail(Fault { after: true, ..http(503) });
    assert_eq!(refresh(&web, &emulator, &held).status, 503);
    assert_eq!(refresh(&web, &emulator, &held).json()["error"], "invalid_grant");
}

#[test]
fn answers_come_in_the_variants_that_services_have() {
    let emulator = configured(Config {
        expires_in_as_string: true,
        token_lifetime: 60,
        token_type: "bearer".into(),
        crlf_descriptions: true,
        clock_skew: -600,
        client_secret: "changed".into(),
        app_roles: Vec::new(),
        ..Config::default()
    });
    let web = Web::new(&emulator);
    let refused = token(&web, &emulator, "contoso.com", &app_only(&[])).json();
    assert!(refused["error_description"].as_str().unwrap().contains("\r\nTrace ID: "));
    let body = token(&web, &emulator, "contoso.com", &app_only(&[("client_secret", "changed")])).json();
    assert_eq!((&body["expires_in"], &body["token_type"]), (&json!("60"), &json!("bearer")));
    let claims = claims(&body["access_token"]);
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    assert!(claims["exp"].as_i64().unwrap() < now - 500, "the server's clock is behind");
    let mut smtp = Smtp::secured(&emulator);
    let auth = xoauth2(DEFAULT_USERNAME, body["access_token"].as_str().unwrap());
    smtp.ask(&format!("AUTH XOAUTH2 {auth}"), "535 5.7.3");
}
