//! A reader that has seen enough is no failure; a full disk is.

use std::io::Read as _;
use std::process::{Command, Stdio};

use soak_tests::{Story, binary, record};

/// Runs with a reader that takes `bytes` and goes away; returns the exit code and what was said.
fn read_only(args: &[&str], bytes: usize) -> (Option<i32>, String) {
    let mut child = Command::new(binary()).args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut vec![0; bytes]).unwrap();
    drop(stdout);
    let ended = child.wait_with_output().unwrap();
    (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
}

#[test]
fn a_closed_pipe_ends_quietly() {
    // More than a pipe holds, so that the writer is still writing when the reader goes.
    assert_eq!(read_only(&["export", "schema"], 1), (Some(0), String::new()));
    assert_eq!(read_only(&["list", "series"], 0), (Some(0), String::new()));
    let folder = tempfile::tempdir().unwrap();
    let made = record(&folder.path().join("run"), Story::Healthy);
    let run = made.folder.to_str().unwrap();
    assert_eq!(read_only(&["export", "samples", run], 100), (Some(0), String::new()));
}

#[test]
fn a_full_disk_is_told() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let ended = Command::new(binary()).arg("list").stdout(full).output().unwrap();
    assert_eq!(ended.status.code(), Some(4));
    assert!(String::from_utf8(ended.stderr).unwrap().starts_with("error: cannot write to standard output"));
}
