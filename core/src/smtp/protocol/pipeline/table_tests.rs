//! Every combination of replies to one message, against the verdict table and facts of RFC 2920 §3.1.

use bytes::Bytes;

use super::*;
use crate::call::Partial;
use crate::receipt::Envelope;
use crate::smtp::protocol::capabilities::Capabilities;
use crate::smtp::protocol::submission::Transaction;

pub(super) fn plan(recipients: usize, body: &[u8], partial: Partial) -> Plan {
    let envelope = std::sync::Arc::new(Envelope {
        mail_from: "me@x".into(),
        rcpt_to: (0..recipients).map(|at| format!("r{at}@x")).collect(),
    });
    let body = Bytes::copy_from_slice(body).into();
    let transaction = Transaction {
        envelope,
        body,
        smtputf8: false,
        eight_bit: false,
        fallback: None,
        partial,
        requests: Default::default(),
    };
    Plan::new(&transaction, &Capabilities::default()).unwrap()
}

/// Hands over all there is.
pub(super) fn write(pipeline: &mut Pipeline) -> String {
    let mut all = Vec::new();
    while !pipeline.output().is_empty() {
        let n = pipeline.output().len();
        all.extend_from_slice(&pipeline.output()[..n]);
        pipeline.handed_over(n);
    }
    String::from_utf8(all).unwrap()
}

/// A server that answers each command with the next reply of its script.
struct Script {
    mail: u16,
    rcpt: [u16; 2],
    data: u16,
    end: u16,
}

/// Plays one message; says what was written, and the verdict.
fn play(pipeline: &mut Pipeline, script: &Script, partial: Partial) -> (String, Option<Verdict>) {
    pipeline.begin(plan(2, b"hello\r\n.dot\r\n", partial));
    let mut all = String::new();
    let mut rcpt = 0;
    let mut in_data = false;
    for _ in 0..20 {
        let written = write(pipeline);
        if written.is_empty() {
            break;
        }
        all += &written;
        if in_data {
            assert!(written.ends_with(".\r\n"));
            pipeline.received(format!("{} end\r\n", script.end).as_bytes());
            in_data = false;
            continue;
        }
        let mut replies = String::new();
        for line in written.lines() {
            let code = match line.split(' ').next().unwrap_or_default() {
                "RSET" => 250,
                "MAIL" => script.mail,
                "RCPT" => {
                    rcpt += 1;
                    script.rcpt[rcpt - 1]
                }
                "DATA" => script.data,
                other => panic!("{other}"),
            };
            in_data |= line == "DATA" && code == 354;
            replies += &format!("{code} x\r\n");
        }
        pipeline.received(replies.as_bytes());
    }
    (all, pipeline.verdict().map(|(_, verdict)| verdict))
}

/// Each combination's end, by the table and not by the code.
fn expected(script: &Script, partial: Partial, grouped: bool) -> (&'static str, bool) {
    let ok = |code: u16| code / 100 == 2;
    let held = partial == Partial::Refuse || !grouped;
    let any = script.rcpt.iter().any(|&c| ok(c));
    let all = script.rcpt.iter().all(|&c| ok(c));
    // The second is whether the connection must be closed without a dot.
    if !ok(script.mail) {
        return ("refused", grouped && partial == Partial::Deliver && script.data == 354);
    }
    if !any || (partial == Partial::Refuse && !all) {
        return ("no recipients", false);
    }
    let _ = held;
    if script.data != 354 {
        return ("refused", false);
    }
    if ok(script.end) { ("accepted", false) } else { ("refused", false) }
}

#[test]
fn every_combination_of_replies() {
    let mut seen = 0;
    for mail in [250, 451, 550] {
        for first in [250, 450, 550] {
            for second in [251, 452, 553] {
                for data in [354, 451, 554] {
                    for end in [250, 452, 552] {
                        for partial in [Partial::Deliver, Partial::Refuse] {
                            for grouped in [true, false] {
                                one(&Script { mail, rcpt: [first, second], data, end }, partial, grouped);
                                seen += 1;
                            }
                        }
                    }
                }
            }
        }
    }
    assert_eq!(seen, 3 * 3 * 3 * 3 * 3 * 4);
}

