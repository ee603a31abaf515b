//! Thresholds with windows, as alerting rules have them: a level that is exceeded, and for how long before somebody is called.
//!
//! The semantics are Prometheus': a rule is *pending* from the first sample above the threshold, *firing* once it has been so at every sample for the whole of `for`, and over with the
//! first sample that is not above (<https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/>). A gap longer than `stale_s` ends it as well: what was not read does not go on.

/// A rule: more than this, for so long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// In the unit of the values; equal is not above.
    pub above: f64,
    /// Seconds; 0 fires at once.
    pub for_s: f64,
    /// A gap longer than this ends what was pending, in seconds.
    pub stale_s: f64,
}

/// A stretch in which a rule fired.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Firing {
    /// When it began to be above, in seconds.
    pub pending_s: f64,
    /// When it began to fire.
    pub from_s: f64,
    /// The last sample at which it fired.
    pub to_s: f64,
}

/// Every stretch in which the rule fires. Times ascend, in seconds.
pub fn firings(times_s: &[f64], values: &[f64], rule: Rule) -> Vec<Firing> {
    let mut firings = Vec::new();
    let mut pending: Option<(f64, f64)> = None;
    let mut firing: Option<Firing> = None;
    for (time, value) in times_s.iter().zip(values) {
        let is_stale = pending.is_some_and(|(_, last)| time - last > rule.stale_s);
        let is_above = *value > rule.above;
        if is_stale || !is_above {
            pending = None;
            firings.extend(firing.take());
        }
        if is_above {
            let since = pending.map_or(*time, |(since, _)| since);
            pending = Some((since, *time));
            if time - since >= rule.for_s {
                let from_s = firing.map_or(*time, |firing| firing.from_s);
                firing = Some(Firing { pending_s: since, from_s, to_s: *time });
            }
        }
    }
    firings.extend(firing);
    firings
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule { above: 0.8, for_s: 30.0, stale_s: 60.0 };

    fn fired(values: &[f64]) -> Vec<[f64; 3]> {
        let times: Vec<f64> = (0..values.len()).map(|i| i as f64 * 10.0).collect();
        firings(&times, values, RULE).iter().map(|one| [one.pending_s, one.from_s, one.to_s]).collect()
    }

    #[test]
    fn it_fires_after_its_window_and_not_before() {
        assert_eq!(fired(&[0.9, 0.9, 0.9]), Vec::<[f64; 3]>::new(), "20 s are fewer than 30");
        assert_eq!(fired(&[0.5, 0.9, 0.9, 0.9, 0.9, 0.9, 0.5]), [[10.0, 40.0, 50.0]]);
        assert_eq!(fired(&[0.9, 0.9, 0.9, 0.8, 0.9, 0.9, 0.9, 0.9]), [[40.0, 70.0, 70.0]], "equal is not above");
        assert_eq!(fired(&[0.9, 0.9, f64::NAN, 0.9, 0.9, 0.9, 0.9]), [[30.0, 60.0, 60.0]]);
    }

    #[test]
    fn what_was_not_read_does_not_go_on() {
        let times = [0.0, 10.0, 100.0, 110.0, 120.0, 130.0];
        let found = firings(&times, &[0.9; 6], RULE);
        assert_eq!(found, [Firing { pending_s: 100.0, from_s: 130.0, to_s: 130.0 }]);
        let at_once = firings(&times, &[0.1, 0.9, 0.1, 0.9, 0.9, 0.1], Rule { for_s: 0.0, ..RULE });
        assert_eq!(at_once.len(), 2);
    }
}
