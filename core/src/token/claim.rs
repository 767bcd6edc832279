//! Who may post a person's refresh token, and what follows: a pure state machine. `acquire::person` performs its steps.
//!
//! Services that rotate refresh tokens take a second use of one for a theft. So a process claims the entry first
//! (a compare-and-swap, good until an instant), posts, saves what came, and only then uses the new token; others wait
//! for a new version or for the claim's end.

use std::time::{Duration, SystemTime};

use super::entry::{Claim, Entry, millis};

/// One refresh's way through the protocol.
#[derive(Debug)]
pub(crate) struct Claiming {
    /// Our name in a claim; random.
    owner: String,
    /// How long a claim must last: the request, what proves the application, and a margin.
    lasts: Duration,
    /// All that may take long is done: the endpoints are known, the service lets us ask.
    prepared: bool,
    /// Another process's rotation was followed once already.
    raced: bool,
    rounds: usize,
}

/// What the step before came to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Last<'a> {
    /// The entry was loaded.
    Loaded {
        entry: &'a Entry,
        /// Its access token will do.
        usable: bool,
        /// Its refresh token was refused a moment ago.
        refused_lately: bool,
    },
    /// The endpoints are known and the service lets us ask.
    Prepared,
    /// The claim was written; false if another version was quicker.
    Claimed(bool),
    /// The service gave a token.
    Renewed,
    /// The renewed entry was written; false if a sign-in or another rotation came first.
    Saved(bool),
    /// The service did not give one, and the claim was given back.
    Refused(Refusal),
}

/// Why the service gave no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It did not answer usefully: the refresh token is as good as before.
    Passing,
    /// It does not take this refresh token any more, and the store has the same one.
    Dead,
    /// It does not take this refresh token any more, and the store has another one by now.
    Rotated,
    /// Something else is wrong.
    Other,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Use the entry's access token.
    Use,
    /// Load the entry.
    Load,
    /// Wait a moment: another process is at it. Then load.
    Wait,
    /// Find the endpoints and wait for the service's turn, then load: meanwhile another process may have refreshed.
    Prepare,
    /// Write this claim, if the entry is still the one that was loaded.
    Claim(Claim),
    /// Post the refresh token.
    Post,
    /// Write the renewed entry.
    Save,
    /// Pause before another try, if one is left. Then load.
    Pause,
    /// Give up.
    Fail(Fault),
}

/// Why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nobody is signed in.
    NobodySignedIn,
    /// The refusal of a moment ago still counts.
    RefusedLately,
    /// The service's refusal.
    Refused,
    /// Other processes change the store all the time.
    Contended,
}

impl Claiming {
    /// `owner` names this refresh among all processes; `lasts` is the longest that a request may take.
    pub(crate) fn new(owner: String, lasts: Duration) -> Self {
        Self { owner, lasts: lasts + MARGIN, prepared: false, raced: false, rounds: 0 }
    }

    /// Our name.
    pub(crate) fn owner(&self) -> &str {
        &self.owner
    }

    /// The step that follows `last`.
    pub(crate) fn next(&mut self, last: Last<'_>, now: SystemTime) -> Step {
        match last {
            Last::Loaded { usable: true, .. } => Step::Use,
            Last::Loaded { entry, .. } if entry.claimed_by_another(&self.owner, now) => {
                // A claim ends by itself, so waiting needs no count; the service's turn goes to somebody else.
                self.prepared = false;
                Step::Wait
            }
            Last::Loaded { entry, .. } if entry.refresh_token.is_none() => Step::Fail(Fault::NobodySignedIn),
            Last::Loaded { refused_lately: true, .. } => Step::Fail(Fault::RefusedLately),
            Last::Loaded { .. } if !self.prepared => Step::Prepare,
            Last::Loaded { .. } => {
                let until = millis(now + self.lasts);
                Step::Claim(Claim { owner: self.owner.clone(), until })
            }
            Last::Prepared => {
                self.prepared = true;
                Step::Load
            }
            Last::Claimed(true) => Step::Post,
            Last::Renewed => Step::Save,
            Last::Saved(true) => Step::Use,
            Last::Claimed(false) | Last::Saved(false) => self.again(Step::Load),
            Last::Refused(Refusal::Passing) => {
                self.prepared = false;
                self.again(Step::Pause)
            }
            Last::Refused(Refusal::Rotated) if !self.raced => {
                // The token that counts is the other process's.
                self.raced = true;
                self.again(Step::Load)
            }
            Last::Refused(_) => Step::Fail(Fault::Refused),
        }
    }

