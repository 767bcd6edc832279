//! `mailbearer send --from-jsonl`: many messages, one result a line, memory flat.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use mailbearer::config::FilePolicy;
use mailbearer::{
    Bulk, Call, Cancel, Counts, Error, ErrorCode, Mailer, Message, Outcome, SendResult, blocking,
};
use serde_json::{Value, json};

use crate::arguments::{self, Global};
use crate::failure::{Failure, Result};
use crate::jsonl::{Line, Lines};
use crate::output::Output;
use crate::progress::{self, Progress, sentence};
use crate::results::{Results, Todo};
use crate::{exit, interrupt, options};

pub(super) fn run(global: &Global, arguments: &arguments::Send, output: Output) -> Result<i32> {
    let bulk = &arguments.bulk;
    let (mut options, host) = options::load(global, &arguments.options, output)?;
    options.files = files(&bulk.files, options.files);
    let mailer = Mailer::new(options, host)?;
    let source = bulk.from_jsonl.as_deref().unwrap_or(Path::new("-"));
    let lines = Lines::open(source)?;
    let results = Results::open(bulk.results.as_deref(), bulk.resume)?;
    let to_file = results.is_file();
    let cancel = Cancel::default();
    let call = Call {
        timeout: arguments.timeout,
        partial: arguments.partial.map(Into::into),
        cancel: cancel.clone(),
    };
    let progress = Progress::new(lines.size, arguments.quiet);
    let mut run = Run {
        mailer: mailer.clone(),
        bulk: mailer.bulk(call, blocking::handle()?)?,
        lines,
        place: 0,
        under_way: HashMap::new(),
        results,
        progress,
        output,
        tally: Tally::default(),
        pushed: 0,
        exit: exit::OK,
        lost: false,
        ended: None,
    };
    if arguments.dry_run {
        interrupt::block_on(&cancel, run.check_all(&cancel))?;
    } else {
        interrupt::block_on(&cancel, run.send_all(&cancel))?;
    }
    run.progress.end();
    interrupt::close(&mailer, &output)?;
    if !run.lost {
        run.results.complete();
    }
    let mut counts = run.bulk.counts();
    counts.uncertain += run.tally.uncertain;
    counts.failed += run.tally.wrong;
    let summary = Summary { counts, tally: run.tally, dry_run: arguments.dry_run };
    if !arguments.quiet {
        summary.show(to_file, output)?;
    }
    let code = match (run.exit, run.ended) {
        (exit::UNCERTAIN, Some(failure)) => {
            output.failure(&failure);
            exit::UNCERTAIN
        }
        (exit::UNCERTAIN, None) => exit::UNCERTAIN,
        (_, _) if cancel.is_cancelled() => output.failure(&Failure::Interrupted),
        (_, Some(failure)) => output.failure(&failure),
        (code, None) => code,
    };
    Ok(code)
}

/// What the messages may attach: they may come from anybody, so files are denied unless the command
/// line says otherwise, or the configuration names folders.
fn files(said: &[String], configured: FilePolicy) -> FilePolicy {
    match said {
        [] if configured == FilePolicy::Allow => FilePolicy::Deny,
        [] => configured,
        [word] if word == "deny" => FilePolicy::Deny,
        [word] if word == "allow" => FilePolicy::Allow,
        folders => FilePolicy::Folders(folders.iter().map(PathBuf::from).collect()),
    }
}

/// What is counted beside core's own counts.
#[derive(Clone, Copy, Default)]
struct Tally {
    /// Have their result from a run before.
    before: u64,
    /// Were begun by a run that was killed.
    uncertain: u64,
    /// Well-formed, in a dry run.
    sound: u64,
    /// Cannot be sent as they are, in a dry run.
    wrong: u64,
}

struct Summary {
    counts: Counts,
    tally: Tally,
    dry_run: bool,
}

