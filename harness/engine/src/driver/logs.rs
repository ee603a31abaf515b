//! What a target prints: kept in the run folder up to a bound, the last lines in memory for a person who asks why it died.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use soak_diagnosis::logs;
use soak_record::{EventKind, LogPattern};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

/// A target that prints more than this is cut off in the file; the last lines are still those it printed last.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// A longer line is taken in parts.
const LINE_BYTES_MAX: usize = 16 << 10;

const LAST_LINES: usize = 20;

/// Kinds of errors that are counted; more of them are counted as errors alone.
const PATTERNS_MAX: usize = 1000;

/// Kinds of errors that are told, the most frequent first.
const PATTERNS_TOLD: usize = 10;

/// The log of one target. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Log(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    file: Option<File>,
    written: u64,
    last: VecDeque<String>,
    told: Told,
}

/// What the lines tell, counted as they come: the file may be cut off.
#[derive(Debug, Default)]
struct Told {
    lines: u64,
    errors: u64,
    compaction_lines: u64,
    compaction_errors: u64,
    patterns: BTreeMap<String, u64>,
}

impl Told {
    fn add(&mut self, line: &str) {
        let error = logs::is_error(line);
        let compaction = line.to_lowercase().contains("compact");
        self.lines += 1;
        self.errors += u64::from(error);
        self.compaction_lines += u64::from(compaction);
        self.compaction_errors += u64::from(compaction && error);
        if error {
            let pattern = logs::pattern(line);
            if self.patterns.len() < PATTERNS_MAX || self.patterns.contains_key(&pattern) {
                *self.patterns.entry(pattern).or_default() += 1;
            }
        }
    }
}

impl Log {
    /// A log that goes to this file.
    pub(super) fn create(path: &Path) -> std::io::Result<Self> {
        let state = State { file: Some(File::create(path)?), written: 0, last: VecDeque::new(), told: Told::default() };
        Ok(Self(Arc::new(Mutex::new(state))))
    }

    /// Follows one of the target's outputs to its end.
    pub(super) async fn follow(self, output: impl AsyncRead + Unpin) {
        let mut output = BufReader::with_capacity(LINE_BYTES_MAX, output);
        // A line may come in several reads.
        let mut line = Vec::new();
        while let Ok(buffer) = output.fill_buf().await {
            if buffer.is_empty() {
                break;
            }
            let part = &buffer[..buffer.len().min(LINE_BYTES_MAX - line.len())];
            let end = part.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
            let taken = end.unwrap_or(part.len());
            line.extend_from_slice(&part[..taken]);
            output.consume(taken);
            if end.is_some() || line.len() == LINE_BYTES_MAX {
                self.push_bytes(&std::mem::take(&mut line));
            }
        }
        if !line.is_empty() {
            self.push_bytes(&line);
        }
    }

    fn push_bytes(&self, line: &[u8]) {
        self.push(String::from_utf8_lossy(line).trim_end().to_owned());
    }

    fn push(&self, line: String) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.told.add(&line);
        state.written += line.len() as u64 + 1;
        if state.written > FILE_BYTES_MAX {
            state.file = None;
        }
        // A full disk ends the run by way of the record; the log need not do it too.
        let _ = state.file.as_mut().map(|file| writeln!(file, "{line}"));
        state.last.push_back(line);
        if state.last.len() > LAST_LINES {
            state.last.pop_front();
        }
    }

    /// What its lines tell so far.
    pub(super) fn told(&self) -> EventKind {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let told = &state.told;
        let pattern = |(pattern, count): (&String, &u64)| LogPattern { pattern: pattern.clone(), count: *count };
        let mut patterns: Vec<LogPattern> = told.patterns.iter().map(pattern).collect();
        patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.count));
        patterns.truncate(PATTERNS_TOLD);
        EventKind::LogRead {
            lines: told.lines,
            errors: told.errors,
            compaction_lines: told.compaction_lines,
            compaction_errors: told.compaction_errors,
            patterns,
        }
    }

    /// The last lines, oldest first.
    pub(super) fn last_lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Log {
        Log(Arc::new(Mutex::new(State { file: None, written: 0, last: VecDeque::new(), told: Told::default() })))
    }

    #[tokio::test]
    async fn a_line_that_comes_in_several_reads_is_one() {
        let long = "x".repeat(LINE_BYTES_MAX + 5);
        // Reads end within a word, within a character of two bytes, and within an overlong line.
        let parts = ["error: no", "t enough mem\u{f6}", "ry\r\nready\n\n", &long[..9000], &long[9000..], "\npanic"];
        let [head, tail] = ["a\u{f6}".as_bytes()[..2].to_vec(), "\u{f6}b\n".as_bytes()[1..].to_vec()];
        let reads = [head, tail].into_iter().chain(parts.map(|part| part.as_bytes().to_vec()));
        let mut reader = reads_of(reads);
        let log = log();
        log.clone().follow(&mut reader).await;
        let expected =
            ["a\u{f6}b", "error: not enough mem\u{f6}ry", "ready", "", &long[..LINE_BYTES_MAX], "xxxxx", "panic"];
        assert_eq!(log.last_lines(), expected);
    }

    /// A reader that gives these parts, one with each read.
    fn reads_of(parts: impl Iterator<Item = Vec<u8>>) -> impl AsyncRead + Unpin {
        let mut chained: Box<dyn AsyncRead + Unpin> = Box::new(tokio::io::empty());
        for part in parts {
            chained = Box::new(tokio::io::AsyncReadExt::chain(chained, std::io::Cursor::new(part)));
        }
        chained
    }

    #[test]
    fn errors_are_counted_by_their_pattern() {
        let log = log();
        for line in ["ready", "error: compaction 17 failed", "compaction 18 done", "error: compaction 19 failed"] {
            log.push(line.to_owned());
        }
        let EventKind::LogRead { lines, errors, compaction_lines, compaction_errors, patterns } = log.told() else {
            unreachable!("a log tells of itself")
        };
        assert_eq!((lines, errors, compaction_lines, compaction_errors), (4, 2, 3, 2));
        assert_eq!(patterns, [LogPattern { pattern: "error: compaction # failed".to_owned(), count: 2 }]);
    }
}
