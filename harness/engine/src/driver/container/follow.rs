//! Following a container: its log, Docker's events about it, and its end.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use testcontainers::bollard::Docker;
use testcontainers::bollard::container::LogOutput;
use testcontainers::bollard::errors::Error;
use testcontainers::bollard::query_parameters::{EventsOptionsBuilder, LogsOptionsBuilder};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::super::docker::in_words;
use super::super::logs::Log;
use crate::oom::DockerSays;

/// Docker says 137 of any SIGKILL.
const SIGKILL_CODE: i64 = 137;

/// An engine that is started anew answers again within this time, or is lost.
const BACK_WITHIN: Duration = Duration::from_secs(20);
const ASK_EVERY: Duration = Duration::from_millis(500);

/// What was printed last, and what Docker says of the end, may come a moment after it.
const LAST_WORDS_WITHIN: Duration = Duration::from_millis(500);

/// How a container ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Exit {
    /// The exit code, or why it is not known.
    code: Option<Result<i64, String>>,
    pub(super) docker: DockerSays,
}

impl Exit {
    /// In a few words.
    pub(super) fn how(&self) -> String {
        match &self.code {
            Some(Ok(code)) => format!("exit {code}"),
            Some(Err(why)) => format!("an unknown end: {why}"),
            None => "an unknown end".to_owned(),
        }
    }

    /// Whether it was lost sight of rather than seen to end.
    pub(super) fn is_lost(&self) -> bool {
        !matches!(self.code, Some(Ok(_)))
    }

    /// Whether a SIGKILL may have ended it.
    pub(super) fn by_sigkill(&self) -> bool {
        matches!(self.code, Some(Ok(SIGKILL_CODE)))
    }
}

/// Follows a container to its end.
pub(super) fn follow(docker: Docker, id: String, log: Log) -> watch::Receiver<Option<Exit>> {
    let (ended, exit) = watch::channel(None);
    tokio::spawn(async move {
        let oom = Arc::new(AtomicBool::new(false));
        let mut following = JoinSet::new();
        let logs = following.spawn(copy_log(docker.clone(), id.clone(), log));
        following.spawn(note_oom(docker.clone(), id.clone(), Arc::clone(&oom)));
        let code = tokio::select! {
            code = wait(&docker, &id) => code,
            // Nobody wants to know any more: the target was dropped.
            () = ended.closed() => return,
        };
        let log_end = async {
            while following
                .join_next_with_id()
                .await
                .is_some_and(|done| !matches!(done, Ok((task, ())) if task == logs.id()))
            {}
        };
        let _ = tokio::time::timeout(LAST_WORDS_WITHIN, log_end).await;
        let killed = docker.inspect_container(&id, None).await.ok();
        let killed = killed.and_then(|found| found.state?.oom_killed).unwrap_or(false);
        let docker = DockerSays { event: oom.load(Ordering::Relaxed), killed };
        ended.send_replace(Some(Exit { code: Some(code), docker }));
    });
    exit
}

/// Waits for the end, also past an engine that is started anew while its containers run on.
async fn wait(docker: &Docker, id: &str) -> Result<i64, String> {
    loop {
        let lost = match wait_once(docker, id).await {
            Ok(code) => return Ok(code),
            Err(why) => why,
        };
        let lost_at = Instant::now();
        let found = loop {
            match docker.inspect_container(id, None).await {
                Ok(found) => break found,
                Err(Error::DockerResponseServerError { status_code: 404, .. }) => {
                    return Err("somebody has removed it".to_owned());
                }
                Err(_) if lost_at.elapsed() < BACK_WITHIN => tokio::time::sleep(ASK_EVERY).await,
                Err(_) => return Err(lost),
            }
        };
        let state = found.state.unwrap_or_default();
        if state.running != Some(true) {
            return state.exit_code.ok_or(lost);
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

async fn wait_once(docker: &Docker, id: &str) -> Result<i64, String> {
    let mut waiting = std::pin::pin!(docker.wait_container(id, None));
    match waiting.next().await {
        Some(Ok(ended)) => Ok(ended.status_code),
        // Any code but 0 comes as an error.
        Some(Err(Error::DockerContainerWaitError { code, .. })) => Ok(code),
        Some(Err(error)) => Err(in_words(&error)),
        None => Err("Docker stopped answering".to_owned()),
    }
}

async fn copy_log(docker: Docker, id: String, log: Log) {
    let options = LogsOptionsBuilder::new().follow(true).stdout(true).stderr(true).build();
    let mut lines = std::pin::pin!(docker.logs(&id, Some(options)));
    let (mut written, read) = tokio::io::duplex(64 << 10);
    let copied = async move {
        while let Some(Ok(output)) = lines.next().await {
            let (LogOutput::StdOut { message }
            | LogOutput::StdErr { message }
            | LogOutput::StdIn { message }
            | LogOutput::Console { message }) = output;
            if written.write_all(&message).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(copied, log.follow(read));
}

async fn note_oom(docker: Docker, id: String, seen: Arc<AtomicBool>) {
    let filters = HashMap::from([("container", vec![id]), ("event", vec!["oom".to_owned()])]);
    let options = EventsOptionsBuilder::new().filters(&filters).build();
    let mut events = std::pin::pin!(docker.events(Some(options)));
    while let Some(Ok(_)) = events.next().await {
        seen.store(true, Ordering::Relaxed);
    }
}
