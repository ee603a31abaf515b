//! The process driver: a child process for each variant, on free loopback ports, ended with everything it holds.

mod life;

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use soak_record::{RunFolder, file};
use soak_scenario::units::Limit;
use soak_scenario::{Injection, Plan, Variant};
use tokio::process::Command;
use tokio::sync::watch;

use super::access::{Access, Addrs, Place, arguments, environment};
use super::cgroup::{Group, OwnGroup};
use super::control::HttpControl;
use super::data_folder::DataFolder;
use super::logs::Log;
use super::probe::{TargetProbe, Watched};
use crate::client::FlightClient;
use crate::fault::{self, EndBy, Guard, Levers, Reach};
use crate::oom::Evidence;
use crate::oom::kernel_log::KernelLog;
use crate::residue::{RUN_VARIABLE, Register, Residue};
use crate::target::{Client, Control, Driver, Ending, Probe, Reading, StartError, Target};
use life::{Ask, Life};

/// The signal that the kernel kills with.
const SIGKILL: i32 = rustix::process::Signal::KILL.as_raw();

/// The program that a process driver starts.
#[derive(Debug, Clone)]
pub struct Program(pub PathBuf);

/// Starts child processes by a plan's profile.
#[derive(Debug)]
pub struct ProcessDriver {
    recipe: Arc<Recipe>,
    folder: RunFolder,
    register: Register,
}

/// How a target is started, for the first time and again.
#[derive(Debug)]
struct Recipe {
    program: Program,
    plan: Plan,
    run: String,
}

impl Recipe {
    fn command(&self, place: &Place, variant: &Variant) -> Command {
        let mut command = Command::new(&self.program.0);
        command.args(arguments(&self.plan, place, variant));
        command.envs(environment(&self.plan, place, &variant.knobs));
        command.env(RUN_VARIABLE, &self.run);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        // Ctrl-C at the terminal is for the harness, which then ends the target in good order.
        command.process_group(0);
        die_with_parent(command.as_std_mut());
        command
    }

    /// Starts one life of the target, in its control group.
    fn begin(&self, place: &Place, variant: &Variant, cgroup: Option<&OwnGroup>, log: &Log) -> Result<Life, String> {
        let mut command = self.command(place, variant);
        for door in cgroup.map_or_else(|| Ok(Vec::new()), OwnGroup::doors)? {
            enter(command.as_std_mut(), door);
        }
        Life::begin(command, log).map_err(|error| {
            let program = self.program.0.display();
            format!(
                "cannot start {program}: {error}; --target process:PATH needs the path of a program that can be run"
            )
        })
    }
}

