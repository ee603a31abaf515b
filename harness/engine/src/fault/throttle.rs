//! Less processor time than the target is used to.

use async_trait::async_trait;

use super::{Changes, Evidence, Guard, Levers};
use crate::driver::{Controller, Group};

/// The kernel's usual period of a quota, in microseconds; others can be set.
const USUAL_PERIOD_US: f64 = 100_000.0;

/// The kernel takes no smaller quota, in microseconds.
const QUOTA_MIN_US: f64 = 1_000.0;

/// Gives the target's control group this share of one processor.
pub(super) fn inject(levers: &dyn Levers, share: f64) -> Result<Box<dyn Guard>, String> {
    let group = levers.own_group(Controller::Processor)?;
    let world = &levers.reach().world;
    let mut changes = Changes::new(world.clone());
    let (path, value) = match &group {
        Group::V1 { cpu: Some(cpu), .. } => {
            let (quota, _) = quota(world.read(&cpu.join("cpu.cfs_period_us")).ok().as_deref(), share);
            (cpu.join("cpu.cfs_quota_us"), quota.to_string())
        }
        Group::V1 { cpu: None, .. } => return Err("the target is in no control group of the cpu controller".to_owned()),
        Group::V2(path) => {
            let path = path.join("cpu.max");
            let (quota, period) = quota(world.read(&path).ok().as_deref(), share);
            (path, format!("{quota} {period}"))
        }
    };
    let throttled_before_s = throttled(&group);
    changes.set(&path, &value).map_err(|why| format!("the processor quota cannot be set: {why}"))?;
    Ok(Box::new(Throttle { changes, group, share, throttled_before_s }))
}

/// The quota of this share, and the period that it is of, both in microseconds. The period comes last in its file: alone in version 1, after the quota of
/// now in version 2.
fn quota(file: Option<&str>, share: f64) -> (u64, u64) {
    let period = file.and_then(|text| text.split_whitespace().next_back()?.parse().ok()).unwrap_or(USUAL_PERIOD_US);
    ((share * period).max(QUOTA_MIN_US) as u64, period as u64)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_a_share_of_the_period_that_is_set() {
        assert_eq!(quota(Some("50000"), 0.2), (10_000, 50_000));
        assert_eq!(quota(Some("max 100000"), 0.2), (20_000, 100_000));
        assert_eq!(quota(Some("400000 200000"), 0.5), (100_000, 200_000));
        assert_eq!(quota(None, 0.2), (20_000, 100_000));
        assert_eq!(quota(Some("10000"), 0.01), (1_000, 10_000), "the kernel takes no smaller one");
    }
}
