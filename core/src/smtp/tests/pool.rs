//! Reuse, the cap, the queue, and connections that went away meanwhile.

use super::*;

#[tokio::test]
async fn a_connection_that_closed_meanwhile_is_replaced_without_a_word() {
    for end in [
        vec![Close],
        vec![Say("421 4.4.1 session duration exceeded\r\n"), Close],
        // It forgot who we are.
        vec![
            Group("DATA\r\n"),
            Say("530 5.7.57 Client not authenticated to send mail.\r\n503 x\r\n503 x\r\n"),
            Eof,
        ],
        vec![Group("DATA\r\n"), Close],
        vec![Group("DATA\r\n"), Say("421 4.4.2 timeout\r\n"), Close],
    ] {
        let case = format!("{end:?}");
        let first = with(with(signed_in(), one_message()), end);
        let server = Server::start([first, with(with(signed_in(), one_message()), [Eof])]).await;
        let mut route = route(server.address);
        Arc::make_mut(&mut route.settings).max_connections = Some(1);
        send(&route, transaction(b"one\r\n")).await.unwrap();
        send(&route, transaction(b"two\r\n")).await.unwrap_or_else(|e| panic!("{case}: {e}"));
        close_idle(&route).await;
        assert!(server.seen().await[1].contains("two\r\n.\r\n"), "{case}");
    }
}

#[tokio::test]
async fn a_used_connection_that_had_begun_to_take_the_message_is_not_retried_in_secret() {
    let first = with(with(signed_in(), one_message()), [Group("DATA\r\n"), Say("250 ok\r\n"), Close]);
    let server = Server::start([first]).await;
    let route = route(server.address);
    send(&route, transaction(b"one\r\n")).await.unwrap();
    let error = send(&route, transaction(b"two\r\n")).await.unwrap_err();
    assert_eq!(judged(&error), (ErrorCode::ConnectionLost, Delivery::None, true));
    server.seen().await;
}

#[tokio::test]
async fn the_cap_is_real_and_callers_queue() {
    // One script: a second connection would never be answered.
    let messages = (0..6).flat_map(|_| one_message());
    let server = Server::start([with(with(signed_in(), messages), [Eof])]).await;
    let mut route = route(server.address);
    Arc::make_mut(&mut route.settings).max_connections = Some(1);
    let mut sends = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let route = route.clone();
        sends.spawn(async move { send(&route, transaction(b"x\r\n")).await });
    }
    while let Some(sent) = sends.join_next().await {
        sent.unwrap().unwrap();
    }
    close_idle(&route).await;
    assert_eq!(server.seen().await[0].matches("MAIL FROM").count(), 6);
}

#[tokio::test]
async fn a_deadline_that_passes_in_the_queue_is_throttled() {
    let (open, gate) = tokio::sync::oneshot::channel();
    let (server, _) = Server::gated(signed_in(), gate, with(one_message(), [Eof])).await;
    let mut route = route(server.address);
    Arc::make_mut(&mut route.settings).max_connections = Some(1);
    let first = tokio::spawn({
        let route = route.clone();
        async move { send(&route, transaction(b"x\r\n")).await }
    });
    tokio::task::yield_now().await;
    let near = Instant::now() + Duration::from_millis(100);
    let error = deliver(&route, transaction(b"y\r\n"), near, &Cancel::default()).await.unwrap_err();
    assert_eq!(judged(&error), (ErrorCode::Throttled, Delivery::None, true));
    // One that was cancelled in the queue leaves no gap either.
    let cancelled = Cancel::default();
    cancelled.cancel();
    let error = deliver(&route, transaction(b"z\r\n"), soon(), &cancelled).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Cancelled);
    open.send(()).unwrap();
    first.await.unwrap().unwrap();
    close_idle(&route).await;
    server.seen().await;
}

#[tokio::test]
async fn another_key_under_the_same_cap_takes_the_place_of_an_idle_connection() {
    let one = with(with(signed_in(), one_message()), [Hear("QUIT"), Say("221 bye\r\n"), Eof]);
    let server = Server::start([one.clone(), one]).await;
    let mut route = route(server.address);
    Arc::make_mut(&mut route.settings).max_connections = Some(1);
    send(&route, transaction(b"x\r\n")).await.unwrap();
    let mut other = route.clone();
    Arc::make_mut(&mut other.settings).hello_name = Some("[127.0.0.9]".into());
    send(&other, transaction(b"y\r\n")).await.unwrap();
    close_idle(&other).await;
    let seen = server.seen().await;
    assert!(seen[0].starts_with("EHLO [127.0.0.1]") && seen[1].starts_with("EHLO [127.0.0.9]"));
}

