//! Token sources against a scripted service.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::entry::Claim;
use super::{GetToken, TokenSource, millis};
use crate::call::Call;
use crate::config::{Options, Settings, Surroundings};
use crate::error::{Error, ErrorCode, Result};
use crate::host::{BoxFuture, Host, ProvidedToken, StoredEntry, TokenProvider, TokenRequest, TokenStore};
use crate::input::{Secret, Spelling};
use crate::sign_in::LoginRequest;
use crate::sign_in::testing::{Fake, Reply, jwt, listening, raw, reply, token};

fn force() -> GetToken {
    GetToken { force: true, ..GetToken::default() }
}

fn within(timeout: Duration) -> GetToken {
    GetToken { call: Call { timeout: Some(timeout), ..Call::default() }, ..GetToken::default() }
}

async fn eventually(mut check: impl AsyncFnMut() -> bool) {
    for _ in 0..500 {
        if check().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("waited in vain");
}

/// A service whose n-th answer is the token `at{n}`.
async fn counting(expires_in: u64, delay: Duration) -> Fake {
    let mut n = 0;
    Fake::start(move |_| {
        n += 1;
        token(&format!("at{n}"), None, expires_in).after(delay)
    })
    .await
}

/// A service that rotates refresh tokens and revokes everything when one is used twice.
fn rotating(
    expires_in: u64,
) -> (impl FnMut(&crate::sign_in::testing::Asked) -> Reply + Send, Arc<AtomicBool>) {
    let reused = Arc::new(AtomicBool::new(false));
    let (seen, mut used, mut n) = (reused.clone(), HashSet::new(), 0);
    let answer = move |asked: &crate::sign_in::testing::Asked| {
        n += 1;
        if !used.insert(asked.form["refresh_token"].clone()) {
            seen.store(true, Ordering::SeqCst);
        }
        match seen.load(Ordering::SeqCst) {
            true => reply(400, json!({"error": "invalid_grant", "error_description": "reuse"})),
            false => {
                token(&format!("at{n}"), Some(&format!("rt{n}")), expires_in).after(Duration::from_millis(5))
            }
        }
    };
    (answer, reused)
}

fn seeded(fake: &Fake, path: &Path) -> TokenSource {
    let auth = json!({"grant": "refresh_token", "refresh_token": "seed"});
    let store = json!({"kind": "file", "path": path});
    fake.person(json!({"auth": auth, "username": "ada@contoso.com", "store": store}), Host::default())
}

#[tokio::test]
async fn fifty_callers_make_one_request() {
    let fake = counting(3600, Duration::from_millis(50)).await;
    let source = fake.app(json!({}));
    assert!(source.cached(None).is_none());
    let mut callers = JoinSet::new();
    for _ in 0..50 {
        let source = source.clone();
        callers.spawn(async move { source.get(GetToken::default()).await.unwrap().secret().to_owned() });
    }
    assert_eq!(callers.join_all().await, vec!["at1"; 50]);
    assert_eq!(fake.count(), 1);
    let asked = &fake.asked()[0];
    assert_eq!(asked.path, "/contoso.com/oauth2/v2.0/token");
    assert_eq!(asked.form["scope"], "https://outlook.office365.com/.default");
    assert_eq!((&*asked.form["client_id"], &*asked.form["client_secret"]), ("app", "hunter22"));
    assert_eq!(asked.request_id.as_ref().map(String::len), Some(36));
    let cached = source.cached(None).unwrap();
    assert_eq!((cached.secret(), cached.username()), ("at1", Some("noreply@contoso.com")));
    source.close();
    assert!(source.cached(None).is_none());
    assert_eq!(source.get(GetToken::default()).await.unwrap_err().code(), ErrorCode::Closed);
}

#[tokio::test]
async fn mailboxes_of_one_application_share_a_token() {
    let fake = counting(3600, Duration::ZERO).await;
    let first = fake.app(json!({}));
    let other = fake.app(json!({"username": "sales@contoso.com"}));
    let sibling = first.for_mailbox(other.shared.settings.clone());
    first.get(GetToken::default()).await.unwrap();
    let token = sibling.get(GetToken::default()).await.unwrap();
    assert_eq!((token.secret(), token.username()), ("at1", Some("sales@contoso.com")));
    first.close();
    assert!(sibling.cached(None).is_some());
    assert_eq!(fake.count(), 1);
}

#[tokio::test]
async fn refusals_and_outages_are_told_apart() {
    let aadsts = "AADSTS7000215: Invalid client secret hunter22 provided.\r\nTrace ID: x";
    let refusal = json!({"error": "invalid_client", "error_description": aadsts, "error_codes": [7_000_215],
        "correlation_id": "corr"});
    let throttled = reply(429, json!({"error": "temporarily_unavailable"}));
    let whole = token("at", None, 3600);
    for (answer, code, retryable, retry_after, requests) in [
        (reply(401, refusal.clone()), ErrorCode::ClientRejected, false, None, 1),
        (reply(400, json!({"error": "invalid_scope"})), ErrorCode::ScopeRejected, false, None, 1),
        (raw(503, "text/html", "<html>"), ErrorCode::TokenEndpointUnavailable, true, None, 3),
        (reply(500, refusal), ErrorCode::TokenEndpointUnavailable, true, None, 3),
        (
            throttled.clone().header("Retry-After", "77"),
            ErrorCode::TokenEndpointUnavailable,
            true,
            Some(77),
            1,
        ),
        (throttled.header("Retry-After", "99999"), ErrorCode::TokenEndpointUnavailable, true, Some(3600), 1),
        (raw(200, "text/html", "<html>"), ErrorCode::TokenEndpointUnavailable, false, None, 1),
        (raw(200, "application/json", "{\"access_tok"), ErrorCode::TokenEndpointUnavailable, true, None, 3),
        (whole.cut(20), ErrorCode::TokenEndpointUnavailable, true, None, 3),
        (raw(200, "application/json", ""), ErrorCode::TokenEndpointUnavailable, true, None, 3),
        (raw(404, "text/plain", "no"), ErrorCode::TokenEndpointUnavailable, false, None, 1),
        (
            raw(302, "text/html", "").header("Location", "https://evil.example/"),
            ErrorCode::TokenEndpointUnavailable,
            false,
            None,
            1,
        ),
    ] {
        let shown = format!("{answer:?}");
        let fake = Fake::start(move |_| answer.clone()).await;
        let source = fake.app(json!({}));
        let error = source.get(GetToken::default()).await.unwrap_err();
        assert_eq!((error.code(), error.retryable()), (code, retryable), "{shown}: {error}");
        assert_eq!(error.retry_after().map(|d| d.as_secs()), retry_after, "{shown}");
        assert_eq!(fake.count(), requests, "{shown}");
        assert!(!format!("{error} {error:?} {:?}", error.oauth()).contains("hunter22"), "{error}");
        if code == ErrorCode::ClientRejected {
            assert_eq!(error.oauth().unwrap().correlation_id.as_deref(), Some("corr"));
            assert!(error.message().ends_with("Invalid client secret [client_secret] provided"), "{error}");
            assert!(error.hint().unwrap().contains("Value"), "{error}");
        }
        // It is not asked again at once, whoever insists.
        for request in [GetToken::default(), force()] {
            assert_eq!(source.get(request).await.unwrap_err().code(), code);
        }
        assert_eq!(fake.count(), requests, "{shown}");
    }
}

#[tokio::test]
async fn a_slow_or_endless_answer_is_given_up() {
    let fake = Fake::start(|_| token("at", None, 3600).after(Duration::from_secs(30))).await;
    let source = fake.app(json!({"http": {"timeout": "50ms"}}));
    let error = source.get(GetToken::default()).await.unwrap_err();
    assert_eq!((error.code(), error.retryable()), (ErrorCode::TokenEndpointUnavailable, true));
    assert!(error.message().contains("in time"), "{error}");
    assert_eq!(fake.count(), 3);
    let body = " ".repeat(2 << 20);
    let fake = Fake::start(move |_| raw(200, "application/json", &body)).await;
    let error = fake.app(json!({})).get(GetToken::default()).await.unwrap_err();
    assert_eq!((error.retryable(), fake.count()), (false, 1), "{error}");
}

#[tokio::test]
async fn a_port_without_tls_is_named() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            // Until the client hangs up: closing first could lose the words.
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    });
    let fake = counting(1, Duration::ZERO).await;
    let source = fake.app(json!({"auth": {"authority": url}, "tls": {"roots": "bundled"}}));
    let error = source.get(GetToken::default()).await.unwrap_err();
    assert_eq!((error.code(), error.retryable()), (ErrorCode::TlsFailed, false), "{error}");
    assert!(error.hint().unwrap().contains("auth.authority"), "{error}");
}

