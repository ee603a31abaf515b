//! A profile that was written to a file: by `--heap-profile`, at a signal, or by a person with `curl`.

use std::path::Path;

use soak_diagnosis::pprof::{Pprof, PprofError, ProfileSubject};
use soak_diagnosis::{Artefact, Artefacts, name, sites, tasks};

use crate::failure::Failure;

/// What a file may be.
const WANTED: &str = "a file has to be a heap, a processor or a goroutine profile, as a Go program writes them";

/// Reads a file as a profile of the heap or of the processor, or as a goroutine dump.
pub(super) fn profile(path: &Path) -> Result<Artefacts, Failure> {
    let wrong = |why: &dyn std::fmt::Display| Failure::usage(format!("{}: {why}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| wrong(&error))?;
    let (name, bytes) = recognise(bytes).map_err(|why| wrong(&why))?;
    Ok(Artefacts(vec![Artefact::of(name, path.display().to_string(), &bytes)]))
}

/// What it is kept as, or why it cannot be read and what to do.
fn recognise(bytes: Vec<u8>) -> Result<(&'static str, Vec<u8>), String> {
    if std::str::from_utf8(&bytes).is_ok_and(|text| !tasks::groups(text).is_empty()) {
        return Ok((name::TASKS, bytes));
    }
    let decoded = Pprof::decode(&bytes).map_err(|error| match &error {
        PprofError::Foreign(_) => {
            format!("{error}, whose stacks are addresses; make a pprof of it: `pprof -proto PROGRAM FILE > FILE.pb.gz` (`jeprof` for jemalloc)")
        }
        _ => format!("{error}; {WANTED}"),
    })?;
    let checked = match decoded.subject() {
        ProfileSubject::Processor => sites::cpu_sites(&decoded).map(|_| name::CPU),
        ProfileSubject::Tasks => {
            return tasks::of_profile(&decoded)
                .map(|groups| (name::TASKS, tasks::with_counts(&groups).into_bytes()))
                .map_err(|error| error.to_string());
        }
        _ => sites::heap_sites(&decoded).map(|_| name::HEAP),
    };
    checked.map(|name| (name, bytes)).map_err(|error| match decoded.subject() {
        ProfileSubject::Heap | ProfileSubject::Processor => error.to_string(),
        ProfileSubject::Allocated => {
            format!("{error}; take one with bytes in use (inuse_space), such as Go's /debug/pprof/heap")
        }
        _ => format!("{error}; {WANTED}"),
    })
}

/// Whether both files are profiles of one kind, and can be compared.
pub(super) fn same_kind(now: &Artefacts, before: &Artefacts) -> bool {
    [name::HEAP, name::CPU, name::TASKS].into_iter().any(|kind| now.find(kind).is_some() && before.find(kind).is_some())
}

/// What a file was recognised as, in words.
pub(super) fn kind(artefacts: &Artefacts) -> &'static str {
    let kinds = [(name::HEAP, "a heap"), (name::CPU, "processor time"), (name::TASKS, "goroutines")];
    kinds.into_iter().find(|(name, _)| artefacts.find(name).is_some()).map_or("nothing of that", |(_, words)| words)
}
