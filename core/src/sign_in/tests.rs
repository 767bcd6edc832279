//! Sign-ins against a scripted service.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

use super::LoginRequest;
use super::testing::{Fake, Reply, jwt, raw, reply};
use crate::call::Call;
use crate::config::Options;
use crate::error::ErrorCode;
use crate::host::Host;
use crate::input::Spelling;
use crate::token::{GetToken, TokenSource};
use oauth2::{PkceCodeChallenge, PkceCodeVerifier};

fn signed_in(name: &str) -> Reply {
    reply(
        200,
        json!({
            "access_token": "at1", "refresh_token": "rt1", "token_type": "Bearer", "expires_in": 3600,
            "scope": "https://outlook.office.com/SMTP.Send",
            "id_token": jwt(&json!({"preferred_username": name, "tid": "t", "oid": "o"}))
        }),
    )
}

fn query(url: &str) -> HashMap<String, String> {
    Url::parse(url).unwrap().query_pairs().into_owned().collect()
}

fn to(redirect_uri: &str) -> LoginRequest {
    LoginRequest { redirect_uri: Some(redirect_uri.into()), ..LoginRequest::default() }
}

/// What a browser does with a redirect.
async fn visit(url: &str) -> String {
    let url = Url::parse(url).unwrap();
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", url.port().unwrap())).await.unwrap();
    let target = &url[url::Position::BeforePath..];
    let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await.unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).await.unwrap();
    page
}

#[tokio::test]
async fn a_person_signs_in_through_the_loopback_listener() {
    let fake = Fake::start(|_| signed_in("ada@contoso.com")).await;
    let source = fake.person(json!({}), Host::default());
    let login = source.login(LoginRequest::default()).await.unwrap();
    assert_eq!(login.method(), "authorization_code");
    assert!(login.message().contains(login.url()));
    let asked = query(login.url());
    assert_eq!(asked["scope"], "https://outlook.office.com/SMTP.Send openid profile offline_access");
    assert_eq!((&*asked["code_challenge_method"], login.state()), ("S256", Some(&*asked["state"])));
    assert!(asked["redirect_uri"].starts_with("http://localhost:"));
    assert_eq!(login.save().unwrap_err().code(), ErrorCode::ConfigInvalid);
    assert_eq!(
        login.finish(&json!("code=x"), Call::default()).await.unwrap_err().code(),
        ErrorCode::ConfigInvalid
    );

    let waiting = tokio::spawn({
        let login = login.clone();
        async move { login.wait(Call::default()).await }
    });
    let stray = visit(&format!("{}/?code=evil&state=x", asked["redirect_uri"])).await;
    assert!(stray.starts_with("HTTP/1.1 400"), "{stray}");
    let page = visit(&format!("{}/?code=c0de&state={}", asked["redirect_uri"], asked["state"])).await;
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("ada@contoso.com"), "{page}");
    let account = waiting.await.unwrap().unwrap();
    assert_eq!((&*account.username, account.tenant.as_deref()), ("ada@contoso.com", Some("t")));
    assert_eq!(login.wait(Call::default()).await.unwrap(), account, "waiting again tells the same");

    let form = &fake.asked()[0].form;
    assert_eq!((&*form["code"], &form["redirect_uri"]), ("c0de", &asked["redirect_uri"]));
    let verifier = PkceCodeVerifier::new(form["code_verifier"].clone());
    assert_eq!(PkceCodeChallenge::from_code_verifier_sha256(&verifier).as_str(), asked["code_challenge"]);
    let token = source.get(GetToken::default()).await.unwrap();
    assert_eq!((token.secret(), token.username()), ("at1", Some("ada@contoso.com")));
    assert_eq!((source.account(), fake.count()), (Some(account), 1));
}

#[tokio::test]
async fn a_declined_sign_in_says_so_to_both() {
    let fake = Fake::start(|_| signed_in("ada@contoso.com")).await;
    let source = fake.person(json!({}), Host::default());
    let login = source.login(LoginRequest::default()).await.unwrap();
    let asked = query(login.url());
    let url = format!("{}/?error=access_denied&state={}", asked["redirect_uri"], asked["state"]);
    let (page, outcome) = tokio::join!(visit(&url), login.wait(Call::default()));
    assert!(page.contains("declined"), "{page}");
    assert_eq!(outcome.unwrap_err().code(), ErrorCode::LoginDeclined);
    assert_eq!(fake.count(), 0);
}

