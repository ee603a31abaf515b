//! The recorder: a thread that writes what it is handed. Samples never wait for the disk (those that find no room are counted); events do, for they are few.

use std::fs::File;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use soak_scenario::series::Source;

use crate::event::{Event, Sample};
use crate::folder::{RecordError, RunFolder, file};
use crate::samples::SampleFile;

/// Samples and events that may wait for the disk: a minute at the highest rate.
const QUEUE: usize = 4096;

/// What is held is written this often, so that a crash costs no more.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

enum Item {
    Event(Box<Event>),
    Sample(Sample),
    Variant(usize),
}

/// Hands samples and events to the writing thread. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    queue: SyncSender<Item>,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    dropped: [AtomicU64; Source::ALL.len()],
    failed: AtomicBool,
    failure: Mutex<Option<String>>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("state", &self.state).finish_non_exhaustive()
    }
}

/// The writing thread. [`RecorderThread::finish`] waits until all is on disk.
#[derive(Debug)]
pub struct RecorderThread {
    thread: JoinHandle<Result<(), RecordError>>,
}

impl Recorder {
    /// Starts the thread that writes into `folder`.
    pub fn start(folder: &RunFolder) -> Result<(Self, RecorderThread), RecordError> {
        let path = folder.path(file::EVENTS);
        let events = File::create_new(&path).map_err(RecordError::io("cannot make", &path))?;
        let (queue, items) = sync_channel(QUEUE);
        let state = Arc::new(State::default());
        let writing = Writing { folder: folder.clone(), events, samples: Vec::new() };
        let shared = Arc::clone(&state);
        let thread = std::thread::Builder::new().name("recorder".to_owned());
        let thread = thread.spawn(move || writing.run(&items, &shared));
        let thread = thread.map_err(RecordError::io("cannot start the thread that writes", folder.root()))?;
        Ok((Self { queue, state }, RecorderThread { thread }))
    }

    /// Samples from here on belong to the `index`-th variant.
    pub fn variant(&self, index: usize) {
        // A closed queue means that the thread has failed, which `failure` tells.
        let _ = self.queue.send(Item::Variant(index));
    }

    /// Records an event; waits for room.
    pub fn event(&self, event: Event) {
        let _ = self.queue.send(Item::Event(Box::new(event)));
    }

    /// Records a sample, unless there is no room: then it is counted as dropped.
    pub fn sample(&self, sample: Sample) {
        let source = sample.source;
        if let Err(TrySendError::Full(_)) = self.queue.try_send(Item::Sample(sample)) {
            self.state.dropped[source as usize].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Samples dropped since last asked, by source.
    pub fn take_dropped(&self) -> Vec<(Source, u64)> {
        let taken = Source::ALL.map(|source| (source, self.state.dropped[source as usize].swap(0, Ordering::Relaxed)));
        taken.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// Why nothing is written any more, when that is so (a full disk, say).
    pub fn failure(&self) -> Option<String> {
        if !self.state.failed.load(Ordering::Relaxed) {
            return None;
        }
        self.state.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl RecorderThread {
    /// Waits until all is written; every [`Recorder`] must have been dropped.
    pub fn finish(self) -> Result<(), RecordError> {
        self.thread
            .join()
            .unwrap_or_else(|_| Err(RecordError::malformed("events.jsonl".as_ref(), "the recorder panicked")))
    }
}

struct Writing {
    folder: RunFolder,
    events: File,
    samples: Vec<SampleFile>,
}

impl Writing {
    fn run(mut self, items: &Receiver<Item>, state: &State) -> Result<(), RecordError> {
        let done = self.write_all(items);
        if let Err(error) = &done {
            *state.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
            state.failed.store(true, Ordering::Relaxed);
        }
        done
    }

    fn write_all(&mut self, items: &Receiver<Item>) -> Result<(), RecordError> {
        let mut flushed = Instant::now();
        loop {
            match items.recv_timeout(FLUSH_EVERY) {
                Ok(Item::Event(event)) => self.write_event(&event)?,
                Ok(Item::Sample(sample)) => {
                    let file = self.samples.get_mut(sample.source as usize);
                    file.map_or(Ok(()), |file| file.push(sample))?;
                }
                Ok(Item::Variant(index)) => {
                    self.finish_samples()?;
                    let folder = self.folder.path(file::SAMPLES);
                    self.samples = Source::ALL.map(|source| SampleFile::new(folder.clone(), index, source)).into();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if flushed.elapsed() >= FLUSH_EVERY {
                flushed = Instant::now();
                self.samples.iter_mut().try_for_each(SampleFile::flush)?;
            }
        }
        self.finish_samples()?;
        let path = self.folder.path(file::EVENTS);
        self.events.sync_data().map_err(RecordError::io("cannot write", &path))
    }

    fn write_event(&mut self, event: &Event) -> Result<(), RecordError> {
        let path = self.folder.path(file::EVENTS);
        let mut line = serde_json::to_vec(event).map_err(|error| RecordError::malformed(&path, error))?;
        line.push(b'\n');
        // Unbuffered: an event is on its way to the disk before the next thing happens.
        self.events.write_all(&line).map_err(RecordError::io("cannot write", &path))
    }

    fn finish_samples(&mut self) -> Result<(), RecordError> {
        self.samples.iter_mut().try_for_each(SampleFile::finish)
    }
}
