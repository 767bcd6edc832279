//! A server that takes everything as fast as it can: TLS from the first octet, XOAUTH2 with any token,
//! PIPELINING and CHUNKING. The first line of output says where it listens; it ends with standard input.
//! `sink plain` listens without TLS.

use std::io::Read;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const EHLO: &[u8] = b"250-sink\r\n250-PIPELINING\r\n250-SIZE 157286400\r\n250-CHUNKING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n250 AUTH XOAUTH2 PLAIN\r\n";

fn main() {
    let plain = std::env::args().nth(1).is_some_and(|word| word == "plain");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let ca = std::env::temp_dir().join(format!("mailbearer-sink-{}.pem", std::process::id()));
    std::fs::write(&ca, key.cert.pem()).unwrap();
    let private = rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    runtime.block_on(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", serde_json::json!({"port": listener.local_addr().unwrap().port(), "ca": ca}));
        std::thread::spawn(move || {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            let _ = std::fs::remove_file(ca);
            std::process::exit(0);
        });
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let _ = tcp.set_nodelay(true);
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if plain {
                    let _ = serve(tcp).await;
                } else if let Ok(stream) = acceptor.accept(tcp).await {
                    let _ = serve(stream).await;
                }
            });
        }
    });
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
    let mut input = Vec::with_capacity(1 << 16);
    let mut output = b"220 sink\r\n".to_vec();
    let (mut in_data, mut skip, mut scanned) = (false, 0_usize, 0_usize);
    let mut buffer = vec![0; 1 << 16];
    loop {
        stream.write_all(&output).await?;
        stream.flush().await?;
        output.clear();
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        let mut fresh = &buffer[..n];
        if skip > 0 {
            let taken = skip.min(fresh.len());
            skip -= taken;
            fresh = &fresh[taken..];
            if skip > 0 {
                continue;
            }
            output.extend_from_slice(b"250 2.0.0 OK\r\n");
        }
        input.extend_from_slice(fresh);
        let mut at = 0;
        loop {
            let rest = &input[at..];
            if in_data {
                let from = scanned.max(at).saturating_sub(4).max(at);
                let end = if rest.starts_with(b".\r\n") { Some(at) } else { find(&input, from, b"\r\n.\r\n").map(|p| p + 2) };
                let Some(end) = end else {
                    scanned = input.len();
                    // What was looked at is not kept.
                    if input.len() - at > 8 {
                        at = input.len() - 8;
                    }
                    break;
                };
                at = end + 3;
                in_data = false;
                output.extend_from_slice(b"250 2.0.0 OK\r\n");
                continue;
            }
            let Some(end) = find(&input, at, b"\r\n") else { break };
            let line = &input[at..end];
            at = end + 2;
            let word = line.get(..4).unwrap_or(line).to_ascii_uppercase();
            match &*word {
                b"EHLO" => output.extend_from_slice(EHLO),
                b"AUTH" if line.len() > 20 => output.extend_from_slice(b"235 2.7.0 ok\r\n"),
                b"AUTH" => output.extend_from_slice(b"334 \r\n"),
                b"DATA" => {
                    output.extend_from_slice(b"354 go\r\n");
                    in_data = true;
                    scanned = at;
                }
                b"BDAT" => {
                    let text = String::from_utf8_lossy(line);
                    let length: usize = text.split(' ').nth(1).unwrap().parse().unwrap();
                    let here = length.min(input.len() - at);
                    at += here;
                    skip = length - here;
                    if skip == 0 {
                        output.extend_from_slice(b"250 2.0.0 OK\r\n");
                    }
                }
                b"QUIT" => {
                    output.extend_from_slice(b"221 bye\r\n");
                    stream.write_all(&output).await?;
                    return stream.flush().await;
                }
                // The answer to 334 is the only line that is no command.
                _ if line.len() > 200 => output.extend_from_slice(b"235 2.7.0 ok\r\n"),
                _ => output.extend_from_slice(b"250 2.0.0 ok\r\n"),
            }
        }
        input.drain(..at);
        scanned = scanned.saturating_sub(at);
    }
}

fn find(haystack: &[u8], from: usize, needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(&haystack[from..], needle).map(|at| from + at)
}