fn one(script: &Script, partial: Partial, grouped: bool) {
    let mut pipeline = Pipeline::new(if grouped { Mode::GROUP } else { Mode::SINGLE });
    let (written, verdict) = play(&mut pipeline, script, partial);
    let case = format!(
        "{} {:?} {} {} {partial:?} grouped {grouped}: {written:?}",
        script.mail, script.rcpt, script.data, script.end
    );
    let (name, closed) = expected(script, partial, grouped);
    let verdict = verdict.expect(&case);
    let got = match &verdict.outcome {
        Decision::Accepted { recipients, .. } => {
            let codes: Vec<u16> = recipients.iter().flatten().map(|r| r.code).collect();
            assert_eq!(codes, script.rcpt, "{case}");
            "accepted"
        }
        Decision::Refused { .. } => "refused",
        Decision::NoRecipients { .. } => "no recipients",
        Decision::NotDelivered(_) => "not delivered",
        Decision::Uncertain(_) => "uncertain",
    };
    assert_eq!(got, name, "{case}");
    assert_eq!(pipeline.phase(), if closed { Phase::Dead } else { Phase::Idle }, "{case}");
    // The body goes to nobody but a server that took a recipient, and never empty.
    let body = written.contains("hello\r\n..dot\r\n.\r\n");
    let reached_end = script.data == 354 && (name == "accepted" || verdict_is_of_end(&verdict));
    assert_eq!(body, reached_end, "{case}");
    let lone =
        grouped && partial == Partial::Deliver && name == "no recipients" && script.data == 354 && !closed;
    assert_eq!(written.ends_with("DATA\r\n.\r\n"), lone, "{case}");
    if !closed {
        // What was left open is reset before the next sender.
        pipeline.begin(plan(1, b"x\r\n", Partial::Deliver));
        let next = write(&mut pipeline);
        assert_eq!(next.starts_with("RSET\r\n"), name != "accepted", "{case}");
    }
}

fn verdict_is_of_end(verdict: &Verdict) -> bool {
    matches!(&verdict.outcome, Decision::Refused { reply, .. } if reply.command.as_deref() == Some("end of data"))
}

#[test]
fn one_message_is_two_writes() {
    let mut pipeline = Pipeline::new(Mode::GROUP);
    pipeline.begin(plan(2, b"hi\r\n", Partial::Deliver));
    assert_eq!(write(&mut pipeline), "MAIL FROM:<me@x>\r\nRCPT TO:<r0@x>\r\nRCPT TO:<r1@x>\r\nDATA\r\n");
    pipeline.received(b"250 a\r\n250 b\r\n250 c\r\n354 go\r\n");
    assert_eq!(pipeline.phase(), Phase::Body);
    assert_eq!(pipeline.output(), b"hi\r\n.\r\n");
    pipeline.handed_over(6);
    assert_eq!(pipeline.phase(), Phase::Body);
    pipeline.handed_over(1);
    assert_eq!(pipeline.phase(), Phase::Committed);
    pipeline.received(b"250 2.0.0 OK\r\n");
    assert!(matches!(
        pipeline.verdict().map(|(_, verdict)| verdict).unwrap().outcome,
        Decision::Accepted { .. }
    ));
    assert_eq!(pipeline.verdict().map(|(_, verdict)| verdict), None);
}

#[test]
fn many_recipients_go_in_groups_that_wait_for_each_other() {
    let mut pipeline = Pipeline::new(Mode::GROUP);
    pipeline.begin(plan(250, b"hi\r\n", Partial::Deliver));
    let mut groups = Vec::new();
    for _ in 0..10 {
        let written = write(&mut pipeline);
        if written.is_empty() || pipeline.phase() == Phase::Committed {
            break;
        }
        assert!(written.len() < 40_000);
        groups.push(written.lines().count());
        let go = if written.ends_with("DATA\r\n") { 354 } else { 250 };
        let replies = "250 x\r\n".repeat(written.lines().count() - 1) + &format!("{go} x\r\n");
        pipeline.received(replies.as_bytes());
    }
    assert_eq!(groups, [101, 100, 51]);
}

