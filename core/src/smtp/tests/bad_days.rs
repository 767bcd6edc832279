//! Servers and networks that misbehave: the right code, the right delivery, and whether to try again.

use super::server::Do::Read;
use super::*;

async fn fails(route: &Route<Tokens>) -> (ErrorCode, Delivery, bool) {
    judged(&send(route, transaction(b"x\r\n")).await.unwrap_err())
}

#[tokio::test]
async fn nobody_there() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(fails(&route(closed)).await, (ErrorCode::ConnectFailed, Delivery::None, true));
    let mut nowhere = route(closed);
    Arc::make_mut(&mut nowhere.settings).host = "no-such-host.invalid".into();
    assert_eq!(fails(&nowhere).await, (ErrorCode::NameNotResolved, Delivery::None, true));
}

#[tokio::test]
async fn odd_beginnings() {
    let table: &[(&[Do], ErrorCode, bool)] = &[
        (&[Close], ErrorCode::ConnectionLost, true),
        (&[Say("HTTP/1.1 400 Bad Request\r\n"), Eof], ErrorCode::ProtocolError, false),
        (&[Say("22"), Close], ErrorCode::ConnectionLost, true),
        (&[Say("554 5.7.1 go away\r\n"), Eof], ErrorCode::ConnectFailed, false),
        (&[Say("421 4.3.2 too busy\r\n"), Close], ErrorCode::TemporarilyRefused, true),
        (&[Say("220 a\r\n220 b\r\n"), Eof], ErrorCode::ProtocolError, false),
        (&[Say("220 a\r\n"), Hear("EHLO"), Close], ErrorCode::ConnectionLost, true),
        (
            &[Say("220 a\r\n"), Hear("EHLO"), Say("421 4.3.0 bye\r\n"), Close],
            ErrorCode::TemporarilyRefused,
            true,
        ),
        (&[Say("220 a\r\n"), Hear("EHLO"), Say("250-half\r\n25"), Close], ErrorCode::ConnectionLost, true),
        (&[Say("220 a\r\n"), Hear("EHLO"), Say("250-a\r\n550 b\r\n"), Eof], ErrorCode::ProtocolError, false),
        (&[Say("220 a\r\n"), Hear("EHLO"), Say("502 what\r\n"), Eof], ErrorCode::CapabilityMissing, false),
    ];
    for (script, code, retryable) in table {
        let server = Server::start([script.to_vec()]).await;
        assert_eq!(fails(&route(server.address)).await, (*code, Delivery::None, *retryable), "{script:?}");
        server.seen().await;
    }
}

/// Dovecot's submission service, when the relay behind it is away.
#[tokio::test]
async fn a_421_behind_the_sign_in_is_told_in_its_own_words() {
    let away = "235 2.7.0 ok\r\n421 4.4.0 mx.test Failed to connect to relay server\r\n";
    let script = || with(hello(), [Hear("AUTH XOAUTH2 "), Say(away), Close]);
    let server = Server::start([script(), script()]).await;
    let route = route(server.address);
    let error = send(&route, transaction(b"x\r\n")).await.unwrap_err();
    assert_eq!(judged(&error), (ErrorCode::TemporarilyRefused, Delivery::None, true));
    assert!(error.message().contains("Failed to connect to relay server"), "{error}");
    assert!(route.tokens.invalidated().is_empty(), "the token was taken");
    let links =
        probe(&route, "a@x.example", Instant::now() + Duration::from_secs(20), &Cancel::default()).await;
    let last = links.into_iter().last().unwrap();
    let error = last.seen.err().unwrap();
    assert_eq!((last.name, error.code()), ("mail_from", ErrorCode::TemporarilyRefused), "{error}");
    server.seen().await;
}

