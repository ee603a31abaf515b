//! Faults: something injected, shown to have taken place, and healed on every way out. One file for each family.

mod change;
mod disk;
mod leak;
mod left;
mod levers;
mod limit;
mod network;
mod noted;
mod pause;
pub mod pressure;
mod protocol;
mod reading;
mod remedy;
mod restart;
mod support;
mod throttle;

use async_trait::async_trait;
use soak_scenario::Injection;

use crate::residue::Residue;

pub(crate) use change::{Changes, Kernel, World, kernel, still_changed, take_back};
pub(crate) use left::{drop_at, listens, still_there};
pub(crate) use levers::{EndBy, Levers, Reach};
pub(crate) use network::Proxy;
pub(crate) use reading::condition;
pub use support::refusals;

/// What shows that a fault took place.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Evidence {
    /// Whether it did.
    pub took_place: bool,
    /// In words, with the numbers: `limit 512 MiB → 307 MiB, as the kernel has it`.
    pub words: String,
    /// The numbers by name, with the unit last in the name: `limit_bytes`.
    pub figures: Vec<(&'static str, f64)>,
}

/// A fault that is on. Dropping it heals what this process holds; what outlives the process is in the register.
#[async_trait]
pub trait Guard: Send {
    /// What shows now that it takes place. Asked at the end of the hold, before it is healed.
    async fn evidence(&mut self) -> Evidence;
    /// Takes it back; returns when nothing of it is left. An error says what is left, and what a person can do.
    async fn heal(self: Box<Self>) -> Result<(), String>;
}

/// Injects a fault into a target of this machine. An error says why it cannot be; nothing is left of it then.
pub(crate) async fn inject(
    levers: &std::sync::Arc<dyn Levers>,
    injection: &Injection,
) -> Result<Box<dyn Guard>, String> {
    match injection {
        Injection::LimitShrink { .. } | Injection::RaiseLimit { .. } => limit::inject(levers.as_ref(), injection),
        Injection::CpuThrottle { to } => throttle::inject(levers.as_ref(), to.0),
        Injection::Pause => pause::inject(levers.as_ref()),
        Injection::Kill => restart::inject(levers, EndBy::Kill).await,
        Injection::Restart => restart::inject(levers, EndBy::Asking).await,
        Injection::Balloon { .. } | Injection::PageCache { .. } | Injection::Tmpfs { .. } => {
            pressure::inject(levers.as_ref(), injection).await
        }
        Injection::DiskFull => disk::inject(levers.as_ref()).await,
        Injection::LeakMemory { .. } | Injection::LeakTasks { .. } => leak::inject(levers.as_ref(), injection).await,
        Injection::StopLoad => remedy::stop_load(levers.as_ref()),
        Injection::ForceCompaction => remedy::ask(levers.as_ref(), remedy::COMPACTION),
        Injection::Vacuum => remedy::ask(levers.as_ref(), remedy::VACUUM),
        Injection::ClearCache => remedy::ask(levers.as_ref(), remedy::CACHE),
        Injection::Latency { .. } | Injection::Bandwidth { .. } | Injection::Cut | Injection::Reset => {
            let fault = network::NetworkFault::begin(injection, levers.reach().proxies.clone())?;
            Ok(Box::new(fault))
        }
        _ => {
            let reach = levers.reach();
            let names = protocol::datasets(injection);
            let begun = protocol::inject(injection, reach.planes, &reach.spec, reach.call);
            if names.is_empty() {
                return begun.await;
            }
            let datasets = Residue::Datasets { meta: reach.planes.meta, names, of: levers.process() };
            noted::noted(&reach.register, datasets, begun).await
        }
    }
}
