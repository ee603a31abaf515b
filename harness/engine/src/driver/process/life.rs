//! One life of a program, from its start to its end. A fault may end one and begin another.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;

use super::super::lives::Life as _;
use super::super::logs::Log;
use crate::sampler::proc;

/// How long a target may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(5);

/// What is asked of a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// Nothing.
    Nothing,
    /// To end, kindly first.
    End,
    /// To be killed.
    Kill,
}

/// A child that was started.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) pid: u32,
    ask: watch::Sender<Ask>,
    ended: watch::Receiver<Option<String>>,
}

impl Life {
    /// Starts it.
    pub(super) fn begin(mut command: Command, log: &Log) -> std::io::Result<Self> {
        let mut child = command.spawn()?;
        let pid = child.id().unwrap_or(0);
        let mut follow = tokio::task::JoinSet::new();
        child.stdout.take().map(|output| follow.spawn(log.clone().follow(output)));
        child.stderr.take().map(|output| follow.spawn(log.clone().follow(output)));
        let stdin = child.stdin.take();
        let (ask, asked) = watch::channel(Ask::Nothing);
        let (tell, ended) = watch::channel(None);
        tokio::spawn(own(child, stdin, follow, asked, tell));
        Ok(Self { pid, ask, ended })
    }

    /// Ends it, and waits for that.
    pub(super) async fn end(&self, ask: Ask) -> String {
        self.ask.send_replace(ask);
        self.ended().await
    }
}

impl super::super::lives::Life for Life {
    type End = String;

    async fn ended(&self) -> String {
        let mut ended = self.ended.clone();
        let how = ended.wait_for(Option::is_some).await.ok().and_then(|how| how.clone());
        how.unwrap_or_else(|| "an unknown end".to_owned())
    }
}

/// Owns the child: waits for its end, or ends it when asked to, kindly first.
async fn own(
    mut child: Child,
    stdin: Option<ChildStdin>,
    mut follow: tokio::task::JoinSet<()>,
    mut asked: watch::Receiver<Ask>,
    ended: watch::Sender<Option<String>>,
) {
    let pid = child.id();
    let ask = tokio::select! {
        status = child.wait() => Err(status),
        // An error means that the target was dropped, which asks for an end.
        ask = async { asked.wait_for(|ask| *ask != Ask::Nothing).await.map_or(Ask::End, |ask| *ask) } => Ok(ask),
    };
    let status = match ask {
        Err(status) => status,
        Ok(Ask::Kill) => kill(&mut child).await,
        Ok(Ask::End | Ask::Nothing) => end(&mut child).await,
    };
    drop(stdin);
    // Whatever it started and left behind is of its group, and goes with it. The number stays the group's while there is anything in it; where a process
    // has that number again, nothing was.
    if pid.is_some_and(|pid| proc::started_ticks(pid).is_none()) {
        signal_group(pid, Signal::KILL);
    }
    // What it printed last is worth a moment, but a grandchild may hold the pipe open for ever.
    let _ =
        tokio::time::timeout(Duration::from_millis(500), async { while follow.join_next().await.is_some() {} }).await;
    ended.send_replace(Some(status.map_or_else(|error| format!("unknown: {error}"), describe)));
}

async fn kill(child: &mut Child) -> std::io::Result<ExitStatus> {
    signal_group(child.id(), Signal::KILL);
    child.start_kill()?;
    child.wait().await
}

async fn end(child: &mut Child) -> std::io::Result<ExitStatus> {
    signal_group(child.id(), Signal::TERM);
    if let Ok(status) = tokio::time::timeout(GRACE, child.wait()).await {
        return status;
    }
    kill(child).await
}

/// Signals a child with all of its group. One that was not yet waited for keeps its number.
fn signal_group(pid: Option<u32>, signal: Signal) {
    if let Some(group) = pid.and_then(|pid| Pid::from_raw(pid.cast_signed())) {
        // One in which nothing is left needs no signal.
        let _ = kill_process_group(group, signal);
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown end".to_owned(),
    }
}
