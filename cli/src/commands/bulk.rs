//! `mailbearer send --from-jsonl`: many messages, one result a line, memory flat.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use mailbearer::config::FilePolicy;
use mailbearer::{Bulk, Call, Cancel, Counts, Mailer, Outcome, SendResult, blocking};
use serde_json::json;

use super::send::of_receipt;
use crate::arguments::{self, Global};
use crate::failure::{Failure, Result};
use crate::jsonl::Lines;
use crate::output::Output;
use crate::progress::{Progress, sentence};
use crate::{exit, interrupt, options};

pub(super) fn run(global: &Global, arguments: &arguments::Send, output: Output) -> Result<i32> {
    let bulk = &arguments.bulk;
    let (mut options, host) = options::load(global, &arguments.options, output)?;
    options.files = files(&bulk.files, options.files);
    let mailer = Mailer::new(options, host)?;
    let source = bulk.from_jsonl.as_deref().unwrap_or(Path::new("-"));
    let lines = Lines::open(source)?;
    let results = Results::open(bulk.results.as_deref())?;
    let to_file = results.file.is_some();
    let cancel = Cancel::default();
    let call = Call {
        timeout: arguments.timeout,
        partial: arguments.partial.map(Into::into),
        cancel: cancel.clone(),
    };
    let progress = Progress::new(lines.size, bulk.quiet);
    let mut run = Run {
        mailer: mailer.clone(),
        bulk: mailer.bulk(call, blocking::handle()?)?,
        lines,
        results,
        progress,
        output,
        exit: exit::OK,
        ended: None,
    };
    interrupt::block_on(&cancel, run.all(&cancel))?;
    run.progress.end();
    super::close(&mailer, &output)?;
    report(run.bulk.counts(), to_file, output)?;
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

fn report(counts: Counts, to_file: bool, output: Output) -> Result<()> {
    match (output.json, to_file) {
        (true, true) => output.value(&json!({ "counts": counts })),
        (true, false) => {
            output.note_value(&json!({ "counts": counts }));
            Ok(())
        }
        (false, _) => {
            output.note(&sentence(counts));
            Ok(())
        }
    }
}

struct Run {
    mailer: Mailer,
    bulk: Bulk,
    lines: Lines,
    results: Results,
    progress: Progress,
    output: Output,
    exit: i32,
    /// Why it ended before the source did.
    ended: Option<Failure>,
}

impl Run {
    async fn all(&mut self, cancel: &Cancel) {
        let mut stopping = false;
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
                    Some(Ok(line)) => self.bulk.push(line.message(&self.mailer)),
                    Some(Err(failure)) => self.end(failure),
                    None => self.bulk.finish(),
                },
            }
            self.progress.show(self.lines.position(), self.bulk.counts());
        }
    }

    fn take(&mut self, result: &SendResult) {
        let code = match &result.result {
            Ok(receipt) => of_receipt(receipt),
            Err(error) => exit::of(error),
        };
        // The first failure names the exit code, but for one that must not be overlooked.
        if result.outcome() == Outcome::Uncertain
            || matches!(self.exit, exit::OK | exit::RECIPIENT) && code != exit::OK
        {
            self.exit = code;
        }
        if let Err(failure) = self.results.write(result) {
            // What became of a message is never lost: the rest goes where somebody may see it.
            if !self.results.gone {
                self.output.note_value(&json!(result));
            }
            if let Some(failure) = failure {
                self.end(failure);
            } else {
                self.bulk.cancel();
            }
        }
    }

    /// Pulls no more; what was started goes on to its end.
    fn end(&mut self, failure: Failure) {
        self.bulk.cancel();
        self.ended.get_or_insert(failure);
    }
}

/// Where result lines go.
struct Results {
    /// `None`: standard output.
    file: Option<(PathBuf, File)>,
    /// Nobody reads standard output any more.
    gone: bool,
}

impl Results {
    fn open(path: Option<&Path>) -> Result<Self> {
        let file = match path {
            Some(path) if path != Path::new("-") => {
                let file = File::create(path).map_err(|e| Failure::output(path, &e))?;
                Some((path.to_owned(), file))
            }
            _ => None,
        };
        Ok(Self { file, gone: false })
    }

    /// One line, whole and at once, so that a program that is killed leaves no half one.
    ///
    /// # Errors
    /// `None` for a pipe that nobody reads: there is nobody to tell.
    fn write(&mut self, result: &SendResult) -> Result<(), Option<Failure>> {
        let line = format!("{}\n", json!(result));
        let written = match &mut self.file {
            Some((path, file)) => file.write_all(line.as_bytes()).map_err(|e| (path.clone(), e)),
            None => {
                let mut stdout = io::stdout().lock();
                let written = stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush());
                written.map_err(|e| (PathBuf::from("standard output"), e))
            }
        };
        written.map_err(|(name, error)| {
            self.gone = self.file.is_none() && error.kind() == io::ErrorKind::BrokenPipe;
            (!self.gone).then(|| Failure::output(name, &error))
        })
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
