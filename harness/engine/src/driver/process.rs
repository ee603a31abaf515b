//! The process driver: a child process for each variant, on free loopback ports, ended with everything it holds.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use soak_record::{RunFolder, file};
use soak_scenario::units::Limit;
use soak_scenario::{Knobs, Plan, Variant};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;

use super::access::{Access, Addrs, arguments, environment};
use super::cgroup::OwnGroup;
use super::control::HttpControl;
use super::logs::Log;
use super::probe::{TargetProbe, Watched};
use crate::client::FlightClient;
use crate::oom::Evidence;
use crate::oom::kernel_log::KernelLog;
use crate::residue::{RUN_VARIABLE, Register, Residue};
use crate::target::{Client, Control, Driver, Ending, Probe, StartError, Target};

/// How long a target may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(5);

/// The signal that the kernel kills with.
const SIGKILL: i32 = rustix::process::Signal::KILL.as_raw();

/// The program that a process driver starts.
#[derive(Debug, Clone)]
pub struct Program(pub PathBuf);

/// Starts child processes by a plan's profile.
#[derive(Debug)]
pub struct ProcessDriver {
    program: Program,
    plan: Plan,
    folder: RunFolder,
    run: String,
    register: Register,
}

impl ProcessDriver {
    /// A driver for this plan; logs go to the run folder's artifacts.
    pub fn new(program: Program, plan: Plan, folder: RunFolder, run: String, register: Register) -> Self {
        Self { program, plan, folder, run, register }
    }

    fn command(&self, addrs: Addrs, variant: &Variant) -> Command {
        let mut command = Command::new(&self.program.0);
        command.args(arguments(&self.plan, addrs, variant));
        command.envs(environment(&self.plan, addrs, &variant.knobs));
        command.env(RUN_VARIABLE, &self.run);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        // Ctrl-C at the terminal is for the harness, which then ends the target in good order.
        command.process_group(0);
        die_with_parent(&mut command);
        command
    }
}

/// Asks the kernel to end the child when the harness dies, however that happens.
#[expect(unsafe_code, reason = "setting a signal between fork and exec is a plain system call")]
fn die_with_parent(command: &mut Command) {
    let set = || {
        let kill = Some(rustix::process::Signal::KILL);
        rustix::process::set_parent_process_death_signal(kill).map_err(std::io::Error::from)
    };
    // SAFETY: prctl is async-signal-safe, and nothing else is done.
    unsafe {
        command.pre_exec(set);
    }
}

/// Lets the child enter a cgroup before it begins, so that whatever it starts is in there too.
#[expect(unsafe_code, reason = "a write between fork and exec is a plain system call")]
fn enter(command: &mut Command, door: std::fs::File) {
    let enter = move || rustix::io::write(&door, b"0").map(|_| ()).map_err(std::io::Error::from);
    // SAFETY: write is async-signal-safe, and nothing else is done.
    unsafe {
        command.pre_exec(enter);
    }
}

#[async_trait]
impl Driver for ProcessDriver {
    async fn start(&self, index: usize, variant: &Variant) -> Result<Arc<dyn Target>, StartError> {
        let started = self.start_process(index, variant);
        started.map(|target| Arc::new(target) as Arc<dyn Target>).map_err(StartError)
    }
}

impl ProcessDriver {
    fn start_process(&self, index: usize, variant: &Variant) -> Result<ProcessTarget, String> {
        let knobs = &variant.knobs;
        let program = self.program.0.display();
        let addrs = Addrs::free().map_err(|error| format!("cannot find free ports on 127.0.0.1: {error}"))?;
        let log_path = self.folder.path(file::ARTIFACTS).join(format!("{index:03}-target.log"));
        let log = Log::create(&log_path).map_err(|error| format!("cannot make {}: {error}", log_path.display()))?;
        let cgroup = self.cgroup(index, knobs)?;
        let kernel_log = KernelLog::open();
        self.register.note(&Residue::Processes)?;
        let mut command = self.command(addrs, variant);
        if let Some(cgroup) = &cgroup {
            enter(&mut command, cgroup.door()?);
        }
        let mut child = command.spawn().map_err(|error| {
            format!(
                "cannot start {program}: {error}; --target process:PATH needs the path of a program that can be run"
            )
        })?;
        let pid = child.id().ok_or_else(|| format!("{program} ended as soon as it was started"))?;
        let outputs = (child.stdout.take(), child.stderr.take());
        let mut follow = tokio::task::JoinSet::new();
        outputs.0.map(|output| follow.spawn(log.clone().follow(output)));
        outputs.1.map(|output| follow.spawn(log.clone().follow(output)));
        let stdin = child.stdin.take();
        let (stop, stopping) = watch::channel(false);
        let (ended, status) = watch::channel(None);
        tokio::spawn(own(child, stdin, follow, stopping, ended));
        let group = cgroup.as_ref().map(|cgroup| cgroup.group().clone());
        let watched = Watched { pid: Some(pid), group };
        let access = Access::new(&self.plan, variant, addrs, watched);
        Ok(ProcessTarget { pid, access, cgroup, kernel_log: Mutex::new(kernel_log), log, stop, status })
    }

