//! The run folder: made once, never overwritten; files in it appear whole or not at all.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use soak_scenario::Plan;

/// Names of the files in a run folder.
pub mod file {
    /// The plan that was run.
    pub const PLAN: &str = "plan.json";
    /// Events, a line each.
    pub const EVENTS: &str = "events.jsonl";
    /// Folder of the samples.
    pub const SAMPLES: &str = "samples";
    /// Folder of the calibration run, which came before this one.
    pub const CALIBRATION: &str = "calibration";
    /// Folder of logs and dumps.
    pub const ARTIFACTS: &str = "artifacts";
    /// The verdict.
    pub const VERDICT: &str = "verdict.json";
    /// The report as a page.
    pub const HTML: &str = "report.html";
    /// The report as Markdown.
    pub const MARKDOWN: &str = "report.md";
    /// The report for test viewers.
    pub const JUNIT: &str = "junit.xml";
}

/// Why a record cannot be written or read. Every message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The run folder holds something already.
    #[error("the run folder {} is not empty; name another with --out, or remove it", .0.display())]
    NotEmpty(PathBuf),
    /// The system refused.
    #[error("{doing} {}: {error}", .path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// The system's word.
        error: io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {problem}", .path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl RecordError {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { doing, path, error }
    }

    pub(crate) fn malformed(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self::Malformed { path: path.to_owned(), problem: problem.to_string() }
    }
}

/// A run folder that is being filled.
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes the folder with the plan in it. A folder that holds anything but a calibration is refused.
    pub fn create(path: &Path, plan: &Plan) -> Result<Self, RecordError> {
        fs::create_dir_all(path).map_err(RecordError::io("cannot make the run folder", path))?;
        let entries = fs::read_dir(path).map_err(RecordError::io("cannot list the run folder", path))?;
        for entry in entries {
            let entry = entry.map_err(RecordError::io("cannot list the run folder", path))?;
            if entry.file_name() != file::CALIBRATION {
                return Err(RecordError::NotEmpty(path.to_owned()));
            }
        }
        let folder = Self { path: path.to_owned() };
        for name in [file::SAMPLES, file::ARTIFACTS] {
            let inner = folder.path(name);
            fs::create_dir(&inner).map_err(RecordError::io("cannot make the folder", &inner))?;
        }
        let json = serde_json::to_vec_pretty(plan).map_err(|error| RecordError::malformed(path, error))?;
        folder.write(file::PLAN, &json)?;
        Ok(folder)
    }

    /// The folder's own path.
    pub fn root(&self) -> &Path {
        &self.path
    }

    /// The path of something in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file whole: under another name first, so that a crash leaves no half of it.
    pub fn write(&self, name: &str, contents: &[u8]) -> Result<(), RecordError> {
        write_whole(&self.path(name), contents)
    }
}

/// Writes a file whole: under another name first, so that a crash leaves no half of it.
pub fn write_whole(path: &Path, contents: &[u8]) -> Result<(), RecordError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let written = fs::File::create(&part)
        .and_then(|mut file| file.write_all(contents).and_then(|()| file.sync_data()))
        .and_then(|()| fs::rename(&part, path));
    written.map_err(|error| {
        // What could not be finished is of no use; if even that fails there is nothing more to try.
        let _ = fs::remove_file(&part);
        RecordError::io("cannot write", path)(error)
    })
}