#[tokio::test]
async fn a_loopback_redirect_uri_is_taken_as_it_was_registered() {
    let fake = Fake::start(|_| signed_in("ada@contoso.com")).await;
    // With a port it is the application's own, which hears the answer itself.
    for uri in ["http://localhost:3000/auth/callback", "http://127.0.0.1:80/cb", "http://[::1]:8080/"] {
        let source = fake.person(json!({"auth": {"redirect_uri": uri}}), Host::default());
        let login = source.login(LoginRequest::default()).await.unwrap();
        assert_eq!(query(login.url())["redirect_uri"], uri);
        let callback = json!(format!("{uri}?code=c&state={}", login.state().unwrap()));
        assert_eq!(login.finish(&callback, Call::default()).await.unwrap().username, "ada@contoso.com");
        assert_eq!(fake.asked().last().unwrap().form["redirect_uri"], uri);
    }
    // Without one, host and path are as registered, and mailbearer listens at a free port.
    for uri in ["http://localhost/", "http://127.0.0.1/cb", "http://localhost/auth/callback"] {
        let source = fake.person(json!({"auth": {"redirect_uri": uri}}), Host::default());
        let login = source.login(LoginRequest::default()).await.unwrap();
        let sent = query(login.url())["redirect_uri"].clone();
        let mut bare = Url::parse(&sent).unwrap();
        assert!(bare.port().is_some(), "{sent}");
        bare.set_port(None).unwrap();
        assert_eq!(bare.as_str(), uri);
        let url = format!("{sent}?code=c&state={}", login.state().unwrap());
        let (page, account) = tokio::join!(visit(&url), login.wait(Call::default()));
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        assert_eq!(account.unwrap().username, "ada@contoso.com");
        assert_eq!(fake.asked().last().unwrap().form["redirect_uri"], sent);
    }
}

#[tokio::test]
async fn an_application_finishes_with_any_form_of_the_answer() {
    let fake = Fake::start(|_| signed_in("ada@contoso.com")).await;
    let source = fake.person(json!({"auth": {"redirect_uri": "https://app.example/back"}}), Host::default());
    for form in 0..4 {
        let login = source.login(LoginRequest::default()).await.unwrap();
        let state = login.state().unwrap().to_owned();
        assert_eq!(login.wait(Call::default()).await.unwrap_err().code(), ErrorCode::ConfigInvalid);
        let query = format!("code=c&state={state}");
        let callback = match form {
            0 => json!(format!("http://behind-the-proxy.internal/back?{query}")),
            1 => json!(format!("?{query}")),
            2 => json!({"code": "c", "state": state}),
            _ => json!({"code": ["c"], "state": [state], "session_state": ["s"]}),
        };
        for wrong in [json!("code=c&state=x"), json!("code=c"), json!(7), json!(format!("{query}&state=x"))] {
            let error = login.finish(&wrong, Call::default()).await.unwrap_err();
            assert_eq!(error.code(), ErrorCode::LoginInvalid, "{wrong}");
        }
        assert_eq!(login.finish(&callback, Call::default()).await.unwrap().username, "ada@contoso.com");
        let again = login.finish(&callback, Call::default()).await.unwrap_err();
        assert_eq!(again.code(), ErrorCode::LoginInvalid);
    }
    assert_eq!(fake.count(), 4);
}

#[tokio::test]
async fn an_answer_of_another_service_is_refused() {
    let fake = Fake::start(|_| signed_in("ada@contoso.com")).await;
    let source = fake.person(json!({}), Host::default());
    let login = source.login(to("https://app.example/back")).await.unwrap();
    let state = login.state().unwrap();
    let callback = json!({"code": "c", "state": state, "iss": "https://evil.example"});
    assert_eq!(login.finish(&callback, Call::default()).await.unwrap_err().code(), ErrorCode::LoginInvalid);
    assert_eq!(fake.count(), 0);
}