#[tokio::test]
async fn oversize_replies_are_cut_off() {
    let long: &'static str = Box::leak("x".repeat(5000).into_boxed_str());
    let many: &'static str = Box::leak("250-x\r\n".repeat(101).into_boxed_str());
    for script in [vec![Say("220 "), Say(long), Eof], vec![Say("220 a\r\n"), Hear("EHLO"), Say(many), Eof]] {
        let server = Server::start([script]).await;
        assert_eq!(fails(&route(server.address)).await, (ErrorCode::ProtocolError, Delivery::None, false));
        server.seen().await;
    }
}

#[tokio::test]
async fn starttls_is_required_and_nothing_before_the_handshake_is_kept() {
    let offer = || vec![Say("220 a\r\n"), Hear("EHLO"), Say("250-a\r\n250 STARTTLS\r\n"), Hear("STARTTLS")];
    let table = [
        (hello(), vec![Eof], ErrorCode::CapabilityMissing, false),
        (offer(), vec![Say("220 go\r\n250 injected\r\n"), Eof], ErrorCode::ProtocolError, false),
        (offer(), vec![Say("220 go\r\n2"), Eof], ErrorCode::ProtocolError, false),
        (offer(), vec![Say("454 4.3.0 not now\r\n"), Eof], ErrorCode::TemporarilyRefused, true),
        (offer(), vec![Say("502 no\r\n"), Eof], ErrorCode::TlsFailed, false),
    ];
    for (script, more, code, retryable) in table {
        let server = Server::start([with(script, more)]).await;
        let mut route = route(server.address);
        Arc::make_mut(&mut route.settings).security = Security::Starttls;
        assert_eq!(fails(&route).await, (code, Delivery::None, retryable));
        let seen = server.seen().await.remove(0);
        assert!(!seen.contains("AUTH") && !seen.contains("MAIL"), "{seen}");
    }
}

#[tokio::test]
async fn plain_text_on_the_tls_port_is_no_tls() {
    let server = Server::start([vec![Say("220 mx.test ESMTP\r\n"), Eof]]).await;
    let mut route = route(server.address);
    Arc::make_mut(&mut route.settings).security = Security::Tls;
    let error = send(&route, transaction(b"x\r\n")).await.unwrap_err();
    assert_eq!(judged(&error), (ErrorCode::TlsFailed, Delivery::None, false));
}

/// Up to the end of the body, without its reply.
fn handed_over() -> Vec<Do> {
    let mut script = with(signed_in(), one_message());
    script.pop();
    script
}

#[tokio::test]
async fn a_connection_dropped_or_421_at_every_step_of_a_message() {
    use ErrorCode::*;
    let (none, uncertain) = (Delivery::None, Delivery::Uncertain);
    let group = || with(signed_in(), [Group("DATA\r\n")]);
    let table = [
        (signed_in(), vec![Close], ConnectionLost, none, true),
        (group(), vec![Close], ConnectionLost, none, true),
        (group(), vec![Say("421 4.3.0 bye\r\n"), Close], TemporarilyRefused, none, true),
        (group(), vec![Say("250 ok\r\n"), Close], ConnectionLost, none, true),
        (group(), vec![Say("250 ok\r\n421 4.3.0 bye\r\n"), Close], TemporarilyRefused, none, true),
        (group(), vec![Say("250 ok\r\n250 ok\r\n"), Close], ConnectionLost, none, true),
        (group(), vec![Say("250 ok\r\n250 ok\r\n421 4.3.0 bye\r\n"), Close], TemporarilyRefused, none, true),
        (group(), vec![Say("250 ok\r\n250 ok\r\n250 what\r\n"), Eof], ProtocolError, none, true),
        (group(), vec![Say("250 ok\r\n250 ok\r\n\u{1}\u{2}\r\n"), Eof], ProtocolError, none, true),
        (group(), vec![Say("550 5.7.1 no\r\n503 x\r\n503 x\r\n"), Eof], SenderRejected, none, false),
        (group(), vec![Say("550 5.7.1 no\r\n503 x\r\n354 x\r\n"), Eof], SenderRejected, none, false),
        (
            group(),
            vec![Say("250 ok\r\n550 5.1.1 no\r\n354 go\r\n"), Hear(".\r\n"), Say("554 none\r\n"), Eof],
            RecipientsRejected,
            none,
            false,
        ),
        (handed_over(), vec![Close], DeliveryUncertain, uncertain, false),
        (handed_over(), vec![Say("25"), Close], DeliveryUncertain, uncertain, false),
        (handed_over(), vec![Say("gibberish\r\n"), Eof], DeliveryUncertain, uncertain, false),
        (handed_over(), vec![Say("421 4.3.0 bye\r\n"), Close], TemporarilyRefused, none, true),
        (handed_over(), vec![Say("451 4.3.0 later\r\n"), Eof], TemporarilyRefused, none, true),
        (handed_over(), vec![Say("554 5.6.0 no\r\n"), Eof], MessageRejected, none, false),
        (
            handed_over(),
            vec![Say("432 4.3.2 Concurrent connections limit exceeded\r\n"), Eof],
            Throttled,
            none,
            true,
        ),
    ];
    for (script, more, code, delivery, retryable) in table {
        let case = format!("{more:?}");
        let server = Server::start([with(script, more)]).await;
        let route = route(server.address);
        assert_eq!(fails(&route).await, (code, delivery, retryable), "{case}");
        close_idle(&route).await;
        server.seen().await;
    }
}

