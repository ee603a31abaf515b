//! The process driver: a child process for each variant, on free loopback ports, ended with everything it holds.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use soak_record::{RunFolder, file};
use soak_scenario::units::Limit;
use soak_scenario::{Knobs, Plan, Variant};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;

use super::cgroup::Cgroup;
use super::control::HttpControl;
use super::logs::Log;
use super::probe::ProcessProbe;
use crate::DATASET;
use crate::client::{DataSpec, FlightClient, Planes};
use crate::target::{Client, Control, Driver, Ending, Probe, StartError, Target};

/// How long a target may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(5);

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
}

impl ProcessDriver {
    /// A driver for this plan; logs go to the run folder's artifacts.
    pub fn new(program: Program, plan: Plan, folder: RunFolder, run: String) -> Self {
        Self { program, plan, folder, run }
    }

    fn command(&self, addrs: Addrs, knobs: &Knobs) -> Command {
        let profile = &self.plan.target.profile;
        let mut command = Command::new(&self.program.0);
        for arg in &profile.launch.args {
            if arg == "{misbehave}" {
                for (key, value) in self.plan.target.misbehave.settings() {
                    command.args(["--misbehave".to_owned(), format!("{key}={value}")]);
                }
            } else {
                command.arg(fill(arg, addrs, knobs));
            }
        }
        for (name, value) in &profile.launch.env {
            command.env(name, fill(value, addrs, knobs));
        }
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
        let cgroup = match knobs.memory_limit {
            Limit::Off => None,
            Limit::At(bytes) => Some(Arc::new(Cgroup::create(&format!("soak-{}-{index}", self.run), bytes.0)?)),
        };
        let mut command = self.command(addrs, knobs);
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
        let deadlines = &self.plan.deadlines;
        let workload = &self.plan.workload;
        let spec = DataSpec {
            dataset: DATASET.to_owned(),
            distribution: workload.distribution,
            dim: knobs.dim,
            seed: variant.seed,
            ids: workload.ids,
        };
        let profile = &self.plan.target.profile;
        let planes = Planes { data: addrs.data, meta: addrs.meta };
        let client = Arc::new(FlightClient::new(planes, spec, deadlines.call.0));
        let control = HttpControl {
            addr: addrs.http,
            endpoints: profile.endpoints.clone(),
            dataset: DATASET.to_owned(),
            client: Arc::clone(&client),
            call: deadlines.call.0,
            compaction: deadlines.index.0,
        };
        let probe = ProcessProbe::new(pid, cgroup.clone(), addrs.http, profile, deadlines.call.0);
        Ok(ProcessTarget { pid, client, control: Arc::new(control), probe: Arc::new(probe), cgroup, log, stop, status })
    }
}

/// Free ports of 127.0.0.1.
#[derive(Debug, Clone, Copy)]
struct Addrs {
    data: SocketAddr,
    meta: SocketAddr,
    http: SocketAddr,
}

impl Addrs {
    /// All three are held at once, so that they differ, and let go together.
    fn free() -> std::io::Result<Self> {
        let held = [(); 3].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let [data, meta, http] = held;
        Ok(Self { data: data?.local_addr()?, meta: meta?.local_addr()?, http: http?.local_addr()? })
    }
}

/// Fills the placeholders of a launch argument or a variable's value.
fn fill(text: &str, addrs: Addrs, knobs: &Knobs) -> String {
    let mut text = text
        .replace("{data_addr}", &addrs.data.to_string())
        .replace("{meta_addr}", &addrs.meta.to_string())
        .replace("{http_addr}", &addrs.http.to_string());
    for (name, value) in knobs.settings() {
        let value = match (name, knobs.gomemlimit) {
            // Go reads bytes.
            ("gomemlimit", Limit::At(bytes)) => bytes.0.to_string(),
            _ => value,
        };
        text = text.replace(&format!("{{{name}}}"), &value);
    }
    text
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
    client: Arc<FlightClient>,
    control: Arc<HttpControl>,
    probe: Arc<ProcessProbe>,
    cgroup: Option<Arc<Cgroup>>,
    log: Log,
    stop: watch::Sender<bool>,
    status: watch::Receiver<Option<String>>,
}

#[async_trait]
impl Target for ProcessTarget {
    fn pid(&self) -> u32 {
        self.pid
    }

    fn client(&self) -> Arc<dyn Client> {
        Arc::<FlightClient>::clone(&self.client)
    }

    fn control(&self) -> Arc<dyn Control> {
        Arc::<HttpControl>::clone(&self.control)
    }

    fn probe(&self) -> Arc<dyn Probe> {
        Arc::<ProcessProbe>::clone(&self.probe)
    }

    async fn ended(&self) -> Ending {
        let mut status = self.status.clone();
        let how = status.wait_for(Option::is_some).await.ok().and_then(|how| how.clone());
        Ending {
            how: how.unwrap_or_else(|| "an unknown end".to_owned()),
            last_lines: self.log.last_lines(),
            oom_limit_bytes: self.cgroup.as_ref().and_then(|cgroup| cgroup.killed_at()),
        }
    }

    async fn stop(&self) {
        self.stop.send_replace(true);
        let mut status = self.status.clone();
        // An error means that the owner is gone, and the child with it.
        let _ = status.wait_for(Option::is_some).await;
    }
}