/// A service behind TLS that gives everybody a token; its address, and its certificate.
async fn behind_tls() -> (String, rcgen::Certificate) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 4096]).await;
            let body = json!({"access_token": "at", "expires_in": 3600}).to_string();
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (url, made.cert)
}

#[tokio::test]
async fn service_fabrics_server_is_known_by_its_thumbprint() {
    let (url, certificate) = behind_tls().await;
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, certificate.der());
    let right: String = digest.as_ref().iter().map(|octet| format!("{octet:02X}")).collect();
    for (print, good) in [(right.clone(), true), (format!("00{}", &right[2..]), right.starts_with("00"))] {
        let set = [
            ("IDENTITY_ENDPOINT", format!("{url}/metadata/identity/oauth2/token")),
            ("IDENTITY_HEADER", "h".to_owned()),
            ("IDENTITY_SERVER_THUMBPRINT", print),
        ];
        let variable = move |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, value)| value.clone());
        let around =
            Surroundings { callback: None, store: false, persistent: false, variable: Arc::new(variable) };
        let options = json!({"provider": "microsoft365", "username": "a@contoso.com",
            "auth": {"grant": "managed_identity"}});
        let options = Options::from_json(options, Spelling::Snake).unwrap();
        let settings = Arc::new(Settings::resolve(options, Spelling::Snake, around).unwrap());
        let source = TokenSource::with_settings(settings, Host::default()).unwrap();
        match source.get(GetToken::default()).await {
            Ok(token) => assert!(good && token.secret() == "at"),
            Err(error) => {
                assert!(!good, "{error}");
                assert_eq!(error.code(), ErrorCode::CertificateInvalid);
            }
        }
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_named_and_nothing_is_sent() {
    let (url, certificate) = behind_tls().await;
    let fake = counting(1, Duration::ZERO).await;
    let source = fake.app(json!({"auth": {"authority": url}, "tls": {"roots": "bundled"}}));
    let error = source.get(GetToken::default()).await.unwrap_err();
    assert_eq!((error.code(), error.retryable()), (ErrorCode::CertificateInvalid, false), "{error}");
    // With that certificate as the only authority it is trusted.
    let dir = tempfile::tempdir().unwrap();
    let pem = dir.path().join("root.pem");
    std::fs::write(&pem, certificate.pem()).unwrap();
    let source = fake.app(json!({"auth": {"authority": url}, "tls": {"roots": pem}}));
    assert_eq!(source.get(GetToken::default()).await.unwrap().secret(), "at");
}