    /// The cgroup of a variant with a memory limit.
    fn cgroup(&self, index: usize, knobs: &Knobs) -> Result<Option<OwnGroup>, String> {
        let Limit::At(bytes) = knobs.memory_limit else { return Ok(None) };
        let place = OwnGroup::place(&format!("soak-{}-{index}", self.run))?;
        self.register.note(&Residue::Cgroup(place.folder().to_owned()))?;
        OwnGroup::create(place, bytes.0).map(Some)
    }
}

/// Owns the child: waits for its end, or ends it when asked to, kindly first.
async fn own(
    mut child: Child,
    stdin: Option<ChildStdin>,
    mut follow: tokio::task::JoinSet<()>,
    mut stopping: watch::Receiver<bool>,
    ended: watch::Sender<Option<String>>,
) {
    let group = child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed()));
    let status = tokio::select! {
        status = child.wait() => status,
        // An error means that the target was dropped, which asks for the same.
        () = async { drop(stopping.wait_for(|stop| *stop).await) } => end(&mut child).await,
    };
    drop(stdin);
    // Whatever it started and left behind is of its group, and goes with it.
    if let Some(group) = group {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    // What it printed last is worth a moment, but a grandchild may hold the pipe open for ever.
    let _ =
        tokio::time::timeout(Duration::from_millis(500), async { while follow.join_next().await.is_some() {} }).await;
    ended.send_replace(Some(status.map_or_else(|error| format!("unknown: {error}"), describe)));
}

async fn end(child: &mut Child) -> std::io::Result<ExitStatus> {
    // Not yet waited for, so the id is still this child's.
    if let Some(pid) = child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed())) {
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::TERM);
    }
    if let Ok(status) = tokio::time::timeout(GRACE, child.wait()).await {
        return status;
    }
    child.start_kill()?;
    child.wait().await
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown end".to_owned(),
    }
}

/// A running child.
struct ProcessTarget {
    pid: u32,
    access: Access,
    cgroup: Option<OwnGroup>,
    kernel_log: Mutex<KernelLog>,
    log: Log,
    stop: watch::Sender<bool>,
    status: watch::Receiver<Option<String>>,
}

impl ProcessTarget {
    /// What is known of its end. Without a limit of its own, only the machine can have run out.
    fn evidence(&self, by_sigkill: bool) -> Evidence {
        let kernel = self.kernel_log.lock().unwrap_or_else(PoisonError::into_inner).kills().map(<[_]>::to_vec);
        Evidence {
            pid: self.pid,
            cgroup: self.cgroup.as_ref().map(|cgroup| cgroup.group().name()),
            container: None,
            limit_bytes: self.cgroup.as_ref().map(OwnGroup::limit_bytes),
            by_sigkill,
            kernel,
            counted: self.cgroup.as_ref().map_or(Some(0), |cgroup| cgroup.group().oom_kills()),
            docker: None,
        }
    }
}

#[async_trait]
impl Target for ProcessTarget {
    fn pid(&self) -> u32 {
        self.pid
    }

    fn client(&self) -> Arc<dyn Client> {
        Arc::<FlightClient>::clone(&self.access.client)
    }

    fn control(&self) -> Arc<dyn Control> {
        Arc::<HttpControl>::clone(&self.access.control)
    }

    fn probe(&self) -> Arc<dyn Probe> {
        Arc::<TargetProbe>::clone(&self.access.probe)
    }

    async fn ended(&self) -> Ending {
        let mut status = self.status.clone();
        let how = status.wait_for(Option::is_some).await.ok().and_then(|how| how.clone());
        let how = how.unwrap_or_else(|| "an unknown end".to_owned());
        let oom = self.evidence(how == format!("signal {SIGKILL}")).conclude();
        Ending { how, last_lines: self.log.last_lines(), oom, living: 0, lost: false }
    }

    async fn stop(&self) {
        self.stop.send_replace(true);
        let mut status = self.status.clone();
        // An error means that the owner is gone, and the child with it.
        let _ = status.wait_for(Option::is_some).await;
    }
}
