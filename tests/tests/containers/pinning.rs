//! A target that is pinned to processors, and a harness that keeps off them.

use std::process::Stdio;

use soak_tests::{Ended, Running, docker, image, turn};

use crate::run::{command, container_in, processors_of};

#[test]
fn a_pinned_target_has_its_processors_to_itself() {
    let Some(image) = image() else { return };
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let here = processors(&processors_of(std::process::id()));
    let (pinned, rest) = here.split_last().unwrap();
    let cpuset = format!("target.container.cpuset={pinned}");
    let mut command = command(&out, &format!("container:{image}"), &[&cpuset, "target.container.cpus=0.5"]);
    if rest.is_empty() {
        let ended = Ended::from(command.output().unwrap());
        assert!(ended.code == 2 && ended.stderr.contains("leaves none"), "{}", ended.stderr);
        return;
    }
    let mut run = Running::start(command.stderr(Stdio::null()));
    let container = container_in(&out, "query");
    let pid = docker(&["inspect", "--format", "{{.State.Pid}}", &container]).trim().parse().unwrap();
    assert_eq!(processors(&processors_of(pid)), [*pinned]);
    assert_eq!(processors(&processors_of(run.pid())), rest);
    let nanos = docker(&["inspect", "--format", "{{.HostConfig.NanoCpus}}", &container]);
    assert_eq!(nanos.trim(), "500000000");
    run.signal("INT");
    assert_eq!(run.wait(), 130);
}

#[test]
fn processors_that_are_not_there_are_the_commands_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let ended = Ended::from(command(&out, "container:x:1", &["target.container.cpuset=1000"]).output().unwrap());
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    assert!(ended.stderr.contains("no processor 1000 here"), "{}", ended.stderr);
    assert!(!out.exists());
}

/// Numbers of a list such as `0-1,3`.
fn processors(list: &str) -> Vec<u32> {
    let number = |text: &str| text.parse::<u32>().unwrap();
    let range =
        |part: &str| part.split_once('-').map_or_else(|| number(part)..=number(part), |(a, b)| number(a)..=number(b));
    list.split(',').flat_map(range).collect()
}
