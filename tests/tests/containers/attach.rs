//! Attaching to what runs already: it is loaded and watched, and goes on running.

use soak_tests::{docker, image, turn};

use crate::run::run;

#[test]
fn a_running_container_is_loaded_and_left_alone() {
    let Some(image) = image() else { return };
    let _turn = turn();
    let publish = |port: &str| format!("127.0.0.1::{port}");
    let container = Removed(docker(&[
        "run",
        "--detach",
        "--env",
        "GOGC=75",
        "--env",
        "LONGBOW_HNSW_EF_CONSTRUCTION=100",
        "--publish",
        &publish("3000"),
        "--publish",
        &publish("3001"),
        "--publish",
        &publish("9090"),
        &image,
    ]));
    let Removed(container) = &container;
    let address = |port: &str| docker(&["port", container, port]);
    let target = format!(
        "attach:container={container},data={},meta={},http={}",
        address("3000"),
        address("3001"),
        address("9090")
    );
    let judged = run(&target, &["target.profile=go"]);
    let running = docker(&["inspect", "--format", "{{.State.Running}}", container]);
    assert_eq!(judged.ended.code, 0, "{}\n{}", judged.ended.stdout, judged.ended.stderr);
    assert_eq!(running, "true", "what was not started is not stopped");
}

/// A container of the test's own, removed whatever comes.
struct Removed(String);

impl Drop for Removed {
    fn drop(&mut self) {
        docker(&["rm", "--force", "--volumes", &self.0]);
    }
}
