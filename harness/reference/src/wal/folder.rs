//! The folder of logs: one file a dataset, named after it, and one process at a time.

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Log, LogError, Totals};

/// What a log's name ends with.
const ENDING: &str = ".log";

/// What the name of a log that is being rewritten ends with.
const REWRITTEN: &str = ".log.new";

/// The folder of logs.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    totals: Arc<Totals>,
    /// Locked as long as it is open: two processes would write over each other's records.
    _lock: File,
}

impl Folder {
    /// Makes the folder where it is missing, and takes it.
    pub(crate) fn open(path: &Path, totals: Arc<Totals>) -> Result<Self, LogError> {
        let failed = |error| LogError::Write { path: path.to_owned(), error };
        std::fs::create_dir_all(path).map_err(failed)?;
        let lock = File::open(path).map_err(failed)?;
        lock.try_lock().map_err(|_| LogError::InUse { path: path.to_owned() })?;
        Ok(Self { path: path.to_owned(), totals, _lock: lock })
    }

    /// A log for a new dataset.
    pub(crate) fn create(&self, dataset: &str, dim: usize) -> Result<Log, LogError> {
        Log::create(self.path.join(file_name(dataset)), dim, Arc::clone(&self.totals))
    }

    /// The datasets and their logs, by name. What a rewriting left behind is removed.
    pub(crate) fn logs(&self) -> Result<Vec<(String, PathBuf)>, LogError> {
        let failed = |error| LogError::Read { path: self.path.clone(), error };
        let mut logs = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            // A file system of its own has a folder `lost+found`.
            if entry.file_type().map_err(failed)?.is_dir() {
                continue;
            }
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            if name.ends_with(REWRITTEN) {
                std::fs::remove_file(&path).map_err(|error| LogError::Write { path, error })?;
                continue;
            }
            let problem = "its name is not that of a dataset with .log behind it";
            let dataset = dataset_of(name).ok_or_else(|| LogError::Foreign { path: path.clone(), problem })?;
            logs.push((dataset, path));
        }
        logs.sort();
        Ok(logs)
    }
}

/// Where the log that takes this one's place is written.
pub(super) fn rewritten(log: &Path) -> PathBuf {
    log.with_extension(REWRITTEN.trim_start_matches('.'))
}

/// The name of a dataset's log: whatever is no letter, digit, `-` or `_` is written as `%xx`.
fn file_name(dataset: &str) -> String {
    let mut name = String::with_capacity(dataset.len() + ENDING.len());
    for byte in dataset.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            name.push(char::from(byte));
        } else {
            // A string takes everything.
            let _ = write!(name, "%{byte:02x}");
        }
    }
    name + ENDING
}

/// The dataset of a log with this name; `None` for a name that no dataset's log has.
fn dataset_of(name: &str) -> Option<String> {
    let mut rest = name.strip_suffix(ENDING)?.as_bytes();
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            bytes.push(u8::from_str_radix(std::str::from_utf8(tail.get(..2)?).ok()?, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok().filter(|dataset| !dataset.is_empty() && file_name(dataset) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dataset_has_a_file_name_that_leads_back() {
        for dataset in ["test", "a/b", "..", "é ü", "50%", "x.log", "UPPER_-9"] {
            let name = file_name(dataset);
            assert!(!name.contains('/') && name != "..", "{name}");
            assert_eq!(dataset_of(&name).as_deref(), Some(dataset), "{name}");
        }
        assert_eq!((file_name("a/b"), rewritten(Path::new("/x/a.log"))), ("a%2fb.log".into(), "/x/a.log.new".into()));
        for foreign in ["notes.txt", ".log", "a b.log", "%zz.log", "%2F.log", "%6.log"] {
            assert_eq!(dataset_of(foreign), None, "{foreign}");
        }
    }
}