#[tokio::test]
async fn as_many_idle_connections_close_as_are_too_many() {
    let idle = || with(with(signed_in(), one_message()), [Eof]);
    let server = Server::start([idle(), idle(), idle(), idle()]).await;
    let mut route = route(server.address);
    Arc::make_mut(&mut route.settings).idle_timeout = None;
    Arc::make_mut(&mut route.settings).max_age = None;
    let sends = (0..3).map(|_| {
        let route = route.clone();
        tokio::spawn(async move { send(&route, transaction(b"x\r\n")).await })
    });
    for sent in sends.collect::<Vec<_>>() {
        sent.await.unwrap().unwrap();
    }
    // Another key, and a cap that leaves room for one.
    let mut other = route.clone();
    Arc::make_mut(&mut other.settings).max_connections = Some(1);
    let sent = tokio::time::timeout(Duration::from_secs(60), send(&other, transaction(b"y\r\n"))).await;
    sent.expect("nobody told the others to close").unwrap();
    close_idle(&other).await;
    drop(server);
}

#[tokio::test]
async fn other_tokens_never_share_a_connection() {
    let one = with(with(signed_in(), one_message()), [Eof]);
    let server = Server::start([one.clone(), one]).await;
    let route = route(server.address);
    let other = Route { tokens: Tokens::new(&["token-two"]), ..route.clone() };
    send(&route, transaction(b"x\r\n")).await.unwrap();
    send(&other, transaction(b"y\r\n")).await.unwrap();
    close_idle(&route).await;
    close_idle(&other).await;
    let seen = server.seen().await;
    assert!(seen[1].contains(&STANDARD.encode("me@x token-two")));
}

#[tokio::test]
async fn after_four_refusals_in_a_row_the_connection_is_replaced() {
    let refused = |script| {
        with(
            script,
            [Group("DATA\r\n"), Say("250 ok\r\n250 ok\r\n354 go\r\n"), Body, Say("554 5.6.0 no\r\n")],
        )
    };
    let again = |script| {
        with(
            script,
            [
                Group("DATA\r\n"),
                Say("250 reset\r\n250 ok\r\n250 ok\r\n354 go\r\n"),
                Body,
                Say("554 5.6.0 no\r\n"),
            ],
        )
    };
    let first = again(again(again(refused(signed_in()))));
    let first = with(first, [Hear("QUIT"), Say("221 bye\r\n"), Eof]);
    let server = Server::start([first, with(with(signed_in(), one_message()), [Eof])]).await;
    let mut route = route(server.address);
    Arc::make_mut(&mut route.settings).max_connections = Some(1);
    for _ in 0..4 {
        let error = send(&route, transaction(b"x\r\n")).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::MessageRejected);
    }
    send(&route, transaction(b"y\r\n")).await.unwrap();
    close_idle(&route).await;
    server.seen().await;
}

#[tokio::test]
async fn a_connection_carries_its_share_and_idles_its_time() {
    let quits = [Hear("QUIT"), Say("221 bye\r\n"), Eof];
    let one = with(with(signed_in(), one_message()), quits);
    let server = Server::start([one.clone(), one]).await;
    let mut route = route(server.address);
    Arc::make_mut(&mut route.settings).max_messages_per_connection = Some(1);
    send(&route, transaction(b"x\r\n")).await.unwrap();
    Arc::make_mut(&mut route.settings).max_messages_per_connection = None;
    Arc::make_mut(&mut route.settings).idle_timeout = Some(Duration::from_millis(50));
    send(&route, transaction(b"y\r\n")).await.unwrap();
    // Both scripts end only when both connections said goodbye by themselves.
    server.seen().await;
}

#[tokio::test]
async fn warm_opens_ahead_and_the_message_finds_it() {
    let server = Server::start([with(with(signed_in(), one_message()), [Eof])]).await;
    let route = route(server.address);
    warm(&route, soon(), &Cancel::default()).await.unwrap();
    warm(&route, soon(), &Cancel::default()).await.unwrap();
    let delivered = send(&route, transaction(b"x\r\n")).await.unwrap();
    assert_eq!(delivered.connect_time, Duration::ZERO);
    close_idle(&route).await;
    server.seen().await;
}

#[test]
fn a_connection_whose_runtime_is_gone_is_replaced() {
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let servers = runtime();
    let script = with(with(signed_in(), one_message()), [Eof]);
    let server = servers.block_on(Server::start([script.clone(), script]));
    let mut route = route(server.address);
    Arc::make_mut(&mut route.settings).max_connections = Some(1);
    let first = runtime();
    first.block_on(send(&route, transaction(b"x\r\n"))).unwrap();
    drop(first);
    let second = runtime();
    second.block_on(send(&route, transaction(b"y\r\n"))).unwrap();
    second.block_on(close_idle(&route));
    assert_eq!(servers.block_on(server.seen()).len(), 2);
}

#[tokio::test]
async fn a_caller_that_goes_away_frees_its_slot() {
    let server = Server::start([vec![Eof], with(with(signed_in(), one_message()), [Eof])]).await;
    let mut route = route(server.address);
    Arc::make_mut(&mut route.settings).max_connections = Some(1);
    let never = send(&route, transaction(b"x\r\n"));
    assert!(tokio::time::timeout(Duration::from_millis(50), never).await.is_err());
    send(&route, transaction(b"y\r\n")).await.unwrap();
    close_idle(&route).await;
    server.seen().await;
}
