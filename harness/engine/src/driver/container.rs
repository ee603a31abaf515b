//! The container driver: a container for each variant, its ports published on 127.0.0.1 alone, removed with all that belongs to it.

mod create;
mod follow;
mod replicas;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use soak_record::{RunFolder, file};
use soak_scenario::units::Limit;
use soak_scenario::{ContainerLaunch, Plan, Ports, Variant};
use testcontainers::bollard::Docker;
use testcontainers::bollard::query_parameters::{KillContainerOptionsBuilder, StopContainerOptionsBuilder};
use testcontainers::{ContainerAsync, GenericImage};
use tokio::sync::watch::Receiver;

use super::access::{Access, Addrs};
use super::cgroup::Group;
use super::data_folder::DataFolder;
use super::docker;
use super::lives::{self, Life as _, Lives};
use super::logs::Log;
use super::probe::Watched;
use super::reached::{Driven, Reached};
use crate::fault::{EndBy, Levers, Reach};
use crate::oom::kernel_log::KernelLog;
use crate::oom::{Evidence, OutOfMemory};
use crate::ports::FreePort;
use crate::residue::{Register, Residue};
use crate::target::{Driver, Ending, StartError, Target};
use create::Host;
pub(crate) use create::is_of;
pub(super) use create::name_and_tag;
use follow::Exit;
use replicas::Replicas;

/// How long a container may take to end when it is asked to.
const GRACE_S: i32 = 5;

/// The kernel's line about a kill may come after Docker has told of the end.
const WORDS_WITHIN: Duration = Duration::from_secs(2);
const WORDS_EVERY: Duration = Duration::from_millis(50);

/// Removing a container takes Docker a second or two.
const REMOVED_WITHIN: Duration = Duration::from_secs(30);

/// Nobody listens there; Docker takes it for any port that is free.
const NOWHERE: Ports = Ports { data: 0, meta: 0, http: 0, metrics: None, profile: None };

/// Starts containers by a plan's profile.
#[derive(Debug)]
pub struct ContainerDriver {
    plan: Plan,
    launch: ContainerLaunch,
    folder: RunFolder,
    run: String,
    register: Register,
    docker: Docker,
}

/// An image that is there, and the Docker that has it.
#[derive(Debug)]
pub struct Image {
    docker: Docker,
}

impl Image {
    /// Builds, finds or pulls the image. An error says what a person can do about it.
    pub async fn provide(launch: &ContainerLaunch) -> Result<Self, ImageError> {
        let docker = docker::connect().await.map_err(ImageError::Docker)?;
        let provided = docker::provide(&docker, &launch.image, launch.build.as_deref()).await;
        provided.map_err(ImageError::Image)?;
        Ok(Self { docker })
    }
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Docker cannot be reached: the machine's doing.
    #[error("{0}")]
    Docker(String),
    /// The image is not there and cannot be made: the command's.
    #[error("{0}")]
    Image(String),
}

impl ContainerDriver {
    /// A driver for this plan; logs go to the run folder's artifacts.
    pub fn new(
        image: Image,
        launch: ContainerLaunch,
        plan: Plan,
        folder: RunFolder,
        run: String,
        register: Register,
    ) -> Self {
        Self { plan, launch, folder, run, register, docker: image.docker }
    }

