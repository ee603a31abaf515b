//! The attach driver: what runs already is loaded and watched, and never started, stopped or limited.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use soak_record::{RunFolder, file};
use soak_scenario::{Attach, AttachTo, Plan, Ports, Variant};
use testcontainers::bollard::models::PortBinding;

use super::access::{Access, Addrs};
use super::build;
use super::cgroup::{Controller, Group};
use super::container::is_of;
use super::docker;
use super::probe::Watched;
use super::reached::{Driven, Reached};
use crate::fault::{EndBy, Levers, Reach};
use crate::residue::Register;
use crate::sampler::proc;
use crate::target::{Driver, Ending, StartError, Target};

/// How often a process that is not a child is looked at.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(100);

/// Finds a running target.
#[derive(Debug)]
pub struct AttachDriver {
    plan: Plan,
    attach: Attach,
    folder: RunFolder,
    run: String,
    register: Register,
}

impl AttachDriver {
    /// A driver for what runs already.
    pub fn new(attach: Attach, plan: Plan, folder: RunFolder, run: String, register: Register) -> Self {
        Self { plan, attach, folder, run, register }
    }

    /// Its main process, where it is on this machine, and the ports that it listens on itself.
    async fn find(&self) -> Result<(Option<u32>, Ports), String> {
        let ports = Addrs::from(&self.attach).ports();
        match &self.attach.to {
            AttachTo::Endpoints => Ok((None, ports)),
            AttachTo::Pid(pid) if proc::started_ticks(*pid).is_some() => Ok((Some(*pid), ports)),
            AttachTo::Pid(pid) => Err(format!("there is no process {pid} to attach to")),
            AttachTo::Container(name) => {
                let docker = docker::connect().await?;
                let found = docker.inspect_container(name, None).await;
                let found = found
                    .map_err(|error| format!("cannot attach to the container {name}: {}", docker::in_words(&error)))?;
                let (state, id) = (found.state, found.id.unwrap_or_default());
                let bindings = found.network_settings.and_then(|settings| settings.ports).unwrap_or_default();
                let inside = Ports {
                    data: inside(&bindings, ports.data),
                    meta: inside(&bindings, ports.meta),
                    http: inside(&bindings, ports.http),
                    metrics: ports.metrics.map(|port| inside(&bindings, port)),
                    profile: ports.profile.map(|port| inside(&bindings, port)),
                };
                let pid = state.and_then(|state| state.pid).and_then(|pid| u32::try_from(pid).ok());
                match pid.filter(|pid| *pid > 0) {
                    None => Err(format!("the container {name} does not run")),
                    // On another machine only its endpoints can be reached.
                    Some(pid) => Ok((Some(pid).filter(|pid| is_of(*pid, &id)), inside)),
                }
            }
        }
    }
}

#[async_trait]
impl Driver for AttachDriver {
    async fn start(&self, _index: usize, variant: &Variant) -> Result<Arc<dyn Target>, StartError> {
        let (pid, inside) = self.find().await.map_err(StartError)?;
        let group = pid.and_then(Group::of_process);
        let watched = Watched { pid, group: group.clone() };
        let access =
            Access::new(&self.plan, (&self.run, variant), (&self.attach).into(), watched).await.map_err(StartError)?;
        let reach = access.reach(&self.run, &self.register, self.folder.path(file::ARTIFACTS), None);
        let build = match pid {
            Some(pid) => build::of_process(pid).await,
            None => None,
        };
        let reach = Reach { build, inside, ..reach };
        let started = pid.and_then(proc::started_ticks);
        let in_container = matches!(self.attach.to, AttachTo::Container(_));
        Ok(Arc::new(Reached(Arc::new(Core { pid, started, group, in_container, access, reach }))))
    }
}

/// The port inside a container that is published as a port of this machine. A container without a network of its own has the same.
fn inside(bindings: &HashMap<String, Option<Vec<PortBinding>>>, port: u16) -> u16 {
    let port_text = port.to_string();
    let is_published = |bound: &PortBinding| bound.host_port.as_ref() == Some(&port_text);
    let published = bindings.iter().find(|(_, bound)| bound.iter().flatten().any(is_published));
    published.and_then(|(name, _)| name.split('/').next()?.parse().ok()).unwrap_or(port)
}

/// Something that runs already.
struct Core {
    pid: Option<u32>,
    started: Option<u64>,
    group: Option<Group>,
    /// Whether its group is its container's, and with it all that runs there.
    in_container: bool,
    access: Access,
    reach: Reach,
}

#[async_trait]
impl Levers for Core {
    fn reach(&self) -> &Reach {
        &self.reach
    }

    fn main_pid(&self) -> Option<u32> {
        // Once it has ended its number may be another's.
        self.pid.filter(|pid| proc::started_ticks(*pid) == self.started)
    }

    fn group(&self) -> Option<Group> {
        self.main_pid().and_then(|_| self.group.clone())
    }

    fn refuse_shared(&self, group: &Group, controller: Controller) -> Result<(), String> {
        group.refuse_shared(controller, self.pid.filter(|_| !self.in_container))
    }

    async fn end(&self, _by: EndBy) -> Result<String, String> {
        Err("what runs already is never stopped".to_owned())
    }

    async fn begin_again(&self) -> Result<(), String> {
        Err("what runs already is never started".to_owned())
    }
}

#[async_trait]
impl Driven for Core {
    fn access(&self) -> &Access {
        &self.access
    }

    async fn ended(&self) -> Ending {
        match self.pid {
            Some(pid) => {
                while proc::started_ticks(pid) == self.started {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
            // Of endpoints alone, only calls that fail tell an end.
            None => std::future::pending().await,
        }
        Ending {
            how: "an end that only its parent knows".to_owned(),
            last_lines: Vec::new(),
            oom: None,
            living: 0,
            lost: false,
        }
    }

    async fn stop(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_found_as_the_container_has_them() {
        let bound = |port: &str| PortBinding { host_ip: None, host_port: Some(port.to_owned()) };
        let bindings = HashMap::from([
            ("3000/tcp".to_owned(), Some(vec![bound("32768"), bound("32769")])),
            ("9090/tcp".to_owned(), None),
        ]);
        assert_eq!((inside(&bindings, 32769), inside(&bindings, 9090)), (3000, 9090));
    }
}
