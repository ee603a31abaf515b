//! What a diagnosis is compared with: an archive that was made before, what a run kept, or a profile in a file.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;
use soak_diagnosis::Artefacts;
use soak_engine::diagnosis::{ORIGINS_FILE, read_files};

use super::{archive, of_file, of_run};
use crate::failure::Failure;

/// An archive that unpacks to more than this is none of ours.
const UNPACKED_BYTES_MAX: u64 = 2 << 30;

/// What was before, and what that is.
#[derive(Debug)]
pub(super) struct Earlier {
    pub(super) artefacts: Artefacts,
    pub(super) name: String,
}

/// Reads an archive, a run's folder, or a file with a profile.
pub(super) fn read(path: &Path) -> Result<Earlier, Failure> {
    let wrong = |why: &dyn std::fmt::Display| {
        Failure::usage(format!(
            "--baseline {}: {why}; it takes an archive of `soak diag`, a run's folder, or a file with a pprof",
            path.display()
        ))
    };
    if path.is_dir() {
        let found = of_run::first_kept(path)?;
        return found
            .ok_or_else(|| wrong(&"the run kept no dumps"))
            .map(|(artefacts, phase)| Earlier { artefacts, name: format!("{phase} of {}", path.display()) });
    }
    if let Ok(artefacts) = of_file::profile(path) {
        return Ok(Earlier { artefacts, name: path.display().to_string() });
    }
    let files = unpack(path).map_err(|error| wrong(&error))?;
    let folder = files
        .keys()
        .filter_map(|name| name.strip_suffix(&format!("{}/{ORIGINS_FILE}", archive::NOW)))
        .min_by_key(|one| one.len());
    let folder = folder.ok_or_else(|| wrong(&"there is nothing of a diagnosis in it"))?;
    let folder = format!("{folder}{}", archive::NOW);
    let artefacts = read_files(|name| files.get(&format!("{folder}/{name}")).cloned());
    let artefacts = artefacts.ok_or_else(|| wrong(&"what it holds cannot be read"))?;
    Ok(Earlier { artefacts, name: path.display().to_string() })
}

fn unpack(path: &Path) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let bounded = GzDecoder::new(fs::File::open(path)?).take(UNPACKED_BYTES_MAX);
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(bounded).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        files.insert(name, bytes);
    }
    Ok(files)
}
