//! Rest: collected, settled, and then a window whose median is judged.

use std::time::Duration;

use soak_record::{EventKind, Phase};
use soak_scenario::Plan;
use tokio::time::{Instant, sleep};

use crate::machine::Step;
use crate::variant::Performer;
use crate::variant::StepError;

/// Memory that falls by less than this between the first and the last third of the look-back is at rest.
const FALL_BYTES: f64 = 128.0 * 1024.0;

/// Memory that swings by no more than this, or by this share, is at rest. It may rise within that: a program in Go allocates whenever its metrics page is
/// read, and a leak never rests; what has to be waited for is only what is still on its way back.
const RANGE_BYTES: f64 = 1_048_576.0;
const RANGE_SHARE: f64 = 0.01;

/// Samples of a look-back, at least.
const LEAST_SAMPLES: usize = 5;

/// The shortest look-back: in less a release of two mebibytes a second would look like rest.
const LEAST_LOOK_BACK: Duration = Duration::from_millis(150);

/// A window in which fewer readings were taken than this, or than half of what its length holds, lasts longer.
const LEAST_IN_WINDOW: f64 = 3.0;

/// So many readings are enough of any window, however long: far fewer than the sampler keeps.
const MOST_IN_WINDOW: f64 = 256.0;

/// A window lasts this many times its length at most.
const LONGEST_WINDOW: u32 = 5;

/// Readings of the target's page that a window waits for: ten that a baseline stands on, and one that was under way when it began.
const PAGE_READS: u64 = 11;

/// A window lasts no longer than this for them.
const PAGE_READS_WITHIN: Duration = Duration::from_secs(60);

/// How often rest is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Where the rest is taken, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rest {
    /// Length of the window.
    pub(crate) window: Duration,
    /// Length of the look-back in which memory must not have moved.
    pub(crate) look_back: Duration,
    /// The window starts after this long at the latest.
    pub(crate) at_most: Duration,
}

/// Waits until memory has settled (or the time allowed is over), then through the window, and tells of it. Since when that was, in seconds of the run.
pub(crate) async fn rest(performer: &Performer<'_>, step: Step, rest: Rest) -> f64 {
    let began = Instant::now();
    let began_s = performer.journal.now_s();
    let settled = loop {
        let now_s = performer.journal.now_s();
        let look_back = rest.look_back.as_secs_f64();
        // Only what was read since the phase began, or a look-back would reach into the phase before.
        if now_s - began_s >= look_back && is_settled(&performer.samplers.latest.rss_since(now_s - look_back)) {
            break true;
        }
        if began.elapsed() >= rest.at_most {
            break false;
        }
        sleep(LOOK_EVERY).await;
    };
    window(performer, step, rest.window, settled).await
}

/// Waits through a window and tells of it. A machine that stood still meanwhile has read nothing: then it lasts until enough was read to judge it by. Since when it was.
pub(crate) async fn window(performer: &Performer<'_>, step: Step, length: Duration, settled: bool) -> f64 {
    let latest = &performer.samplers.latest;
    let from_s = performer.journal.now_s();
    let page_reads = latest.page_reads();
    sleep(length).await;
    // Only a page that has been read before can be waited for.
    let most_s = from_s + longest_window(step.phase, length).as_secs_f64();
    if page_reads > 0 && waits_for_pages(step.phase) {
        while latest.page_reads() - page_reads < PAGE_READS && performer.journal.now_s() < most_s {
            sleep(LOOK_EVERY).await;
        }
    }
    if latest.read("rss_anon_bytes").is_some() {
        let needed = needed(length, performer.plan.sampling.process.0);
        while (latest.rss_since(from_s).len() as f64) < needed && performer.journal.now_s() < most_s {
            sleep(LOOK_EVERY).await;
        }
    }
    let to_s = performer.journal.now_s();
    performer.journal.event(EventKind::Window { phase: step.phase, cycle: step.cycle, from_s, to_s, settled });
    from_s
}

/// How long a window of this length lasts at most, in this phase.
pub(crate) fn longest_window(phase: Phase, length: Duration) -> Duration {
    let longest = LONGEST_WINDOW * length;
    if waits_for_pages(phase) { longest.max(PAGE_READS_WITHIN) } else { longest }
}