#[test]
fn the_end_of_a_connection_at_every_step() {
    let replies: [&[u8]; 6] = [b"", b"250 a\r\n", b"250 b\r\n", b"250 c\r\n354 go\r\n", b"", b"25"];
    // How far we got: written and answered; before the last step nothing is committed.
    for (step, committed) in [(1, false), (2, false), (3, false), (4, false), (5, true), (6, true)] {
        for end in ["eof", "timeout", "garbage", "421"] {
            let mut pipeline = Pipeline::new(Mode::GROUP);
            pipeline.begin(plan(2, b"hi\r\n", Partial::Deliver));
            write(&mut pipeline);
            for reply in &replies[..step] {
                pipeline.received(reply);
            }
            if committed {
                write(&mut pipeline);
                assert_eq!(pipeline.phase(), Phase::Committed);
            }
            match end {
                "eof" => pipeline.closed(Lost::Connection("x".into())),
                "timeout" => pipeline.closed(Lost::TimedOut("reply".into())),
                "garbage" => pipeline.received(b"\x01\x02\x03garbage\r\n"),
                _ => pipeline.received(b"421 4.3.0 bye\r\n"),
            }
            let verdict =
                pipeline.verdict().map(|(_, verdict)| verdict).unwrap_or_else(|| panic!("{step} {end}"));
            assert_eq!(pipeline.phase(), Phase::Dead);
            assert!(pipeline.output().is_empty());
            let uncertain = matches!(verdict.outcome, Decision::Uncertain(_));
            // 421 is an answer, unless it stands behind half a reply and makes no sense.
            let answered = end == "421" && step != 6;
            assert_eq!(uncertain, committed && !answered, "{step} {end}: {verdict:?}");
            assert_eq!(verdict.mail_accepted, step > 1, "{step} {end}");
        }
    }
}

#[test]
fn an_early_refusal_of_the_body_is_the_verdict_and_closes_without_the_dot() {
    for (reply, refused) in
        [("552 5.3.4 too big", true), ("452 later", true), ("421 bye", true), ("250 what", false)]
    {
        let mut pipeline = Pipeline::new(Mode::GROUP);
        pipeline.begin(plan(1, &b"line\r\n".repeat(50_000), Partial::Deliver));
        write_some(&mut pipeline, 100);
        pipeline.received(b"250 a\r\n250 b\r\n354 go\r\n");
        write_some(&mut pipeline, 100_000);
        assert_eq!(pipeline.phase(), Phase::Body);
        pipeline.received(format!("{reply}\r\n").as_bytes());
        let outcome = pipeline.verdict().map(|(_, verdict)| verdict).unwrap().outcome;
        assert_eq!(matches!(outcome, Decision::Refused { .. }), refused, "{reply}");
        assert!(refused || matches!(outcome, Decision::NotDelivered(Lost::Protocol(_))));
        assert_eq!((pipeline.phase(), pipeline.output()), (Phase::Dead, &b""[..]));
    }
}

#[test]
fn a_reply_too_many_is_a_protocol_error() {
    // Before its command was written.
    let mut pipeline = Pipeline::new(Mode::GROUP);
    pipeline.begin(plan(1, b"x\r\n", Partial::Deliver));
    pipeline.handed_over(3);
    pipeline.received(b"250 so soon\r\n");
    assert!(matches!(
        pipeline.verdict().map(|(_, verdict)| verdict).unwrap().outcome,
        Decision::NotDelivered(Lost::Protocol(_))
    ));
    // In DATA's place.
    let mut pipeline = Pipeline::new(Mode::GROUP);
    pipeline.begin(plan(1, b"x\r\n", Partial::Deliver));
    write(&mut pipeline);
    pipeline.received(b"250 a\r\n250 b\r\n250 c\r\n354 go\r\n");
    assert!(matches!(
        pipeline.verdict().map(|(_, verdict)| verdict).unwrap().outcome,
        Decision::NotDelivered(Lost::Protocol(_))
    ));
    assert_eq!(pipeline.phase(), Phase::Dead);
    // Behind the verdict, which stands.
    let mut pipeline = Pipeline::new(Mode::GROUP);
    pipeline.begin(plan(1, b"x\r\n", Partial::Deliver));
    write(&mut pipeline);
    pipeline.received(b"250 a\r\n250 b\r\n354 go\r\n");
    write(&mut pipeline);
    pipeline.received(b"250 ok\r\n250 again\r\n");
    assert!(matches!(
        pipeline.verdict().map(|(_, verdict)| verdict).unwrap().outcome,
        Decision::Accepted { .. }
    ));
    assert_eq!(pipeline.phase(), Phase::Dead);
}

