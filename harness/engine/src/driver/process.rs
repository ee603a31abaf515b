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

use super::access::{Access, Place, arguments, environment};
use super::build;
use super::cgroup::{Group, OwnGroup};
use super::data_folder::DataFolder;
use super::lives::Lives;
use super::logs::Log;
use super::probe::Watched;
use super::reached::{Driven, Reached};
use crate::fault::{EndBy, Levers, Reach};
use crate::oom::Evidence;
use crate::oom::kernel_log::KernelLog;
use crate::residue::{RUN_VARIABLE, Register, Residue};
use crate::target::{Driver, Ending, StartError, Target};
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
    build: build::Known,
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
        // The person's own shell may have set a variable that this variant leaves out.
        for name in self.plan.target.profile.launch.env.keys() {
            command.env_remove(name);
        }
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
        let life = Life::begin(command, log).map_err(|error| {
            let program = self.program.0.display();
            format!(
                "cannot start {program}: {error}; --target process:PATH needs the path of a program that can be run"
            )
        })?;
        if let Some(score) = self.plan.target.oom_score_adj {
            let path = format!("/proc/{}/oom_score_adj", life.pid);
            std::fs::write(&path, score.to_string())
                .map_err(|error| format!("cannot write {score} to {path}: {error}; to lower it needs a right that not every root has (CAP_SYS_RESOURCE)"))?;
        }
        Ok(life)
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
        started.map(|target| Arc::new(Reached(Arc::new(target))) as Arc<dyn Target>).map_err(StartError)
    }
}

impl ProcessDriver {
    /// A driver for this plan; logs go to the run folder's artifacts.
    pub fn new(program: Program, plan: Plan, folder: RunFolder, run: String, register: Register) -> Self {
        Self { recipe: Arc::new(Recipe { program, plan, run }), folder, register, build: build::Known::default() }
    }

    async fn start_process(&self, index: usize, variant: &Variant) -> Result<Core, String> {
        let plan = &self.recipe.plan;
        let program = self.recipe.program.0.clone();
        let build = self.build.of_program(program).await;
        let artifacts = self.folder.path(file::ARTIFACTS);
        let log_path = artifacts.join(format!("{index:03}-target.log"));
        let log = Log::create(&log_path).map_err(|error| format!("cannot make {}: {error}", log_path.display()))?;
        let cgroup = self.cgroup(index, variant)?;
        let data = DataFolder::of(plan, index, &self.folder, &self.register)?;
        let kernel_log = KernelLog::open();
        self.register.note(&Residue::Processes)?;
        let place = Place::of_process(&plan.target.profile, data.as_ref().map(|data| data.path().to_owned()));
        let place = place.map_err(|error| format!("cannot find free ports on 127.0.0.1: {error}"))?;
        let life = self.recipe.begin(&place, variant, cgroup.as_ref(), &log)?;
        let group = cgroup.as_ref().map(|cgroup| cgroup.group().clone());
        let access =
            Access::new(plan, (&self.recipe.run, variant), place.addrs, Watched { pid: Some(life.pid), group }).await?;
        let reach = access.reach(&self.recipe.run, &self.register, artifacts, data.as_ref());
        let reach = Reach { build, ..reach };
        Ok(Core {
            recipe: Arc::clone(&self.recipe),
            variant: variant.clone(),
            place,
            access,
            reach,
            cgroup,
            kernel_log: Mutex::new(kernel_log),
            log,
            lives: Lives::begun(life),
            _data: data,
        })
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
}

/// A running child, and all that belongs to it.
struct Core {
    recipe: Arc<Recipe>,
    variant: Variant,
    place: Place,
    access: Access,
    reach: Reach,
    cgroup: Option<OwnGroup>,
    kernel_log: Mutex<KernelLog>,
    log: Log,
    lives: Lives<Life>,
    /// Goes last: the child has its files open in it.
    _data: Option<DataFolder>,
}

impl Core {
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
        Some(self.lives.now().pid)
    }

    fn group(&self) -> Option<Group> {
        self.cgroup.as_ref().map(|cgroup| cgroup.group().clone())
    }

    async fn end(&self, by: EndBy) -> Result<String, String> {
        let life = self.lives.want_end();
        Ok(life.end(if by == EndBy::Kill { Ask::Kill } else { Ask::End }).await)
    }

    async fn begin_again(&self) -> Result<(), String> {
        let life = self.recipe.begin(&self.place, &self.variant, self.cgroup.as_ref(), &self.log)?;
        self.access.probe.watch(Watched { pid: Some(life.pid), group: self.group() });
        self.lives.begin(life);
        Ok(())
    }
}

#[async_trait]
impl Driven for Core {
    fn access(&self) -> &Access {
        &self.access
    }

    fn log(&self) -> Option<&Log> {
        Some(&self.log)
    }

    async fn ended(&self) -> Ending {
        let (life, how) = self.lives.death().await;
        let oom = self.evidence(life.pid, how == format!("signal {SIGKILL}")).conclude();
        Ending { how, last_lines: self.log.last_lines(), oom, living: 0, lost: false }
    }

    async fn stop(&self) {
        self.lives.want_end().end(Ask::End).await;
    }
}