#[tokio::test]
async fn a_claim_of_another_process_is_waited_for_and_ends() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tokens.json");
    let (answer, _) = rotating(3600);
    let fake = Fake::start(answer).await;
    let source = seeded(&fake, &path);
    source.get(GetToken::default()).await.unwrap();
    // Another process claimed it, and then died.
    let store = source.shared.store().unwrap();
    let key = source.shared.locate(source.shared.auth().unwrap()).await.unwrap();
    let mut held = store.load(&key).await.unwrap().unwrap();
    let until = SystemTime::now() + Duration::from_millis(300);
    held.entry.refreshing = Some(Claim { owner: "other".into(), until: millis(until) });
    assert!(store.save(&key, Some(&held.entry), Some(held.version)).await.unwrap());
    assert_eq!(source.get(force()).await.unwrap().secret(), "at2");
    assert!(SystemTime::now() >= until, "it was waited for");
}

#[tokio::test]
async fn a_service_that_is_not_there_is_an_outage() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let fake = Fake::start(|_| token("at", None, 1)).await;
    let url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let source = fake.app(json!({"auth": {"authority": url}}));
    let error = source.get(GetToken::default()).await.unwrap_err();
    assert_eq!((error.code(), error.retryable()), (ErrorCode::TokenEndpointUnavailable, true));
    assert!(error.message().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_passing_fault_is_tried_again() {
    let mut n = 0;
    let fake = Fake::start(move |_| {
        n += 1;
        if n < 3 { raw(503, "text/plain", "") } else { token("at", None, 3600) }
    })
    .await;
    assert_eq!(fake.app(json!({})).get(GetToken::default()).await.unwrap().secret(), "at");
    assert_eq!(fake.count(), 3);
}

#[tokio::test]
async fn a_leader_who_gives_up_takes_nobody_along() {
    let fake = counting(3600, Duration::from_millis(150)).await;
    let source = fake.app(json!({}));
    let error = source.get(within(Duration::from_millis(10))).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::TimedOut);
    let cancelled = GetToken::default();
    cancelled.call.cancel.cancel();
    assert_eq!(source.get(cancelled).await.unwrap_err().code(), ErrorCode::Cancelled);
    assert_eq!(source.get(GetToken::default()).await.unwrap().secret(), "at1");
    assert_eq!(fake.count(), 1);
}

#[test]
fn a_refresh_whose_runtime_ended_is_begun_anew() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let service = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let fake = service.block_on(counting(3600, Duration::from_millis(100)));
    let source = fake.app(json!({}));
    let short = runtime();
    assert!(short.block_on(source.get(within(Duration::from_millis(10)))).is_err());
    drop(short);
    assert!(runtime().block_on(source.get(within(Duration::from_secs(20)))).is_ok());
}

