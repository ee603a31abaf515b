//! What goes wrong before or around a run: one clear message, the right exit code, no half-written result.

use std::path::Path;
use std::process::Command;

use soak_tests::{Ended, FreePort, binary, soak, turn};

use crate::small::command;

fn run(out: &Path, more: &[&str]) -> Ended {
    command(out, &[]).args(more).output().unwrap().into()
}

fn says(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, code, "{}\n{}", ended.stdout, ended.stderr);
    let said = format!("{}{}", ended.stdout, ended.stderr);
    for word in words {
        assert!(said.contains(word), "{word:?} is not in\n{said}");
    }
}

#[test]
fn a_folder_with_something_in_it_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine"), "precious").unwrap();
    says(&run(folder.path(), &[]), 2, &["not empty", "--out"]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_folder_that_cannot_be_is_the_commands_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    says(&run(&file.join("run"), &[]), 2, &["cannot make the run folder", "--out"]);
}

#[test]
fn a_target_that_dies_at_boot_fails_with_its_last_words() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("target.sh");
    std::fs::write(&script, "#!/bin/sh\necho the license has expired >&2\nexit 7\n").unwrap();
    let made = Command::new("chmod").arg("+x").arg(&script).status().unwrap();
    assert!(made.success());
    let target = format!("process:{}", script.display());
    let ended = run(&folder.path().join("run"), &["--target", &target]);
    says(&ended, 1, &["FAIL", "exit 7", "the license has expired"]);
}

#[test]
fn a_target_that_is_no_program_is_the_commands_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    says(&run(&out, &["--target", "process:/nowhere/store"]), 2, &["/nowhere/store", "path of a program"]);
    assert!(!out.exists(), "nothing was begun");
}

#[test]
fn a_target_that_never_answers_fails_at_its_deadline() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("target.sh");
    std::fs::write(&script, "#!/bin/sh\nexec sleep 600\n").unwrap();
    assert!(Command::new("chmod").arg("+x").arg(&script).status().unwrap().success());
    let target = format!("process:{}", script.display());
    let ended = run(&folder.path().join("run"), &["--target", &target, "--set", "deadlines.boot=1s"]);
    says(&ended, 1, &["FAIL", "did not answer", "deadlines.boot"]);
}

#[test]
fn an_attached_target_that_failed_is_not_loaded_again() {
    let folder = tempfile::tempdir().unwrap();
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = held.local_addr().unwrap();
    let target = format!("attach:endpoints,data={addr},meta={addr},http={addr}");
    let edits = ["--set", "deadlines.boot=1s", "--set", "deadlines.call=1s", "--set", "matrix.dim=[8,16,24]"];
    let ended = run(&folder.path().join("run"), &[&["--target", &target], &edits[..]].concat());
    says(&ended, 1, &["FAIL", "did not answer", "Never ran: ", "what ran already is not loaded any more"]);
    assert_eq!(
        ended.stdout.matches("never ran").count() + ended.stdout.matches("Never ran").count(),
        1,
        "{}",
        ended.stdout
    );
}

#[test]
fn a_port_in_use_says_which_and_what_to_do() {
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = held.local_addr().unwrap().to_string();
    let others = ["--meta-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"];
    let ended = soak(&[&["target", "--data-addr", &addr], &others[..]].concat());
    says(&ended, 4, &[&addr, "--data-addr", "choose another"]);
}

#[test]
fn a_load_for_another_machine_is_refused() {
    let ended = soak(&["load", "--target", "grpc://192.0.2.1:3000", "--dim", "8", "--duration", "1s"]);
    says(&ended, 2, &["not a loopback address", "--allow-remote"]);
    says(&soak(&["load", "--target", "http://127.0.0.1:1", "--dim", "8"]), 2, &["grpc://HOST:PORT"]);
}

#[test]
fn a_load_without_a_server_says_so() {
    let free = FreePort::find().unwrap();
    let target = format!("grpc://{}", free.addr());
    let ended = soak(&["load", "--target", &target, "--dim", "8", "--duration", "2s", "--format", "json"]);
    says(&ended, 4, &["cannot connect", "check --target"]);
    assert_eq!(ended.json()["acked_vectors"], 0);
}

#[test]
fn a_full_disk_ends_the_run_and_leaves_no_verdict() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    // Files may grow to 16 KiB and not further: what a full disk does, without filling one.
    let script = format!(
        "trap '' XFSZ; ulimit -f 16; exec {} run scenario2 --only 'dim128-rows500' --out {}",
        binary().display(),
        out.display()
    );
    let ended = Ended::from(Command::new("bash").args(["-c", &script]).output().unwrap());
    says(&ended, 4, &["cannot write", "--out"]);
    assert!(!out.join("verdict.json").exists() && !out.join("report.html").exists());
    let parts = walk(&out).into_iter().filter(|path| path.contains(".part")).count();
    assert_eq!(parts, 0);
}

fn walk(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path.display().to_string()] }).collect()
}
