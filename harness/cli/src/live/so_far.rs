//! What the judge says so far: read from the record by a thread of its own, as rarely as keeps it cheap.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use soak_record::Run;
use soak_verdict::{Finding, so_far};

/// After a judgement, nothing is judged for this many times as long as it took.
const REST_TIMES: u32 = 20;

/// The recorder writes once a second: what was just told is in the record a little later.
const WRITTEN_WITHIN: Duration = Duration::from_millis(1500);

/// What one variant's criteria say so far.
pub(super) struct SoFar {
    pub(super) index: usize,
    pub(super) findings: Vec<Finding>,
}

/// Judges when asked, one at a time.
pub(super) struct Judge {
    folder: PathBuf,
    index: Option<usize>,
    /// Since when something new is there to be judged, and of which variant, the oldest first: one that has ended is judged to its end.
    asked: VecDeque<(Instant, usize)>,
    at_work: Option<(Instant, Receiver<Option<SoFar>>)>,
    not_before: Instant,
}

impl Judge {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            index: None,
            asked: VecDeque::new(),
            at_work: None,
            not_before: Instant::now(),
        }
    }

    /// What is recorded from here on is of this variant.
    pub(super) fn begin(&mut self, index: usize) {
        self.index = Some(index);
    }

    /// Something is there to be judged.
    pub(super) fn ask(&mut self) {
        if let Some(index) = self.index.filter(|index| self.asked.iter().all(|(_, asked)| asked != index)) {
            self.asked.push_back((Instant::now(), index));
        }
    }

    /// What came of it, where that is new; begins with what was asked for when its time has come.
    pub(super) fn poll(&mut self) -> Option<SoFar> {
        if let Some((began, answer)) = &self.at_work {
            let found = match answer.try_recv() {
                Ok(found) => found,
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Disconnected) => None,
            };
            self.not_before = Instant::now() + began.elapsed() * REST_TIMES;
            self.at_work = None;
            return found;
        }
        let (since, index) = *self.asked.front()?;
        if since.elapsed() >= WRITTEN_WITHIN && Instant::now() >= self.not_before {
            self.asked.pop_front();
            self.start(index);
        }
        None
    }

    fn start(&mut self, index: usize) {
        let (tell, told) = sync_channel(1);
        let folder = self.folder.clone();
        let thread = std::thread::Builder::new().name("live judge".to_owned());
        // It inherits how nice the thread is that starts it. Without it nothing is said.
        let started = thread.spawn(move || {
            // A record that cannot be read yet, of a variant that has just begun, is no finding.
            let record = Run::open(&folder).and_then(|run| Ok((run.variant(index)?, run.plan)));
            let findings = record.ok().map(|(record, plan)| so_far(&plan, &record));
            let _ = tell.send(findings.map(|findings| SoFar { index, findings }));
        });
        if started.is_ok() {
            self.at_work = Some((Instant::now(), told));
        }
    }
}
