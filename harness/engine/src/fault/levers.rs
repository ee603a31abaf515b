//! What faults take hold of: the processes, the control group, the addresses and the data of a target.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use soak_scenario::{Endpoints, Ports};

use super::{Proxy, World};
use crate::client::{DataSpec, Planes};
use crate::driver::{Controller, Group};
use crate::residue::{AdminKey, Process, Register};
use crate::sampler::proc;
use crate::side::Side;
use crate::target::Control;

/// How a target is ended that is to be started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndBy {
    /// SIGKILL.
    Kill,
    /// SIGTERM, and SIGKILL only where that does not help.
    Asking,
}

/// The parts of a target that do not change while it lives.
#[derive(Clone)]
pub(crate) struct Reach {
    /// The run's id.
    pub(crate) run: String,
    /// Which build the target is, where that can be told.
    pub(crate) build: Option<String>,
    /// Where what is made is written down.
    pub(crate) register: Register,
    /// What settings are changed in.
    pub(crate) world: Arc<dyn World>,
    /// Where load and faults of the protocol go.
    pub(crate) planes: Planes,
    /// The same as the target itself has it: a container listens on other ports than are published.
    pub(crate) inside: Ports,
    /// What load goes through on its way there; empty where no fault works on the network.
    pub(crate) proxies: Vec<Proxy>,
    /// The admin side.
    pub(crate) http: Side,
    /// Who may ask it, as the profile says: secrets are named in it and not held.
    pub(crate) key: AdminKey,
    /// Its paths.
    pub(crate) endpoints: Endpoints,
    /// What the load puts.
    pub(crate) spec: DataSpec,
    /// The deadline of a call.
    pub(crate) call: Duration,
    /// A folder of the run's for what a fault needs on a disk.
    pub(crate) scratch: PathBuf,
    /// The folder of the target's data on this machine, where it has one.
    pub(crate) data: Option<PathBuf>,
    /// Whether that folder is a volume of its own.
    pub(crate) volume: bool,
    /// Set while the load is to pause.
    pub(crate) hold_load: Arc<AtomicBool>,
    /// How many operations of the load were left out for that, ever.
    pub(crate) held_back: Arc<AtomicU64>,
    /// What the target can be asked.
    pub(crate) control: Arc<dyn Control>,
}

impl Reach {
    /// Whether the load is to pause. Asked before each operation: one that is told so is left out, and counted here.
    pub(crate) fn load_is_held(&self) -> bool {
        let held = self.hold_load.load(Ordering::Relaxed);
        self.held_back.fetch_add(u64::from(held), Ordering::Relaxed);
        held
    }
}

/// A target, as faults take hold of it.
#[async_trait]
pub(crate) trait Levers: Send + Sync {
    /// What does not change while it lives.
    fn reach(&self) -> &Reach;
    /// Its main process; `None` where only its endpoints are known.
    fn main_pid(&self) -> Option<u32>;
    /// Its control group, where it has one of its own.
    fn group(&self) -> Option<Group>;
    /// Ends it, in such a way that its end is not taken for a death; tells how it ended.
    async fn end(&self, by: EndBy) -> Result<String, String>;
    /// Starts it again, on the same addresses and the same data.
    async fn begin_again(&self) -> Result<(), String>;

    /// Its main process, so that another of the same id is not taken for it.
    fn process(&self) -> Option<Process> {
        self.main_pid().and_then(Process::of)
    }

    /// All its processes, the main one first.
    fn processes(&self) -> Vec<u32> {
        self.main_pid().map(proc::family).unwrap_or_default()
    }

    /// Its control group, or why a fault must not lay hold of that.
    fn own_group(&self, controller: Controller) -> Result<Group, String> {
        let group = self.group();
        let group = group.ok_or_else(|| "the target has no control group of its own with a memory limit".to_owned())?;
        self.refuse_shared(&group, controller).map(|()| group)
    }

    /// Says with whom the target shares its control group. One that was made for it is shared with nobody.
    fn refuse_shared(&self, _group: &Group, _controller: Controller) -> Result<(), String> {
        Ok(())
    }
}