#[tokio::test]
async fn a_saved_sign_in_is_finished_elsewhere_once() {
    let fake = Fake::start(|_| signed_in("ada@contoso.com")).await;
    let here = || fake.person(json!({}), Host::default());
    let begun = here().login(to("https://app.example/back")).await.unwrap();
    let (text, state) = (begun.save().unwrap(), begun.state().unwrap().to_owned());
    for (at, _) in text.char_indices().step_by(7) {
        let mut wrong = text.clone();
        let other = if &text[at..=at] == "x" { "y" } else { "x" };
        wrong.replace_range(at..=at, other);
        assert_eq!(here().resume_login(&wrong).err().unwrap().code(), ErrorCode::LoginInvalid, "{at}");
    }
    let other = fake.person(json!({"auth": {"client_id": "other"}}), Host::default());
    assert_eq!(other.resume_login(&text).err().unwrap().code(), ErrorCode::LoginInvalid);

    let source = here();
    let resumed = source.resume_login(&text).unwrap();
    assert_eq!((resumed.url(), resumed.state()), (begun.url(), begun.state()));
    let callback = json!({"code": "c", "state": state});
    assert_eq!(resumed.finish(&callback, Call::default()).await.unwrap().username, "ada@contoso.com");
    assert_eq!(source.get(GetToken::default()).await.unwrap().secret(), "at1");
    assert_eq!(here().resume_login(&text).err().unwrap().code(), ErrorCode::LoginInvalid);
    assert_eq!(fake.count(), 1);
}

#[tokio::test]
async fn another_person_is_refused_and_nothing_is_stored() {
    let fake = Fake::start(|_| signed_in("Eve@contoso.com")).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tokens.json");
    let store = json!({"kind": "file", "path": path});
    let source = fake.person(json!({"username": "ada@contoso.com", "store": store}), Host::default());
    let finish = |source: TokenSource| async move {
        let login = source.login(to("https://app.example/back")).await.unwrap();
        let callback = json!({"code": "c", "state": login.state()});
        login.finish(&callback, Call::default()).await
    };
    let error = finish(source.clone()).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::AccountMismatch);
    assert!(error.message().contains("Eve@contoso.com"), "{error}");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(!text.contains("rt1") && source.account().is_none(), "{text}");
    // The same person, written otherwise.
    let source = fake.person(json!({"username": "EVE@CONTOSO.COM", "store": store}), Host::default());
    assert_eq!(finish(source).await.unwrap().username, "EVE@CONTOSO.COM");
    assert!(std::fs::read_to_string(&path).unwrap().contains("|eve@contoso.com|"));
}

fn device(fake: &Fake) -> TokenSource {
    fake.person(json!({"auth": {"grant": "device_code"}}), Host::default())
}

#[tokio::test]
async fn a_device_is_signed_in_after_pending_and_an_outage() {
    let mut polls = 0;
    let fake = Fake::start(move |asked| {
        if asked.path.ends_with("/devicecode") {
            return reply(
                200,
                json!({"device_code": "dc-secret", "user_code": "ABC\u{7}D", "interval": 0,
                "verification_uri": "https://microsoft.com/devicelogin", "expires_in": "900"}),
            );
        }
        polls += 1;
        match polls {
            1 => reply(400, json!({"error": "authorization_pending", "error_codes": [70016]})),
            _ => signed_in("ada@contoso.com"),
        }
    })
    .await;
    let source = device(&fake);
    let login = source.login(LoginRequest::default()).await.unwrap();
    assert_eq!((login.method(), login.state()), ("device_code", None));
    assert_eq!(login.user_code(), Some("ABC D"));
    assert!(login.message().contains("https://microsoft.com/devicelogin"), "{}", login.message());
    let finish = login.finish(&json!("code=c"), Call::default()).await.unwrap_err();
    assert_eq!(finish.code(), ErrorCode::ConfigInvalid);
    // Another process goes on with it; the first gives up waiting, which ends nothing.
    let short = Call { timeout: Some(Duration::from_millis(20)), ..Call::default() };
    assert_eq!(login.wait(short).await.unwrap_err().code(), ErrorCode::TimedOut);
    assert_eq!(fake.count(), 1, "the first poll comes after one interval");
    let resumed = source.resume_login(&login.save().unwrap()).unwrap();
    assert_eq!(resumed.wait(Call::default()).await.unwrap().username, "ada@contoso.com");
    assert_eq!(fake.asked()[1].form["device_code"], "dc-secret");
    assert_eq!(source.resume_login(&login.save().unwrap()).err().unwrap().code(), ErrorCode::LoginInvalid);
}

