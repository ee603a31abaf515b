//! The smallest run of a plan that still goes through everything: to see whether all is wired up, not how the target behaves.

use std::time::Duration;

use crate::calibration::Calibration;
use crate::plan::{Chaos, Plan};
use crate::units::Span;

/// The first cycle is the warm-up, after which comes the idle baseline; the second goes through the same phases once more.
const CYCLES: u32 = 2;

/// Rows put in a cycle, at most.
const ROWS_MAX: u64 = 512;

/// A length of so many milliseconds.
pub(crate) const fn ms(milliseconds: u64) -> Span {
    Span(Duration::from_millis(milliseconds))
}

/// Makes each length no longer than what stands beside it.
pub(crate) fn shorten<const N: usize>(lengths: [(&mut Span, Span); N]) {
    for (length, most) in lengths {
        *length = (*length).min(most);
    }
}

impl Plan {
    /// The first variant for two short cycles, with hardly any data and without faults.
    #[must_use]
    pub fn smoke(mut self) -> Self {
        self.is_smoke = true;
        self.variants.truncate(1);
        self.no_control = Some("a smoke run only shows what is wired up".to_owned());
        (self.faults, self.chaos) = (std::collections::BTreeMap::new(), Chaos::default());
        // It is no use to measure for limits that such a run never comes near.
        self.calibration = Calibration::default();
        for variant in &mut self.variants {
            variant.knobs.drop_relative_limits();
        }
        self.cycle.count = CYCLES;
        self.cycle.at_most = None;
        self.cycle.warm_up = 1;
        shorten([
            (&mut self.cycle.window, ms(300)),
            (&mut self.cycle.settle_at_most, ms(1000)),
            (&mut self.cycle.cold_idle, ms(500)),
            (&mut self.cycle.idle, ms(500)),
            (&mut self.cycle.drain_at_most, ms(2000)),
            (&mut self.workload.query.duration, ms(500)),
            (&mut self.sampling.process, ms(50)),
            (&mut self.sampling.metrics, ms(100)),
            // A target that answers nothing for twice as long is given up.
            (&mut self.deadlines.call, ms(5000)),
        ]);
        for rows in self.workload.vectors_per_cycle.values_mut() {
            *rows = (*rows).min(ROWS_MAX);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use crate::{Pace, Request, builtin_scenarios, load};

    #[test]
    fn every_built_in_scenario_can_be_shrunk() {
        for scenario in builtin_scenarios() {
            for pace in Pace::ALL {
                let request = Request { scenario: scenario.name, pace: Some(pace), ..Request::default() };
                let plan = load(&request).unwrap().plan.smoke();
                assert_eq!((plan.variants.len(), plan.cycle.most()), (1, 2), "{}", scenario.name);
                assert!(plan.faults.is_empty() && plan.due(&plan.variants[0], 1).is_empty(), "{}", scenario.name);
                let longest = plan.cycle.settle_at_most.as_secs_f64() + plan.workload.query.duration.as_secs_f64();
                assert!(longest <= 1.5, "{} {longest}", scenario.name);
            }
        }
    }
}
