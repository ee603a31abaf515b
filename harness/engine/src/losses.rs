//! What has ended of a target without being asked to, and what that means for its variant.

use soak_record::{EventKind, OomScope, Outcome, Phase};
use soak_scenario::criterion::CASCADE_WITHIN;
use tokio::time::{Instant, sleep_until};

use crate::journal::Journal;
use crate::oom::OutOfMemory;
use crate::target::Ending;

/// The members of a target that have ended. With the first one the variant has failed; the others are watched under load for a while, because one death may bring on the next.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    first: Option<(Instant, Outcome)>,
}

impl Losses {
    /// Tells of an end. Gives the variant's outcome once nothing of the target is left.
    pub(crate) fn add(&mut self, journal: &Journal, phase: Phase, ending: &Ending) -> Option<Outcome> {
        let Ending { how, last_lines, oom, living, lost } = ending;
        if let Some(oom) = oom.clone() {
            let OutOfMemory { scope, limit_bytes, usage_bytes, victim, cgroup, evidence } = oom;
            let phase = Some(phase);
            journal.event(EventKind::Oom { scope, limit_bytes, usage_bytes, victim, cgroup, phase, evidence });
        }
        journal.event(EventKind::TargetDied { how: how.clone(), last_lines: last_lines.clone() });
        let (_, outcome) = self
            .first
            .get_or_insert_with(|| (Instant::now(), if *lost { out_of_sight(how) } else { fate(how, oom.as_ref()) }));
        (*living == 0).then(|| outcome.clone())
    }

    /// Waits until the rest of the target has been watched for long enough; for ever while nothing has ended.
    pub(crate) async fn watched_enough(&self) -> Outcome {
        match &self.first {
            Some((at, outcome)) => {
                sleep_until(*at + CASCADE_WITHIN).await;
                outcome.clone()
            }
            None => std::future::pending().await,
        }
    }

    /// The variant's outcome, if anything has ended.
    pub(crate) fn so_far(&self) -> Option<Outcome> {
        self.first.as_ref().map(|(_, outcome)| outcome.clone())
    }
}

fn out_of_sight(how: &str) -> Outcome {
    Outcome::PlatformFailed { reason: format!("the target was lost sight of: {how}; look whether Docker still runs") }
}

/// What the end of a target means for its variant.
fn fate(how: &str, oom: Option<&OutOfMemory>) -> Outcome {
    let Some(oom) = oom else { return Outcome::TargetFailed { reason: format!("it ended by itself: {how}") } };
    let victim = oom.victim.as_deref().unwrap_or("a process of it");
    let limit = oom
        .limit_bytes
        .map_or_else(|| "its memory limit".to_owned(), |bytes| format!("its memory limit of {bytes} bytes"));
    let reason = match oom.scope {
        OomScope::Target => format!("killed by the kernel at {limit} ({how})"),
        OomScope::Child => format!("it ended: {how}, after the kernel had killed {victim} at {limit}"),
        OomScope::Unknown => {
            format!("it ended: {how}; whether the kernel killed it for memory is unknown: {}", oom.evidence.join("; "))
        }
        OomScope::Host => {
            let whose = oom.cgroup.as_ref().map_or_else(
                || "the machine ran out of memory".to_owned(),
                |group| format!("the limit of {group}, which is not the target's own, was reached"),
            );
            let reason = format!("{whose} and the kernel killed {victim}: give it more, or the target a memory_limit");
            return Outcome::PlatformFailed { reason };
        }
    };
    Outcome::TargetFailed { reason }
}
