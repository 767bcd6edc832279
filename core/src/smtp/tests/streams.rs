//! Bodies that are read as they go.

use std::time::Duration;

use tokio::io::{AsyncWriteExt, duplex};

use super::server::Do::Read;
use super::*;
use crate::config::FilePolicy;
use crate::input::Spelling;
use crate::message::{Attachment, ByteStream, Defaults, Message};

async fn message(attachment: Attachment) -> Transaction {
    let built = Message::builder().from("me@x.org").to("you@x.org").attach(attachment).build().unwrap();
    let defaults = Defaults { from: None, files: &FilePolicy::Allow, spelling: Spelling::Snake };
    let content = built.render(defaults).await.unwrap().content;
    Transaction { body: content, ..transaction(b"") }
}

/// Up to 354.
fn asked() -> Vec<Do> {
    with(signed_in(), [Group("DATA\r\n"), Say("250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go\r\n")])
}

#[tokio::test]
async fn a_large_body_goes_whole_and_the_next_message_behind_it() {
    let octets: Vec<u8> = (0..3_000_000u32).map(|i| (i % 251) as u8).collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("big");
    std::fs::write(&path, &octets).unwrap();
    let script = with(asked(), [Body, Say("250 2.0.0 ok\r\n")]);
    let script = with(with(script, one_message()), with(one_message(), [Eof]));
    let server = Server::start([script]).await;
    let route = route(server.address);
    send(&route, message(Attachment::path(&path)).await).await.unwrap();
    send(&route, message(Attachment::stream(std::io::Cursor::new(octets.clone()))).await).await.unwrap();
    send(&route, transaction(b"x\r\n")).await.unwrap();
    close_idle(&route).await;
    let seen = server.seen().await.remove(0);
    let parts: Vec<&str> = seen.split("base64\r\n\r\n").skip(1).collect();
    assert_eq!(parts.len(), 2);
    for part in parts {
        use base64::Engine;
        let lines = part.split("\r\n\r\n--").next().unwrap().replace("\r\n", "");
        assert!(base64::engine::general_purpose::STANDARD.decode(lines).unwrap() == octets);
    }
}

#[tokio::test]
async fn a_stream_is_not_read_before_the_server_wants_it() {
    let refused = [Group("DATA\r\n"), Say("250 2.1.0 ok\r\n450 4.2.0 later\r\n554 5.5.1 no\r\n"), Eof];
    let server = Server::start([with(signed_in(), refused)]).await;
    let stream = ByteStream::blocking(|| panic!("it is read"));
    let transaction = message(stream.into()).await;
    let error = send(&route(server.address), transaction.clone()).await.unwrap_err();
    assert_eq!(judged(&error), (ErrorCode::RecipientsRejected, Delivery::None, true));
    assert!(!transaction.body.is_spent());
}

#[tokio::test]
async fn a_stream_that_breaks_off_delivers_nothing() {
    let server = Server::start([with(asked(), [Eof])]).await;
    let mut left = 3;
    let stream = ByteStream::blocking(move || {
        left -= 1;
        if left == 0 { Err(std::io::Error::other("the disk is gone")) } else { Ok(vec![7; 5700].into()) }
    });
    let transaction = message(stream.into()).await;
    let error = send(&route(server.address), transaction.clone()).await.unwrap_err();
    assert_eq!(judged(&error), (ErrorCode::AttachmentUnreadable, Delivery::None, false), "{error}");
    assert!(error.message().contains("the disk is gone") && transaction.body.is_spent());
    let seen = server.seen().await.remove(0);
    assert!(seen.contains("base64") && !seen.contains("\r\n.\r\n") && !seen.contains("QUIT"), "{seen}");
}

#[tokio::test]
async fn a_stream_that_stands_still_is_given_up_and_so_is_one_that_is_cancelled() {
    for cancelled in [false, true] {
        let server = Server::start([with(asked(), [Eof])]).await;
        let (reader, mut writer) = duplex(4096);
        writer.write_all(&[7; 4000]).await.unwrap();
        let mut route = route(server.address);
        Arc::make_mut(&mut route.settings).timeouts.progress =
            Duration::from_millis(if cancelled { 60_000 } else { 200 });
        let transaction = message(Attachment::stream(reader)).await;
        let cancel = Cancel::default();
        let stop = cancel.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            if cancelled {
                stop.cancel();
            }
        });
        let error = deliver(&route, transaction, soon(), &cancel).await.unwrap_err();
        let want = if cancelled { ErrorCode::Cancelled } else { ErrorCode::TimedOut };
        assert_eq!((error.code(), error.delivery()), (want, Delivery::None), "{error}");
        let seen = server.seen().await.remove(0);
        assert!(seen.contains("BwcH") && !seen.contains("\r\n.\r\n"), "{seen}");
        drop(writer);
    }
}

#[tokio::test]
async fn the_servers_limit_holds_for_streams_too() {
    let octets = || std::io::Cursor::new(vec![7; 12_000_000]);
    // Told ahead: nothing is sent.
    let server = Server::start([with(signed_in(), [Eof])]).await;
    let route_to_it = route(server.address);
    let told = message(Attachment::stream(octets()).size(12_000_000)).await;
    let error = send(&route_to_it, told).await.unwrap_err();
    assert_eq!(judged(&error), (ErrorCode::MessageTooLarge, Delivery::None, false));
    close_idle(&route_to_it).await;
    server.seen().await;
    // Not told: as soon as it is over.
    let server = Server::start([with(asked(), [Eof])]).await;
    let error = send(&route(server.address), message(Attachment::stream(octets())).await).await.unwrap_err();
    assert_eq!(judged(&error), (ErrorCode::MessageTooLarge, Delivery::None, false));
    let seen = server.seen().await.remove(0);
    assert!(!seen.contains("\r\n.\r\n") && !seen.contains("SIZE="));
}

#[tokio::test]
async fn a_refusal_half_way_stops_the_body() {
    let server = Server::start([with(asked(), [Read(100_000), Say("552 5.3.4 too much\r\n"), Eof])]).await;
    let (reader, mut writer) = duplex(64 * 1024);
    // More than is ever sent: it blocks until the reader is dropped.
    let writing = tokio::spawn(async move { while writer.write_all(&[7; 57 * 1000]).await.is_ok() {} });
    let error = send(&route(server.address), message(Attachment::stream(reader)).await).await.unwrap_err();
    assert_eq!(judged(&error), (ErrorCode::MessageTooLarge, Delivery::None, false), "{error}");
    writing.await.unwrap();
    server.seen().await;
}
