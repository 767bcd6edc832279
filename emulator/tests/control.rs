//! The object itself, its settings, its certificates, and the same over HTTP.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use mailbearer_emulator::{Certificate, DEFAULT_CLIENT_SECRET, DEFAULT_USERNAME, Emulator, Mint, Options};
use serde_json::{Value, json};
use support::{Smtp, Web, microsoft, xoauth2};

#[test]
fn it_stops_although_a_client_stays_and_leaves_nothing() {
    let emulator = microsoft();
    let (port, ca) = (emulator.smtp_port(), emulator.ca_file().to_owned());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let folder = std::fs::metadata(ca.parent().unwrap()).unwrap();
        assert_eq!(folder.permissions().mode() & 0o777, 0o700);
    }
    let open = Smtp::ready(&emulator);
    drop(emulator);
    assert!(!ca.exists() && !ca.parent().unwrap().exists());
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    drop(open);
}

#[test]
fn several_run_side_by_side() {
    let (one, two) = (microsoft(), microsoft());
    assert_ne!(one.smtp_port(), two.smtp_port());
    assert!(Smtp::ready(&one).message("x").starts_with("250"));
    assert_eq!((one.messages().len(), two.messages().len()), (1, 0));
}

#[test]
fn waiting_ends_with_the_message_or_with_the_time() {
    let emulator = microsoft();
    let error = emulator.wait_for(1, Duration::from_millis(10)).unwrap_err();
    assert!(error.contains("0 of 1"), "{error}");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| emulator.wait_for(2, Duration::from_secs(10)));
        let mut smtp = Smtp::ready(&emulator);
        smtp.message("one");
        smtp.message("two");
        assert_eq!(waiting.join().unwrap().unwrap().len(), 2);
    });
    emulator.clear();
    assert!(emulator.messages().is_empty());
}

#[test]
fn certificates_are_bad_where_they_are_meant_to_be() {
    let start = |certificate, authority_certificate| {
        Emulator::start(Options { certificate, authority_certificate, ..Options::default() }).unwrap()
    };
    for kind in [Certificate::Expired, Certificate::WrongName, Certificate::SelfSigned] {
        let emulator = start(kind, Certificate::Valid);
        let mut smtp = Smtp::plain(emulator.smtps_port());
        assert!(smtp.start_tls(&emulator).is_err(), "{kind:?}");
        let discovery = format!("{}/common/v2.0/.well-known/openid-configuration", emulator.authority());
        assert_eq!(Web::new(&emulator).get(&discovery).status, 200);
        let emulator = start(Certificate::Valid, kind);
        let discovery = format!("{}/common/v2.0/.well-known/openid-configuration", emulator.authority());
        assert!(Web::new(&emulator).try_send(|client| client.get(&discovery)).is_err());
        Smtp::ready(&emulator);
    }
    assert_eq!(
        serde_json::from_value::<Options>(json!({"certificate": "wrong_name"})).unwrap().certificate,
        Certificate::WrongName
    );
    assert!(serde_json::from_value::<Options>(json!({"config": {"starttls": 1}})).is_err());
}

#[test]
fn settings_name_everything_that_a_mailer_needs() {
    let emulator = microsoft();
    let options = emulator.settings("client_credentials", DEFAULT_USERNAME).unwrap();
    assert_eq!(options["provider"], "microsoft365");
    assert_eq!(options["auth"]["authority"], emulator.authority());
    assert_eq!(options["auth"]["client_secret"], DEFAULT_CLIENT_SECRET);
    assert_eq!(
        options["smtp"],
        json!({"host": "localhost", "port": emulator.smtp_port(), "security": "starttls"})
    );
    assert_eq!(options["tls"]["roots"], emulator.ca_file().to_str().unwrap());
    let environ = emulator.environ("client_credentials", DEFAULT_USERNAME).unwrap();
    for (name, value) in [
        ("MAILBEARER_PROVIDER", "microsoft365"),
        ("MAILBEARER_AUTH__GRANT", "client_credentials"),
        ("MAILBEARER_SMTP__PORT", &emulator.smtp_port().to_string()),
        ("MAILBEARER_TLS__ROOTS", emulator.ca_file().to_str().unwrap()),
    ] {
        assert!(environ.contains(&(name.into(), value.into())), "{name}: {environ:?}");
    }
    for grant in ["authorization_code", "device_code", "refresh_token", "access_token", "callback"] {
        assert_eq!(emulator.settings(grant, DEFAULT_USERNAME).unwrap()["auth"]["grant"], grant);
    }
    let token = emulator.settings("access_token", "ada@contoso.com").unwrap();
    let auth = xoauth2("ada@contoso.com", token["auth"]["access_token"].as_str().unwrap());
    Smtp::secured(&emulator).ask(&format!("AUTH XOAUTH2 {auth}"), "235");
    assert!(emulator.settings("password", DEFAULT_USERNAME).unwrap_err().contains("device_code"));
}