/// Whether a window of this phase waits for readings of the target's page.
fn waits_for_pages(phase: Phase) -> bool {
    matches!(phase, Phase::Idle | Phase::Drain)
}

/// How many readings a window of this length needs where one is taken so often.
fn needed(length: Duration, every: Duration) -> f64 {
    (0.5 * length.as_secs_f64() / every.as_secs_f64().max(1e-3)).clamp(LEAST_IN_WINDOW, MOST_IN_WINDOW)
}

/// Waits until the tasks are no more than at the idle baseline, then through a window; the dump is taken at its end.
pub(crate) async fn drain(performer: &Performer<'_>, step: Step) -> Result<(), StepError> {
    let cycle = &performer.plan.cycle;
    let baseline = performer.idle_goroutines();
    let began = Instant::now();
    let began_s = performer.journal.now_s();
    let mut drained = false;
    while !drained && began.elapsed() < cycle.drain_at_most.0 {
        sleep(LOOK_EVERY).await;
        let latest = performer.samplers.latest.goroutines().filter(|(at_s, _)| *at_s > began_s);
        drained = match (latest, baseline) {
            (Some((_, count)), Some(baseline)) => count <= baseline,
            // Nothing tells: then nothing is waited for.
            (_, None) => true,
            (None, Some(_)) => false,
        };
    }
    window(performer, step, cycle.idle.0, drained).await;
    Ok(())
}

/// Whether these values, oldest first, have stopped moving.
fn is_settled(values: &[f64]) -> bool {
    if values.len() < LEAST_SAMPLES {
        return false;
    }
    let third = values.len() / 3;
    let middle = |part: &[f64]| {
        let mut part = part.to_vec();
        part.sort_by(f64::total_cmp);
        part[part.len() / 2]
    };
    let fall = middle(&values[..third]) - middle(&values[values.len() - third..]);
    let most = values.iter().copied().fold(f64::MIN, f64::max);
    let least = values.iter().copied().fold(f64::MAX, f64::min);
    fall <= FALL_BYTES && most - least <= RANGE_BYTES.max(RANGE_SHARE * most)
}

/// Whether this phase ends in a window after settling.
pub(crate) fn of(plan: &Plan, phase: Phase) -> Option<Rest> {
    let cycle = &plan.cycle;
    let window = cycle.window.0;
    let window = match phase {
        Phase::BeforeCompact | Phase::AfterCompact => window / 2,
        Phase::Settle => window,
        _ => return None,
    };
    // Half a sample more than needed, or the sampler's phase would decide.
    let needed = plan.sampling.process.0.mul_f64(LEAST_SAMPLES as f64 + 0.5);
    let look_back = (cycle.window.0 / 2).max(needed).max(LEAST_LOOK_BACK);
    Some(Rest { window, look_back, at_most: cycle.settle_at_most.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: f64 = 1_048_576.0;

    #[test]
    fn a_window_needs_half_of_its_readings_and_never_more_than_are_kept() {
        let ms = Duration::from_millis;
        let all = [(160, 15), (150, 50), (80, 15), (300_000, 15)].map(|(length, every)| needed(ms(length), ms(every)));
        assert_eq!(all.map(|many| many as u64), [5, 3, 3, 256]);
    }

    #[test]
    fn falling_is_not_rest_and_a_small_swing_is() {
        let slow: Vec<f64> = (0..12).map(|at| 100.0 * MIB - f64::from(at) * 0.1 * MIB).collect();
        assert!(!is_settled(&slow), "2 MiB/s at 20 Hz");
        let garbage: Vec<f64> = (0..12).map(|at| 100.0 * MIB + f64::from(at) * 0.05 * MIB).collect();
        assert!(is_settled(&garbage), "a slow rise is not waited out");
        let load: Vec<f64> = (0..12).map(|at| 10.0 * MIB + f64::from(at) * 0.5 * MIB).collect();
        assert!(!is_settled(&load), "a quick one is");
        let swing: Vec<f64> = (0..12).map(|at| 100.0 * MIB + f64::from(at % 2) * 0.9 * MIB).collect();
        assert!(is_settled(&swing));
        assert!(!is_settled(&[MIB; 4]), "too few to tell");
        let mut step = vec![10.0 * MIB; 12];
        step[11] = 14.0 * MIB;
        assert!(!is_settled(&step));
    }
}
