//! What can be wrong with a container: one clear message, the right exit code, nothing left.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use soak_tests::{Ended, docker, image, is_root, turn};

use crate::run::{command, run};

fn refused(target: &str, docker_host: Option<&str>, edits: &[&str]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(&folder.path().join("run"), target, edits);
    docker_host.map(|host| command.env("DOCKER_HOST", host));
    Ended::from(command.output().unwrap())
}

#[test]
fn a_docker_that_is_not_there_is_the_machines_failure() {
    let ended = refused("container:x:1", Some("unix:///nowhere/docker.sock"), &[]);
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    assert!(ended.stderr.contains("cannot reach Docker at unix:///nowhere/docker.sock"), "{}", ended.stderr);
    assert!(ended.stderr.contains("soak doctor"), "{}", ended.stderr);
}

/// A run as somebody who is in no group; the program lies where everybody can run it.
fn as_nobody(folder: &Path, arguments: &[&str]) -> Ended {
    let program = folder.join("soak");
    std::fs::copy(soak_tests::binary(), &program).unwrap();
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    let mut command = Command::new(program);
    command.args(["run", "scenario2", "--out", "run"]).args(arguments).env("SOAK_STATE_DIR", folder.join("state"));
    Ended::from(command.uid(65534).gid(65534).current_dir(folder).output().unwrap())
}

#[test]
fn a_docker_that_may_not_be_used_is_the_machines_failure() {
    if image().is_none() || !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let ended = as_nobody(folder.path(), &["--target", "container:x:1"]);
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    assert!(ended.stderr.contains("ermission denied") && ended.stderr.contains("soak doctor"), "{}", ended.stderr);
    assert!(!folder.path().join("run").exists(), "nothing is left of a run that could not begin");
}

#[test]
fn a_limit_that_may_not_be_set_is_the_machines_failure() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let ended = as_nobody(folder.path(), &["--only", "dim128-rows500*", "--set", "matrix.memory_limit=[\"512MiB\"]"]);
    assert_eq!(ended.code, 4, "{}\n{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("cannot set a memory limit"), "{}\n{}", ended.stdout, ended.stderr);
}

#[test]
fn a_limit_that_is_refused_is_the_machines_failure() {
    let Some(image) = image() else { return };
    let judged = run(&format!("container:{image}"), &["target.container.cpus=100000"]);
    assert_eq!(judged.ended.code, 4, "{}\n{}", judged.ended.stdout, judged.ended.stderr);
    assert!(judged.ended.stdout.contains("CPUs"), "{}\n{}", judged.ended.stdout, judged.ended.stderr);
}

#[test]
fn an_image_that_is_not_there_is_the_commands_mistake() {
    if image().is_none() {
        return;
    }
    let ended = refused("container:soak-no-such-image:1", None, &[]);
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    assert!(ended.stderr.contains("there is no image soak-no-such-image:1 here"), "{}", ended.stderr);
    let ended = refused("container:soak-built:1", None, &["target.container.build=/nowhere"]);
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    assert!(ended.stderr.contains("no Dockerfile"), "{}", ended.stderr);
}

#[test]
fn an_image_that_is_no_vector_store_fails_with_its_last_words() {
    let Some(image) = image() else { return };
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let dockerfile = format!("FROM {image}\nENV LONGBOW_COMPACTION_INTERVAL=never LONGBOW_HNSW_M=none\n");
    std::fs::write(folder.path().join("Dockerfile"), dockerfile).unwrap();
    let build = format!("target.container.build={}", folder.path().display());
    // The profile's environment would put it right; one that says nothing of it does not.
    let profile = folder.path().join("mute.toml");
    let text =
        "name = \"mute\"\ntitle = \"An image that is told nothing\"\n[container]\nimage = \"soak-test-mute:local\"\n";
    std::fs::write(&profile, text).unwrap();
    let judged = run(
        "container:soak-test-mute:local",
        &[&format!("target.profile={}", profile.display()), &build, "deadlines.boot=60s"],
    );
    docker(&["rmi", "--force", "soak-test-mute:local"]);
    assert_eq!(judged.ended.code, 1, "{}\n{}", judged.ended.stdout, judged.ended.stderr);
    let died = judged.events("target_died")[0];
    assert_eq!(died["how"], "exit 2", "{died:#}");
    assert!(died["last_lines"].to_string().contains("LONGBOW_"), "{died:#}");
}

#[test]
fn a_port_that_nobody_listens_on_is_told_at_the_boot_deadline() {
    let Some(image) = image() else { return };
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("wrong.toml");
    let text = format!(
        "name = \"wrong\"\ntitle = \"Wrong ports\"\n[container]\nimage = \"{image}\"\ndata_port = 4000\nmeta_port = 4001\nhttp_port = 9999\n\
         [endpoints]\nmetrics = \"GET /metrics\"\n"
    );
    std::fs::write(&profile, text).unwrap();
    let target = format!("container:{image}");
    let judged = run(&target, &[&format!("target.profile={}", profile.display()), "deadlines.boot=4s"]);
    assert_eq!(judged.ended.code, 1, "{}\n{}", judged.ended.stdout, judged.ended.stderr);
    assert!(judged.verdict.to_string().contains("did not answer within 4 s of its start"), "{:#}", judged.verdict);
}