#[tokio::test]
async fn a_refusal_in_the_middle_of_the_body_is_heard_even_when_writing_fails() {
    for end in [vec![Eof], vec![Close]] {
        let script = with(
            signed_in(),
            [
                Group("DATA\r\n"),
                Say("250 ok\r\n250 ok\r\n354 go\r\n"),
                Read(50_000),
                Say("552 5.3.4 message too big\r\n"),
            ],
        );
        let closes = matches!(end[0], Close);
        let server = Server::start([with(script, end)]).await;
        let route = route(server.address);
        let body = b"a line of text\r\n".repeat(600_000);
        let error = send(&route, transaction(&body)).await.unwrap_err();
        assert_eq!(judged(&error), (ErrorCode::MessageTooLarge, Delivery::None, false), "{error}");
        let seen = server.seen().await.remove(0);
        assert!(closes || seen.len() < body.len(), "the rest of the body was spared");
        assert!(!seen.ends_with("\r\n.\r\n"));
    }
}

#[tokio::test]
async fn every_stage_has_its_time() {
    use ErrorCode::{DeliveryUncertain, TimedOut};
    let short = Duration::from_millis(80);
    let (none, uncertain) = (Delivery::None, Delivery::Uncertain);
    type Change = fn(&mut Timeouts, Duration);
    let greeting: Change = |t, d| t.greeting = d;
    let command: Change = |t, d| t.command = d;
    let last: Change = |t, d| t.final_reply = d;
    let table = [
        (vec![Eof], greeting, TimedOut, none, true),
        (vec![Say("220 a\r\n"), Hear("EHLO"), Eof], command, TimedOut, none, true),
        (with(hello(), [Hear("AUTH"), Eof]), command, TimedOut, none, true),
        (with(signed_in(), [Group("DATA\r\n"), Say("250 o"), Eof]), command, TimedOut, none, true),
        (with(handed_over(), [Eof]), last, DeliveryUncertain, uncertain, false),
    ];
    for (script, change, code, delivery, retryable) in table {
        let case = format!("{script:?}");
        let server = Server::start([script]).await;
        let mut route = route(server.address);
        change(&mut Arc::make_mut(&mut route.settings).timeouts, short);
        assert_eq!(fails(&route).await, (code, delivery, retryable), "{case}");
        server.seen().await;
    }
}