#[test]
fn giving_up_at_every_step() {
    let give_up = |before: &[&[u8]], after: &[u8], partial| {
        let mut pipeline = Pipeline::new(Mode::GROUP);
        pipeline.begin(plan(1, &b"line\r\n".repeat(50_000), partial));
        for (at, reply) in before.iter().enumerate() {
            write_some(&mut pipeline, if at < 1 { 1000 } else { usize::MAX });
            pipeline.received(reply);
        }
        pipeline.abandon(0, Lost::Cancelled);
        let outcome = pipeline.verdict().map(|(_, verdict)| verdict).unwrap().outcome;
        write(&mut pipeline);
        pipeline.received(after);
        assert_eq!(pipeline.verdict().map(|(_, verdict)| verdict), None);
        (matches!(outcome, Decision::Uncertain(_)), pipeline.phase())
    };
    let lenient = Partial::Deliver;
    // Nothing left us: as if it had never begun.
    assert_eq!(give_up(&[], b"", lenient), (false, Phase::Idle));
    // DATA is under way: 354 ends in a close, a refusal leaves the connection whole.
    assert_eq!(give_up(&[b""], b"250 a\r\n250 b\r\n354 go\r\n", lenient), (false, Phase::Dead));
    assert_eq!(give_up(&[b""], b"250 a\r\n550 b\r\n554 no\r\n", lenient), (false, Phase::Idle));
    // DATA was held back.
    assert_eq!(give_up(&[b"250 a\r\n"], b"250 b\r\n", Partial::Refuse), (false, Phase::Idle));
    assert_eq!(give_up(&[b"250 a\r\n250 b\r\n354 go\r\n"], b"", lenient), (false, Phase::Dead));
    let all: [&[u8]; 2] = [b"250 a\r\n250 b\r\n354 go\r\n", b""];
    assert_eq!(give_up(&all, b"", lenient), (true, Phase::Committed));
    assert_eq!(give_up(&all, b"250 ok\r\n", lenient), (true, Phase::Idle));
}

/// Hands over at most `n` octets.
fn write_some(pipeline: &mut Pipeline, n: usize) {
    let mut left = n;
    while left > 0 && !pipeline.output().is_empty() {
        let n = pipeline.output().len().min(left);
        pipeline.handed_over(n);
        left -= n;
    }
}

fn next(pipeline: &mut Pipeline) -> (u64, Decision) {
    let (id, verdict) = pipeline.verdict().expect("a verdict");
    (id, verdict.outcome)
}

#[test]
fn the_end_of_one_message_and_the_commands_of_the_next_are_one_write() {
    let mut pipeline = Pipeline::new(Mode::CHAIN);
    pipeline.begin(plan(1, b"one\r\n", Partial::Deliver));
    assert!(!pipeline.has_room(), "its own DATA is the last of its group");
    write(&mut pipeline);
    pipeline.received(b"250 a\r\n250 b\r\n354 go\r\n");
    assert!(pipeline.has_room());
    pipeline.begin(plan(1, b"two\r\n", Partial::Deliver));
    let group = "RSET\r\nMAIL FROM:<me@x>\r\nRCPT TO:<r0@x>\r\nDATA\r\n";
    assert_eq!(pipeline.output(), format!("one\r\n.\r\n{group}").as_bytes());
    write(&mut pipeline);
    assert_eq!(pipeline.phase(), Phase::Committed);
    assert!(!pipeline.awaits_chained_reset(), "the end is not answered yet");
    pipeline.received(b"250 taken\r\n");
    assert!(pipeline.awaits_chained_reset(), "servers that drop what came with the dot never answer this");
    pipeline.received(b"250 reset\r\n");
    assert!(!pipeline.awaits_chained_reset());
    pipeline.received(b"250 c\r\n250 d\r\n354 go\r\n");
    assert!(matches!(next(&mut pipeline), (0, Decision::Accepted { .. })));
    // Without a successor nothing waits for one.
    assert_eq!(write(&mut pipeline), "two\r\n.\r\n");
    assert_eq!(pipeline.phase(), Phase::Committed);
    // One that comes before the verdict still rides behind it, with RSET.
    pipeline.begin(plan(1, b"three\r\n", Partial::Deliver));
    assert_eq!(write(&mut pipeline), group);
    pipeline.received(b"452 full\r\n250 reset\r\n250 e\r\n550 f\r\n554 none\r\n");
    assert!(matches!(next(&mut pipeline), (1, Decision::Refused { .. })));
    assert!(matches!(next(&mut pipeline), (2, Decision::NoRecipients { .. })));
    assert_eq!(pipeline.phase(), Phase::Idle);
}

