//! The Rust face, or lettre with `lettre` in front: `rust_client OPTIONS COUNT SIZE` sends, and prints seconds and
//! CPU seconds. The connection and the token are there before the clock starts.

use std::time::Instant;

use mailbearer::{Call, Host, Mailer};
use serde_json::{Value, json};

#[tokio::main]
async fn main() {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let lettre = words[0] == "lettre";
    if lettre {
        words.remove(0);
    }
    let options: Value = serde_json::from_str(&words[0]).unwrap();
    let (count, size): (usize, usize) = (words[1].parse().unwrap(), words[2].parse().unwrap());
    let text = "a line of text for the body of this message\r\n".repeat(size / 45 + 1);
    if lettre {
        return with_lettre(&options, count, &text[..size]).await;
    }
    let mailer = Mailer::from_json(options, Host::default()).unwrap();
    let fields = || json!({"from": "me@example.com", "to": ["ada@example.com"], "subject": "bench", "text": &text[..size]});
    run(&mailer, count.min(30), &fields).await;
    let (wall, cpu) = (Instant::now(), cpu());
    run(&mailer, count, &fields).await;
    println!("{}", json!({"seconds": wall.elapsed().as_secs_f64(), "cpu": crate::cpu() - cpu}));
    mailer.close(std::time::Duration::from_secs(5)).await;
}

async fn run(mailer: &Mailer, count: usize, fields: &dyn Fn() -> Value) {
    let mut bulk = mailer.bulk(Call::default(), tokio::runtime::Handle::current()).unwrap();
    let mut pushed = 0;
    loop {
        while bulk.has_room() {
            if pushed == count {
                bulk.finish();
            } else {
                bulk.push(mailer.message(fields(), Vec::new()));
                pushed += 1;
            }
        }
        match bulk.next().await {
            Some(result) => drop(result.unwrap().result.unwrap()),
            None => return,
        }
    }
}

async fn with_lettre(options: &Value, count: usize, text: &str) {
    use lettre::transport::smtp::authentication::{Credentials, Mechanism};
    use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
    use lettre::transport::smtp::PoolConfig;
    use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
    let ca = std::fs::read(options["tls"]["roots"].as_str().unwrap()).unwrap();
    let tls = TlsParameters::builder("localhost".into())
        .add_root_certificate(Certificate::from_pem(&ca).unwrap())
        .build_rustls()
        .unwrap();
    let connections = options["limits"]["max_connections"].as_u64().unwrap_or(1) as u32;
    let token = options["auth"]["access_token"].as_str().unwrap().to_owned();
    let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("localhost")
        .port(options["smtp"]["port"].as_u64().unwrap() as u16)
        .tls(Tls::Wrapper(tls))
        .credentials(Credentials::new("me@example.com".into(), token))
        .authentication(vec![Mechanism::Xoauth2])
        .pool_config(PoolConfig::new().max_size(connections))
        .build();
    let message = || {
        lettre::Message::builder()
            .from("me@example.com".parse().unwrap())
            .to("ada@example.com".parse().unwrap())
            .subject("bench")
            .body(text.to_owned())
            .unwrap()
    };
    transport.send(message()).await.unwrap();
    let (wall, cpu) = (Instant::now(), cpu());
    let mut tasks = tokio::task::JoinSet::new();
    for at in 0..connections as usize {
        let transport = transport.clone();
        let share = count / connections as usize + usize::from(at < count % connections as usize);
        let messages: Vec<_> = (0..share).map(|_| message()).collect();
        tasks.spawn(async move {
            for message in messages {
                transport.send(message).await.unwrap();
            }
        });
    }
    while tasks.join_next().await.is_some() {}
    println!("{}", json!({"seconds": wall.elapsed().as_secs_f64(), "cpu": crate::cpu() - cpu}));
}

/// User and system time of this process, in seconds.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}
