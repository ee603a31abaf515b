//! The memory limit, lowered as an operator's mistake would lower it, or raised as the runbook's first response does; and put back.

use std::path::PathBuf;

use async_trait::async_trait;
use soak_scenario::Injection;
use soak_scenario::units::Bytes;

use super::{Changes, Evidence, Guard, Levers};
use crate::driver::{Controller, Group};

const MIB: f64 = 1_048_576.0;

/// Changes the limit of the target's control group.
///
/// Version 1 refuses a limit below what cannot be reclaimed (EBUSY) and kills nobody; version 2 reclaims, and then kills.
pub(super) fn inject(levers: &dyn Levers, injection: &Injection) -> Result<Box<dyn Guard>, String> {
    let group = levers.own_group(Controller::Memory)?;
    let before = group.limit_bytes().ok_or("the target's control group has no memory limit")?;
    let wanted = match injection {
        Injection::LimitShrink { to } => (before as f64 * to.0) as u64,
        Injection::RaiseLimit { by } => before.saturating_add(by.0),
        _ => return Err(format!("{} is no change of a limit", injection.name())),
    };
    let mut changes = Changes::new(levers.reach().world.clone());
    let mut files = files(&group, wanted);
    if wanted > before {
        // Memory may never be above memory and swap together: that one is raised first.
        files.reverse();
    }
    for (path, value) in files {
        changes.set(&path, &value).map_err(|why| refused(&group, wanted, &why))?;
    }
    Ok(Box::new(Limit { changes, group, before, wanted }))
}

/// Why a limit could not be set. A kernel refuses one that is below what it can reclaim to.
fn refused(group: &Group, wanted: u64, why: &str) -> String {
    let held =
        group.values().into_iter().find_map(|(name, value)| (name == "cgroup_working_set_bytes").then_some(value));
    let limit = Bytes(wanted).as_f64() / MIB;
    match held {
        Some(held) if held > Bytes(wanted).as_f64() => format!(
            "a limit of {limit:.0} MiB is too low for what the target holds now: {:.0} MiB that the kernel could not take back",
            held / MIB
        ),
        _ => format!("the limit cannot be set to {limit:.0} MiB: {why}"),
    }
}

/// The files of a limit, in the order in which it is lowered.
fn files(group: &Group, bytes: u64) -> Vec<(PathBuf, String)> {
    let bytes = bytes.to_string();
    match group {
        Group::V1 { memory, .. } => {
            let swap = memory.join("memory.memsw.limit_in_bytes");
            // A kernel without swap accounting has no such file.
            let swap = swap.is_file().then_some(swap);
            std::iter::once(memory.join("memory.limit_in_bytes"))
                .chain(swap)
                .map(|path| (path, bytes.clone()))
                .collect()
        }
        Group::V2(path) => vec![(path.join("memory.max"), bytes)],
    }
}

struct Limit {
    changes: Changes,
    group: Group,
    before: u64,
    wanted: u64,
}

#[async_trait]
impl Guard for Limit {
    async fn evidence(&mut self) -> Evidence {
        let now = self.group.limit_bytes();
        // The kernel rounds to pages.
        let took_place = now.is_some_and(|now| now.abs_diff(self.wanted) <= 64 << 10);
        let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
        let words = match now {
            Some(now) => {
                format!("the limit was {:.0} MiB and is {:.0} MiB, as the kernel has it", mib(self.before), mib(now))
            }
            None => "the limit cannot be read any more".to_owned(),
        };
        let figures = [("limit_before_bytes", Some(self.before)), ("limit_bytes", now)];
        let figures = figures.into_iter().filter_map(|(name, value)| Some((name, value? as f64))).collect();
        Evidence { took_place, words, figures }
    }

    async fn heal(mut self: Box<Self>) -> Result<(), String> {
        self.changes.heal()
    }
}
