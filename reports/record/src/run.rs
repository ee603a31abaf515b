//! A run folder, read back: strictly where a person could have changed it, leniently at the end of a file that a crash cut off.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use soak_scenario::{PLAN_SCHEMA, Plan};

use crate::event::{Event, EventKind};
use crate::folder::{RecordError, file};
use crate::samples;
use crate::{Run, VariantRecord};

impl Run {
    /// Reads the plan and the events of a run folder. Samples are read a variant at a time, by [`Run::variant`].
    pub fn open(folder: &Path) -> Result<Self, RecordError> {
        let plan = read_plan(&folder.join(file::PLAN))?;
        let events = read_events(&folder.join(file::EVENTS))?;
        let id = events.iter().find_map(|event| match &event.kind {
            EventKind::RunStarted { run, .. } => Some(run.clone()),
            _ => None,
        });
        let name = || folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { id: id.unwrap_or_else(name), folder: folder.to_owned(), plan, events })
    }

    /// All that was recorded of the `index`-th variant of the plan.
    pub fn variant(&self, index: usize) -> Result<VariantRecord, RecordError> {
        let variant = self.plan.variants.get(index).cloned();
        let variant = variant.ok_or_else(|| RecordError::malformed(&self.folder, format!("has no variant {index}")))?;
        let events = self.events.iter().filter(|event| event.variant.as_deref() == Some(&variant.id));
        let events = events.cloned().collect();
        let (series, broken) = samples::read(&self.folder.join(file::SAMPLES), index)?;
        Ok(VariantRecord { variant, events, series, broken })
    }

    /// Which builds were tested, each once, the first one first; more than one where the target was built anew while the run went on.
    pub fn builds(&self) -> Vec<&str> {
        let mut builds = Vec::new();
        for event in &self.events {
            if let EventKind::TargetStarted { build: Some(build), .. } = &event.kind
                && !builds.contains(&build.as_str())
            {
                builds.push(build.as_str());
            }
        }
        builds
    }

    /// Whether the run came to its end.
    pub fn is_complete(&self) -> bool {
        self.events.iter().any(|event| matches!(event.kind, EventKind::RunEnded { complete: true }))
    }
}

fn read_plan(path: &PathBuf) -> Result<Plan, RecordError> {
    let text = fs::read(path).map_err(RecordError::io("not a run folder: cannot read", path))?;
    let value: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| RecordError::malformed(path, error))?;
    match value.get("schema").and_then(serde_json::Value::as_u64) {
        Some(schema) if schema <= u64::from(PLAN_SCHEMA) => {}
        Some(schema) => {
            let problem =
                format!("its schema is version {schema}; this soak reads up to {PLAN_SCHEMA}: use a newer soak");
            return Err(RecordError::malformed(path, problem));
        }
        None => return Err(RecordError::malformed(path, "not a plan: it has no schema version")),
    }
    Plan::deserialize(value).map_err(|error| RecordError::malformed(path, error))
}

fn read_events(path: &PathBuf) -> Result<Vec<Event>, RecordError> {
    let text = fs::read(path).map_err(RecordError::io("cannot read", path))?;
    let mut events = Vec::new();
    let mut lines = text.split_inclusive(|byte| *byte == b'\n').enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        match serde_json::from_slice(line) {
            Ok(event) => events.push(event),
            // The last line may have been cut off while it was written.
            Err(_) if lines.peek().is_none() && !line.ends_with(b"\n") => {}
            Err(error) => return Err(RecordError::malformed(path, format!("line {}: {error}", number + 1))),
        }
    }
    Ok(events)
}
