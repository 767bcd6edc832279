//! A large attachment from a path: `large OPTIONS FILE` prints seconds, and how far the peak of memory rises over
//! what the process had before. `large copy OPTIONS FILE` writes as many octets as the message has over the same
//! TLS stack, without a library of mail, from memory.

use std::sync::Arc;
use std::time::Instant;

use mailbearer::{Attachment, Call, Host, Mailer, Message};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::main]
async fn main() {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let copy = words[0] == "copy";
    if copy {
        words.remove(0);
    }
    let options: Value = serde_json::from_str(&words[0]).unwrap();
    let path = &words[1];
    if copy {
        return raw_copy(&options, std::fs::metadata(path).unwrap().len()).await;
    }
    let mailer = Mailer::from_json(options, Host::default()).unwrap();
    mailer.warm(Call::default()).await.unwrap();
    let message = Message::builder().from("me@example.com").to("ada@example.com").attach(Attachment::path(path));
    let message = message.build().unwrap();
    let before = memory("VmRSS");
    // The peak counts from here on.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let begun = Instant::now();
    let receipt = mailer.send(&message, Call::default()).await.unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    println!("{}", json!({"seconds": seconds, "peak": memory("VmHWM").saturating_sub(before), "octets": receipt.size}));
    mailer.close(std::time::Duration::from_secs(5)).await;
}

async fn raw_copy(options: &Value, size: u64) {
    let ca = std::fs::read(options["tls"]["roots"].as_str().unwrap()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(("127.0.0.1", options["smtp"]["port"].as_u64().unwrap() as u16)).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(ServerName::try_from("localhost").unwrap(), tcp).await.unwrap();
    let mut reply = [0; 4096];
    let _ = stream.read(&mut reply).await.unwrap();
    for line in ["EHLO x\r\n", "MAIL FROM:<a@x>\r\n", "RCPT TO:<b@x>\r\n", "DATA\r\n"] {
        stream.write_all(line.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let _ = stream.read(&mut reply).await.unwrap();
    }
    let piece = format!("{}\r\n", "Zm9v".repeat(19)).repeat(840);
    let mut left = size.div_ceil(57) * 78;
    let begun = Instant::now();
    while left > 0 {
        let n = left.min(piece.len() as u64);
        stream.write_all(&piece.as_bytes()[..n as usize]).await.unwrap();
        left -= n;
    }
    stream.write_all(b"\r\n.\r\n").await.unwrap();
    stream.flush().await.unwrap();
    let _ = stream.read(&mut reply).await.unwrap();
    println!("{}", json!({"seconds": begun.elapsed().as_secs_f64()}));
}

/// A line of this process's status, in octets.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}