impl Summary {
    fn show(&self, to_file: bool, output: Output) -> Result<()> {
        let Tally { before, sound, wrong, .. } = self.tally;
        if output.json {
            let mut all = json!({ "counts": self.counts });
            if before > 0 {
                all["done_before"] = json!(before);
            }
            if self.dry_run {
                all = json!({ "dry_run": { "sound": sound, "wrong": wrong } });
            }
            // Beside result lines on standard output it would be one more.
            return if to_file {
                output.value(&all)
            } else {
                output.note_value(&all);
                Ok(())
            };
        }
        let mut text = match self.dry_run {
            true => format!("{sound} can be sent, {wrong} cannot; nothing was sent"),
            false => sentence(self.counts),
        };
        if before > 0 {
            text.push_str(&format!(", {before} done before"));
        }
        output.note(&text);
        Ok(())
    }
}

struct Run {
    mailer: Mailer,
    bulk: Bulk,
    lines: Lines,
    /// Of the next message in the source, from 0.
    place: u64,
    /// Where the messages that core holds stand in the source, by core's own numbers.
    under_way: HashMap<u64, Source>,
    results: Results,
    progress: Progress,
    output: Output,
    tally: Tally,
    /// Messages given to core.
    pushed: u64,
    exit: i32,
    /// A result could not be written where it belongs.
    lost: bool,
    /// Why it ended before the source did.
    ended: Option<Failure>,
}

/// A message's place in the source.
struct Source {
    index: u64,
    line: u64,
    fingerprint: String,
}

impl Run {
    async fn send_all(&mut self, cancel: &Cancel) {
        let mut stopping = false;
        let mut ticks = tokio::time::interval(progress::BETWEEN);
        loop {
            let room = self.bulk.has_room();
            let busy = !room || self.bulk.counts().in_flight > 0;
            tokio::select! {
                biased;
                () = cancel.cancelled(), if !stopping => {
                    stopping = true;
                    self.bulk.cancel();
                }
                result = self.bulk.next(), if busy => match result {
                    Some(Ok(result)) => self.take(&result),
                    Some(Err(fatal)) => self.end(fatal.into()),
                    None if !self.bulk.has_room() => return,
                    None => {}
                },
                line = self.lines.next(), if room => match line {
                    Some(Ok(line)) => self.pull(line),
                    Some(Err(failure)) => self.end(failure),
                    None => self.bulk.finish(),
                },
                // A log has its line even if nothing moves.
                _ = ticks.tick() => {}
            }
            self.show();
        }
    }

    /// Builds every message and sends none.
    async fn check_all(&mut self, cancel: &Cancel) {
        loop {
            let line = tokio::select! {
                biased;
                () = cancel.cancelled() => return,
                line = self.lines.next() => line,
            };
            let line = match line {
                Some(Ok(line)) => line,
                Some(Err(failure)) => return self.end(failure),
                None => return,
            };
            let source = self.source(&line);
            let tag = line.tag();
            let built = match line.message(&self.mailer) {
                Ok(message) => self.check(&message).await,
                Err(error) => Err(error),
            };
            let (message_id, outcome, error) = match built {
                Ok(id) => (id, Outcome::NotSent, None),
                Err(error) => (String::new(), Outcome::Failed, Some(error)),
            };
            match &error {
                None => self.tally.sound += 1,
                Some(error) => {
                    self.tally.wrong += 1;
                    self.exit = if self.exit == exit::OK { exit::of(error) } else { self.exit };
                }
            }
            let result = json!({
                "index": source.index, "tag": tag, "message_id": message_id, "outcome": outcome, "receipt": null,
                "error": error,
            });
            self.tell(result, source);
            if self.ended.is_some() || self.results.gone {
                return;
            }
            self.show();
        }
    }

    async fn check(&self, message: &Message) -> mailbearer::Result<String> {
        Ok(self.mailer.preview(message).await?.message_id)
    }