#[test]
fn every_pair_of_ends_in_a_chain() {
    let ends = ["250 ok", "451 later", "550 never", "421 bye", "", "garbage", "timeout"];
    let envelopes = [
        "250 r|250 m|250 t|354 go",
        "250 r|250 m|550 t|554 none",
        "250 r|450 m|503 t|503 d",
        "250 r|503 m|250 t|354 go",
        "500 r|250 m|250 t|354 go",
        "421 bye",
        "",
        "250 r|250 m|garbage",
        "timeout",
    ];
    for first in ends {
        for second in envelopes {
            let mut pipeline = Pipeline::new(Mode::CHAIN);
            pipeline.begin(plan(1, b"one\r\n", Partial::Deliver));
            write(&mut pipeline);
            pipeline.received(b"250 a\r\n250 b\r\n354 go\r\n");
            pipeline.begin(plan(1, b"two\r\n", Partial::Deliver));
            write(&mut pipeline);
            let mut replies = format!("{first}|{second}");
            let silent = [first, second].contains(&"timeout");
            if let Some(at) = replies.find("timeout") {
                replies.truncate(at);
            }
            for reply in replies.split('|').filter(|reply| !reply.is_empty()) {
                pipeline.received(format!("{reply}\r\n").as_bytes());
                write(&mut pipeline);
            }
            let verdicts = || {
                let mut pipeline = pipeline;
                pipeline.closed(if silent {
                    Lost::TimedOut("reply".into())
                } else {
                    Lost::Connection("eof".into())
                });
                let all = std::iter::from_fn(|| pipeline.verdict()).collect::<Vec<_>>();
                (all, pipeline.is_out_of_step())
            };
            let (verdicts, out_of_step) = verdicts();
            let case = format!("{first:?} {second:?}: {verdicts:?}");
            assert_eq!(verdicts.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [0, 1], "{case}");
            let name = |at: usize| match &verdicts[at].1.outcome {
                Decision::Accepted { .. } => "accepted",
                Decision::Refused { .. } => "refused",
                Decision::NoRecipients { .. } => "no recipients",
                Decision::NotDelivered(_) => "not delivered",
                Decision::Uncertain(_) => "uncertain",
            };
            let expected_first = match first {
                "250 ok" => "accepted",
                "451 later" | "550 never" | "421 bye" => "refused",
                // An envelope's first reply takes the place of the missing one.
                "" if second.starts_with("250") => "accepted",
                "" if second.starts_with("500") || second.starts_with("421") => "refused",
                _ => "uncertain",
            };
            assert_eq!(name(0), expected_first, "{case}");
            let in_order = !["421 bye", "", "garbage", "timeout"].contains(&first);
            let expected_second = match second {
                // 354 came, and the body went out: the end of file leaves it open.
                "250 r|250 m|250 t|354 go" if in_order => "uncertain",
                "250 r|250 m|550 t|554 none" if in_order => "no recipients",
                "250 r|450 m|503 t|503 d" if in_order => "refused",
                _ => "not delivered",
            };
            if !first.is_empty() {
                assert_eq!(name(1), expected_second, "{case}");
            }
            if in_order && second.starts_with("250 r|503 m") {
                assert!(
                    matches!(verdicts[1].1.outcome, Decision::NotDelivered(Lost::OutOfStep(_))),
                    "{case}"
                );
                assert!(out_of_step);
            }
            assert_eq!(
                out_of_step && first == "250 ok",
                first == "250 ok"
                    && (second.contains("503 m") || second.contains("garbage") || second == "timeout"),
                "{case}"
            );
        }
    }
}