#[tokio::test]
async fn short_waits_add_up_and_an_outage_is_not_an_answer() {
    let mut polls = 0;
    let fake = Fake::start(move |asked| {
        if asked.path.ends_with("/devicecode") {
            let uri = "https://microsoft.com/devicelogin";
            return reply(
                200,
                json!({"device_code": "d", "user_code": "u", "interval": 1, "verification_uri": uri}),
            );
        }
        polls += 1;
        match polls {
            // A captive portal's page is no answer.
            1 => raw(200, "text/html", "<html>"),
            _ => signed_in("ada@contoso.com").after(Duration::from_millis(300)),
        }
    })
    .await;
    let login = device(&fake).login(LoginRequest::default()).await.unwrap();
    let short = || Call { timeout: Some(Duration::from_millis(100)), ..Call::default() };
    let mut waits = 0;
    let account = loop {
        waits += 1;
        match login.wait(short()).await {
            Err(error) if waits < 100 => assert_eq!(error.code(), ErrorCode::TimedOut),
            other => break other,
        }
    };
    assert_eq!(account.unwrap().username, "ada@contoso.com");
    assert_eq!(fake.count(), 3, "no poll was repeated because somebody gave up");
    assert_eq!(login.wait(short()).await.unwrap().username, "ada@contoso.com");
}

#[tokio::test]
async fn who_waits_again_during_the_exchange_hears_how_it_ends() {
    let fake = Fake::start(|_| signed_in("ada@contoso.com").after(Duration::from_millis(400))).await;
    let login = fake.person(json!({}), Host::default()).login(LoginRequest::default()).await.unwrap();
    let asked = query(login.url());
    let port = Url::parse(&asked["redirect_uri"]).unwrap().port().unwrap();
    let first = tokio::spawn({
        let login = login.clone();
        let call = Call { timeout: Some(Duration::from_millis(200)), ..Call::default() };
        async move { login.wait(call).await }
    });
    let mut browser = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request =
        format!("GET /?code=c&state={} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n", login.state().unwrap());
    browser.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(first.await.unwrap().unwrap_err().code(), ErrorCode::TimedOut);
    assert_eq!(login.wait(Call::default()).await.unwrap().username, "ada@contoso.com");
    let mut page = String::new();
    browser.read_to_string(&mut page).await.unwrap();
    assert!(page.contains("is signed in"), "{page}");
    assert_eq!(fake.count(), 1);
}

#[tokio::test]
async fn a_device_sign_in_ends_as_the_service_says() {
    for (error, code) in [
        ("authorization_declined", ErrorCode::LoginDeclined),
        ("access_denied", ErrorCode::LoginDeclined),
        ("expired_token", ErrorCode::LoginExpired),
        ("bad_verification_code", ErrorCode::LoginInvalid),
    ] {
        let fake = Fake::start(move |asked| match asked.path.ends_with("/devicecode") {
            true => reply(
                200,
                json!({"device_code": "d", "user_code": "u", "interval": 1,
                "verification_uri": "https://microsoft.com/devicelogin"}),
            ),
            false => reply(400, json!({"error": error})),
        })
        .await;
        let login = device(&fake).login(LoginRequest::default()).await.unwrap();
        assert_eq!(login.wait(Call::default()).await.unwrap_err().code(), code, "{error}");
    }
}