    /// Gives core the message of a line, unless a run before did.
    fn pull(&mut self, line: Line) {
        let source = self.source(&line);
        match self.results.todo(source.index, &source.fingerprint) {
            Todo::Done => {
                self.tally.before += 1;
                self.progress.skip_to(Instant::now(), self.lines.position());
            }
            Todo::Uncertain => {
                self.tally.uncertain += 1;
                self.exit = exit::UNCERTAIN;
                let error = Error::new(
                    ErrorCode::DeliveryUncertain,
                    "the run before was killed while it sent this message",
                )
                .with_hint("Look whether it arrived; it is not sent again.")
                .with_uncertain_delivery();
                let result = SendResult {
                    index: source.index,
                    tag: line.tag(),
                    message_id: String::new(),
                    result: Err(error),
                    started: true,
                };
                self.tell(json!(result), source);
            }
            Todo::Another => {
                let line = source.line;
                self.end(Failure::Usage(
                    format!("line {line} is not the message whose result stands in the file of results"),
                    "Give the same source as the run before, or another file of results.",
                ));
            }
            Todo::Send => match self.results.begin(source.index) {
                Ok(()) => {
                    self.bulk.push(line.message(&self.mailer));
                    self.under_way.insert(self.pushed, source);
                    self.pushed += 1;
                }
                Err(failure) => self.end(failure),
            },
        }
    }

    fn source(&mut self, line: &Line) -> Source {
        let index = self.place;
        self.place += 1;
        Source { index, line: line.number(), fingerprint: line.fingerprint() }
    }

    fn take(&mut self, result: &SendResult) {
        let code = match &result.result {
            Ok(receipt) => exit::of_receipt(receipt),
            Err(error) => exit::of(error),
        };
        // The first failure names the exit code, but for one that must not be overlooked.
        if result.outcome() == Outcome::Uncertain
            || matches!(self.exit, exit::OK | exit::RECIPIENT) && code != exit::OK
        {
            self.exit = code;
        }
        if let Some(source) = self.under_way.remove(&result.index) {
            self.tell(json!(result), source);
        }
    }

    /// Writes a result, with the message's place in the source.
    fn tell(&mut self, mut result: Value, source: Source) {
        result["index"] = json!(source.index);
        result["line"] = json!(source.line);
        if self.results.is_file() {
            result["fingerprint"] = json!(source.fingerprint);
        }
        if let Err(failure) = self.results.write(&result) {
            self.lost = true;
            // What became of a message is never lost: the rest goes where somebody may see it.
            if !self.results.gone {
                self.output.note_value(&result);
            }
            if let Some(failure) = failure {
                self.end(failure);
            } else {
                self.bulk.cancel();
            }
        }
    }

    fn show(&mut self) {
        let Some(line) = self.progress.show(Instant::now(), self.lines.position(), self.bulk.counts()) else {
            return;
        };
        if self.output.json {
            let fields = json!({ "counts": self.bulk.counts(), "text": line });
            self.output.note_value(&json!({ "event": "progress", "fields": fields }));
        } else {
            self.output.note(&line);
        }
    }

    /// Pulls no more; what was started goes on to its end.
    fn end(&mut self, failure: Failure) {
        self.bulk.cancel();
        self.ended.get_or_insert(failure);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_denied_unless_said() {
        let said = |words: &[&str], configured| {
            files(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>(), configured)
        };
        let folders = |names: &[&str]| FilePolicy::Folders(names.iter().map(PathBuf::from).collect());
        assert_eq!(said(&[], FilePolicy::Allow), FilePolicy::Deny);
        assert_eq!(said(&[], folders(&["/a"])), folders(&["/a"]));
        assert_eq!(said(&["allow"], FilePolicy::Deny), FilePolicy::Allow);
        assert_eq!(said(&["deny"], folders(&["/a"])), FilePolicy::Deny);
        assert_eq!(said(&["/a", "/b"], FilePolicy::Deny), folders(&["/a", "/b"]));
    }
}