#[test]
fn a_chunk_goes_out_behind_its_own_accepted_envelope() {
    let mut pipeline = Pipeline::new(Mode::CHUNKED);
    pipeline.begin(plan(2, b"one\r\n.dot\r\n", Partial::Deliver));
    assert_eq!(write(&mut pipeline), "MAIL FROM:<me@x>\r\nRCPT TO:<r0@x>\r\nRCPT TO:<r1@x>\r\n");
    pipeline.received(b"250 a\r\n550 b\r\n");
    assert!(pipeline.output().is_empty(), "a reply is still due");
    pipeline.received(b"250 c\r\n");
    pipeline.begin(plan(1, b"two\r\n", Partial::Refuse));
    assert_eq!(
        write(&mut pipeline),
        "BDAT 11 LAST\r\none\r\n.dot\r\nRSET\r\nMAIL FROM:<me@x>\r\nRCPT TO:<r0@x>\r\n"
    );
    pipeline.received(b"250 taken\r\n250 reset\r\n250 d\r\n250 e\r\n");
    assert!(matches!(next(&mut pipeline), (0, Decision::Accepted { .. })));
    // Who refuses to send to some only gets DATA.
    assert_eq!(write(&mut pipeline), "DATA\r\n");
    // Nobody was taken: no chunk.
    let mut pipeline = Pipeline::new(Mode::CHUNKED);
    pipeline.begin(plan(1, b"one\r\n", Partial::Deliver));
    write(&mut pipeline);
    pipeline.received(b"250 a\r\n550 b\r\n");
    assert!(matches!(next(&mut pipeline), (0, Decision::NoRecipients { .. })));
    assert_eq!((write(&mut pipeline).as_str(), pipeline.phase()), ("", Phase::Idle));
    // A body over 256 KiB goes by DATA.
    pipeline.begin(plan(1, &b"line\r\n".repeat(50_000), Partial::Deliver));
    assert!(write(&mut pipeline).ends_with("DATA\r\n"));
}

#[test]
fn a_window_of_whole_messages() {
    let mut pipeline = Pipeline::new(Mode::WINDOW);
    let body = b"hello\r\n".repeat(100);
    for at in 0..16 {
        let plan = plan(1, &body, Partial::Deliver);
        assert!(pipeline.takes(&plan), "{at}");
        pipeline.begin(plan);
    }
    assert!(!pipeline.has_room());
    let all = write(&mut pipeline);
    assert_eq!((all.matches("BDAT 700 LAST").count(), all.matches("RSET").count()), (16, 15));
    // The first is taken, the second's sender refused, the third's recipient, the fourth's chunk; then 421.
    pipeline.received(b"250 m\r\n250 r\r\n250 taken\r\n250 reset\r\n550 m\r\n503 r\r\n503 b\r\n");
    pipeline.received(b"250 reset\r\n250 m\r\n550 r\r\n503 b\r\n250 reset\r\n250 m\r\n250 r\r\n452 b\r\n");
    pipeline.received(b"250 reset\r\n250 m\r\n250 r\r\n421 bye\r\n");
    assert!(matches!(next(&mut pipeline), (0, Decision::Accepted { .. })));
    assert!(matches!(next(&mut pipeline), (1, Decision::Refused { reply, .. }) if reply.code == 550));
    assert!(matches!(next(&mut pipeline), (2, Decision::NoRecipients { .. })));
    assert!(matches!(next(&mut pipeline), (3, Decision::Refused { reply, .. }) if reply.code == 452));
    assert!(matches!(next(&mut pipeline), (4, Decision::Refused { reply, .. }) if reply.code == 421));
    // Handed over, and yet not looked at: commands run in order.
    for id in 5..16 {
        assert!(
            matches!(next(&mut pipeline), (i, Decision::NotDelivered(Lost::ServerClosing(_))) if i == id)
        );
    }
    // A window holds a mebibyte, and no long lists.
    let mut pipeline = Pipeline::new(Mode::WINDOW);
    let big = b"line\r\n".repeat(40_000);
    let mut count = 0;
    while pipeline.takes(&plan(1, &big, Partial::Deliver)) {
        pipeline.begin(plan(1, &big, Partial::Deliver));
        count += 1;
    }
    assert_eq!(count, 4);
}

