//! The one stream of events and samples: stamped with the run's time and the variant, handed to everyone who listens.

use std::sync::Arc;

use soak_record::{Event, EventKind, Recorder, Sample};
use soak_scenario::series::Source;
use tokio::time::Instant;

use crate::target::Values;

/// Where events and samples go: a record, a terminal, a test.
pub trait Listener: Send + Sync {
    /// Something happened.
    fn event(&self, event: &Event);
    /// Series were read.
    fn sample(&self, sample: &Sample) {
        let _ = sample;
    }
    /// What follows belongs to the `index`-th variant.
    fn variant(&self, index: usize) {
        let _ = index;
    }
    /// Why nothing can be kept any more, when that is so.
    fn failure(&self) -> Option<String> {
        None
    }
    /// Samples lost since last asked.
    fn take_dropped(&self) -> Vec<(Source, u64)> {
        Vec::new()
    }
}

impl Listener for Recorder {
    fn event(&self, event: &Event) {
        Self::event(self, event.clone());
    }

    fn sample(&self, sample: &Sample) {
        Self::sample(self, sample.clone());
    }

    fn variant(&self, index: usize) {
        Self::variant(self, index);
    }

    fn failure(&self) -> Option<String> {
        Self::failure(self)
    }

    fn take_dropped(&self) -> Vec<(Source, u64)> {
        Self::take_dropped(self)
    }
}

/// The run's clock and its listeners. Cheap to clone.
#[derive(Clone)]
pub struct Journal {
    started: Instant,
    variant: Option<Arc<str>>,
    listeners: Arc<[Box<dyn Listener>]>,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("variant", &self.variant).finish_non_exhaustive()
    }
}

impl Journal {
    /// A journal whose time begins now.
    pub fn new(listeners: Vec<Box<dyn Listener>>) -> Self {
        Self { started: Instant::now(), variant: None, listeners: listeners.into() }
    }

    /// The same journal, for events of one variant.
    pub(crate) fn of_variant(&self, index: usize, id: &str) -> Self {
        self.listeners.iter().for_each(|listener| listener.variant(index));
        Self { variant: Some(id.into()), ..self.clone() }
    }

    /// Seconds since the run began.
    pub fn now_s(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Tells that something happened now.
    pub fn event(&self, kind: EventKind) {
        let event = Event { at_s: self.now_s(), variant: self.variant.as_deref().map(str::to_owned), kind };
        self.listeners.iter().for_each(|listener| listener.event(&event));
    }

    /// Hands on what was read at `at_s`.
    pub(crate) fn sample(&self, source: Source, at_s: f64, values: Values) {
        if !values.is_empty() {
            let sample = Sample { source, at_s, values };
            self.listeners.iter().for_each(|listener| listener.sample(&sample));
        }
    }

    /// Why nothing can be kept any more, when that is so.
    pub fn failure(&self) -> Option<String> {
        self.listeners.iter().find_map(|listener| listener.failure())
    }

    /// Tells of samples that were lost.
    pub(crate) fn tell_dropped(&self) {
        let dropped: Vec<_> = self.listeners.iter().flat_map(|listener| listener.take_dropped()).collect();
        for (source, rows) in dropped {
            self.event(EventKind::SamplesDropped { source: source.name().to_owned(), rows });
        }
    }
}
