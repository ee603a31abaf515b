//! Runs that have a name: a folder for each, with what is kept of every run, so that the runs' own folders may go.
//!
//! A baseline is a few kilobytes of JSON a run, fit for a repository or a cache of continuous integration.

use std::fs;
use std::path::{Path, PathBuf};

use soak_record::write_whole;
use soak_verdict::{DIGEST_SCHEMA, Digest, VariantDigest};

use crate::failure::Failure;

/// Where baselines are, unless told otherwise.
pub(crate) const FOLDER: &str = "baselines";

const EXTENSION: &str = "json";

/// A folder of baselines.
#[derive(Debug)]
pub(crate) struct Baselines {
    root: PathBuf,
}

impl Baselines {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Names of all, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.root) else { return Vec::new() };
        let folders = entries.flatten().filter(|entry| !files(&entry.path()).is_empty());
        let mut names: Vec<String> = folders
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| is_name(name))
            .collect();
        names.sort();
        names
    }

    pub(crate) fn holds(&self, name: &str) -> bool {
        is_name(name) && !files(&self.root.join(name)).is_empty()
    }

    /// The runs of a baseline, oldest first.
    pub(crate) fn read(&self, name: &str) -> Result<Vec<Digest>, Failure> {
        if !self.holds(name) {
            return Err(Failure::usage(self.missing(name)));
        }
        read(&self.root.join(name))
    }

    /// Keeps these runs under a name, and no others. What was there goes when they are written: a full disk in between costs nothing.
    pub(crate) fn save(&self, name: &str, runs: &[Digest]) -> Result<(), Failure> {
        let folder = self.root.join(name);
        let mut before = files(&folder);
        if let Some(run) = runs.iter().find(|run| !is_name(&run.run)) {
            return Err(Failure::usage(format!(
                "“{}” cannot be the id of a run, which soak makes of letters, digits, and - _ . (was the record edited?)",
                run.run
            )));
        }
        fs::create_dir_all(&folder).map_err(|error| Failure::no_folder(&folder, &error, "--baselines"))?;
        let mut written = Vec::new();
        for run in runs {
            let path = folder.join(format!("{}.{EXTENSION}", run.run));
            let mut text = serde_json::to_string_pretty(run).map_err(Failure::platform)?;
            text.push('\n');
            if let Err(error) = write_whole(&path, text.as_bytes()) {
                // What was there is whole again; a run that is in both is written as it was.
                written.retain(|path| !before.contains(path));
                let _ = remove_all(&written);
                return Err(Failure::platform(error));
            }
            written.push(path);
        }
        before.retain(|path| !written.contains(path));
        remove_all(&before)
    }

    /// Removes a baseline; whatever else is in its folder stays.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Failure> {
        if !self.holds(name) {
            return Err(Failure::usage(self.missing(name)));
        }
        let folder = self.root.join(name);
        remove_all(&files(&folder))?;
        // A folder that holds something else as well stays, and is no baseline any more.
        let _ = fs::remove_dir(&folder);
        Ok(())
    }

    fn missing(&self, name: &str) -> String {
        format!("there is no baseline {name} in {}; {}", self.root.display(), self.known())
    }

    /// What baselines there are, for a message.
    pub(crate) fn known(&self) -> String {
        match self.names() {
            none if none.is_empty() => "there are none yet: `soak baseline save NAME RUN…` makes one".to_owned(),
            names => format!("there is {}", names.join(", ")),
        }
    }
}

fn remove_all(files: &[PathBuf]) -> Result<(), Failure> {
    for file in files {
        fs::remove_file(file)
            .map_err(|error| Failure::platform(format!("cannot remove {}: {error}", file.display())))?;
    }
    Ok(())
}

/// What may be the name of a baseline, which is a folder's.
pub(crate) fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !name.is_empty() && !name.starts_with('.') && name.chars().all(allowed)
}

/// The files of a baseline; none where it is no baseline.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION) && path.is_file())
        .collect();
    files.sort();
    files
}

fn read(folder: &Path) -> Result<Vec<Digest>, Failure> {
    let mut runs = Vec::new();
    for path in files(folder) {
        let shown = path.display();
        let text = fs::read(&path).map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))?;
        let wrong = |problem: &dyn std::fmt::Display| {
            Failure::usage(format!("{shown}: {problem}; remove it, and save the baseline again"))
        };
        let value: serde_json::Value = serde_json::from_slice(&text).map_err(|error| wrong(&error))?;
        match value.get("schema").and_then(serde_json::Value::as_u64) {
            Some(schema) if schema == u64::from(DIGEST_SCHEMA) => {}
            Some(schema) if schema < u64::from(DIGEST_SCHEMA) => {
                return Err(wrong(&"an older soak saved it, which did not look whether a run was what was planned"));
            }
            Some(schema) => {
                return Err(Failure::usage(format!(
                    "{shown}: its schema is version {schema}; this soak reads {DIGEST_SCHEMA}: use a newer soak"
                )));
            }
            None => return Err(wrong(&"it is no run of a baseline")),
        }
        let run = serde_json::from_value::<Digest>(value).map_err(|error| wrong(&error))?;
        if !run.variants.iter().all(VariantDigest::is_measured) {
            return Err(wrong(&"it has values that cannot be measured"));
        }
        runs.push(run);
    }
    runs.sort_by_key(|run| run.unix_s);
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn a_name_is_a_folder_and_no_path() {
        assert!(["main", "v1.2", "pr_12-a"].into_iter().all(is_name));
        assert!(["", ".", "..", ".git", "a/b", "a b"].into_iter().all(|name| !is_name(name)));
    }
}