/// Asks the kernel to end the child when the harness dies, however that happens.
#[expect(unsafe_code, reason = "setting a signal between fork and exec is a plain system call")]
pub(crate) fn die_with_parent(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt as _;
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
pub(crate) fn enter(command: &mut std::process::Command, door: std::fs::File) {
    use std::os::unix::process::CommandExt as _;
    let enter = move || rustix::io::write(&door, b"0").map(|_| ()).map_err(std::io::Error::from);
    // SAFETY: write is async-signal-safe, and nothing else is done.
    unsafe {
        command.pre_exec(enter);
    }
}

#[async_trait]
impl Driver for ProcessDriver {
    async fn start(&self, index: usize, variant: &Variant) -> Result<Arc<dyn Target>, StartError> {
        let started = self.start_process(index, variant).await;
        started.map(|target| Arc::new(target) as Arc<dyn Target>).map_err(StartError)
    }
}

impl ProcessDriver {
    /// A driver for this plan; logs go to the run folder's artifacts.
    pub fn new(program: Program, plan: Plan, folder: RunFolder, run: String, register: Register) -> Self {
        Self { recipe: Arc::new(Recipe { program, plan, run }), folder, register }
    }

    async fn start_process(&self, index: usize, variant: &Variant) -> Result<ProcessTarget, String> {
        let plan = &self.recipe.plan;
        let addrs = Addrs::free().map_err(|error| format!("cannot find free ports on 127.0.0.1: {error}"))?;
        let artifacts = self.folder.path(file::ARTIFACTS);
        let log_path = artifacts.join(format!("{index:03}-target.log"));
        let log = Log::create(&log_path).map_err(|error| format!("cannot make {}: {error}", log_path.display()))?;
        let cgroup = self.cgroup(index, variant)?;
        let data = self.data(index)?;
        let kernel_log = KernelLog::open();
        self.register.note(&Residue::Processes)?;
        let place = Place { addrs, data: data.as_ref().map(|data| data.path().to_owned()) };
        let life = Arc::new(self.recipe.begin(&place, variant, cgroup.as_ref(), &log)?);
        let group = cgroup.as_ref().map(|cgroup| cgroup.group().clone());
        let access = Access::new(plan, variant, addrs, Watched { pid: Some(life.pid), group }).await?;
        let reach = access.reach(&self.recipe.run, &self.register, artifacts, data.as_ref());
        let core = Core {
            recipe: Arc::clone(&self.recipe),
            variant: variant.clone(),
            place,
            access,
            reach,
            cgroup,
            kernel_log: Mutex::new(kernel_log),
            log,
            lives: watch::Sender::new(life),
            _data: data,
        };
        Ok(ProcessTarget(Arc::new(core)))
    }

    /// The cgroup of a variant with a memory limit, or with a fault that needs one.
    fn cgroup(&self, index: usize, variant: &Variant) -> Result<Option<OwnGroup>, String> {
        let throttled =
            self.recipe.plan.faults.values().any(|fault| matches!(fault.inject, Injection::CpuThrottle { .. }));
        let limit = if let Limit::At(bytes) = variant.knobs.memory_limit { Some(bytes.0) } else { None };
        if limit.is_none() && !throttled {
            return Ok(None);
        }
        let place = OwnGroup::place(&format!("soak-{}-{index}", self.recipe.run))?;
        self.register.note(&Residue::Cgroup(place.folder().to_owned()))?;
        if let Group::V1 { cpu: Some(cpu), .. } = &place {
            self.register.note(&Residue::Cgroup(cpu.clone()))?;
        }
        OwnGroup::create(place, limit, throttled).map(Some)
    }

    /// The folder of the target's data, where the scenario asks for one.
    fn data(&self, index: usize) -> Result<Option<DataFolder>, String> {
        let target = &self.recipe.plan.target;
        if !target.durable {
            return Ok(None);
        }
        let path = self.folder.path(&format!("data-{index:03}"));
        DataFolder::make(&self.register, &path, target.data_volume.map(|bytes| bytes.0)).map(Some)
    }
}

/// A running child.
struct ProcessTarget(Arc<Core>);

/// The child, and all that belongs to it.
struct Core {
    recipe: Arc<Recipe>,
    variant: Variant,
    place: Place,
    access: Access,
    reach: Reach,
    cgroup: Option<OwnGroup>,
    kernel_log: Mutex<KernelLog>,
    log: Log,
    /// The life that it leads now.
    lives: watch::Sender<Arc<Life>>,
    /// Goes last: the child has its files open in it.
    _data: Option<DataFolder>,
}

impl Core {
    fn life(&self) -> Arc<Life> {
        Arc::clone(&self.lives.borrow())
    }

    /// What is known of its end. Without a limit of its own, only the machine can have run out.
    fn evidence(&self, pid: u32, by_sigkill: bool) -> Evidence {
        let kernel = self.kernel_log.lock().unwrap_or_else(PoisonError::into_inner).kills().map(<[_]>::to_vec);
        let group = self.cgroup.as_ref().map(OwnGroup::group);
        Evidence {
            pid,
            cgroup: group.map(Group::name),
            container: None,
            limit_bytes: self.cgroup.as_ref().and_then(OwnGroup::limit_bytes),
            by_sigkill,
            kernel,
            counted: group.map_or(Some(0), Group::oom_kills),
            docker: None,
        }
    }
}

#[async_trait]
impl Levers for Core {
    fn reach(&self) -> &Reach {
        &self.reach
    }

    fn main_pid(&self) -> Option<u32> {
        Some(self.life().pid)
    }

    fn group(&self) -> Option<Group> {
        self.cgroup.as_ref().map(|cgroup| cgroup.group().clone())
    }

    async fn end(&self, by: EndBy) -> Result<String, String> {
        let life = self.life();
        life.want_end();
        Ok(life.end(if by == EndBy::Kill { Ask::Kill } else { Ask::End }).await)
    }

    async fn begin_again(&self) -> Result<(), String> {
        let life = self.recipe.begin(&self.place, &self.variant, self.cgroup.as_ref(), &self.log)?;
        self.access.probe.watch(Watched { pid: Some(life.pid), group: self.group() });
        self.lives.send_replace(Arc::new(life));
        Ok(())
    }
}

#[async_trait]
impl Target for ProcessTarget {
    fn pid(&self) -> u32 {
        self.0.life().pid
    }

    fn client(&self) -> Arc<dyn Client> {
        Arc::<FlightClient>::clone(&self.0.access.client)
    }

    fn control(&self) -> Arc<dyn Control> {
        Arc::<HttpControl>::clone(&self.0.access.control)
    }

    fn probe(&self) -> Arc<dyn Probe> {
        Arc::<TargetProbe>::clone(&self.0.access.probe)
    }

    async fn inject(&self, injection: &Injection) -> Result<Box<dyn Guard>, String> {
        let levers: Arc<dyn Levers> = Arc::<Core>::clone(&self.0);
        fault::inject(&levers, injection).await
    }

    async fn condition(&self) -> Vec<Reading> {
        fault::condition(self.0.as_ref())
    }

    fn load_is_held(&self) -> bool {
        self.0.reach.load_is_held()
    }

    async fn ended(&self) -> Ending {
        let mut lives = self.0.lives.subscribe();
        let (pid, how) = loop {
            let life = Arc::clone(&lives.borrow_and_update());
            let how = life.ended().await;
            if !life.end_is_wanted() {
                break (life.pid, how);
            }
            // A fault ended it, and begins the next.
            if lives.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let oom = self.0.evidence(pid, how == format!("signal {SIGKILL}")).conclude();
        Ending { how, last_lines: self.0.log.last_lines(), oom, living: 0, lost: false }
    }

    async fn stop(&self) {
        let life = self.0.life();
        life.want_end();
        life.end(Ask::End).await;
    }
}