#[test]
fn the_same_is_there_over_http() {
    let emulator = microsoft();
    let web = Web::new(&emulator);
    let api = |path: &str| format!("{}/api/{path}", emulator.url());
    let minted = web.post(&api("mint"), &json!({"username": "ada@contoso.com"})).json();
    let auth = xoauth2("ada@contoso.com", minted["access_token"].as_str().unwrap());
    let mut smtp = Smtp::secured(&emulator);
    smtp.ask(&format!("AUTH XOAUTH2 {auth}"), "235");
    assert_eq!(web.post(&api("fail"), &json!({"at": "rcpt", "reply": "450 4.2.1 busy"})).status, 200);
    assert!(
        web.post(&api("fail"), &json!({"at": "nowhere"})).json()["error"].as_str().unwrap().contains("rcpt")
    );
    smtp.ask("MAIL FROM:<ada@contoso.com>", "250");
    smtp.ask("RCPT TO:<a@x.example>", "450 4.2.1 busy");
    smtp.ask("RSET", "250");
    assert!(
        smtp.message(
            "Subject: <i>hi</i>\r\nContent-Type: text/html\r\n\r\n<script>alert(1)</script><b>hi</b>"
        )
        .starts_with("250")
    );
    let waited = web.get(&api("wait?count=1&timeout=5")).json();
    assert_eq!(waited[0]["subject"], "<i>hi</i>");
    assert_eq!(web.get(&api("wait?count=9&timeout=0.01")).status, 408);
    let described = web.get(&format!("{}/api", emulator.url()));
    assert!(described.body.starts_with("# The emulator's interface"));
    let raw = web.get(&api("messages/1/raw"));
    assert!(raw.body.starts_with("Subject: <i>hi</i>\r\n"));
    assert!(raw.headers["content-type"].to_str().unwrap().starts_with("text/plain"));
    let inbox = web.get(emulator.url());
    assert!(inbox.body.contains("&lt;i&gt;hi&lt;/i&gt;") && !inbox.body.contains("<i>hi"));
    let page = web.get(&format!("{}/messages/1", emulator.url()));
    assert!(page.body.contains("<iframe sandbox") && !page.body.contains("<script>"));
    let html = web.get(&format!("{}/messages/1/html", emulator.url()));
    let policy = html.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("sandbox allow-popups") && !policy.contains("script"), "{policy}");
    assert_eq!(web.get(&api("seen")).json()["messages"][0]["mail_from"], "noreply@contoso.com");
    assert_eq!(web.post(&api("configure"), &json!({"starttls": false})).status, 200);
    assert_eq!(web.post(&api("configure"), &json!({"starttsl": false})).status, 400);
    assert_eq!(web.get(&api("settings?grant=device_code")).json()["auth"]["grant"], "device_code");
    assert_eq!(web.get(&api("environ")).json()["MAILBEARER_PROVIDER"], "microsoft365");
    assert_eq!(web.post(&api("revoke"), &json!({})).status, 200);
    assert_eq!(web.post(&api("expire_tokens"), &Value::Null).status, 200);
    let stale = xoauth2("ada@contoso.com", minted["access_token"].as_str().unwrap());
    emulator.configure(json!({"starttls": null})).unwrap();
    Smtp::secured(&emulator).ask(&format!("AUTH XOAUTH2 {stale}"), "535");
    let url = format!(
        "{}/contoso.com/oauth2/v2.0/authorize?client_id={}&response_type=code&redirect_uri=http://localhost&scope=openid",
        emulator.authority(),
        mailbearer_emulator::DEFAULT_PUBLIC_CLIENT_ID
    );
    let callback = web.post(&api("sign_in"), &json!({"url": url})).json();
    assert!(callback["callback"].as_str().unwrap().starts_with("http://localhost/?"));
    assert_eq!(web.post(&api("approve"), &json!({"user_code": "nobody"})).status, 400);
    assert_eq!(web.send(|client| client.delete(api("messages"))).status, 200);
    assert_eq!(web.get(&api("messages")).json(), json!([]));
}

