//! What was written by the target and for it: its log, its configuration files.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use futures::StreamExt as _;
use soak_diagnosis::{Artefact, Missing, name};
use testcontainers::bollard::query_parameters::LogsOptionsBuilder;

use super::{Patient, Wishes, file, kubernetes};
use crate::driver::{docker, is_of_container};

/// As much of a log as is read, from its end.
const LOG_BYTES_MAX: u64 = 1 << 20;

/// As many lines of a container's log as are asked for.
const LOG_LINES: &str = "1000";

/// The end of the log: of a file, of the container, of the deployment, whatever is named.
pub(super) async fn log(patient: &Patient, wishes: &Wishes) -> Artefact {
    if let Some(path) = &wishes.log {
        return of_file(path);
    }
    if let Some(container) = &patient.container {
        let from = format!("docker logs --tail {LOG_LINES} {container}");
        let read = tokio::time::timeout(wishes.call, of_container(container)).await;
        let missing = |why: String| {
            Artefact::missing(
                name::LOG,
                from.clone(),
                Missing::new(why, "ask Docker by hand, or name a file with --log"),
            )
        };
        return match read {
            Ok(Ok(bytes)) => Artefact::of(name::LOG, from, &bytes),
            Ok(Err(why)) => missing(why),
            Err(_) => missing("Docker had not answered in time".to_owned()),
        };
    }
    if let Some(deployment) = &wishes.deployment
        && let Some(log) = kubernetes::log(deployment, wishes.call).await
    {
        return log;
    }
    let next = "name the file with --log FILE, or the container with --container NAME";
    Artefact::missing(name::LOG, "the log", Missing::new("nobody said where the target writes its log", next))
}

/// The end of a log file, as an artefact. A line that is cut in two is left out: what is missing of it may be what says that the rest is a secret.
pub fn of_file(path: &Path) -> Artefact {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = fs::File::open(path)?;
        let length = file.metadata()?.len();
        let from = length.saturating_sub(LOG_BYTES_MAX);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(LOG_BYTES_MAX).read_to_end(&mut bytes)?;
        if from > 0 {
            let end = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
            bytes.drain(..end);
        }
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => Artefact::of(name::LOG, path.display().to_string(), &bytes),
        Err(error) => Artefact::missing(
            name::LOG,
            path.display().to_string(),
            Missing::new(format!("it cannot be read: {error}"), "check the path behind --log, and who may read it"),
        ),
    }
}

async fn of_container(container: &str) -> Result<Vec<u8>, String> {
    let docker = docker::connect().await?;
    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail(LOG_LINES).build();
    let mut lines = std::pin::pin!(docker.logs(container, Some(options)));
    let mut bytes = Vec::new();
    while let Some(line) = lines.next().await {
        bytes.extend_from_slice(&line.map_err(|error| docker::in_words(&error))?.into_bytes());
        if bytes.len() as u64 > LOG_BYTES_MAX {
            break;
        }
    }
    Ok(bytes)
}

/// The process of a container, where it is on this machine.
pub(super) async fn pid_of(container: &str) -> (Option<u32>, Option<Missing>) {
    let found = async {
        let docker = docker::connect().await?;
        let found = docker.inspect_container(container, None).await;
        let found =
            found.map_err(|error| format!("there is no container {container}: {}", docker::in_words(&error)))?;
        let pid =
            found.state.and_then(|state| state.pid).and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0);
        let pid = pid.ok_or_else(|| format!("the container {container} does not run"))?;
        let here = is_of_container(pid, found.id.as_deref().unwrap_or_default());
        here.then_some(pid).ok_or_else(|| format!("the container {container} runs on another machine"))
    };
    match found.await {
        Ok(pid) => (Some(pid), None),
        Err(why) => (None, Some(Missing::new(why, "check --container, or name the process with --pid N"))),
    }
}

/// A configuration file, and the copy that lies beside it as `FILE.bak`.
pub(super) fn config(path: &Path) -> Vec<Artefact> {
    let plain: String = path
        .display()
        .to_string()
        .trim_start_matches('/')
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-._".contains(c) { c } else { '_' })
        .collect();
    let mut files = vec![file(format!("{}{plain}.txt", name::CONFIG), path)];
    let mut beside = path.as_os_str().to_owned();
    beside.push(".bak");
    let beside = Path::new(&beside);
    if beside.is_file() {
        files.push(file(format!("{}{plain}.before.txt", name::CONFIG), beside));
    }
    files
}
