//! The built binary: found beside the tests, run to its end.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// How a run of the binary ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it said.
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ended {
    /// Its standard output as one JSON document.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in\n{}\n{}", self.stdout, self.stderr))
    }
}

/// The binary that was built with these tests.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    // target/release/deps/TEST → target/release/soak
    let folder = test.parent().and_then(Path::parent).unwrap();
    let binary = folder.join("soak");
    assert!(
        binary.exists(),
        "{} is not there; build it first: `cargo build --release --workspace` (`ci/test` does)",
        binary.display()
    );
    binary
}

/// Runs `soak` in the repository's root.
pub fn soak(args: &[&str]) -> Ended {
    soak_in(&crate::root(), args)
}

/// Runs `soak` in a folder.
pub fn soak_in(folder: &Path, args: &[&str]) -> Ended {
    Command::new(binary()).args(args).current_dir(folder).env_remove("RUST_BACKTRACE").output().unwrap().into()
}