#[test]
fn web_pages_of_others_reach_nothing() {
    let emulator = microsoft();
    let web = Web::new(&emulator);
    let url = format!("{}/api/expire_tokens", emulator.url());
    let foreign = web.send(|client| client.post(&url).header("origin", "https://evil.example"));
    assert_eq!(foreign.status, 403);
    let fetched = web.send(|client| client.post(&url).header("sec-fetch-site", "cross-site"));
    assert_eq!(fetched.status, 403);
    let rebound = web.send(|client| client.get(emulator.url()).header("host", "evil.example"));
    assert_eq!(rebound.status, 421);
    // The control interface is not there over TLS, where only the sign-in service is.
    assert_eq!(web.get(&format!("{}/api/seen", emulator.authority())).status, 404);
    let token = emulator.mint(Mint::default());
    Smtp::secured(&emulator).ask(&format!("AUTH XOAUTH2 {}", xoauth2(DEFAULT_USERNAME, &token)), "235");
}

#[test]
fn ports_are_fixed_where_the_options_say_so() {
    use mailbearer_emulator::Ports;
    // A port that is free right now.
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ports = Ports { page: free(), smtp: free(), ..Ports::default() };
    let start = || Emulator::start(Options { ports, ..Options::default() });
    let emulator = start().unwrap();
    assert_eq!(emulator.smtp_port(), ports.smtp);
    assert_eq!(emulator.url(), format!("http://127.0.0.1:{}", ports.page));
    let taken = start().unwrap_err().to_string();
    assert!(taken.contains(&format!("127.0.0.1:{} (`ports.page`)", ports.page)), "{taken}");
    drop(emulator);
    start().unwrap();
}

#[test]
fn it_is_found_under_the_name_that_it_was_given() {
    let options = Options {
        listen: Some("0.0.0.0".parse().unwrap()),
        hostname: Some("emulator.test".into()),
        ..Options::default()
    };
    let emulator = Emulator::start(options).unwrap();
    let settings = emulator.settings("client_credentials", DEFAULT_USERNAME).unwrap();
    assert_eq!(
        (&settings["smtp"]["host"], &settings["danger_token_to_host"]),
        (&json!("emulator.test"), &json!(true))
    );
    assert!(emulator.authority().starts_with("https://emulator.test:"));
    assert!(emulator.url().starts_with("http://emulator.test:"));
    let web = Web::new(&emulator);
    let port = emulator.url().rsplit(':').next().unwrap();
    let seen = format!("http://127.0.0.1:{port}/api/seen");
    let under = |host: &str| web.send(|client| client.get(&seen).header("host", host)).status;
    assert_eq!(["emulator.test", "emulator.test:8025", "192.0.2.7:8025", "localhost"].map(under), [200; 4]);
    assert_eq!(["evil.example", "emulator.test.evil.example"].map(under), [421; 2]);
    // The certificate names it.
    let mut smtp = Smtp::plain(emulator.smtp_port());
    smtp.expect("220");
    smtp.ask("EHLO tests.example", "250");
    smtp.ask("STARTTLS", "220");
    smtp.start_tls_as(&emulator, "emulator.test").unwrap();
    smtp.ask("EHLO tests.example", "250");
    let wrong = Options { hostname: Some("a b".into()), ..Options::default() };
    assert!(Emulator::start(wrong).unwrap_err().to_string().contains("`hostname`"));
}
