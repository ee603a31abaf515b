//! Stop conditions: what ends a run safely, whatever its verdict.

use std::time::Duration;

use soak_scenario::Stop;
use soak_scenario::units::Bytes;
use tokio::time::{Instant, sleep};

/// How often the machine is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Fewer operations have no rate of errors worth stopping for.
const OPERATIONS_MIN: u64 = 50;

/// Waits until the machine has too little memory, or the variant has taken too long; tells which.
pub(crate) async fn reached(stop: &Stop, began: Instant) -> String {
    loop {
        if let Some(after) = stop.after.filter(|after| began.elapsed() >= after.0) {
            return format!("the variant has taken {after} (stop.after)");
        }
        if let Some(available) = available().filter(|available| *available < stop.host_memory_below) {
            let least = stop.host_memory_below;
            return format!(
                "the machine has {available} of memory available, less than {least} (stop.host_memory_below)"
            );
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Why operations that fail end the run; `None` where they do not.
pub(crate) fn too_many_errors(stop: &Stop, ended_well: u64, errors: u64) -> Option<String> {
    let all = ended_well + errors;
    let most = stop.error_rate_above.filter(|_| all >= OPERATIONS_MIN)?;
    let share = errors as f64 / all as f64;
    (share > most.0)
        .then(|| format!("{:.0} % of {all} operations failed, more than {most} (stop.error_rate_above)", share * 100.0))
}

/// Memory that the machine has available.
fn available() -> Option<Bytes> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok().map(|kib: u64| Bytes(kib << 10))
}

#[cfg(test)]
mod tests {
    use super::*;
    use soak_scenario::units::Share;

    #[test]
    fn a_few_errors_stop_nothing() {
        let stop = Stop { error_rate_above: Some(Share(0.5)), ..Stop::default() };
        assert!(too_many_errors(&stop, 10, 30).is_none(), "too few to tell");
        assert!(too_many_errors(&stop, 50, 40).is_none());
        assert!(too_many_errors(&stop, 40, 60).is_some());
        assert!(too_many_errors(&Stop::default(), 0, 1000).is_none(), "nothing was asked for");
    }
}
