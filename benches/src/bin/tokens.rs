//! Tokens that are there already: `tokens OPTIONS ACCOUNTS` prints nanoseconds a call, with one account and among
//! many, and octets an account.

use std::hint::black_box;
use std::time::Instant;

use mailbearer::{GetToken, Host, Mailer};
use serde_json::{Value, json};

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let options: Value = serde_json::from_str(&words[0]).unwrap();
    let accounts: usize = words[1].parse().unwrap();
    let mailer = Mailer::from_json(options, Host::default()).unwrap();
    let first = mailer.tokens().unwrap();
    first.get(GetToken::default()).await.unwrap();
    let alone = each(|| drop(black_box(first.cached(None).unwrap())));
    let names: Vec<String> = (0..accounts).map(|n| format!("user{n}@example.com")).collect();
    let before = resident();
    let mailers: Vec<Mailer> = names.iter().map(|name| mailer.for_mailbox(name, None).unwrap()).collect();
    // A few at a time: what many at once need for a moment stays with the allocator, and is no account's.
    for some in mailers.chunks(32) {
        let mut asking = tokio::task::JoinSet::new();
        for mailer in some {
            let tokens = mailer.tokens().unwrap().clone();
            asking.spawn(async move { drop(tokens.get(GetToken::default()).await.unwrap()) });
        }
        asking.join_all().await;
    }
    let memory = (resident() - before) as f64 / accounts as f64;
    let mut at = 0;
    let among = each(|| {
        at = (at + 7919) % accounts;
        drop(black_box(mailers[at].tokens().unwrap().cached(None).unwrap()));
    });
    println!("{}", json!({"alone": alone, "among": among, "memory": memory}));
}

/// Nanoseconds a call, the best of some runs.
fn each(mut call: impl FnMut()) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..5 {
        let begun = Instant::now();
        for _ in 0..200_000 {
            call();
        }
        best = best.min(begun.elapsed().as_secs_f64() * 1e9 / 200_000.0);
    }
    best
}

fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