#[tokio::test]
async fn a_failed_refresh_takes_no_good_token_away() {
    let mut n = 0;
    let fake = Fake::start(move |_| {
        n += 1;
        match n {
            1 => reply(200, json!({"access_token": "at1", "expires_in": 3600, "refresh_in": 0})),
            _ => raw(500, "text/plain", ""),
        }
    })
    .await;
    let (host, events) = listening();
    let auth = json!({"grant": "client_credentials", "tenant": "t.example", "client_id": "app",
        "client_secret": "s", "authority": fake.url});
    let options = json!({"provider": "microsoft365", "username": "a@t.example", "auth": auth,
        "retry": {"base_delay": "1ms"}});
    let source = TokenSource::new(Options::from_json(options, Spelling::Snake).unwrap(), host).unwrap();
    source.get(GetToken::default()).await.unwrap();
    // Stale from the start: each get may start a refresh beside, and all of them fail.
    let failed = || events.lock().unwrap().iter().any(|event| event.name == "token.refresh_failed");
    for _ in 0..500 {
        assert_eq!(source.get(GetToken::default()).await.unwrap().secret(), "at1");
        if failed() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(failed());
    assert_eq!(source.get(GetToken::default()).await.unwrap().secret(), "at1");
    assert_eq!(source.cached(None).unwrap().secret(), "at1");
    assert_eq!(fake.count(), 4);
    let names: Vec<_> = events.lock().unwrap().iter().map(|event| event.name).collect();
    assert_eq!(names, ["token.refreshed", "token.refresh_failed"]);
}

#[tokio::test]
async fn invalidate_and_force_bring_another_token() {
    let fake = counting(3600, Duration::ZERO).await;
    let source = fake.app(json!({}));
    let first = source.get(GetToken::default()).await.unwrap();
    source.invalidate("another");
    assert_eq!(source.get(GetToken::default()).await.unwrap().secret(), "at1");
    source.invalidate(first.secret());
    assert!(source.cached(None).is_none());
    assert_eq!(source.get(GetToken::default()).await.unwrap().secret(), "at2");
    source.invalidate(first.secret());
    assert_eq!(source.get(GetToken::default()).await.unwrap().secret(), "at2");
    assert_eq!(source.get(force()).await.unwrap().secret(), "at3");
}

#[tokio::test]
async fn a_secret_that_changed_meanwhile_is_tried_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    std::fs::write(&path, "old-secret\n").unwrap();
    let file = path.clone();
    let fake = Fake::start(move |asked| match &*asked.form["client_secret"] {
        "new-secret" => token("at", None, 3600),
        _ => {
            std::fs::write(&file, "new-secret\n").unwrap();
            reply(401, json!({"error": "invalid_client"}))
        }
    })
    .await;
    let auth = json!({"grant": "client_credentials", "tenant": "t.example", "client_id": "app",
        "client_secret": {"file": path}, "authority": fake.url});
    let options = json!({"provider": "microsoft365", "username": "a@t.example", "auth": auth});
    let source =
        TokenSource::new(Options::from_json(options, Spelling::Snake).unwrap(), Host::default()).unwrap();
    assert_eq!(source.get(GetToken::default()).await.unwrap().secret(), "at");
    assert_eq!(fake.count(), 2);
}

#[tokio::test]
async fn a_rotated_refresh_token_reaches_the_next_source() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tokens.json");
    let (answer, reused) = rotating(3600);
    let fake = Fake::start(answer).await;
    let (a, b) = (seeded(&fake, &path), seeded(&fake, &path));
    assert_eq!(a.get(GetToken::default()).await.unwrap().secret(), "at1");
    assert_eq!(b.get(GetToken::default()).await.unwrap().secret(), "at1", "from the file");
    assert_eq!(b.get(force()).await.unwrap().secret(), "at2");
    assert_eq!(a.get(force()).await.unwrap().secret(), "at2", "from the file: newer than the refused one");
    assert_eq!(a.get(force()).await.unwrap().secret(), "at3");
    let sent: Vec<_> = fake.asked().iter().map(|asked| asked.form["refresh_token"].clone()).collect();
    assert_eq!(sent, ["seed", "rt1", "rt2"]);
    assert!(fake.asked()[0].form["scope"].contains("SMTP.Send"));
    assert!(!reused.load(Ordering::SeqCst));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("rt3") && !text.contains("rt2") && !text.contains(":\"seed\""), "{text}");
}

#[tokio::test]
async fn a_forced_refresh_in_a_new_process_does_not_settle_for_what_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tokens.json");
    let (answer, _) = rotating(3600);
    let fake = Fake::start(answer).await;
    assert_eq!(seeded(&fake, &path).get(GetToken::default()).await.unwrap().secret(), "at1");
    assert_eq!(seeded(&fake, &path).get(force()).await.unwrap().secret(), "at2");
    assert_eq!(seeded(&fake, &path).get(GetToken::default()).await.unwrap().secret(), "at2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sources_that_share_a_file_never_use_a_refresh_token_twice() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tokens.json");
    let (answer, reused) = rotating(3600);
    let fake = Fake::start(answer).await;
    let sources: Vec<_> = (0..4).map(|_| seeded(&fake, &path)).collect();
    let mut callers = JoinSet::new();
    for at in 0..20 {
        let source = sources[at % 4].clone();
        callers.spawn(async move {
            for _ in 0..3 {
                source.get(force()).await?;
            }
            Ok::<_, Error>(())
        });
    }
    for outcome in callers.join_all().await {
        outcome.unwrap();
    }
    assert!(!reused.load(Ordering::SeqCst));
    assert!(fake.count() >= 3, "{}", fake.count());
}