#[tokio::test]
async fn a_poll_that_can_never_succeed_ends_the_sign_in_with_its_own_error() {
    for status in [403, 404, 415] {
        let fake = Fake::start(move |asked| match asked.path.ends_with("/devicecode") {
            true => reply(
                200,
                json!({"device_code": "d", "user_code": "u", "interval": 1,
                "verification_uri": "https://microsoft.com/devicelogin"}),
            ),
            false => raw(status, "text/plain", "no such thing"),
        })
        .await;
        let login = device(&fake).login(LoginRequest::default()).await.unwrap();
        let error = login.wait(Call::default()).await.unwrap_err();
        assert!(error.message().contains(&format!("HTTP {status}")) && !error.retryable(), "{error}");
        assert_eq!(fake.count(), 2);
    }
}

#[tokio::test]
async fn a_confidential_clients_device_sign_in_proves_it_from_the_first_request_on() {
    let fake = Fake::start(|asked| match asked.path.ends_with("/devicecode") {
        true => reply(
            200,
            json!({"device_code": "d", "user_code": "u", "interval": "1", "expires_in": "900",
            "verification_url": "https://microsoft.com/devicelogin"}),
        ),
        false => signed_in("ada@contoso.com"),
    })
    .await;
    let secret = json!({"auth": {"grant": "device_code", "client_secret": "hunter22"}});
    let source = fake.person(secret, Host::default());
    let login = source.login(LoginRequest::default()).await.unwrap();
    login.wait(Call::default()).await.unwrap();
    for asked in fake.asked() {
        assert_eq!((&*asked.form["client_id"], &*asked.form["client_secret"]), ("app", "hunter22"));
    }
}

#[tokio::test]
async fn cancel_ends_the_waiting_and_closes_the_port() {
    let fake = Fake::start(|_| signed_in("ada@contoso.com")).await;
    let login = fake.person(json!({}), Host::default()).login(LoginRequest::default()).await.unwrap();
    let port = Url::parse(&query(login.url())["redirect_uri"]).unwrap().port().unwrap();
    let waiting = tokio::spawn({
        let login = login.clone();
        async move { login.wait(Call::default()).await }
    });
    login.cancel();
    assert_eq!(waiting.await.unwrap().unwrap_err().code(), ErrorCode::Cancelled);
    assert!(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err());
}

#[tokio::test]
async fn grants_without_a_person_have_nothing_to_sign_in() {
    let fake = Fake::start(|_| signed_in("ada@contoso.com")).await;
    let error = fake.app(json!({})).login(LoginRequest::default()).await.err().unwrap();
    assert_eq!(error.message(), "nothing to sign in: client_credentials gets its own tokens");
    let unknown = LoginRequest { method: Some("password".into()), ..LoginRequest::default() };
    let error = fake.person(json!({}), Host::default()).login(unknown).await.err().unwrap();
    assert_eq!(error.code(), ErrorCode::ConfigInvalid);
    let google: Value = json!({"provider": "gmail", "auth": {"authority": null, "token_endpoint": fake.url}});
    let request = LoginRequest { method: Some("device_code".into()), ..LoginRequest::default() };
    let error = fake.person(google.clone(), Host::default()).login(request).await.err().unwrap();
    assert!(error.hint().unwrap().contains("authorization_code"), "{error}");
    let login = fake.person(google, Host::default()).login(LoginRequest::default()).await.unwrap();
    let asked = query(login.url());
    assert!(asked["redirect_uri"].starts_with("http://127.0.0.1:"), "{asked:?}");
    assert_eq!((&*asked["access_type"], &*asked["prompt"]), ("offline", "consent"));
}

