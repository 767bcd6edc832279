//! The main job against the emulator: tokens acquired, mail sent, errors told.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mailbearer::config::Spelling;
use mailbearer::{
    Call, Delivery, Error, ErrorCode, EventSink, Host, Level, Mailer, Message, Outcome, VerifyRequest,
};
use mailbearer_emulator::{Config, DEFAULT_USERNAME, Emulator, Fault, Options, Rotation};
use serde_json::{Value, json};

fn emulator() -> Emulator {
    Emulator::start(Options::default()).unwrap()
}

fn mailer(emulator: &Emulator, grant: &str, host: Host) -> Mailer {
    Mailer::from_json(emulator.settings(grant, DEFAULT_USERNAME).unwrap(), host).unwrap()
}

fn message(fields: Value) -> Message {
    Message::from_json(fields, Vec::new(), Spelling::Snake).unwrap()
}

fn hello() -> Message {
    message(json!({"to": ["ada@example.com"], "subject": "Hello", "text": "Hi\n"}))
}

async fn fails(mailer: &Mailer) -> Error {
    mailer.send(&hello(), Call::default()).await.unwrap_err()
}

#[tokio::test]
async fn a_message_goes_out_with_the_applications_own_token() {
    let emulator = emulator();
    let mailer = mailer(&emulator, "client_credentials", Host::default());
    let receipt = mailer.send(&hello(), Call::default()).await.unwrap();
    assert_eq!(receipt.accepted, ["ada@example.com"]);
    assert_eq!((receipt.reply.code, receipt.attempts), (250, 1));
    let seen = emulator.seen();
    assert_eq!(seen["messages"][0]["mail_from"], DEFAULT_USERNAME);
    assert_eq!(seen["messages"][0]["message_id"], receipt.message_id.as_str());
    assert_eq!(seen["auth"][0]["mechanism"], "XOAUTH2");
    mailer.send(&hello(), Call::default()).await.unwrap();
    assert_eq!(emulator.seen()["connections"], seen["connections"], "the connection is reused");
    assert_eq!(emulator.seen()["token_requests"].as_array().unwrap().len(), 1);
    mailer.close(Duration::from_secs(5)).await;
    assert_eq!(fails(&mailer).await.code(), ErrorCode::Closed);
}

#[tokio::test]
async fn a_forgotten_token_is_replaced_once_on_the_same_connection() {
    let emulator = emulator();
    let mailer = mailer(&emulator, "client_credentials", Host::default());
    mailer.tokens().unwrap().get(Default::default()).await.unwrap();
    emulator.expire_tokens();
    // Under a minute old, a refused token is not asked for again: that would hide a wrong permission.
    let error = fails(&mailer).await;
    assert_eq!(error.code(), ErrorCode::AuthRejected, "{error}");
    assert!(error.smtp().is_some_and(|reply| reply.code == 535), "{error}");
    assert!(error.hint().is_some());
}

#[tokio::test]
async fn closing_waits_for_what_a_posted_refresh_token_brings() {
    let strict = Config { refresh_rotation: Some(Rotation::ReuseDetection), ..Config::default() };
    let emulator = Emulator::start(Options { config: strict, ..Options::default() }).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut settings = emulator.settings("refresh_token", DEFAULT_USERNAME).unwrap();
    settings["store"] = json!({"kind": "file", "path": folder.path().join("tokens.json")});
    let mailer = Mailer::from_json(settings.clone(), Host::default()).unwrap();
    emulator.fail(Fault { after: true, delay: 1.0, ..Fault::at("token") }).unwrap();
    let call = Call { timeout: Some(Duration::from_millis(300)), ..Call::default() };
    let error = mailer.send(&hello(), call).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::TimedOut, "{error}");
    mailer.close(Duration::ZERO).await;
    let stored = std::fs::read_to_string(folder.path().join("tokens.json")).unwrap();
    assert!(
        stored.contains("access_token\":\"ey") && stored.contains("refreshing\":null"),
        "nothing was kept"
    );
}

#[tokio::test]
async fn many_messages_give_one_result_each_and_share_a_token() {
    let emulator = emulator();
    let mailer = mailer(&emulator, "client_credentials", Host::default());
    emulator.fail(Fault { reply: Some("550 5.1.1 nobody".into()), ..Fault::at("rcpt") }).unwrap();
    let mut bulk = mailer.bulk(Call::default(), tokio::runtime::Handle::current()).unwrap();
    let mut left = 40;
    let mut seen = vec![false; left];
    loop {
        while bulk.has_room() {
            if left == 0 {
                bulk.finish();
            } else {
                left -= 1;
                bulk.push(Ok(hello()));
            }
        }
        match bulk.next().await {
            Some(result) => seen[usize::try_from(result.unwrap().index).unwrap()] = true,
            None => break,
        }
    }
    assert!(seen.iter().all(|seen| *seen));
    let counts = bulk.counts();
    assert_eq!((counts.sent, counts.failed, counts.in_flight), (39, 1, 0));
    assert_eq!(emulator.messages().len(), 39);
    assert_eq!(emulator.seen()["token_requests"].as_array().unwrap().len(), 1);
    assert!(emulator.seen()["connections"].as_u64().unwrap() <= 3, "the cap is real");
}

