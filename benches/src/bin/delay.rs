//! A line of some length: `delay PORT MILLISECONDS` listens and passes on to PORT, half the round trip each way.
//! The first line of output says where; it ends with standard input.

use std::io::Read;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let words: Vec<u64> = std::env::args().skip(1).map(|word| word.parse().unwrap()).collect();
    let (port, half) = (words[0] as u16, Duration::from_micros(words[1] * 500));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", serde_json::json!({"port": listener.local_addr().unwrap().port()}));
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    loop {
        let (near, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            // The handshake of TCP takes a round trip too.
            tokio::time::sleep(half * 2).await;
            let far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let _ = (near.set_nodelay(true), far.set_nodelay(true));
            let ((a, b), (c, d)) = (near.into_split(), far.into_split());
            tokio::spawn(pass(a, d, half));
            tokio::spawn(pass(c, b, half));
        });
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, half: Duration) {
    let (tx, mut rx) = tokio::sync::mpsc::channel::<(Instant, Vec<u8>)>(4096);
    tokio::spawn(async move {
        while let Some((due, octets)) = rx.recv().await {
            tokio::time::sleep_until(due).await;
            if to.write_all(&octets).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    });
    let mut buffer = vec![0; 1 << 16];
    while let Ok(n) = from.read(&mut buffer).await {
        if n == 0 || tx.send((Instant::now() + half, buffer[..n].to_vec())).await.is_err() {
            return;
        }
    }
}
