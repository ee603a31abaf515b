//! Which criteria can be asked of a plan's target at all.
//!
//! A server without a Go runtime has no goroutines, and one that compacts nothing reclaims nothing. A threshold for those says nothing about it, so such a
//! criterion is left out of the verdict, and named with the reason wherever the verdict is shown. What a profile does claim and the run did not deliver is
//! another matter: that is inconclusive.

use std::time::Duration;

use crate::fault::Injection;
use crate::launch::Launch;
use crate::plan::Plan;
use crate::units::Limit;

/// A query phase that is shorter shows no growth that anybody tolerates.
const LONG_QUERY: Duration = Duration::from_secs(600);

impl Plan {
    /// Why this criterion cannot be asked of the plan's target; `None` where it can.
    pub fn not_applicable(&self, criterion: &str) -> Option<String> {
        let profile = &self.target.profile;
        let claims =
            |series: &str| (!profile.claims(series)).then(|| format!("the profile {} reads no {series}", profile.name));
        let wants = |has: bool, why: &str| (!has).then(|| why.to_owned());
        match criterion {
            "heap_floor" => claims("heap_bytes"),
            "cache_floor" => claims("cache_bytes"),
            "rss_trend" => wants(self.workload.query.duration.0 >= LONG_QUERY, "no query phase takes ten minutes"),
            "compaction_reclaim" | "compaction_time" => self.no_compaction(),
            "compaction_overdue" => claims("tombstone_bytes").or_else(|| claims("compactions_total")),
            "goroutine_baseline" => claims("goroutines"),
            "leaked_goroutines" => {
                wants(profile.endpoints.leaked_tasks.is_some(), "the profile names no endpoints.leaked_tasks")
            }
            "connection_baseline" => claims("connections"),
            "pending_baseline" => claims("pending_items"),
            "dataset_baseline" => claims("datasets"),
            "metrics_cardinality" => {
                wants(profile.endpoints.metrics.is_some(), "the profile names no endpoints.metrics")
            }
            "node_overhead" => claims("graph_bytes"),
            "log_errors" => {
                wants(!matches!(self.target.launch, Launch::Attach(_)), "what runs already prints somewhere else")
            }
            "heap_goal" => claims("heap_objects_bytes"),
            "unexplained_memory" => wants(self.has_own_cgroup(), "the target runs in no cgroup of its own"),
            "oom_cascade" => wants(self.target.launch.replicas() > 1, "the target has no replicas"),
            "fault_shown" | "fault_recovery" | "first_answer" | "acknowledged_data" | "fault_residue" => {
                wants(!self.faults.is_empty(), "the scenario injects no fault")
            }
            "fault_growth" => {
                let leaks = self.faults.values().any(|fault| matches!(fault.inject, Injection::LeakMemory { .. }));
                wants(leaks, "the scenario injects no leak")
            }
            _ => None,
        }
    }

    /// The criteria that have a threshold and cannot be asked, each with the reason, by name.
    pub fn all_not_applicable(&self) -> Vec<(&str, String)> {
        let reason = |id: &String| self.not_applicable(id);
        self.criteria.keys().filter_map(|id| Some((id.as_str(), reason(id)?))).collect()
    }

    /// Why the target compacts nothing that could be seen; `None` where it may.
    fn no_compaction(&self) -> Option<String> {
        let profile = &self.target.profile;
        if profile.endpoints.compacts() {
            return None;
        }
        if let Some(why) = profile.ignores.get("compaction_interval") {
            return Some(why.clone());
        }
        let by_itself = profile.sets("compaction_interval") || profile.claims("compactions_total");
        (!by_itself).then(|| {
            format!("the profile {} names nothing that compacts, and reads no compactions_total", profile.name)
        })
    }

    /// Whether every variant runs in a cgroup of its own.
    fn has_own_cgroup(&self) -> bool {
        let limited = || self.variants.iter().all(|variant| variant.knobs.memory_limit != Limit::Off);
        matches!(self.target.launch, Launch::Container(_)) || limited()
    }
}
