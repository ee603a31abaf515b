//! Programs that are asked: `kubectl`, `git`. They read, they get no input, and they are ended at their deadline.

use std::process::Stdio;
use std::time::Duration;

use soak_diagnosis::{Artefact, Missing};
use tokio::process::Command;

/// Words of a program that failed.
const WORDS_MAX: usize = 300;

/// What a program prints.
pub(super) async fn output(program: &str, arguments: &[&str], deadline: Duration) -> Result<Vec<u8>, Missing> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    match tokio::time::timeout(deadline, command.output()).await {
        Ok(Ok(output)) if output.status.success() => Ok(output.stdout),
        Ok(Ok(output)) => {
            let words: String = String::from_utf8_lossy(&output.stderr).trim().chars().take(WORDS_MAX).collect();
            let next = format!("run it by hand: {program} {}", arguments.join(" "));
            Err(Missing::new(format!("{program} ended with {}: {words}", output.status), next))
        }
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => Err(Missing::new(
            format!("there is no {program} in PATH"),
            format!("install {program}, or ask where it is"),
        )),
        Ok(Err(error)) => {
            Err(Missing::new(format!("{program} could not be started: {error}"), "check that it can be run"))
        }
        Err(_) => Err(Missing::new(
            format!("{program} had not answered after {:.0} s", deadline.as_secs_f64()),
            "check that what it asks can be reached from here",
        )),
    }
}

/// The same as an artefact.
pub(super) async fn artefact(name: &str, program: &str, arguments: &[&str], deadline: Duration) -> Artefact {
    let from = format!("{program} {}", arguments.join(" "));
    match output(program, arguments, deadline).await {
        Ok(bytes) => Artefact::of(name, from, &bytes),
        Err(missing) => Artefact::missing(name, from, missing),
    }
}
