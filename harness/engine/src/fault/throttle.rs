//! Less processor time than the target is used to.

use async_trait::async_trait;

use super::{Changes, Evidence, Guard, Levers};
use crate::driver::{Controller, Group};

/// The kernel's usual period of a quota, in microseconds.
const PERIOD_US: f64 = 100_000.0;

/// The kernel takes no smaller quota, in microseconds.
const QUOTA_MIN_US: f64 = 1_000.0;

/// Gives the target's control group this share of one processor.
pub(super) fn inject(levers: &dyn Levers, share: f64) -> Result<Box<dyn Guard>, String> {
    let group = levers.own_group(Controller::Processor)?;
    let quota = (share * PERIOD_US).max(QUOTA_MIN_US) as u64;
    let mut changes = Changes::new(levers.reach().world.clone());
    let (path, value) = match &group {
        Group::V1 { cpu: Some(cpu), .. } => (cpu.join("cpu.cfs_quota_us"), quota.to_string()),
        Group::V1 { cpu: None, .. } => return Err("the target is in no control group of the cpu controller".to_owned()),
        Group::V2(path) => (path.join("cpu.max"), format!("{quota} {PERIOD_US:.0}")),
    };
    let throttled_before_s = throttled(&group);
    changes.set(&path, &value).map_err(|why| format!("the processor quota cannot be set: {why}"))?;
    Ok(Box::new(Throttle { changes, group, share, throttled_before_s }))
}

/// For how long the kernel has throttled the group, in seconds.
fn throttled(group: &Group) -> Option<f64> {
    group.values().into_iter().find(|(name, _)| *name == "cgroup_throttled_seconds_total").map(|(_, value)| value)
}

struct Throttle {
    changes: Changes,
    group: Group,
    share: f64,
    throttled_before_s: Option<f64>,
}

#[async_trait]
impl Guard for Throttle {
    async fn evidence(&mut self) -> Evidence {
        let seconds = throttled(&self.group).zip(self.throttled_before_s).map(|(now, before)| (now - before).max(0.0));
        let took_place = seconds.is_some_and(|seconds| seconds > 0.0);
        let words = match seconds {
            Some(seconds) => format!(
                "at {:.0} % of a processor the kernel throttled the target for {seconds:.2} s",
                self.share * 100.0
            ),
            None => "the kernel does not tell for how long it throttled".to_owned(),
        };
        Evidence {
            took_place,
            words,
            figures: seconds.map(|seconds| ("throttled_seconds", seconds)).into_iter().collect(),
        }
    }

    async fn heal(mut self: Box<Self>) -> Result<(), String> {
        self.changes.heal()
    }
}