    async fn start_container(&self, index: usize, replica: u32, variant: &Variant) -> Result<ContainerTarget, String> {
        let name = if self.launch.replicas > 1 {
            format!("{index:03}-{replica}-target.log")
        } else {
            format!("{index:03}-target.log")
        };
        let artifacts = self.folder.path(file::ARTIFACTS);
        let log_path = artifacts.join(name);
        let log = Log::create(&log_path).map_err(|error| format!("cannot make {}: {error}", log_path.display()))?;
        let kernel_log = KernelLog::open();
        let data = DataFolder::of(&self.plan, index, &self.folder, &self.register)?;
        self.register.note(&Residue::Containers(docker::address()))?;
        let (ports, reserved) = self.fixed_ports()?.unzip();
        let host = Host { data: data.as_ref().map(DataFolder::path), ports };
        let container = Held::of(create::start(self, index, variant, &host).await?, self.docker.clone());
        let state = create::inspect(&self.docker, &container.id, self.launch.ports).await?;
        if data.is_some() && state.pid.is_none() && state.published.is_some() {
            return Err(
                "the container runs on another machine, where its data cannot be kept: leave target.durable off"
                    .to_owned(),
            );
        }
        // A container that has ended already has no ports; its end is told in a moment. Nobody listens on port 0.
        let addrs = Addrs::published(state.published.unwrap_or(NOWHERE));
        let group = state.pid.and_then(Group::of_process);
        let access =
            Access::new(&self.plan, (&self.run, variant), addrs, Watched { pid: state.pid, group: group.clone() })
                .await?;
        let reach = access.reach(&self.run, &self.register, artifacts, data.as_ref());
        let reach = Reach { inside: self.launch.ports, build: state.image, ..reach };
        let life = Life::begin(&self.docker, &container.id, &log, state.pid, group);
        let limit_bytes = match variant.knobs.memory_limit {
            Limit::At(bytes) => Some(bytes.0),
            Limit::Off | Limit::OfPeak(_) => None,
        };
        Ok(Reached(Arc::new(Core {
            limit_bytes,
            ports: self.launch.ports,
            access,
            reach,
            container,
            kernel_log: Mutex::new(kernel_log),
            log,
            lives: Lives::begun(life),
            _reserved: reserved.unwrap_or_default(),
            _data: data,
        })))
    }

    /// Ports of this machine for a container that a fault starts again: Docker would publish it on others.
    fn fixed_ports(&self) -> Result<Option<(Ports, Vec<FreePort>)>, String> {
        if !self.plan.faults.values().any(|fault| fault.inject.restarts()) {
            return Ok(None);
        }
        let (free, reserved) = Addrs::free(&self.plan.target.profile)
            .map_err(|error| format!("cannot find free ports on 127.0.0.1: {error}"))?;
        Ok(Some((free.ports(), reserved)))
    }
}

#[async_trait]
impl Driver for ContainerDriver {
    async fn start(&self, index: usize, variant: &Variant) -> Result<Arc<dyn Target>, StartError> {
        if self.launch.replicas <= 1 {
            let started = self.start_container(index, 0, variant).await;
            return started.map(|target| Arc::new(target) as Arc<dyn Target>).map_err(StartError);
        }
        let mut members = Vec::new();
        for replica in 0..self.launch.replicas {
            match self.start_container(index, replica, variant).await {
                Ok(member) => members.push(Arc::new(member)),
                Err(why) => {
                    for member in members {
                        Target::stop(member.as_ref()).await;
                    }
                    return Err(StartError(format!("replica {replica}: {why}")));
                }
            }
        }
        Ok(Arc::new(Replicas::new(&self.plan, variant, members)))
    }
}

/// A running container.
type ContainerTarget = Reached<Core>;

/// The container, and all that belongs to it.
struct Core {
    limit_bytes: Option<u64>,
    /// What it listens on inside.
    ports: Ports,
    access: Access,
    reach: Reach,
    container: Held,
    kernel_log: Mutex<KernelLog>,
    log: Log,
    lives: Lives<Life>,
    /// Its ports of this machine, also while a fault has ended it.
    _reserved: Vec<FreePort>,
    /// Goes last: the container has it mounted.
    _data: Option<DataFolder>,
}

/// A container from its start to its end. A fault may end one life and begin another.
struct Life {
    /// Its main process on this machine; 0 where it is on another.
    pid: u32,
    group: Option<Group>,
    exit: Receiver<Option<Exit>>,
}

impl Life {
    fn begin(docker: &Docker, id: &str, log: &Log, pid: Option<u32>, group: Option<Group>) -> Self {
        let exit = follow::follow(docker.clone(), id.to_owned(), log.clone());
        Self { pid: pid.unwrap_or(0), group, exit }
    }
}

impl lives::Life for Life {
    type End = Exit;

    async fn ended(&self) -> Exit {
        let mut exit = self.exit.clone();
        exit.wait_for(Option::is_some).await.ok().and_then(|exit| exit.clone()).unwrap_or_default()
    }
}