#[tokio::test]
async fn a_dead_refresh_token_asks_for_a_person_and_is_not_posted_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tokens.json");
    let fake = Fake::start(|_| reply(400, json!({"error": "invalid_grant", "error_codes": [50173]}))).await;
    let store = json!({"kind": "file", "path": path});
    let (host, events) = listening();
    let interactive = fake.person(json!({"store": store}), host);
    let error = interactive.get(GetToken::default()).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::InteractionRequired);
    assert!(error.hint().unwrap().contains(&*path.to_string_lossy()), "{error}");
    assert!(events.lock().unwrap().iter().any(|event| event.name == "login.required"));
    assert_eq!(fake.count(), 0);
    let source = seeded(&fake, &path);
    for _ in 0..2 {
        let error = source.get(force()).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InteractionRequired, "{error}");
    }
    assert_eq!(fake.count(), 1);
    // It is kept: a policy may have been the reason.
    assert!(std::fs::read_to_string(&path).unwrap().contains("seed"));
}

fn signed_in(name: &str, access: &str, refresh: &str) -> Reply {
    let id_token = jwt(&json!({"preferred_username": name}));
    reply(
        200,
        json!({"access_token": access, "refresh_token": refresh, "expires_in": 3600, "id_token": id_token}),
    )
}

async fn sign_in(source: &TokenSource) -> Result<crate::token::Account> {
    let redirect_uri = Some("https://app.example/".to_owned());
    let login = source.login(LoginRequest { redirect_uri, ..LoginRequest::default() }).await?;
    login.finish(&json!({"code": "c", "state": login.state()}), Call::default()).await
}

#[tokio::test]
async fn an_answer_from_before_a_sign_in_is_dropped() {
    let mut n = 0;
    let fake = Fake::start(move |asked| {
        if asked.form["grant_type"] == "authorization_code" {
            n += 1;
            return signed_in("ada@contoso.com", &format!("login{n}"), &format!("rt-login{n}"));
        }
        token("late", Some("rt-late"), 3600).after(Duration::from_millis(200))
    })
    .await;
    let source = fake.person(json!({}), Host::default());
    sign_in(&source).await.unwrap();
    let refresh = tokio::spawn({
        let source = source.clone();
        async move { source.get(force()).await.unwrap().secret().to_owned() }
    });
    while fake.count() < 2 {
        tokio::task::yield_now().await;
    }
    sign_in(&source).await.unwrap();
    assert_eq!(refresh.await.unwrap(), "login2", "the caller gets the new sign-in's token");
    assert_eq!(source.get(GetToken::default()).await.unwrap().secret(), "login2");
    source.get(force()).await.unwrap();
    assert_eq!(fake.asked().last().unwrap().form["refresh_token"], "rt-login2");
}

#[tokio::test]
async fn an_answer_from_before_a_sign_out_is_dropped() {
    let fake = counting(3600, Duration::from_millis(100)).await;
    let source = fake.app(json!({}));
    let caller = tokio::spawn({
        let source = source.clone();
        async move { source.get(GetToken::default()).await.unwrap().secret().to_owned() }
    });
    while fake.count() < 1 {
        tokio::task::yield_now().await;
    }
    source.logout().await.unwrap();
    assert_eq!(caller.await.unwrap(), "at2");
    assert_eq!(source.cached(None).unwrap().secret(), "at2");
}

#[tokio::test]
async fn accounts_in_a_store_are_found_listed_and_forgotten() {
    let names = Arc::new(Mutex::new("ada@contoso.com"));
    let current = names.clone();
    let fake = Fake::start(move |_| signed_in(*current.lock().unwrap(), "at", "rt")).await;
    let dir = tempfile::tempdir().unwrap();
    let file = json!({"store": {"kind": "file", "path": dir.path().join("tokens.json")}});
    let own = Arc::new(OwnStore::default());
    let host = || Host { store: Some(own.clone()), ..Host::default() };
    for (store, in_file) in [(file, true), (json!({}), false)] {
        let new = || fake.person(store.clone(), if in_file { Host::default() } else { host() });
        *names.lock().unwrap() = "ada@contoso.com";
        assert_eq!(sign_in(&new()).await.unwrap().username, "ada@contoso.com");
        let later = new();
        assert_eq!(later.account().is_some(), in_file, "a store of the host's own must be awaited");
        assert_eq!(later.get(GetToken::default()).await.unwrap().username(), Some("ada@contoso.com"));
        assert_eq!(later.account().unwrap().username, "ada@contoso.com");
        *names.lock().unwrap() = "bob@contoso.com";
        sign_in(&new()).await.unwrap();
        let error = new().get(GetToken::default()).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::ConfigInvalid);
        assert!(error.message().contains("ada@contoso.com, bob@contoso.com"), "{error}");
        later.logout().await.unwrap();
        assert!(later.cached(None).is_none());
        assert_eq!(new().get(GetToken::default()).await.unwrap().username(), Some("bob@contoso.com"));
        new().logout().await.unwrap();
        let error = new().get(GetToken::default()).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InteractionRequired);
    }
}