#[test]
fn giving_up_one_message_of_a_window_leaves_the_earlier_ones_their_replies() {
    let mut pipeline = Pipeline::new(Mode::WINDOW);
    for _ in 0..3 {
        pipeline.begin(plan(1, b"hello\r\n", Partial::Deliver));
    }
    let second = memchr::memmem::find(pipeline.output(), b"RSET").unwrap();
    pipeline.handed_over(second + 10);
    // The last has not left us: it is as if it had never been.
    pipeline.abandon(2, Lost::Cancelled);
    assert!(matches!(next(&mut pipeline), (2, Decision::NotDelivered(Lost::Cancelled))));
    // The second is on its way: only a close can stop it, and the first is waited for.
    pipeline.abandon(1, Lost::Cancelled);
    assert!(matches!(next(&mut pipeline), (1, Decision::NotDelivered(Lost::Cancelled))));
    assert!(pipeline.output().is_empty() && !pipeline.has_room());
    pipeline.received(b"250 m\r\n250 r\r\n");
    assert_eq!(pipeline.phase(), Phase::Committed);
    pipeline.received(b"250 taken\r\n");
    assert!(matches!(next(&mut pipeline), (0, Decision::Accepted { .. })));
    assert_eq!(pipeline.phase(), Phase::Dead);
}

#[test]
fn giving_up_an_untouched_message_takes_its_octets_out_and_no_others() {
    let mut pipeline = Pipeline::new(Mode::WINDOW);
    let bodies: [&[u8]; 4] = [b"zero\r\n", b"one\r\n", b"two\r\n", b"three\r\n"];
    for body in bodies {
        pipeline.begin(plan(1, body, Partial::Deliver));
    }
    // Half of the first is out.
    pipeline.handed_over(10);
    pipeline.abandon(1, Lost::Cancelled);
    assert!(matches!(next(&mut pipeline), (1, Decision::NotDelivered(Lost::Cancelled))));
    pipeline.abandon(3, Lost::Deadline);
    assert!(matches!(next(&mut pipeline), (3, Decision::NotDelivered(Lost::Deadline))));
    let rest = write(&mut pipeline);
    assert!(
        rest.contains("zero") && rest.contains("two") && !rest.contains("one") && !rest.contains("three")
    );
    assert!(pipeline.is_committed(0) && pipeline.is_committed(2));
    pipeline.received(b"250 m\r\n250 r\r\n250 taken\r\n250 reset\r\n250 m\r\n250 r\r\n250 taken\r\n");
    assert!(matches!(next(&mut pipeline), (0, Decision::Accepted { .. })));
    assert!(matches!(next(&mut pipeline), (2, Decision::Accepted { .. })));
    assert_eq!(pipeline.phase(), Phase::Idle);
    assert_eq!(pipeline.begin(plan(1, b"four\r\n", Partial::Deliver)), 4);
}

#[test]
fn a_refusal_that_was_read_counts_although_the_server_closed_behind_it() {
    for (replies, name) in [("550 5.7.60 no\r\n", "refused"), ("250 m\r\n550 r\r\n", "no recipients")] {
        for end in ["eof", "421"] {
            let mut pipeline = Pipeline::new(Mode::GROUP);
            pipeline.begin(plan(1, b"x\r\n", Partial::Deliver));
            write(&mut pipeline);
            pipeline.received(replies.as_bytes());
            match end {
                "eof" => pipeline.closed(Lost::Connection("eof".into())),
                _ => pipeline.received(b"421 bye\r\n"),
            }
            let outcome = next(&mut pipeline).1;
            let found = match outcome {
                Decision::Refused { reply, .. } if reply.code == 550 => "refused",
                Decision::NoRecipients { .. } => "no recipients",
                _ => "another",
            };
            assert_eq!((found, pipeline.phase()), (name, Phase::Dead), "{end}");
        }
    }
}

#[test]
fn a_stalled_network_is_not_taken_for_a_server_that_cannot_follow() {
    let chained = || {
        let mut pipeline = Pipeline::new(Mode::CHAIN);
        pipeline.begin(plan(1, b"one\r\n", Partial::Deliver));
        write(&mut pipeline);
        pipeline.received(b"250 a\r\n250 b\r\n354 go\r\n");
        pipeline.begin(plan(1, b"two\r\n", Partial::Deliver));
        write(&mut pipeline);
        pipeline
    };
    let silence = |mut pipeline: Pipeline| {
        pipeline.closed(Lost::TimedOut("reply".into()));
        pipeline.is_out_of_step()
    };
    assert!(!silence(chained()), "the end of the first is not answered either");
    let mut answered = chained();
    answered.received(b"250 taken\r\n");
    assert!(silence(answered), "what ran ahead was swallowed");
    let mut in_step = chained();
    in_step.received(b"250 taken\r\n250 r\r\n250 m\r\n250 t\r\n354 go\r\n");
    write(&mut in_step);
    assert!(!silence(in_step), "its own last reply is missing");
}
