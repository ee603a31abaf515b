//! The container driver: a container for each variant, its ports published on 127.0.0.1 alone, removed with all that belongs to it.

mod create;
mod replicas;
mod watch;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use soak_record::{RunFolder, file};
use soak_scenario::units::Limit;
use soak_scenario::{ContainerLaunch, Plan, Ports, Variant};
use testcontainers::bollard::Docker;
use testcontainers::bollard::query_parameters::StopContainerOptionsBuilder;
use testcontainers::{ContainerAsync, GenericImage};
use tokio::sync::watch::Receiver;

use super::access::{Access, Addrs};
use super::cgroup::Group;
use super::control::HttpControl;
use super::docker;
use super::logs::Log;
use super::probe::{TargetProbe, Watched};
use crate::client::FlightClient;
use crate::oom::kernel_log::KernelLog;
use crate::oom::{Evidence, OutOfMemory};
use crate::residue::{Register, Residue};
use crate::target::{Client, Control, Driver, Ending, Probe, StartError, Target};
pub(super) use create::{is_of, name_and_tag};
use replicas::Replicas;
use watch::Exit;

/// How long a container may take to end when it is asked to.
const GRACE_S: i32 = 5;

/// The kernel's line about a kill may come after Docker has told of the end.
const WORDS_WITHIN: Duration = Duration::from_secs(2);
const WORDS_EVERY: Duration = Duration::from_millis(50);

/// Removing a container takes Docker a second or two.
const REMOVED_WITHIN: Duration = Duration::from_secs(30);

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
pub struct Image(Docker);

impl Image {
    /// Builds, finds or pulls the image. An error says what a person can do about it.
    pub async fn provide(launch: &ContainerLaunch) -> Result<Self, ImageError> {
        let docker = docker::connect().await.map_err(ImageError::Docker)?;
        let provided = docker::provide(&docker, &launch.image, launch.build.as_deref()).await;
        provided.map(|()| Self(docker)).map_err(ImageError::Image)
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
        Self { plan, launch, folder, run, register, docker: image.0 }
    }

    async fn start_container(&self, index: usize, replica: u32, variant: &Variant) -> Result<ContainerTarget, String> {
        let name = if self.launch.replicas > 1 {
            format!("{index:03}-{replica}-target.log")
        } else {
            format!("{index:03}-target.log")
        };
        let log_path = self.folder.path(file::ARTIFACTS).join(name);
        let log = Log::create(&log_path).map_err(|error| format!("cannot make {}: {error}", log_path.display()))?;
        let kernel_log = KernelLog::open();
        self.register.note(&Residue::Containers(docker::address()))?;
        let container = Held::of(create::start(self, index, variant).await?, self.docker.clone());
        let state = create::inspect(&self.docker, &container.id, self.launch.ports).await?;
        // A container that has ended already has no ports; its end is told in a moment. Nobody listens on port 0.
        let addrs = Addrs::published(state.published.unwrap_or(Ports { data: 0, meta: 0, http: 0 }));
        let group = state.pid.and_then(Group::of_process);
        let access = Access::new(&self.plan, variant, addrs, Watched { pid: state.pid, group: group.clone() });
        let exit = watch::follow(self.docker.clone(), container.id.clone(), log.clone());
        let limit_bytes = match variant.knobs.memory_limit {
            Limit::At(bytes) => Some(bytes.0),
            Limit::Off => None,
        };
        let about = About { pid: state.pid.unwrap_or(0), group, limit_bytes };
        Ok(ContainerTarget { about, access, container, kernel_log: Mutex::new(kernel_log), log, exit })
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

/// What was read of a container while it lived.
#[derive(Debug)]
struct About {
    /// Its main process on this machine; 0 where it is on another.
    pid: u32,
    group: Option<Group>,
    limit_bytes: Option<u64>,
}

/// A running container.
struct ContainerTarget {
    about: About,
    access: Access,
    container: Held,
    kernel_log: Mutex<KernelLog>,
    log: Log,
    exit: Receiver<Option<Exit>>,
}

impl ContainerTarget {
    fn oom(&self, exit: &Exit) -> Option<OutOfMemory> {
        let kernel = self.kernel_log.lock().unwrap_or_else(PoisonError::into_inner).kills().map(<[_]>::to_vec);
        let evidence = Evidence {
            pid: self.about.pid,
            cgroup: self.about.group.as_ref().map(Group::name),
            container: Some(self.container.id.clone()),
            limit_bytes: self.about.limit_bytes,
            by_sigkill: exit.by_sigkill(),
            kernel,
            counted: self.about.group.as_ref().and_then(Group::oom_kills),
            docker: Some(exit.docker),
        };
        evidence.conclude()
    }
}

#[async_trait]
impl Target for ContainerTarget {
    fn pid(&self) -> u32 {
        self.about.pid
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
        let mut exit = self.exit.clone();
        let exit = exit.wait_for(Option::is_some).await.ok().and_then(|exit| exit.clone()).unwrap_or_default();
        let mut oom = self.oom(&exit);
        // A kill that only Docker knows of may be one whose line has not come yet.
        let waiting = tokio::time::Instant::now();
        while exit.by_sigkill()
            && oom.as_ref().is_none_or(|oom| oom.scope == soak_record::OomScope::Unknown)
            && waiting.elapsed() < WORDS_WITHIN
        {
            tokio::time::sleep(WORDS_EVERY).await;
            oom = self.oom(&exit);
        }
        Ending { how: exit.how(), last_lines: self.log.last_lines(), oom, living: 0, lost: exit.is_lost() }
    }

    async fn stop(&self) {
        let removed = async {
            self.container.stop().await;
            let mut exit = self.exit.clone();
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