#[tokio::test]
async fn an_issuer_that_describes_itself_needs_no_endpoints() {
    let (base, lies) = (Arc::new(Mutex::new(String::new())), Arc::new(AtomicBool::new(false)));
    let (said, lying) = (base.clone(), lies.clone());
    let fake = Fake::start(move |asked| {
        let base = said.lock().unwrap().clone();
        let issuer = match lying.load(Ordering::Relaxed) {
            true => "https://evil.example".to_owned(),
            false => format!("{base}/realms/a"),
        };
        match &*asked.path {
            "/realms/a/.well-known/openid-configuration" => raw(404, "text/html", "<html>"),
            "/.well-known/oauth-authorization-server/realms/a" => reply(
                200,
                json!({"issuer": issuer, "token_endpoint": format!("{base}/t"),
                    "authorization_endpoint": format!("{base}/a"), "revocation_endpoint": format!("{base}/r")}),
            ),
            _ => signed_in("ada@example.com"),
        }
    })
    .await;
    base.lock().unwrap().clone_from(&fake.url);
    let new = || {
        let auth = json!({"grant": "authorization_code", "client_id": "app", "scopes": ["smtp.send"],
            "authority": format!("{}/realms/a", fake.url)});
        let options = json!({"provider": "custom", "smtp": {"host": "mail.example.com"}, "auth": auth});
        TokenSource::new(Options::from_json(options, Spelling::Snake).unwrap(), Host::default()).unwrap()
    };
    let request = || {
        let redirect_uri = Some("https://app.example/".to_owned());
        LoginRequest { redirect_uri, ..LoginRequest::default() }
    };
    lies.store(true, Ordering::Relaxed);
    let error = new().login(request()).await.err().unwrap();
    assert!(error.message().contains("another issuer") && !error.retryable(), "{error}");
    lies.store(false, Ordering::Relaxed);
    let source = new();
    for (issuer, good) in [("https://evil.example", false), (&*format!("{}/realms/a", fake.url), true)] {
        let login = source.login(request()).await.unwrap();
        assert!(login.url().starts_with(&format!("{}/a?", fake.url)), "{}", login.url());
        let answer = json!({"code": "c", "state": login.state(), "iss": issuer});
        assert_eq!(login.finish(&answer, Call::default()).await.is_ok(), good, "{issuer}");
    }
    assert_eq!(source.get(GetToken::default()).await.unwrap().secret(), "at1");
    let before = fake.count();
    source.logout().await.unwrap();
    let asked = fake.asked();
    assert_eq!((asked.len(), &*asked.last().unwrap().path), (before + 1, "/r"));
}

#[tokio::test]
async fn many_sources_of_one_issuer_ask_for_its_document_once() {
    let (base, away) = (Arc::new(Mutex::new(String::new())), Arc::new(AtomicBool::new(true)));
    let (said, down) = (base.clone(), away.clone());
    let fake = Fake::start(move |asked| {
        let base = said.lock().unwrap().clone();
        let answer = match &*asked.path {
            _ if down.load(Ordering::Relaxed) => raw(500, "text/html", "<html>"),
            // A 500 at one of the places is no answer.
            "/.well-known/openid-configuration" => raw(500, "text/html", "<html>"),
            "/.well-known/oauth-authorization-server" => reply(
                200,
                json!({"issuer": base, "token_endpoint": format!("{base}/t"),
                    "authorization_endpoint": format!("{base}/a")}),
            ),
            _ => raw(404, "text/html", "<html>"),
        };
        answer.after(Duration::from_millis(100))
    })
    .await;
    base.lock().unwrap().clone_from(&fake.url);
    let all = async || {
        let mut tasks = Vec::new();
        for _ in 0..150 {
            let auth = json!({"grant": "authorization_code", "client_id": "app", "authority": fake.url});
            let options = json!({"provider": "custom", "smtp": {"host": "mail.example.com"}, "auth": auth});
            let options = Options::from_json(options, Spelling::Snake).unwrap();
            let source = TokenSource::new(options, Host::default()).unwrap();
            tasks.push(tokio::spawn(async move { source.login(to("https://app.example/")).await.map(drop) }));
        }
        let mut outcomes = Vec::new();
        for task in tasks {
            outcomes.push(task.await.unwrap());
        }
        outcomes
    };
    assert!(all().await.iter().all(Result::is_err));
    assert_eq!(fake.count(), 2, "two places, once each");
    away.store(false, Ordering::Relaxed);
    assert!(all().await.iter().all(Result::is_ok));
    assert_eq!(fake.count(), 4);
}