#[tokio::test]
async fn what_would_fail_every_message_is_told_once_and_the_rest_is_not_sent() {
    let emulator = emulator();
    let mut options = emulator.settings("client_credentials", DEFAULT_USERNAME).unwrap();
    options["auth"]["client_secret"] = "wrong".into();
    let mailer = Mailer::from_json(options, Host::default()).unwrap();
    let mut bulk = mailer.bulk(Call::default(), tokio::runtime::Handle::current()).unwrap();
    let mut pulled = 0;
    let fatal = loop {
        while bulk.has_room() {
            pulled += 1;
            bulk.push(Ok(hello()));
        }
        match bulk.next().await {
            Some(Ok(result)) => assert_eq!(result.outcome(), Outcome::NotSent),
            Some(Err(error)) => break error,
            None => panic!("the reason was never told"),
        }
    };
    assert_eq!(fatal.code(), ErrorCode::ClientRejected);
    assert_eq!(bulk.counts().not_sent, pulled);
    assert!(!format!("{fatal:?} {fatal}").contains("wrong"));
}

#[tokio::test]
async fn after_the_dot_a_lost_connection_is_uncertain_and_before_it_it_is_not() {
    let emulator = emulator();
    let mailer = mailer(&emulator, "client_credentials", Host::default());
    emulator.fail(Fault { drop: true, after: true, ..Fault::at("end") }).unwrap();
    let error = fails(&mailer).await;
    assert_eq!((error.code(), error.delivery()), (ErrorCode::DeliveryUncertain, Delivery::Uncertain));
    assert!(!error.retryable());
    assert_eq!(emulator.messages().len(), 1, "it is not sent again");
    emulator.fail(Fault { drop: true, ..Fault::at("data") }).unwrap();
    let receipt = mailer.send(&hello(), Call::default()).await.unwrap();
    assert_eq!(receipt.accepted.len(), 1);
    assert_eq!(emulator.messages().len(), 2);
}

#[tokio::test]
async fn a_dropped_connection_at_every_step_before_the_body_loses_nothing_and_doubles_nothing() {
    for point in ["connect", "greeting", "ehlo", "starttls", "tls", "auth", "mail", "rcpt", "data"] {
        let emulator = emulator();
        let mut options = emulator.settings("client_credentials", DEFAULT_USERNAME).unwrap();
        options["retry"] = json!({"base_delay": "1ms"});
        let mailer = Mailer::from_json(options, Host::default()).unwrap();
        emulator.fail(Fault { drop: true, ..Fault::at(point) }).unwrap();
        let sent = mailer.send(&hello(), Call::default()).await;
        assert!(sent.is_ok(), "{point}: {}", sent.unwrap_err());
        assert_eq!(emulator.messages().len(), 1, "{point}");
    }
}

#[tokio::test]
async fn a_cancelled_call_says_so_and_sends_nothing() {
    let emulator = emulator();
    let mailer = mailer(&emulator, "client_credentials", Host::default());
    emulator.fail(Fault { delay: 30.0, ..Fault::at("mail") }).unwrap();
    let call = Call::default();
    let cancel = call.cancel.clone();
    let sending = tokio::spawn({
        let mailer = mailer.clone();
        async move { mailer.send(&hello(), call).await }
    });
    while emulator.seen()["auth"].as_array().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    cancel.cancel();
    let error = sending.await.unwrap().unwrap_err();
    assert_eq!((error.code(), error.delivery()), (ErrorCode::Cancelled, Delivery::None));
    assert!(emulator.messages().is_empty());
}

#[tokio::test]
async fn events_tell_what_happened_and_no_secret() {
    let emulator = emulator();
    let log: Arc<Mutex<Vec<String>>> = Arc::default();
    let events = EventSink::new({
        let log = log.clone();
        move |event| log.lock().unwrap().push(serde_json::to_string(event).unwrap())
    });
    let mailer = mailer(&emulator, "client_credentials", Host { events, ..Host::default() });
    mailer.send(&hello(), Call::default()).await.unwrap();
    let token = mailer.tokens().unwrap().get(Default::default()).await.unwrap();
    let log = log.lock().unwrap().join("\n");
    for name in ["token.refreshed", "smtp.connected", "send.done"] {
        assert!(log.contains(name), "{log}");
    }
    assert!(!log.contains(token.secret()) && !log.contains("not-a-real-secret"));
    assert!(!format!("{token:?}").contains(token.secret()));
}