#[tokio::test]
async fn a_rotated_token_that_could_not_be_saved_is_saved_later() {
    let (answer, reused) = rotating(3600);
    let fake = Fake::start(answer).await;
    let own = Arc::new(OwnStore::default());
    let auth = json!({"grant": "refresh_token", "refresh_token": "seed"});
    let host = Host { store: Some(own.clone()), ..Host::default() };
    let source = fake.person(json!({"auth": auth, "username": "ada@contoso.com"}), host);
    // The claim is taken, the renewed entry is not.
    own.saves_left.lock().unwrap().replace(1);
    let error = source.get(GetToken::default()).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::StoreFailed);
    assert_eq!(source.get(GetToken::default()).await.unwrap().secret(), "at1", "it is good all the same");
    own.saves_left.lock().unwrap().take();
    let kept = || -> String {
        let stored: Vec<_> = own.entries.lock().unwrap().values().map(|held| held.entry.clone()).collect();
        String::from_utf8_lossy(&stored[0]).into_owned()
    };
    eventually(async || kept().contains("rt1")).await;
    source.invalidate("at1");
    // The failure is repeated for a moment: look at what is sent next.
    source.shared.state().lock().failure = None;
    assert_eq!(source.get(GetToken::default()).await.unwrap().secret(), "at2");
    assert_eq!(fake.asked()[1].form["refresh_token"], "rt1");
    assert!(!reused.load(Ordering::SeqCst));
    assert!(kept().contains("rt2"));
}

#[tokio::test]
async fn a_sign_in_that_could_not_be_saved_is_saved_later() {
    let fake = Fake::start(|_| signed_in("ada@contoso.com", "at", "rt")).await;
    let own = Arc::new(OwnStore::default());
    let new = || fake.person(json!({}), Host { store: Some(own.clone()), ..Host::default() });
    own.saves_left.lock().unwrap().replace(0);
    let source = new();
    assert_eq!(sign_in(&source).await.unwrap_err().code(), ErrorCode::StoreFailed);
    assert_eq!(source.get(GetToken::default()).await.unwrap().secret(), "at");
    assert_eq!(new().get(GetToken::default()).await.unwrap_err().code(), ErrorCode::InteractionRequired);
    own.saves_left.lock().unwrap().take();
    eventually(async || new().get(GetToken::default()).await.is_ok()).await;
    assert_eq!(fake.count(), 1);
}

#[tokio::test]
async fn a_given_token_is_used_until_it_is_refused_or_over() {
    let options = |secret: &str| {
        let auth = json!({"grant": "access_token", "access_token": secret});
        Options::from_json(
            json!({"provider": "gmail", "username": "a@gmail.com", "auth": auth}),
            Spelling::Snake,
        )
        .unwrap()
    };
    let source = TokenSource::new(options("opaque"), Host::default()).unwrap();
    let token = source.get(GetToken::default()).await.unwrap();
    assert_eq!((token.secret(), token.expires_at()), ("opaque", None));
    source.invalidate("opaque");
    let error = source.get(force()).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::GrantRejected);
    assert!(!error.to_string().contains("opaque"));
    let over = TokenSource::new(options(&jwt(&json!({"exp": 1000}))), Host::default()).unwrap();
    assert!(over.get(GetToken::default()).await.unwrap_err().message().contains("expired"));
}

struct Function(Mutex<Vec<TokenRequest>>);

impl TokenProvider for Function {
    fn token(&self, request: TokenRequest) -> BoxFuture<'_, Result<ProvidedToken>> {
        let mut asked = self.0.lock().unwrap();
        asked.push(request);
        let n = asked.len();
        Box::pin(async move {
            match n {
                1 => Ok(ProvidedToken {
                    secret: Secret::new(jwt(&json!({"exp": 4_000_000_000_u64}))),
                    expires_at: None,
                }),
                2 => Ok(ProvidedToken {
                    secret: Secret::new("two"),
                    expires_at: Some(SystemTime::now() + Duration::from_secs(900)),
                }),
                _ => Err(Error::new(ErrorCode::Internal, "vault is sealed")),
            }
        })
    }
}

#[tokio::test]
async fn the_hosts_own_function_brings_tokens() {
    let function = Arc::new(Function(Mutex::default()));
    let host = Host { token_provider: Some(function.clone()), ..Host::default() };
    let options =
        json!({"provider": "microsoft365", "username": "a@b.example", "auth": {"grant": "callback"}});
    let source = TokenSource::new(Options::from_json(options, Spelling::Snake).unwrap(), host).unwrap();
    let first = source.get(GetToken::default()).await.unwrap();
    assert_eq!(first.expires_at(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000)));
    source.invalidate(first.secret());
    assert_eq!(source.get(GetToken::default()).await.unwrap().secret(), "two");
    let error = source.get(force()).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::TokenProviderFailed);
    assert!(error.message().contains("vault is sealed"), "{error}");
    let asked = function.0.lock().unwrap().iter().map(|request| request.force).collect::<Vec<_>>();
    assert_eq!(asked, [false, true, true]);
}