impl Core {
    fn oom(&self, life: &Life, exit: &Exit) -> Option<OutOfMemory> {
        let kernel = self.kernel_log.lock().unwrap_or_else(PoisonError::into_inner).kills().map(<[_]>::to_vec);
        let evidence = Evidence {
            pid: life.pid,
            cgroup: life.group.as_ref().map(Group::name),
            container: Some(self.container.id.clone()),
            limit_bytes: self.limit_bytes,
            by_sigkill: exit.by_sigkill(),
            kernel,
            counted: life.group.as_ref().and_then(Group::oom_kills),
            docker: Some(exit.docker),
        };
        evidence.conclude()
    }
}

#[async_trait]
impl Levers for Core {
    fn reach(&self) -> &Reach {
        &self.reach
    }

    fn main_pid(&self) -> Option<u32> {
        Some(self.lives.now().pid).filter(|pid| *pid > 0)
    }

    fn group(&self) -> Option<Group> {
        self.lives.now().group.clone()
    }

    async fn end(&self, by: EndBy) -> Result<String, String> {
        let life = self.lives.want_end();
        match by {
            EndBy::Kill => {
                let options = KillContainerOptionsBuilder::new().signal("SIGKILL").build();
                let killed = self.container.docker.kill_container(&self.container.id, Some(options)).await;
                killed.map_err(|error| format!("Docker does not kill the container: {}", docker::in_words(&error)))?;
            }
            EndBy::Asking => self.container.stop().await,
        }
        Ok(life.ended().await.how())
    }

    async fn begin_again(&self) -> Result<(), String> {
        let (docker, id) = (&self.container.docker, &self.container.id);
        let started = docker.start_container(id, None).await;
        started.map_err(|error| format!("Docker does not start the container again: {}", docker::in_words(&error)))?;
        let state = create::inspect(docker, id, self.ports).await?;
        let group = state.pid.and_then(Group::of_process);
        self.access.probe.watch(Watched { pid: state.pid, group: group.clone() });
        self.lives.begin(Life::begin(docker, id, &self.log, state.pid, group));
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
        let (life, exit) = self.lives.death().await;
        let mut oom = self.oom(&life, &exit);
        // A kill that only Docker knows of may be one whose line has not come yet.
        let waiting = tokio::time::Instant::now();
        while exit.by_sigkill()
            && oom.as_ref().is_none_or(|oom| oom.scope == soak_record::OomScope::Unknown)
            && waiting.elapsed() < WORDS_WITHIN
        {
            tokio::time::sleep(WORDS_EVERY).await;
            oom = self.oom(&life, &exit);
        }
        Ending { how: exit.how(), last_lines: self.log.last_lines(), oom, living: 0, lost: exit.is_lost() }
    }

    async fn stop(&self) {
        let life = self.lives.want_end();
        let removed = async {
            self.container.stop().await;
            let mut exit = life.exit.clone();
            // Its last words are worth a moment.
            let _ = tokio::time::timeout(WORDS_WITHIN, exit.wait_for(Option::is_some)).await;
            let _ = docker::remove(&docker::address(), &self.container.id).await;
        };
        // What Docker does not remove in time is removed by the watchdog, or by `soak heal`.
        let _ = tokio::time::timeout(REMOVED_WITHIN, removed).await;
    }
}

/// A container that this driver removes, or the watchdog: dropped, it stays. Testcontainers would remove it when it is dropped, and hold up the thread
/// until Docker has done so, however long that takes.
struct Held {
    id: String,
    docker: Docker,
}

impl Held {
    fn of(container: ContainerAsync<GenericImage>, docker: Docker) -> Self {
        let id = container.id().to_owned();
        std::mem::forget(container);
        Self { id, docker }
    }

    /// Asks it to end, and has it killed if it does not. One that has ended, or cannot be asked, is removed all the same.
    async fn stop(&self) {
        let options = StopContainerOptionsBuilder::new().t(GRACE_S).build();
        let _ = self.docker.stop_container(&self.id, Some(options)).await;
    }
}