/// A service of one's own that describes itself with `more`, and takes the secret `p w+` as HTTP Basic alone.
async fn described(more: Value) -> (Fake, impl Fn(Value) -> TokenSource) {
    let base = Arc::new(Mutex::new(String::new()));
    let said = base.clone();
    let fake = Fake::start(move |asked| {
        let base = said.lock().unwrap().clone();
        let mut document = json!({"issuer": base, "token_endpoint": format!("{base}/t"),
            "authorization_endpoint": format!("{base}/a")});
        crate::config::overlay(&mut document, more.clone());
        match &*asked.path {
            "/.well-known/openid-configuration" => reply(200, document),
            _ if asked.authorization.as_deref() != Some("Basic YXBwOnArdyUyQg==") => {
                reply(401, json!({"error": "invalid_client"}))
            }
            _ => signed_in("ada@example.com"),
        }
    })
    .await;
    base.lock().unwrap().clone_from(&fake.url);
    let url = fake.url.clone();
    let source = move |more: Value| {
        let mut options = json!({"provider": "custom", "smtp": {"host": "mail.example.com"}, "auth": {
            "grant": "authorization_code", "client_id": "app", "client_secret": "p w+", "scopes": ["mail.send"],
            "authority": url, "redirect_uri": "https://app.example/"}});
        crate::config::overlay(&mut options, more);
        TokenSource::new(Options::from_json(options, Spelling::Snake).unwrap(), Host::default()).unwrap()
    };
    (fake, source)
}

#[tokio::test]
async fn a_service_of_ones_own_is_asked_for_the_scopes_that_it_lists() {
    for (listed, asked) in [
        (json!({}), "mail.send"),
        (json!({"scopes_supported": ["mail.send"]}), "mail.send"),
        (
            json!({"scopes_supported": ["openid", "mail.send", "offline_access"]}),
            "mail.send openid offline_access",
        ),
    ] {
        let (_fake, source) = described(listed).await;
        let login = source(json!({})).login(LoginRequest::default()).await.unwrap();
        assert_eq!(query(login.url())["scope"], asked);
    }
    let (_fake, source) = described(json!({"require_pushed_authorization_requests": true})).await;
    let error = source(json!({})).login(LoginRequest::default()).await.err().unwrap();
    assert!(error.message().contains("PAR, RFC 9126"), "{error}");
}

#[tokio::test]
async fn the_secret_travels_as_the_service_takes_it() {
    let basic = json!({"token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"]});
    let both =
        json!({"token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"]});
    for (document, option, ways) in [
        // Not known: in the body, and then as Basic, once.
        (json!({}), "auto", &[false, true][..]),
        (both, "auto", &[false, true]),
        (basic.clone(), "auto", &[true]),
        (json!({}), "basic", &[true]),
        (basic, "post", &[false]),
    ] {
        let (fake, source) = described(document).await;
        let source = source(json!({"auth": {"client_auth": option}}));
        let login = source.login(LoginRequest::default()).await.unwrap();
        let answer = json!({"code": "c", "state": login.state()});
        let outcome = login.finish(&answer, Call::default()).await;
        assert_eq!(outcome.is_ok(), ways.last() == Some(&true), "{option}");
        let posted: Vec<_> = fake.asked().into_iter().filter(|asked| asked.path == "/t").collect();
        let seen: Vec<bool> = posted.iter().map(|asked| asked.authorization.is_some()).collect();
        assert_eq!(seen, ways, "{option}");
        for asked in posted {
            assert_ne!(asked.authorization.is_some(), asked.form.contains_key("client_secret"), "{asked:?}");
        }
    }
}

#[tokio::test]
async fn the_answer_of_rfc_8628_3_2_is_understood() {
    let fake = Fake::start(|_| {
        reply(
            200,
            json!({
                "device_code": "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS", "user_code": "WDJB-MJHT",
                "verification_uri": "https://example.com/device",
                "verification_uri_complete": "https://example.com/device?user_code=WDJB-MJHT",
                "expires_in": 1800, "interval": 5
            }),
        )
    })
    .await;
    let login = device(&fake).login(LoginRequest::default()).await.unwrap();
    assert_eq!((login.url(), login.user_code()), ("https://example.com/device", Some("WDJB-MJHT")));
    let form = &fake.asked()[0].form;
    assert_eq!((&*form["client_id"], form.contains_key("scope")), ("app", true));
}