/// A function that never answers, and notes who stopped waiting.
#[derive(Default)]
struct Slow {
    asked: AtomicUsize,
    dropped: Arc<AtomicUsize>,
    begun: Notify,
}

struct Noted(Arc<AtomicUsize>);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl TokenProvider for Slow {
    fn token(&self, _: TokenRequest) -> BoxFuture<'_, Result<ProvidedToken>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.begun.notify_one();
        let noted = Noted(self.dropped.clone());
        Box::pin(async move {
            let _noted = noted;
            std::future::pending().await
        })
    }
}

#[tokio::test]
async fn the_hosts_function_is_given_up_with_the_last_who_waits() {
    let function = Arc::new(Slow::default());
    let host = Host { token_provider: Some(function.clone()), ..Host::default() };
    let options =
        json!({"provider": "microsoft365", "username": "a@b.example", "auth": {"grant": "callback"}});
    let source = TokenSource::new(Options::from_json(options, Spelling::Snake).unwrap(), host).unwrap();
    for round in 1..=2 {
        let (first, second) = (GetToken::default(), GetToken::default());
        let (end_first, end_second) = (first.call.cancel.clone(), second.call.cancel.clone());
        let (one, other) = (source.clone(), source.clone());
        let first = tokio::spawn(async move { one.get(first).await });
        let second = tokio::spawn(async move { other.get(second).await });
        // Both wait before the refresh has its turn.
        function.begun.notified().await;
        end_first.cancel();
        assert_eq!(first.await.unwrap().unwrap_err().code(), ErrorCode::Cancelled);
        assert_eq!(function.dropped.load(Ordering::SeqCst), round - 1, "the second still waits");
        end_second.cancel();
        assert_eq!(second.await.unwrap().unwrap_err().code(), ErrorCode::Cancelled);
        while function.dropped.load(Ordering::SeqCst) < round {
            tokio::task::yield_now().await;
        }
        // No failure is remembered: who comes next asks anew.
        assert_eq!(function.asked.load(Ordering::SeqCst), round);
    }
}

#[tokio::test]
async fn a_delegated_grant_in_memory_warns() {
    let fake = counting(1, Duration::ZERO).await;
    let (host, events) = listening();
    let _source = fake.person(json!({}), host);
    let seen: Vec<Value> = events.lock().unwrap().iter().map(|e| e.fields["code"].clone()).collect();
    assert_eq!(seen, ["memory_store"]);
}

/// A host's store that can be made to fail.
#[derive(Default)]
struct OwnStore {
    entries: Mutex<HashMap<String, StoredEntry>>,
    saves_left: Mutex<Option<u32>>,
}

impl TokenStore for OwnStore {
    fn load(&self, key: &str) -> BoxFuture<'_, Result<Option<StoredEntry>>> {
        let held = self.entries.lock().unwrap().get(key).cloned();
        Box::pin(async move { Ok(held) })
    }

    fn save(&self, key: &str, entry: Option<Vec<u8>>, expected: Option<u64>) -> BoxFuture<'_, Result<bool>> {
        if let Some(left) = self.saves_left.lock().unwrap().as_mut() {
            if *left == 0 {
                return Box::pin(async { Err(Error::new(ErrorCode::Internal, "disk full")) });
            }
            *left -= 1;
        }
        let mut entries = self.entries.lock().unwrap();
        let fits = entries.get(key).map(|held| held.version) == expected;
        if fits {
            match entry {
                Some(entry) => {
                    let version = expected.unwrap_or(0) + 1;
                    entries.insert(key.to_owned(), StoredEntry { entry, version });
                }
                None => {
                    entries.remove(key);
                }
            }
        }
        Box::pin(async move { Ok(fits) })
    }
}

#[tokio::test]
async fn a_refresh_from_before_a_sign_out_does_not_clear_the_one_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut n = 0;
    let fake = Fake::start(move |_| {
        n += 1;
        let delay = Duration::from_millis(if n == 1 { 150 } else { 300 });
        token(&format!("at{n}"), None, 3600).after(delay)
    })
    .await;
    let source = seeded(&fake, &dir.path().join("tokens.json"));
    let get = || {
        let source = source.clone();
        tokio::spawn(async move { source.get(GetToken::default()).await })
    };
    let first = get();
    while fake.count() < 1 {
        tokio::task::yield_now().await;
    }
    source.logout().await.unwrap();
    let second = get();
    let _ = first.await.unwrap();
    // The first one's answer has come; the second one's request is still under way.
    let third = get();
    let (second, third) = (second.await.unwrap().unwrap(), third.await.unwrap().unwrap());
    assert_eq!(second.secret(), third.secret());
    assert_eq!(fake.count(), 2);
}