#[tokio::test]
async fn a_body_that_does_not_move_fails() {
    let (open, gate) = tokio::sync::oneshot::channel();
    let script = with(signed_in(), [Group("DATA\r\n"), Say("250 ok\r\n250 ok\r\n354 go\r\n")]);
    let (server, _) = Server::gated(script, gate, vec![Eof]).await;
    let mut route = route(server.address);
    Arc::make_mut(&mut route.settings).timeouts.progress = Duration::from_millis(150);
    let body = b"a line of text\r\n".repeat(600_000);
    let error = send(&route, transaction(&body)).await.unwrap_err();
    assert_eq!(judged(&error), (ErrorCode::TimedOut, Delivery::None, true));
    open.send(()).unwrap();
    assert!(!server.seen().await[0].ends_with("\r\n.\r\n"));
}

#[tokio::test]
async fn the_deadline_holds_before_the_dot_and_not_after() {
    let server = Server::start([with(signed_in(), [Group("DATA\r\n"), Eof])]).await;
    let near = Instant::now() + Duration::from_millis(200);
    let error =
        deliver(&route(server.address), transaction(b"x\r\n"), near, &Cancel::default()).await.unwrap_err();
    assert_eq!(judged(&error), (ErrorCode::TimedOut, Delivery::None, true));

    let (open, gate) = tokio::sync::oneshot::channel();
    let (server, _) = Server::gated(handed_over(), gate, vec![Say("250 2.0.0 at last\r\n"), Eof]).await;
    let route = route(server.address);
    let deadline = Instant::now() + Duration::from_millis(200);
    let sending = tokio::spawn({
        let route = route.clone();
        async move { deliver(&route, transaction(b"x\r\n"), deadline, &Cancel::default()).await }
    });
    tokio::time::sleep_until(deadline + Duration::from_millis(100)).await;
    assert!(!sending.is_finished());
    open.send(()).unwrap();
    assert_eq!(sending.await.unwrap().unwrap().reply.text, "at last");
    close_idle(&route).await;
}

#[tokio::test]
async fn cancelling_keeps_the_verdict() {
    // Before the dot: nobody gets it. After: uncertain at once, and the reply is still read.
    let before = with(signed_in(), [Group("DATA\r\n")]);
    for (script, reply, expected) in [
        (before, "250 ok\r\n550 no\r\n554 no\r\n", (ErrorCode::Cancelled, Delivery::None, false)),
        (handed_over(), "250 2.0.0 ok\r\n", (ErrorCode::DeliveryUncertain, Delivery::Uncertain, false)),
    ] {
        let (open, gate) = tokio::sync::oneshot::channel();
        let more = [
            Say(reply),
            Group("RSET\r\nMAIL FROM:<me@x> SIZE=3\r\nRCPT TO:<you@x>\r\nDATA\r\n"),
            Say("250 reset\r\n250 ok\r\n250 ok\r\n354 go\r\n"),
            Body,
            Say("250 2.0.0 second\r\n"),
            Eof,
        ];
        let (server, reached) = Server::gated(script, gate, more.to_vec()).await;
        let mut route = route(server.address);
        Arc::make_mut(&mut route.settings).max_connections = Some(1);
        let cancel = Cancel::default();
        let sending = tokio::spawn({
            let (route, cancel) = (route.clone(), cancel.clone());
            async move { deliver(&route, transaction(b"x\r\n"), soon(), &cancel).await }
        });
        reached.await.unwrap();
        cancel.cancel();
        let error = sending.await.unwrap().unwrap_err();
        assert_eq!(judged(&error), expected);
        open.send(()).unwrap();
        // The connection came through it: the next message goes over the same one.
        assert_eq!(send(&route, transaction(b"y\r\n")).await.unwrap().reply.text, "second");
        close_idle(&route).await;
        server.seen().await;
    }
}

#[tokio::test]
async fn a_cancelled_call_goes_no_further() {
    let server = Server::start([vec![Eof]]).await;
    let cancel = Cancel::default();
    let route = route(server.address);
    let sending = deliver(&route, transaction(b"x\r\n"), soon(), &cancel);
    let (result, ()) = tokio::join!(sending, async {
        tokio::task::yield_now().await;
        cancel.cancel();
    });
    assert_eq!(judged(&result.unwrap_err()), (ErrorCode::Cancelled, Delivery::None, false));
}
