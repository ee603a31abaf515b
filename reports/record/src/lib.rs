//! What a run leaves on disk: the plan, samples as Arrow streams, events as lines of JSON. Crash-safe to write, strict to read.

mod event;
mod folder;
mod intact;
mod observed;
mod recorder;
mod run;
mod samples;
mod series;
pub mod stack;

#[cfg(test)]
mod round_trip;

use std::collections::BTreeMap;
use std::path::PathBuf;

use soak_scenario::{Plan, Variant};

pub use event::*;
pub use folder::{RecordError, RunFolder, file, write_whole};
pub use observed::*;
pub use recorder::{Recorder, RecorderThread};
pub use samples::SAMPLES_SCHEMA;
pub use series::Series;

/// A run, read back.
#[derive(Debug, Clone)]
pub struct Run {
    /// The run's id: the name of its folder.
    pub id: String,
    /// Where it lies.
    pub folder: PathBuf,
    /// The plan that was run.
    pub plan: Plan,
    /// Events of the whole run, in order.
    pub events: Vec<Event>,
}

/// What was recorded of one variant.
#[derive(Debug, Clone)]
pub struct VariantRecord {
    /// The variant of the plan.
    pub variant: Variant,
    /// Its events, in order; none when the run never came to it.
    pub events: Vec<Event>,
    /// Its series by canonical name.
    pub series: BTreeMap<String, Series>,
    /// Files of its samples that are damaged or cut off, by name: what stood behind the break is not among the series.
    pub broken: Vec<String>,
}
