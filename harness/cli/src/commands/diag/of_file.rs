//! A profile that was written to a file: by `--heap-profile`, at a signal, or by a person with `curl`.

use std::path::Path;

use soak_diagnosis::pprof::Pprof;
use soak_diagnosis::{Artefact, Artefacts, name, sites};

use crate::failure::Failure;

/// Reads a file as a profile of the heap or of the processor.
pub(super) fn profile(path: &Path) -> Result<Artefacts, Failure> {
    let wrong = |why: &dyn std::fmt::Display| {
        Failure::usage(format!(
            "{}: {why}; a file has to be a pprof of the heap or of the processor, as a Go program writes it",
            path.display()
        ))
    };
    let bytes = std::fs::read(path).map_err(|error| wrong(&error))?;
    let profile = Pprof::decode(&bytes).map_err(|error| wrong(&error))?;
    let name = if sites::heap_sites(&profile).is_some() {
        name::HEAP
    } else if sites::cpu_sites(&profile).is_some() {
        name::CPU
    } else {
        let kinds: Vec<&str> = profile.kinds.iter().map(|(kind, _)| kind.as_str()).collect();
        return Err(wrong(&format!("it is a profile of {}", kinds.join(" and "))));
    };
    Ok(Artefacts(vec![Artefact::of(name, path.display().to_string(), &bytes)]))
}
