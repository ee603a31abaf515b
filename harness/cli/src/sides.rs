//! Runs by what a person calls them: a run's folder, its id in `runs/`, or a baseline's name.

use std::path::{Path, PathBuf};

use soak_record::file;
use soak_verdict::Digest;

use crate::baselines::Baselines;
use crate::failure::Failure;
use crate::reports;

/// Where runs are, unless told otherwise.
pub(crate) const RUNS: &str = "runs";

/// The runs that are called so: one of a run's folder, all of a baseline.
pub(crate) fn find(name: &str, baselines: &Baselines) -> Result<Vec<Digest>, Failure> {
    if let Some(folder) = run_folder(name) {
        if baselines.holds(name) {
            let shown = folder.display();
            return Err(Failure::usage(format!(
                "{name} is a baseline and a run: write {} for the run, or rename its folder {shown}",
                Path::new(".").join(&folder).display()
            )));
        }
        return Ok(vec![reports::digest(&folder)?]);
    }
    if baselines.holds(name) {
        return baselines.read(name);
    }
    let why = if Path::new(name).is_dir() {
        format!("{name} is a folder and no run's: there is no {} in it", file::PLAN)
    } else {
        format!("there is no run and no baseline {name}")
    };
    Err(Failure::usage(format!("{why}; name a run's folder, its id in {RUNS}/, or a baseline ({})", baselines.known())))
}

/// The runs of several names, each name's own in order.
pub(crate) fn find_all(names: &[String], baselines: &Baselines) -> Result<Vec<Digest>, Failure> {
    let mut runs = Vec::new();
    for name in names {
        runs.extend(find(name, baselines)?);
    }
    Ok(runs)
}

/// The folder of a run that is called so, as a path or by its id.
pub(crate) fn run_folder(name: &str) -> Option<PathBuf> {
    let candidates = [PathBuf::from(name), Path::new(RUNS).join(name)];
    candidates.into_iter().find(|folder| folder.join(file::PLAN).is_file())
}
