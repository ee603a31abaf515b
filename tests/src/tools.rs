//! What some tests need beside the toolchain: the Go store, Docker, an image. `ci/test` provides all of it and names it in variables; where one is
//! missing the tests that need it are left out, and say so loudly. In continuous integration that is a failure.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program of the Go store.
pub fn go_target() -> Option<PathBuf> {
    named("SOAK_TEST_GO_TARGET", "the Go store").map(PathBuf::from)
}

/// The image of the Go store, on a Docker that answers.
pub fn image() -> Option<String> {
    named("SOAK_TEST_IMAGE", "Docker and the image of the Go store")
}

/// The program of Weaviate's server.
pub fn weaviate() -> Option<String> {
    named("SOAK_TEST_WEAVIATE", "Weaviate")
}

/// The program of Chroma's server.
pub fn chroma() -> Option<String> {
    named("SOAK_TEST_CHROMA", "Chroma")
}

/// A Prometheus server, with its `promtool` beside it.
pub fn prometheus() -> Option<String> {
    named("SOAK_TEST_PROMETHEUS", "Prometheus")
}

/// The `docker` command.
pub fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().unwrap();
    assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Whether the tests run as root, as a few need in order to become somebody else.
pub fn is_root() -> bool {
    let root = std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0);
    if !root {
        left_out("root", "run the tests as root");
    }
    root
}

/// A file system of its own, held in memory and unmounted when dropped.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one of this size at a folder; `None` where that is not allowed, which is said.
    pub fn mount(folder: &Path, bytes: u64) -> Option<Self> {
        let options = format!("size={bytes},mode=0755");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(folder).output().unwrap();
        if !mount.status.success() {
            left_out("a disk to fill", "run the tests as root, where mounting is allowed");
            return None;
        }
        Some(Self(folder.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: what a failed test still has open must not keep it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Past the capture of a test's output: what was left out must be seen.
fn left_out(what: &str, remedy: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED for want of {what}: {remedy}");
}

fn named(variable: &str, what: &str) -> Option<String> {
    let value = std::env::var(variable).ok().filter(|value| !value.is_empty());
    let demanded = std::env::var_os("CI").is_some() || std::env::var_os("SOAK_TEST_ALL").is_some();
    assert!(value.is_some() || !demanded, "{what} is needed here: {variable} is not set; `ci/test` sets it");
    if value.is_none() {
        left_out(what, &format!("{variable} is not set; `ci/test` provides it"));
    }
    value
}
