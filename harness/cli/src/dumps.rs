//! The dumps that a run kept of its variants, and what of the heap grew between them.

use std::path::Path;

use soak_diagnosis::pprof::Pprof;
use soak_diagnosis::sites::{Growth, growth, heap_sites};
use soak_diagnosis::{Artefacts, name};
use soak_engine::diagnosis::read_files;
use soak_record::file;

/// Phases in which dumps are kept, the one that says most first.
pub(crate) const PHASES: [(&str, &str); 3] =
    [("end", "the end"), ("drain", "the drain"), ("idle", "the idle baseline")];

/// What a run kept of a variant in one phase.
pub(crate) fn kept(folder: &Path, variant: &str, phase: &str) -> Option<Artefacts> {
    let folder = folder.join(file::ARTIFACTS).join(variant).join(phase);
    read_files(|name| std::fs::read(folder.join(name)).ok())
}

/// What was kept in one phase, and the words for when that was.
pub(crate) type Kept = (Artefacts, &'static str);

/// What was kept last, and what was kept when idle.
pub(crate) fn last_and_idle(folder: &Path, variant: &str) -> (Option<Kept>, Option<Kept>) {
    let mut found = PHASES.iter().filter_map(|(phase, words)| Some((kept(folder, variant, phase)?, *words)));
    (found.next(), found.next_back())
}

/// The sites of the heap that hold more than when idle, most first, and since when until when; none where a dump is missing.
pub(crate) fn growing(folder: &Path, variant: &str) -> Option<(Vec<Growth>, String)> {
    let (Some((now, until)), Some((idle, since))) = last_and_idle(folder, variant) else { return None };
    let sites = |kept: &Artefacts| heap_sites(&Pprof::decode(kept.bytes(name::HEAP)?).ok()?).ok();
    let grown = growth(&sites(&idle)?, &sites(&now)?);
    Some((grown, format!("between {since} and {until}")))
}