#[tokio::test]
async fn a_lifetime_that_no_new_token_has_is_said_so() {
    let dir = tempfile::tempdir().unwrap();
    let fake = counting(3600, Duration::ZERO).await;
    let source = seeded(&fake, &dir.path().join("tokens.json"));
    let asked = |hours: u64| GetToken {
        min_remaining: Some(Duration::from_secs(hours * 3600)),
        ..GetToken::default()
    };
    let error = source.get(asked(10)).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::ConfigInvalid);
    assert!(error.message().contains("36000 s"), "{}", error.message());
    assert!(source.get(asked(1)).await.is_ok());
}

#[tokio::test]
async fn what_a_policy_wants_goes_into_the_next_sign_in() {
    let claims = r#"{"access_token":{"capolids":{"essential":true,"values":["c1"]}}}"#;
    let fake = Fake::start(move |asked| match &*asked.form["grant_type"] {
        "authorization_code" => signed_in("ada@contoso.com", "at", "rt"),
        _ => reply(400, json!({"error": "interaction_required", "claims": claims, "error_codes": [50076]})),
    })
    .await;
    let own = Arc::new(OwnStore::default());
    let new = |auth: Value| {
        let host = Host { store: Some(own.clone()), ..Host::default() };
        fake.person(json!({"username": "ada@contoso.com", "auth": auth}), host)
    };
    let asked_of = async |source: &TokenSource| {
        let redirect_uri = Some("https://app.example/".to_owned());
        let login = source.login(LoginRequest { redirect_uri, ..LoginRequest::default() }).await.unwrap();
        let url = url::Url::parse(login.url()).unwrap();
        url.query_pairs().find(|(name, _)| name == "claims").map(|(_, value)| value.into_owned())
    };
    let source = new(json!({}));
    sign_in(&source).await.unwrap();
    assert_eq!(asked_of(&source).await, None);
    let error = source.get(force()).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::InteractionRequired);
    // Here, and in another process, together with what is configured.
    assert_eq!(asked_of(&source).await.as_deref(), Some(claims));
    let both = asked_of(&new(json!({"claims": r#"{"id_token":{"acr":null}}"#}))).await.unwrap();
    assert!(both.contains("capolids") && both.contains("id_token"), "{both}");
    sign_in(&source).await.unwrap();
    assert_eq!(asked_of(&source).await, None);
}

#[tokio::test]
async fn a_sign_out_is_told_to_the_service_and_happens_all_the_same() {
    for status in [200, 503] {
        let fake = Fake::start(move |asked| match &*asked.path {
            "/revoke" => raw(status, "text/plain", ""),
            _ => signed_in("ada@contoso.com", "at", "rt-secret"),
        })
        .await;
        let (host, events) = listening();
        let own = Arc::new(OwnStore::default());
        let auth = json!({"revocation_endpoint": format!("{}/revoke", fake.url)});
        let source = fake.person(json!({"auth": auth}), Host { store: Some(own.clone()), ..host });
        sign_in(&source).await.unwrap();
        source.logout().await.unwrap();
        let asked = fake.asked();
        let revoked = asked.last().unwrap();
        assert_eq!((&*revoked.path, &*revoked.form["token"]), ("/revoke", "rt-secret"));
        assert_eq!(
            (&*revoked.form["token_type_hint"], &*revoked.form["client_id"]),
            ("refresh_token", "app")
        );
        assert_eq!(source.get(GetToken::default()).await.unwrap_err().code(), ErrorCode::InteractionRequired);
        let events = events.lock().unwrap();
        let told = events.iter().find(|event| event.fields.get("code") == Some(&json!("not_revoked")));
        assert_eq!(told.is_some(), status == 503);
        assert!(!format!("{events:?}").contains("rt-secret"));
    }
}

#[tokio::test]
async fn the_end_of_a_sign_in_is_told_ahead_where_the_service_says_it() {
    for (left, told) in [(86_400, true), (7 * 86_400, false)] {
        let fake = Fake::start(move |asked| match &*asked.form["grant_type"] {
            "authorization_code" => signed_in("ada@contoso.com", "at", "rt"),
            _ => reply(
                200,
                json!({"access_token": "at2", "expires_in": 3600, "refresh_token_expires_in": left}),
            ),
        })
        .await;
        let (host, events) = listening();
        let source = fake.person(json!({}), host);
        sign_in(&source).await.unwrap();
        source.get(force()).await.unwrap();
        let events = events.lock().unwrap();
        let event = events.iter().find(|event| event.name == "login.expiring");
        assert_eq!(event.is_some(), told, "{left}");
        if let Some(event) = event {
            let seconds = event.fields["expires_in"].as_u64().unwrap();
            assert!((86_300..=86_400).contains(&seconds), "{event:?}");
            assert_eq!(event.fields["username"], "ada@contoso.com");
        }
    }
}
