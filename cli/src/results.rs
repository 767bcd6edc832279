//! Where the results of a bulk send go, one line a message, and what a run before left there.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::failure::{Failure, Result};

/// Where result lines go.
pub(crate) struct Results {
    /// `None`: standard output.
    file: Option<Place>,
    /// Nobody reads standard output any more.
    pub(crate) gone: bool,
    before: Before,
}

struct Place {
    path: PathBuf,
    file: File,
    /// The messages that were handed over: those without a result, after a run that was killed, may have gone out.
    begun: Option<File>,
}

/// What the run before left, by the messages' places in the source.
#[derive(Default)]
struct Before {
    results: HashMap<u64, Earlier>,
    begun: HashSet<u64>,
}

struct Earlier {
    fingerprint: String,
    /// It may be sent again: it was never started, or its failure says so.
    again: bool,
}

/// What is to be done with a message.
#[derive(Debug, PartialEq)]
pub(crate) enum Todo {
    /// It has no result yet, or one that lets it be sent again.
    Send,
    /// It has its result.
    Done,
    /// A run that was killed had begun it: it may have gone out.
    Uncertain,
    /// The results are of another source.
    Another,
}

impl Results {
    /// Opens `path`, or standard output for `-` and none.
    ///
    /// # Errors
    /// `Usage` for a file that is there already without `resume`, and for one that another run writes; `Output`.
    pub(crate) fn open(path: Option<&Path>, resume: bool) -> Result<Self> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            if resume {
                return Err(Failure::Usage(
                    "--resume needs a file of results".into(),
                    "Name the one of the run before with --results.",
                ));
            }
            return Ok(Self { file: None, gone: false, before: Before::default() });
        };
        let failed = |e: io::Error| Failure::output(path, &e);
        let there = fs::metadata(path).is_ok_and(|about| about.is_file() && about.len() > 0);
        let beside = begun_beside(path);
        if !resume && (there || beside.exists()) {
            return Err(Failure::Usage(
                format!("{} is there already, with the results of a run before", path.display()),
                "Give --resume to go on where that run ended, or name another file.",
            ));
        }
        let mut open = OpenOptions::new();
        open.write(true);
        if fs::metadata(path).is_ok_and(|about| !about.is_file()) {
            // A device or a pipe keeps nothing that a later run could read.
            let file = open.open(path).map_err(failed)?;
            let place = Place { path: path.to_owned(), file, begun: None };
            return Ok(Self { file: Some(place), gone: false, before: Before::default() });
        }
        let mut file = open.read(true).create(true).truncate(false).open(path).map_err(failed)?;
        if matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)) {
            return Err(Failure::Usage(
                format!("another run writes to {}", path.display()),
                "Wait for its end, or name another file.",
            ));
        }
        let before =
            if resume { Before::read(&mut file, &beside).map_err(failed)? } else { Before::default() };
        let begun = OpenOptions::new().append(true).create(true).open(&beside);
        let begun = Some(begun.map_err(|e| Failure::output(&beside, &e))?);
        Ok(Self { file: Some(Place { path: path.to_owned(), file, begun }), gone: false, before })
    }

    /// Whether they go to a file.
    pub(crate) fn is_file(&self) -> bool {
        self.file.is_some()
    }

    /// What is to be done with the message at this place of the source.
    pub(crate) fn todo(&self, index: u64, fingerprint: &str) -> Todo {
        match self.before.results.get(&index) {
            Some(earlier) if earlier.fingerprint != fingerprint => Todo::Another,
            Some(earlier) if earlier.again => Todo::Send,
            Some(_) => Todo::Done,
            None if self.before.begun.contains(&index) => Todo::Uncertain,
            None => Todo::Send,
        }
    }

    /// Notes that the message at this place is handed over.
    ///
    /// # Errors
    /// `Output`.
    pub(crate) fn begin(&mut self, index: u64) -> Result<()> {
        let Some(Place { path, begun: Some(begun), .. }) = &mut self.file else { return Ok(()) };
        let written = begun.write_all(format!("{index}\n").as_bytes());
        written.map_err(|e| Failure::output(begun_beside(path), &e))
    }

    /// One line, whole and at once, so that a program that is killed leaves no half one.
    ///
    /// # Errors
    /// `None` for a pipe that nobody reads: there is nobody to tell.
    pub(crate) fn write(&mut self, result: &Value) -> Result<(), Option<Failure>> {
        let line = format!("{result}\n");
        let written = match &mut self.file {
            Some(place) => place.file.write_all(line.as_bytes()).map_err(|e| (place.path.clone(), e)),
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

    /// Every message that was begun has its line.
    pub(crate) fn complete(self) {
        if let Some(place) = self.file.filter(|place| place.begun.is_some()) {
            // One that stays only makes the next run look at it.
            let _ = fs::remove_file(begun_beside(&place.path));
        }
    }
}

impl Before {
    /// Reads both files; a half line at the end of the results, of a run that was killed, is cut off.
    fn read(results: &mut File, beside: &Path) -> io::Result<Self> {
        let mut before = Self::default();
        let (mut reader, mut line, mut whole) = (BufReader::new(&*results), Vec::new(), 0);
        while reader.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
            whole += line.len() as u64;
            if let Ok(value) = serde_json::from_slice::<Value>(&line)
                && let Some(index) = value["index"].as_u64()
            {
                let error = &value["error"];
                let again = value["outcome"] == "not_sent"
                    || value["outcome"] == "failed" && error["retryable"] == true;
                let fingerprint = value["fingerprint"].as_str().unwrap_or_default().to_owned();
                before.results.insert(index, Earlier { fingerprint, again });
            }
            line.clear();
        }
        results.set_len(whole)?;
        results.seek(io::SeekFrom::End(0))?;
        match fs::read_to_string(beside) {
            Ok(text) => before.begun.extend(text.lines().filter_map(|line| line.parse::<u64>().ok())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        Ok(before)
    }
}

/// `results.jsonl.begun` beside `results.jsonl`.
fn begun_beside(path: &Path) -> PathBuf {
    let mut name: OsString = path.into();
    name.push(".begun");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_later_run_knows_what_became_of_each_message() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results");
        let mut results = Results::open(Some(&path), false).unwrap();
        for index in 0..6 {
            results.begin(index).unwrap();
        }
        for (index, outcome, retryable) in [
            (0, "sent", false),
            (1, "failed", false),
            (2, "failed", true),
            (3, "not_sent", true),
            (4, "uncertain", false),
        ] {
            let error = json!({ "retryable": retryable });
            let line = json!({ "index": index, "outcome": outcome, "fingerprint": "f", "error": error });
            results.write(&line).unwrap();
        }
        // Killed: the files stay as they are, with half a line.
        results.file.as_mut().unwrap().file.write_all(b"{\"index\": 5, \"outc").unwrap();
        assert!(Results::open(Some(&path), true).is_err(), "the first run still has it");
        drop(results);
        let length = fs::metadata(&path).unwrap().len();
        assert!(Results::open(Some(&path), false).is_err());
        assert_eq!(fs::metadata(&path).unwrap().len(), length, "nothing is overwritten");
        let mut again = Results::open(Some(&path), true).unwrap();
        let todo: Vec<_> = (0..7).map(|index| again.todo(index, "f")).collect();
        use Todo::*;
        assert_eq!(todo, [Done, Done, Send, Send, Done, Uncertain, Send]);
        assert_eq!(again.todo(0, "g"), Another);
        again.write(&json!({ "index": 6, "outcome": "sent" })).unwrap();
        again.complete();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!((text.lines().count(), text.contains("outc\"")), (6, false), "{text}");
        assert!(!begun_beside(&path).exists());
    }
}
