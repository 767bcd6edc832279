//! AUTH over a socket: which token, how often, and when no more.

use super::*;

const GOOGLE: &str = "334 eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIn0=\r\n";

#[tokio::test]
async fn a_refused_token_is_replaced_once_on_the_same_connection() {
    let script = with(
        hello(),
        [
            Hear("AUTH XOAUTH2 "),
            Say("535 5.7.3 Authentication unsuccessful\r\n"),
            Hear("AUTH XOAUTH2 "),
            Say("235 ok\r\n"),
        ],
    );
    let server = Server::start([with(with(script, one_message()), [Eof])]).await;
    let mut route = route(server.address);
    route.tokens = Tokens::new(&["old", "new"]);
    send(&route, transaction(b"x\r\n")).await.unwrap();
    assert_eq!(route.tokens.invalidated(), ["old"]);
    close_idle(&route).await;
    let seen = server.seen().await.remove(0);
    assert!(seen.contains(&STANDARD.encode("me@x old")) && seen.contains(&STANDARD.encode("me@x new")));
}

#[tokio::test]
async fn a_server_that_closes_after_its_refusal_is_called_again() {
    let refused = with(hello(), [Hear("AUTH"), Say("535 5.7.3 no\r\n"), Close]);
    let server = Server::start([refused, with(with(signed_in(), one_message()), [Eof])]).await;
    let mut route = route(server.address);
    route.tokens = Tokens::new(&["old", "new"]);
    send(&route, transaction(b"x\r\n")).await.unwrap();
    close_idle(&route).await;
    assert!(server.seen().await[1].contains(&STANDARD.encode("me@x new")));
}

#[tokio::test]
async fn an_error_challenge_is_answered_and_its_status_told() {
    let refusal = || {
        [
            Hear("AUTH XOAUTH2 "),
            Say(GOOGLE),
            Hear("\r\n"),
            Say("535-5.7.8 Username and Password\r\n535 5.7.8 not accepted.\r\n"),
        ]
    };
    let server = Server::start([with(with(with(hello(), refusal()), refusal()), [Eof])]).await;
    let mut route = route(server.address);
    route.tokens = Tokens::new(&["old", "new"]);
    let error = send(&route, transaction(b"x\r\n")).await.unwrap_err();
    assert_eq!(judged(&error), (ErrorCode::AuthRejected, Delivery::None, false));
    assert!(error.message().contains("status 401"), "{}", error.message());
    assert_eq!(error.smtp().unwrap().enhanced.as_deref(), Some("5.7.8"));
    assert_eq!(error.smtp().unwrap().command.as_deref(), Some("AUTH XOAUTH2"));
    let shown = format!("{error:?} {error} {}", serde_json::to_string(&error).unwrap());
    assert!(!shown.contains("old") && !shown.contains(&STANDARD.encode("me@x old")));
    server.seen().await;
}

#[tokio::test]
async fn a_refusal_that_no_token_cures_is_not_tried_again() {
    for (reply, code) in [
        (
            "535 5.7.139 x, SmtpClientAuthentication is disabled for the Mailbox.\r\n",
            ErrorCode::SmtpAuthDisabled,
        ),
        ("535 5.7.139 x, basic authentication is disabled.\r\n", ErrorCode::AuthPolicyBlocked),
        ("501 5.5.124 Invalid XOAUTH2 auth data\r\n", ErrorCode::AuthRejected),
    ] {
        let server = Server::start([with(hello(), [Hear("AUTH"), Say(reply), Eof])]).await;
        let mut route = route(server.address);
        route.tokens = Tokens::new(&["old", "new"]);
        let error = send(&route, transaction(b"x\r\n")).await.unwrap_err();
        assert_eq!(judged(&error), (code, Delivery::None, false));
        assert!(route.tokens.invalidated().is_empty());
        server.seen().await;
    }
}

#[tokio::test]
async fn a_token_just_acquired_and_a_passing_refusal_are_not_tried_again() {
    for (reply, age, code, retryable) in [
        ("535 5.7.3 no\r\n", 5, ErrorCode::AuthRejected, false),
        ("454 4.7.0 Too many login attempts\r\n", 600, ErrorCode::Throttled, true),
        ("421 4.3.0 closing\r\n", 600, ErrorCode::TemporarilyRefused, true),
    ] {
        let server = Server::start([with(hello(), [Hear("AUTH"), Say(reply), Eof])]).await;
        let mut route = route(server.address);
        route.tokens = Tokens::new(&["old", "new"]);
        route.tokens.0.lock().unwrap().age = Duration::from_secs(age);
        let error = send(&route, transaction(b"x\r\n")).await.unwrap_err();
        assert_eq!(judged(&error), (code, Delivery::None, retryable));
        assert!(route.tokens.invalidated().is_empty());
        server.seen().await;
    }
}

#[tokio::test]
async fn a_line_refused_as_too_long_is_asked_again_in_two_steps_and_remembered() {
    let two_step = [Hear("AUTH XOAUTH2\r\n"), Say("334 \r\n"), Hear("bWVAeCB0"), Say("235 ok\r\n")];
    let first = with(hello(), [Hear("AUTH XOAUTH2 "), Say("500 5.5.2 Line too long\r\n")]);
    let server = Server::start([
        with(with(with(first, two_step.clone()), one_message()), [Close]),
        with(with(with(hello(), two_step), one_message()), [Eof]),
    ])
    .await;
    let route = route(server.address);
    send(&route, transaction(b"x\r\n")).await.unwrap();
    send(&route, transaction(b"x\r\n")).await.unwrap();
    close_idle(&route).await;
    server.seen().await;
}

#[tokio::test]
async fn three_refusals_in_a_row_open_the_breaker() {
    let refused = with(hello(), [Hear("AUTH"), Say("535 5.7.3 no\r\n"), Eof]);
    let server = Server::start([refused.clone(), refused.clone(), refused]).await;
    let route = route(server.address);
    for _ in 0..3 {
        let error = send(&route, transaction(b"x\r\n")).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::AuthRejected);
        assert!(error.smtp().is_some() && error.retry_after().is_none());
    }
    // The server would not answer a fourth.
    let error = send(&route, transaction(b"x\r\n")).await.unwrap_err();
    assert_eq!(judged(&error), (ErrorCode::AuthRejected, Delivery::None, false));
    let left = error.retry_after().unwrap();
    assert!(left > Duration::from_secs(20) && left <= Duration::from_secs(30));
    server.seen().await;
}

#[tokio::test]
async fn without_the_breaker_every_send_asks() {
    let refused = with(hello(), [Hear("AUTH"), Say("535 5.7.3 no\r\n"), Eof]);
    let server = Server::start(std::iter::repeat_n(refused, 5)).await;
    let mut route = route(server.address);
    Arc::make_mut(&mut route.settings).breaker = false;
    for _ in 0..5 {
        let error = send(&route, transaction(b"x\r\n")).await.unwrap_err();
        assert!(error.smtp().is_some() && error.retry_after().is_none());
    }
    server.seen().await;
}

#[tokio::test]
async fn no_bearer_mechanism_is_said_so() {
    let script = vec![Say("220 x\r\n"), Hear("EHLO"), Say("250-x\r\n250 AUTH LOGIN PLAIN\r\n"), Eof];
    let server = Server::start([script]).await;
    let error = send(&route(server.address), transaction(b"x\r\n")).await.unwrap_err();
    assert_eq!(judged(&error), (ErrorCode::CapabilityMissing, Delivery::None, false));
    assert!(error.message().contains("LOGIN PLAIN"));
    server.seen().await;
}
