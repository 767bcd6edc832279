//! `mailbearer send --from-jsonl`.

use std::io::{BufRead, BufReader, Write};

use mailbearer_cli::emulator::Fault;
use serde_json::{Value, json};

#[cfg(target_os = "linux")]
use crate::run::bare;
use crate::run::{Cli, end};

fn lines(text: &str) -> Vec<Value> {
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.sort_by_key(|line| line["index"].as_u64());
    lines
}

#[test]
fn each_line_has_one_result_and_a_bad_one_stops_nothing() {
    let cli = Cli::new();
    cli.emulator
        .fail(Fault {
            reply: Some("550 5.1.1 no".into()),
            times: 0,
            matching: Some("bad@".into()),
            ..Fault::at("rcpt")
        })
        .unwrap();
    let secret = cli.home.path().join("secret.txt");
    std::fs::write(&secret, "hunter2").unwrap();
    let input = [
        json!({"to": "a@example.com", "subject": "1", "text": "x", "tag": "first"}).to_string(),
        "not json".into(),
        String::new(),
        json!({"to": "bad@example.com", "text": "x"}).to_string(),
        json!({"to": "b@example.com", "text": "x", "attachments": [secret]}).to_string(),
        json!({"to": "c@example.com", "from": "desk@contoso.com", "text": "x"}).to_string(),
    ];
    let ran = cli.pipe(&["send", "--from-jsonl", "-"], &(input.join("\n") + "\n"));
    let results = lines(&ran.stdout);
    let outcomes: Vec<_> = results.iter().map(|r| r["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["sent", "failed", "failed", "failed", "sent"], "{ran:?}");
    assert_eq!(results[0]["tag"], "first");
    assert_eq!(results[0]["receipt"]["accepted"][0], "a@example.com");
    assert!(results[1]["error"]["message"].as_str().unwrap().contains("line 2 is not JSON"));
    assert_eq!(results[2]["error"]["code"], "recipients_rejected");
    assert_eq!(results[3]["error"]["field"], "attachments[0]", "files are denied: {ran:?}");
    assert_eq!(ran.stderr, "2 sent, 3 failed\n");
    assert!([65, 67].contains(&ran.code), "the first failure's: {ran:?}");
    let seen = cli.emulator.messages();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|m| m.message_id.ends_with("@contoso.com>")));
}

#[test]
fn files_may_be_allowed_and_results_go_to_a_file() {
    let cli = Cli::new();
    std::fs::create_dir(cli.home.path().join("out")).unwrap();
    std::fs::write(cli.home.path().join("out/a.txt"), "hello").unwrap();
    std::fs::write(cli.home.path().join("b.txt"), "hello").unwrap();
    let line = |name: &str| json!({"to": "a@example.com", "text": "x", "attachments": [name]}).to_string();
    let input = format!("{}\n{}", line("out/a.txt"), line("b.txt"));
    std::fs::write(cli.home.path().join("in.jsonl"), input).unwrap();
    let send = ["--json", "send", "--from-jsonl", "in.jsonl", "--results", "results"];
    for (files, sent) in [(&["allow"][..], 2), (&["out"], 1), (&["deny"], 0), (&["out", "."], 2)] {
        let files: Vec<_> = files.iter().flat_map(|word| ["--files", word]).collect();
        let ran = cli.run(&[&send, &files[..]].concat());
        assert_eq!(ran.json()["counts"]["sent"], sent, "{files:?}: {ran:?}");
        let results = lines(&std::fs::read_to_string(cli.home.path().join("results")).unwrap());
        assert_eq!(results.len(), 2);
        assert_eq!(ran.code, if sent == 2 { 0 } else { 65 }, "{ran:?}");
    }
}

#[test]
fn results_come_while_the_source_is_still_open() {
    let cli = Cli::new();
    let mut child = cli.command(&["send", "--from-jsonl", "-"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for index in 0..3 {
        writeln!(stdin, "{}", json!({"to": "a@example.com", "text": "x"})).unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let result: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&result["index"], &result["outcome"]), (&json!(index), &json!("sent")));
    }
    drop(stdin);
    assert_eq!(end(child).code, 0);
}

#[test]
fn what_would_fail_every_message_ends_it() {
    let cli = Cli::new();
    cli.emulator.configure(json!({"client_secret": "another"})).unwrap();
    let input = format!("{}\n", json!({"to": "a@example.com", "text": "x"})).repeat(50);
    let ran = cli.pipe(&["send", "--from-jsonl", "-"], &input);
    let results = lines(&ran.stdout);
    assert!(!results.is_empty() && results.len() < 50, "{}", results.len());
    assert!(results.iter().all(|r| r["outcome"] == "not_sent"), "{ran:?}");
    assert_eq!(ran.code, 77);
    assert!(ran.stderr.contains("not sent") && ran.stderr.contains("mailbearer: "), "{}", ran.stderr);
}

#[test]
fn input_and_output_that_cannot_be_had_are_named() {
    let cli = Cli::new();
    let ran = cli.run(&["send", "--from-jsonl", "absent"]);
    assert_eq!((ran.code, ran.stderr.contains("cannot read absent")), (66, true), "{ran:?}");
    std::fs::write(cli.home.path().join("in"), "{\"to\":\"a@example.com\",\"text\":\"\"}\n").unwrap();
    let ran = cli.run(&["send", "--from-jsonl", "in", "--results", "no/such/folder"]);
    assert_eq!((ran.code, ran.stderr.contains("cannot write")), (73, true), "{ran:?}");
    let ran = cli.run(&["send", "--from-jsonl", "in", "--subject", "x"]);
    assert_eq!(ran.code, 64, "{ran:?}");
    assert!(cli.emulator.messages().is_empty());
    #[cfg(target_os = "linux")]
    {
        // What became of a message is shown somewhere even if its place is full.
        let ran = cli.run(&["send", "--from-jsonl", "in", "--results", "/dev/full"]);
        assert_eq!(ran.code, 73, "{ran:?}");
        assert!(ran.stderr.contains("\"outcome\":\"sent\""), "{ran:?}");
    }
}

/// The most memory that the process has had, in KiB.
#[cfg(target_os = "linux")]
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn memory_stays_flat() {
    let home = tempfile::tempdir().unwrap();
    let options = ["--provider", "memory", "--username", "n@contoso.com"];
    let mut child =
        bare(home.path(), &[&["send", "--from-jsonl", "-"], &options[..]].concat()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut results = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = format!("{}\n", json!({"to": "a@example.com", "text": "x".repeat(4000)}));
    let mut peaks = Vec::new();
    // Provider `memory` keeps the last thousand, so the first round fills that.
    for _ in 0..4 {
        std::thread::scope(|scope| {
            scope.spawn(|| (0..3000).for_each(|_| stdin.write_all(line.as_bytes()).unwrap()));
            (0..3000).for_each(|_| drop(results.next().unwrap().unwrap()));
        });
        peaks.push(peak(child.id()));
    }
    drop(stdin);
    let ran = end(child);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, "12000 sent, 0 failed\n"));
    // 9,000 messages of 4 KB came after the first look; a fifth of them may be noise of the allocator.
    assert!(peaks[3] < peaks[0] + 7_000, "{peaks:?} KiB");
}