    /// Another round, unless races were lost too often.
    fn again(&mut self, step: Step) -> Step {
        self.rounds += 1;
        if self.rounds >= ROUNDS { Step::Fail(Fault::Contended) } else { step }
    }
}

/// A claim outlasts its request by this.
const MARGIN: Duration = Duration::from_secs(10);

/// Races that may be lost.
const ROUNDS: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Secret;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn now() -> SystemTime {
        NOW + Duration::from_secs(1_800_000_000)
    }

    fn entry(claimed_by: Option<(&str, i64)>) -> Entry {
        let refreshing = claimed_by.map(|(owner, left)| Claim {
            owner: owner.to_owned(),
            until: millis(now()).saturating_add_signed(left * 1000),
        });
        let mut entry = Entry::from_seed(Secret::new("rt"), String::new());
        entry.refreshing = refreshing;
        entry
    }

    fn loaded(entry: &Entry) -> Last<'_> {
        Last::Loaded { entry, usable: false, refused_lately: false }
    }

    fn ours() -> Claim {
        Claim { owner: "we".into(), until: millis(now() + Duration::from_secs(40)) }
    }

    #[test]
    fn the_steps_follow_the_table() {
        let free = entry(None);
        let (taken, ended, mine) =
            (entry(Some(("they", 20))), entry(Some(("they", -1))), entry(Some(("we", 20))));
        let signed_out = Entry::default();
        let usable = Last::Loaded { entry: &free, usable: true, refused_lately: false };
        // A token that will do is used whoever refreshes.
        let usable_and_taken = Last::Loaded { entry: &taken, usable: true, refused_lately: false };
        let refused = Last::Loaded { entry: &free, usable: false, refused_lately: true };
        let passing = Last::Refused(Refusal::Passing);
        let rotated = Last::Refused(Refusal::Rotated);
        let table: &[(&str, &[(Last<'_>, Step)])] = &[
            ("what is fresh is used", &[(usable, Step::Use)]),
            ("also while others refresh", &[(usable_and_taken, Step::Use)]),
            (
                "the usual way",
                &[
                    (loaded(&free), Step::Prepare),
                    (Last::Prepared, Step::Load),
                    (loaded(&free), Step::Claim(ours())),
                    (Last::Claimed(true), Step::Post),
                    (Last::Renewed, Step::Save),
                    (Last::Saved(true), Step::Use),
                ],
            ),
            (
                "somebody else claimed it, refreshed it, and theirs is used",
                &[(loaded(&taken), Step::Wait), (usable, Step::Use)],
            ),
            (
                "after a wait the service's turn is asked for anew",
                &[
                    (loaded(&free), Step::Prepare),
                    (Last::Prepared, Step::Load),
                    (loaded(&taken), Step::Wait),
                    (loaded(&ended), Step::Prepare),
                ],
            ),
            ("a claim of our own does not keep us out", &[(loaded(&mine), Step::Prepare)]),
            (
                "a lost race is run again",
                &[
                    (loaded(&free), Step::Prepare),
                    (Last::Prepared, Step::Load),
                    (loaded(&free), Step::Claim(ours())),
                    (Last::Claimed(false), Step::Load),
                    (loaded(&taken), Step::Wait),
                ],
            ),
            ("nobody is signed in", &[(loaded(&signed_out), Step::Fail(Fault::NobodySignedIn))]),
            ("a refusal is not repeated at once", &[(refused, Step::Fail(Fault::RefusedLately))]),
            (
                "a passing fault keeps the refresh token, and gives the turn back",
                &[(passing, Step::Pause), (loaded(&free), Step::Prepare)],
            ),
            (
                "another process's rotation is followed once",
                &[
                    (rotated, Step::Load),
                    (loaded(&free), Step::Prepare),
                    (rotated, Step::Fail(Fault::Refused)),
                ],
            ),
            ("a dead sign-in", &[(Last::Refused(Refusal::Dead), Step::Fail(Fault::Refused))]),
            ("a client that is refused", &[(Last::Refused(Refusal::Other), Step::Fail(Fault::Refused))]),
            ("a sign-in came before our answer", &[(Last::Saved(false), Step::Load)]),
        ];
        for (name, steps) in table {
            let mut claiming = Claiming::new("we".into(), Duration::from_secs(30));
            for (at, (last, step)) in steps.iter().enumerate() {
                assert_eq!(claiming.next(*last, now()), *step, "{name}, step {at}");
            }
        }
    }

    #[test]
    fn races_end() {
        let mut claiming = Claiming::new("we".into(), Duration::ZERO);
        let last = (0..ROUNDS).map(|_| claiming.next(Last::Claimed(false), now())).last();
        assert_eq!(last, Some(Step::Fail(Fault::Contended)));
    }
}