#[tokio::test]
async fn verify_walks_the_whole_chain_and_names_the_link_that_fails() {
    let emulator = emulator();
    let mailer = mailer(&emulator, "client_credentials", Host::default());
    let report = mailer.verify(VerifyRequest::default()).await.unwrap();
    let links: Vec<_> = report.findings.iter().map(|finding| finding.link).collect();
    assert_eq!(
        links,
        ["dns", "tcp", "greeting", "tls", "ehlo", "token", "claims", "auth", "mail_from", "message"]
    );
    assert!(emulator.messages().is_empty());
    let refused =
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.";
    emulator.fail(Fault { reply: Some(refused.into()), times: 0, ..Fault::at("auth") }).unwrap();
    let error = mailer.verify(VerifyRequest::default()).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::SmtpAuthDisabled);
    let report = error.report().unwrap().to_string();
    assert!(report.contains("Set-CASMailbox"), "{report}");
}

#[tokio::test]
async fn memory_keeps_what_it_would_have_sent() {
    let options = json!({"provider": "memory", "username": "me@example.org"});
    let mailer = Mailer::from_json(options, Host::default()).unwrap();
    let receipt = mailer.send(&hello(), Call::default()).await.unwrap();
    let kept = mailer.outbox();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].message_id, receipt.message_id);
    assert_eq!(kept[0].envelope.mail_from, "me@example.org");
}

#[tokio::test]
async fn a_message_that_cannot_be_read_counts_as_one_that_failed() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let told = events.clone();
    let host = Host {
        events: EventSink::new(move |event| told.lock().unwrap().push((event.name, event.level))),
        ..Host::default()
    };
    let options = json!({"provider": "memory", "username": "me@example.org"});
    let mailer = Mailer::from_json(options, host).unwrap();
    let bulk = mailer.shared_bulk(Call::default(), tokio::runtime::Handle::current()).unwrap();
    bulk.push(mailer.message(json!({"to": "a@b, c@d"}), Vec::new()));
    bulk.push(Ok(hello()));
    bulk.finish();
    let mut outcomes = Vec::new();
    while let Some(results) = bulk.gather().await.unwrap() {
        outcomes.extend(results.iter().map(|result| (result.index, result.outcome())));
    }
    assert_eq!(outcomes, [(0, Outcome::Failed), (1, Outcome::Sent)]);
    assert_eq!(mailer.metrics()["failed"], json!({"message_invalid": 1}));
    assert_eq!(*events.lock().unwrap(), [("send.failed", Level::Warning), ("send.done", Level::Info)]);
}

/// Sends side by side, as many at once as there is room, over one connection.
async fn many(emulator: &Emulator, smtp: Value, messages: impl Iterator<Item = Message>) -> Vec<Outcome> {
    let mut options = emulator.settings("client_credentials", DEFAULT_USERNAME).unwrap();
    for (key, value) in smtp.as_object().unwrap() {
        options["smtp"][key] = value.clone();
    }
    // A connection that nobody can find would be waited for for ever.
    options["limits"] = json!({"max_connections": 1, "messages_per_minute": null, "idle_timeout": null,
        "max_age": null, "max_messages_per_connection": null});
    let mailer = Mailer::from_json(options, Host::default()).unwrap();
    let mut bulk = mailer.bulk(Call::default(), tokio::runtime::Handle::current()).unwrap();
    let (mut messages, mut outcomes) = (messages, Vec::new());
    loop {
        while bulk.has_room() {
            match messages.next() {
                Some(message) => bulk.push(Ok(message)),
                None => bulk.finish(),
            }
        }
        match bulk.next().await {
            Some(result) => outcomes.push(result.unwrap().outcome()),
            None => return outcomes,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_of_messages_stays_on_its_connection_and_one_that_is_too_large_stops_nobody() {
    for smtp in [json!({"pipelining": "chain"}), json!({"pipelining": "chain", "chunking": "pipelined"})] {
        let emulator = emulator();
        emulator.configure(json!({"size_limit": 4000})).unwrap();
        let big = "x".repeat(6000);
        let text = |n: usize| if n.is_multiple_of(2) { "small" } else { &big };
        let messages = (0..600).map(|n| message(json!({"to": ["ada@example.com"], "text": text(n)})));
        let outcomes = many(&emulator, smtp, messages).await;
        let sent = outcomes.iter().filter(|outcome| **outcome == Outcome::Sent).count();
        assert_eq!((outcomes.len(), sent), (600, 300));
        assert_eq!(emulator.seen()["connections"], 1);
    }
}
