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
        let _ = std::fs::remove_file(cli.home.path().join("results"));
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

#[test]
fn a_run_that_was_stopped_goes_on_where_it_was_and_no_result_is_overwritten() {
    let cli = Cli::new();
    let home = cli.home.path();
    let line =
        |name: &str| json!({"to": format!("{name}@example.com"), "text": "x", "tag": name}).to_string();
    let names = ["a", "bad", "c", "later", "e", "f"];
    std::fs::write(home.join("in"), names.map(line).join("\n")).unwrap();
    let refuse = |reply: &str, who: &str| Fault {
        reply: Some(reply.into()),
        times: 0,
        matching: Some(who.into()),
        ..Fault::at("rcpt")
    };
    cli.emulator.fail(refuse("550 5.1.1 no", "bad@")).unwrap();
    cli.emulator.fail(refuse("451 4.3.0 later", "later@")).unwrap();
    let send = ["send", "--from-jsonl", "in", "--results", "out"];
    let mut first = cli.command(&send);
    first.env("MAILBEARER_RETRY__ATTEMPTS", "1");
    let ran = crate::run::run(&mut first, "");
    assert_eq!(ran.stderr, "4 sent, 2 failed\n", "{ran:?}");
    let before = std::fs::read_to_string(home.join("out")).unwrap();
    assert!(!home.join("out.begun").exists());
    let ran = cli.run(&send);
    assert_eq!((ran.code, ran.stderr.contains("is there already")), (64, true), "{ran:?}");
    assert_eq!(std::fs::read_to_string(home.join("out")).unwrap(), before);
    // As after `kill -9`: the result of the first is lost, half of another's is there.
    let kept: Vec<_> = before.lines().filter(|line| !line.contains("\"tag\":\"a\"")).collect();
    assert_eq!(kept.len(), 5);
    std::fs::write(home.join("out"), kept.join("\n") + "\n{\"index\":").unwrap();
    std::fs::write(home.join("out.begun"), "0\n1\n2\n3\n4\n5\n").unwrap();
    cli.emulator.clear();
    cli.emulator.fail(refuse("550 5.1.1 no", "bad@")).unwrap();
    let ran = cli.run(&[&send, &["--resume"][..]].concat());
    // What may have gone out is not sent again; what failed for good neither; what may be repeated is.
    assert_eq!(ran.stderr, "1 sent, 0 failed, 1 uncertain, 4 done before\n", "{ran:?}");
    assert_eq!(ran.code, 79);
    let seen = cli.emulator.messages();
    assert_eq!((seen.len(), &seen[0].rcpt_to[0]), (1, &"later@example.com".to_owned()));
    let results = lines(&std::fs::read_to_string(home.join("out")).unwrap());
    let told: Vec<_> = results
        .iter()
        .map(|r| (r["index"].as_u64().unwrap(), r["line"].as_u64().unwrap(), r["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            (0, 1, "uncertain"),
            (1, 2, "failed"),
            (2, 3, "sent"),
            (3, 4, "failed"),
            (3, 4, "sent"),
            (4, 5, "sent"),
            (5, 6, "sent")
        ]
    );
    assert_eq!(results[0]["tag"], "a");
    let ran = cli.run(&[&send, &["--resume"][..]].concat());
    assert_eq!((ran.code, ran.stderr.as_str()), (0, "0 sent, 0 failed, 6 done before\n"));
    // Another list than the one that the results are of.
    std::fs::write(home.join("in"), line("other")).unwrap();
    let ran = cli.run(&[&send, &["--resume"][..]].concat());
    assert_eq!((ran.code, ran.stderr.contains("line 1 is not the message")), (64, true), "{ran:?}");
    let ran = cli.run(&["send", "--from-jsonl", "in", "--resume", "--results", "-"]);
    assert_eq!((ran.code, ran.stderr.contains("needs a file")), (64, true), "{ran:?}");
}

#[test]
fn quiet_is_quiet_and_a_dry_run_sends_nothing() {
    let cli = Cli::new();
    let input = [
        json!({"to": "a@example.com", "text": "x", "tag": "one"}).to_string(),
        json!({"to": "a@example.com, b@example.com", "text": "x"}).to_string(),
    ]
    .join("\n");
    let ran = cli.pipe(&["send", "--from-jsonl", "-", "--dry-run"], &input);
    let results = lines(&ran.stdout);
    assert_eq!((&results[0]["outcome"], &results[0]["tag"]), (&json!("not_sent"), &json!("one")));
    assert!(results[0]["message_id"].as_str().unwrap().ends_with("@contoso.com>"));
    assert_eq!(results[1]["error"]["code"], "message_invalid");
    assert_eq!((ran.code, ran.stderr.as_str()), (65, "1 can be sent, 1 cannot; nothing was sent\n"));
    assert!(cli.emulator.messages().is_empty());
    let ran = cli.pipe(&["send", "--from-jsonl", "-", "--quiet"], &input);
    assert_eq!((ran.code, ran.stderr.as_str()), (65, ""), "{ran:?}");
    assert_eq!((lines(&ran.stdout).len(), cli.emulator.messages().len()), (2, 1));
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
