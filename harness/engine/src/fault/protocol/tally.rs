//! What became of an abuse, as the target saw it: counted by its tasks, read by its evidence.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::target::CallError;

/// Whether so much was done of what was asked for that it shows the abuse, and not a remnant of it: at least half.
pub(super) fn is_half(done: u64, asked: u32) -> bool {
    done > 0 && 2 * done >= u64::from(asked)
}

/// The running counts.
#[derive(Debug, Default)]
pub(super) struct Tally {
    opened: AtomicU64,
    open: AtomicU64,
    acknowledged: AtomicU64,
    refused: AtomicU64,
    not_found: AtomicU64,
    errors: AtomicU64,
    rows: AtomicU64,
    bytes: AtomicU64,
    answers: AtomicBool,
    last_word: Mutex<String>,
}

/// The counts at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Counts {
    /// Connections or streams that were made.
    pub(super) opened: u64,
    /// Of those, how many neither side has ended.
    pub(super) open: u64,
    /// What the target took: it said so.
    pub(super) acknowledged: u64,
    /// What it did not take: it said so.
    pub(super) refused: u64,
    /// What was about something that it does not have: it said so. Counted by abuses of what is not theirs.
    pub(super) not_found: u64,
    /// What it said nothing to, in time or at all.
    pub(super) errors: u64,
    /// Rows in what it took, or in its answers.
    pub(super) rows: u64,
    /// Bytes of the same, or that its connections took from the harness.
    pub(super) bytes: u64,
    /// Whether it answered a plain question, before or at the end.
    pub(super) answers: bool,
    /// The last refusal or error; empty where there was none.
    pub(super) last_word: String,
}

impl Counts {
    /// Whether the target said anything to it, yes or no.
    pub(super) fn was_heard(&self) -> bool {
        self.acknowledged + self.refused > 0
    }

    /// The end of a sentence: what failed, and the last word about it.
    pub(super) fn failures(&self) -> String {
        format!("{} refused, {} without an answer{}", self.refused, self.errors, self.last_word())
    }

    /// The same with the last word alone; empty where there was none.
    pub(super) fn last_word(&self) -> String {
        if self.last_word.is_empty() { String::new() } else { format!(", the last: {}", self.last_word) }
    }

    /// The figures that every abuse has.
    pub(super) fn figures(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("acknowledged", self.acknowledged as f64),
            ("refused", self.refused as f64),
            ("errors", self.errors as f64),
        ]
    }
}

impl Tally {
    /// One more is open, until what is returned is dropped.
    pub(super) fn open(self: &Arc<Self>) -> Open {
        self.opened.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(self))
    }

    /// The target took something.
    pub(super) fn acknowledge(&self) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }

    /// A call has ended.
    pub(super) fn record<T>(&self, result: &Result<T, CallError>) {
        let counted = match result {
            Ok(_) => return self.acknowledge(),
            Err(CallError::Refused(_)) => &self.refused,
            Err(CallError::Broken(_) | CallError::TimedOut(_)) => &self.errors,
        };
        counted.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = result {
            self.note(error);
        }
    }

    /// A call was about something that the target does not have.
    pub(super) fn miss(&self, error: &CallError) {
        self.not_found.fetch_add(1, Ordering::Relaxed);
        self.note(error);
    }

    /// What the target said last, of a call that is not counted.
    pub(super) fn note(&self, error: &CallError) {
        *self.last_word.lock().unwrap_or_else(PoisonError::into_inner) = error.to_string();
    }

    pub(super) fn add_rows(&self, rows: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
    }

    pub(super) fn add_bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The target answered a plain question, or not; once is enough.
    pub(super) fn note_answers(&self, answers: bool) {
        self.answers.fetch_or(answers, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> Counts {
        let now = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            opened: now(&self.opened),
            open: now(&self.open),
            acknowledged: now(&self.acknowledged),
            refused: now(&self.refused),
            not_found: now(&self.not_found),
            errors: now(&self.errors),
            rows: now(&self.rows),
            bytes: now(&self.bytes),
            answers: self.answers.load(Ordering::Relaxed),
            last_word: self.last_word.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

/// Something that is open.
#[derive(Debug)]
pub(super) struct Open(Arc<Tally>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_what_was_asked_for_is_enough_and_less_is_not() {
        for (done, asked, enough) in [
            (1, 1, true),
            (1, 2, true),
            (1, 3, false),
            (2, 3, true),
            (1, 1000, false),
            (499, 1000, false),
            (500, 1000, true),
        ] {
            assert_eq!(is_half(done, asked), enough, "{done} of {asked}");
        }
        assert!(!is_half(0, 0) && !is_half(0, 1), "nothing shows nothing");
    }
}
