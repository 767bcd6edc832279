//! A submission server that misbehaves at random, one time in twenty at each step, and keeps books: for
//! `make soak`. `chaos SEED` prints its port; for each line on standard input it prints what it kept, as JSON.
#![allow(clippy::unwrap_used, reason = "a fault of its own ends it; the runner says so")]

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// Message-ID to its envelopes, as often as it was stored; and those whose end was read but not answered.
#[derive(Default)]
struct Books {
    stored: BTreeMap<String, Vec<Value>>,
    unanswered: Vec<String>,
    /// Those of which only the beginning was read, or whose answer may not have been.
    cut: Vec<String>,
    connections: u64,
    most_open: usize,
    open: usize,
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn misfortune(&mut self) -> bool {
        self.below(20) == 0
    }
}

fn main() {
    let seed: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    println!("{port}");
    let books = Arc::new(Mutex::new(Books::default()));
    let kept = books.clone();
    std::thread::spawn(move || {
        for (at, stream) in listener.incoming().enumerate() {
            let (books, random) =
                (kept.clone(), Random((seed + at as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)));
            std::thread::spawn(move || {
                open(port, &books);
                let _ = live(stream.unwrap(), random, &books);
                books.lock().unwrap().open -= 1;
            });
        }
    });
    for _ in std::io::stdin().lock().lines() {
        // What was handed over may still be on its way through a connection that nobody reads.
        std::thread::sleep(Duration::from_secs(1));
        let books = books.lock().unwrap();
        println!(
            "{}",
            json!({"stored": books.stored, "unanswered": books.unanswered, "cut": books.cut, "connections": books.connections,
                "most_open": books.most_open})
        );
    }
}

/// Counts a connection.
fn open(port: u16, books: &Arc<Mutex<Books>>) {
    let mut kept = books.lock().unwrap();
    kept.connections += 1;
    kept.open += 1;
    if kept.open > kept.most_open {
        let (books, open) = (books.clone(), kept.open);
        std::thread::spawn(move || {
            let open = standing(port).unwrap_or(open);
            let mut books = books.lock().unwrap();
            books.most_open = books.most_open.max(open);
        });
    }
}

/// How many connections the client holds at once: those that the kernel knows before and after a moment. What
/// the client has closed may go on here, behind a stall. `None` where the kernel has no such table.
fn standing(port: u16) -> Option<usize> {
    let before = held(port)?;
    std::thread::sleep(Duration::from_millis(20));
    Some(held(port)?.intersection(&before).count())
}

/// The ports from which connections come that the client has not closed.
fn held(port: u16) -> Option<HashSet<String>> {
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let own = format!(":{port:04X}");
    let rows = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
    // Established, or closed from here alone.
    let held = rows.filter(|row| row[1].ends_with(&own) && matches!(row[3], "01" | "04" | "05"));
    Some(held.map(|row| row[2].to_owned()).collect())
}

/// One connection. What lies unread at its end was handed over too, and is written down.
fn live(stream: TcpStream, random: Random, books: &Mutex<Books>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = BufReader::new(stream.try_clone()?);
    let mut ended = None;
    let served = serve(&mut input, stream.try_clone()?, random, books, &mut ended);
    // Reset: the client went before it read the answer to the last message, which may have come late.
    if (served.is_err() || stream.take_error()?.is_some())
        && let Some(id) = ended
    {
        books.lock().unwrap().cut.push(id);
    }
    let _ = stream.shutdown(std::net::Shutdown::Write);
    stream.set_read_timeout(Some(Duration::from_millis(100)))?;
    let mut rest = Vec::new();
    let _ = input.read_to_end(&mut rest);
    let rest = String::from_utf8_lossy(&rest);
    let ids = rest.lines().filter_map(|line| line.strip_prefix("Message-ID: ")).map(str::to_owned);
    books.lock().unwrap().cut.extend(ids);
    served
}

