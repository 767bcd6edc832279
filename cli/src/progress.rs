//! How far a bulk send is, on standard error: a bar in a terminal, else a line a minute for a log.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mailbearer::Counts;

/// What shows how far it is.
pub(crate) enum Progress {
    /// A bar over the octets of the file, or a running count where its size is unknown.
    Bar(ProgressBar),
    /// Lines.
    Log(Log),
    /// Nothing.
    Quiet,
}

impl Progress {
    /// For a source of `size` octets.
    pub(crate) fn new(size: Option<u64>, quiet: bool) -> Self {
        if quiet {
            return Self::Quiet;
        }
        if !io::stderr().is_terminal() {
            return Self::Log(Log::new(size, Instant::now()));
        }
        let template = match size {
            Some(_) => "{bar:30} {percent:>3}%  {msg}  {elapsed}, {eta} left",
            None => "{spinner} {msg}  {elapsed}",
        };
        let bar = ProgressBar::with_draw_target(size, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self::Bar(bar)
    }

    /// Shows how far it is, or gives the line that says so.
    pub(crate) fn show(&mut self, now: Instant, position: u64, counts: Counts) -> Option<String> {
        match self {
            Self::Bar(bar) => {
                bar.set_position(position);
                bar.set_message(sentence(counts));
                bar.tick();
                None
            }
            Self::Log(log) => log.line(now, position, counts),
            Self::Quiet => None,
        }
    }

    /// What was read up to here took no time: it was sent by a run before.
    pub(crate) fn skip_to(&mut self, now: Instant, position: u64) {
        match self {
            Self::Bar(bar) => {
                bar.set_position(position);
                bar.reset_eta();
            }
            Self::Log(log) => (log.began, log.from) = (now, position),
            Self::Quiet => {}
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// A line a minute, with an estimate.
pub(crate) struct Log {
    size: Option<u64>,
    began: Instant,
    /// Where the source stood then.
    from: u64,
    last: Instant,
}

impl Log {
    fn new(size: Option<u64>, now: Instant) -> Self {
        Self { size, began: now, from: 0, last: now }
    }

    /// The next line, once it is due.
    fn line(&mut self, now: Instant, position: u64, counts: Counts) -> Option<String> {
        if now.duration_since(self.last) < BETWEEN {
            return None;
        }
        self.last = now;
        let mut line = sentence(counts);
        if let Some(size) = self.size.filter(|size| *size > 0) {
            line.push_str(&format!(", {} %", position.min(size) * 100 / size));
            let (done, rest) = (position.saturating_sub(self.from), size.saturating_sub(position));
            if done > 0 {
                let left = now.duration_since(self.began).as_secs_f64() * rest as f64 / done as f64;
                line.push_str(&format!(", about {} left", spoken(left)));
            }
        }
        Some(line)
    }
}

/// `3 sent, 1 failed`; what is rare is named only where it is there.
pub(crate) fn sentence(counts: Counts) -> String {
    let mut out = format!("{} sent, {} failed", counts.sent, counts.failed);
    for (count, word) in [(counts.uncertain, "uncertain"), (counts.not_sent, "not sent")] {
        if count > 0 {
            out.push_str(&format!(", {count} {word}"));
        }
    }
    out
}

/// A time as people say it.
pub(crate) fn spoken(seconds: f64) -> String {
    match seconds {
        s if s >= 172_800.0 => format!("{:.0} days", s / 86_400.0),
        s if s >= 7_200.0 => format!("{:.0} h", s / 3_600.0),
        s if s >= 120.0 => format!("{:.0} min", s / 60.0),
        s => format!("{s:.0} s"),
    }
}

/// Between two lines of a log.
pub(crate) const BETWEEN: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_rare_is_named_only_where_it_is_there() {
        let counts = Counts { sent: 3, ..Counts::default() };
        assert_eq!(sentence(counts), "3 sent, 0 failed");
        let counts = Counts { uncertain: 1, not_sent: 2, ..counts };
        assert_eq!(sentence(counts), "3 sent, 0 failed, 1 uncertain, 2 not sent");
    }

    #[test]
    fn a_log_has_a_line_a_minute_with_the_estimate() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let counts = Counts { sent: 30, ..Counts::default() };
        let mut log = Log::new(Some(1000), began);
        assert_eq!(log.line(at(59), 90, counts), None);
        assert_eq!(log.line(at(60), 100, counts).unwrap(), "30 sent, 0 failed, 10 %, about 9 min left");
        assert_eq!(log.line(at(119), 200, counts), None);
        assert!(log.line(at(120), 1000, counts).unwrap().ends_with("100 %, about 0 s left"));
        // Half of it was sent by a run before.
        let mut progress = Progress::Log(Log::new(Some(1000), began));
        progress.skip_to(at(10), 500);
        let line = progress.show(at(70), 750, counts).unwrap();
        assert!(line.ends_with("75 %, about 60 s left"), "{line}");
        // A pipe has no size.
        assert_eq!(Log::new(None, began).line(at(60), 100, counts).unwrap(), "30 sent, 0 failed");
        assert_eq!(Progress::Quiet.show(at(600), 1, counts), None);
    }
}
