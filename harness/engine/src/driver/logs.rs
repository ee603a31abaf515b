//! What a target prints: kept in the run folder up to a bound, the last lines in memory for a person who asks why it died.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

/// A target that prints more than this is cut off in the file; the last lines are still those it printed last.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// A longer line is taken in parts.
const LINE_BYTES_MAX: usize = 16 << 10;

const LAST_LINES: usize = 20;

/// The log of one target. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Log(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    file: Option<File>,
    written: u64,
    last: VecDeque<String>,
}

impl Log {
    /// A log that goes to this file.
    pub(super) fn create(path: &Path) -> std::io::Result<Self> {
        let state = State { file: Some(File::create(path)?), written: 0, last: VecDeque::new() };
        Ok(Self(Arc::new(Mutex::new(state))))
    }

    /// Follows one of the target's outputs to its end.
    pub(super) async fn follow(self, output: impl AsyncRead + Unpin) {
        let mut output = BufReader::with_capacity(LINE_BYTES_MAX, output);
        loop {
            let Ok(buffer) = output.fill_buf().await else { return };
            if buffer.is_empty() {
                return;
            }
            let end = buffer.iter().position(|byte| *byte == b'\n').map_or(buffer.len(), |at| at + 1);
            let line = String::from_utf8_lossy(&buffer[..end]).trim_end().to_owned();
            output.consume(end);
            self.push(line);
        }
    }

    fn push(&self, line: String) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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

    /// The last lines, oldest first.
    pub(super) fn last_lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last.iter().cloned().collect()
    }
}