fn serve(
    input: &mut BufReader<TcpStream>,
    mut output: TcpStream,
    mut random: Random,
    books: &Mutex<Books>,
    ended: &mut Option<String>,
) -> std::io::Result<()> {
    let mut say = |random: &mut Random, text: &str| -> std::io::Result<()> {
        if random.below(200) == 0 {
            for octet in text.bytes() {
                output.write_all(&[octet])?;
                std::thread::sleep(Duration::from_micros(200));
            }
            return output.write_all(b"\r\n");
        }
        output.write_all(format!("{text}\r\n").as_bytes())
    };
    say(&mut random, "220 chaos")?;
    // After a stall the client may be gone, and what it handed over is worked on all the same.
    let mut late = false;
    let (mut from, mut to) = (None, Vec::new());
    loop {
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        let argument = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        if random.misfortune() && !line.starts_with("AUTH") {
            match random.below(5) {
                0 => return say(&mut random, "421 4.3.2 closing"),
                1 => return Ok(()),
                2 => {
                    std::thread::sleep(Duration::from_millis(300));
                    late = true;
                }
                // Refusals of MAIL and RCPT; other commands go on as they would.
                _ if line.starts_with("MAIL") || line.starts_with("RCPT") => {
                    let replies = ["432 4.3.2 limit", "450 4.2.0 later", "550 5.1.1 never"];
                    let reply = replies[random.below(3) as usize];
                    say(&mut random, reply)?;
                    continue;
                }
                _ => {}
            }
        }
        match line.get(..4).unwrap_or_default() {
            "EHLO" => say(&mut random, "250-chaos\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 AUTH XOAUTH2")?,
            // A token that has just expired.
            "AUTH" if random.below(400) == 0 => say(&mut random, "535 5.7.3 expired")?,
            "AUTH" => say(&mut random, "235 2.7.0 ok")?,
            "RSET" => {
                from = None;
                to.clear();
                say(&mut random, "250 reset")?;
            }
            "MAIL" if from.is_some() => say(&mut random, "503 5.5.1 nested")?,
            "MAIL" => {
                from = Some(argument);
                say(&mut random, "250 ok")?;
            }
            "RCPT" if from.is_none() => say(&mut random, "503 5.5.1 MAIL first")?,
            "RCPT" => {
                to.push(argument);
                say(&mut random, "250 ok")?;
            }
            "DATA" if to.is_empty() => say(&mut random, "554 5.5.1 no valid recipients")?,
            "DATA" => {
                say(&mut random, "354 go")?;
                if random.below(40) == 0 {
                    // Within the body, of which all may have been handed over.
                    let mut line = String::new();
                    while !line.starts_with("Message-ID: ") {
                        line.clear();
                        input.read_line(&mut line)?;
                    }
                    let id = line.trim_end().trim_start_matches("Message-ID: ").to_owned();
                    books.lock().unwrap().cut.push(id);
                    return Ok(());
                }
                let mut body = Vec::new();
                while !body.ends_with(b"\r\n.\r\n") && body != b".\r\n" {
                    if input.read_until(b'\n', &mut body)? == 0 {
                        return Ok(());
                    }
                }
                *ended = Some(id_of(&body));
                note(late, &body, books);
                if !end(&body, &mut from, &mut to, &mut random, books, &mut say)? {
                    return Ok(());
                }
            }
            "BDAT" => {
                let length: usize = line.split(' ').nth(1).unwrap().parse().unwrap();
                let mut body = vec![0; length];
                input.read_exact(&mut body)?;
                if to.is_empty() {
                    say(&mut random, "503 5.5.1 no valid recipients")?;
                    continue;
                }
                *ended = Some(id_of(&body));
                note(late, &body, books);
                if !end(&body, &mut from, &mut to, &mut random, books, &mut say)? {
                    return Ok(());
                }
            }
            "QUIT" => return say(&mut random, "221 bye"),
            _ => panic!("read as a command: {line}"),
        }
    }
}

fn id_of(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.lines().find_map(|line| line.strip_prefix("Message-ID: ")).unwrap().to_owned()
}

fn note(late: bool, body: &[u8], books: &Mutex<Books>) {
    if late {
        books.lock().unwrap().cut.push(id_of(body));
    }
}

/// The end of a message: false if the connection is closed.
fn end(
    body: &[u8],
    from: &mut Option<String>,
    to: &mut Vec<String>,
    random: &mut Random,
    books: &Mutex<Books>,
    say: &mut impl FnMut(&mut Random, &str) -> std::io::Result<()>,
) -> std::io::Result<bool> {
    let id = id_of(body);
    let envelope = json!({"from": from.take(), "to": std::mem::take(to)});
    let store = |books: &mut Books| books.stored.entry(id.clone()).or_default().push(envelope.clone());
    if !random.misfortune() {
        store(&mut books.lock().unwrap());
        say(random, "250 2.0.0 taken")?;
        return Ok(true);
    }
    let mut kept = books.lock().unwrap();
    match random.below(6) {
        0 => {
            kept.unanswered.push(id.clone());
            Ok(false)
        }
        1 => {
            store(&mut kept);
            kept.unanswered.push(id.clone());
            Ok(false)
        }
        2 => {
            // The answer comes when nobody waits any more.
            store(&mut kept);
            kept.unanswered.push(id.clone());
            drop(kept);
            std::thread::sleep(Duration::from_millis(800));
            Ok(false)
        }
        3 => {
            drop(kept);
            say(random, "421 4.3.0 closing")?;
            Ok(false)
        }
        4 => {
            drop(kept);
            say(random, "451 4.3.0 not now")?;
            Ok(true)
        }
        _ => {
            drop(kept);
            say(random, "554 5.6.0 never")?;
            Ok(true)
        }
    }
}
