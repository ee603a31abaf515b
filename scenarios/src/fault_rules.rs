//! What of a scenario's faults cannot be, or could not show anything: said when the scenario is checked, before anything is touched.

use std::collections::BTreeSet;

use crate::condition::{Against, Watched};
use crate::diagnostic::Diagnostic;
use crate::fault::{Fault, FaultPhase, Injection, Level, recovery_window_s};
use crate::launch::{AttachTo, Launch};
use crate::plan::{Plan, Threshold};
use crate::profile::Protocol;
use crate::tree::Node;
use crate::units::{Bytes, Limit, Per, Size};

/// No program boots or lives under less.
const LIMIT_MIN: Bytes = Bytes::mib(16);

/// A batch is one message, and messages are no larger.
const BATCH_MAX: Bytes = Bytes::mib(2000);

/// No target starts more tasks in a second.
const TASKS_PER_SECOND_MAX: f64 = 100_000.0;

/// Holds a plan's faults against every rule; `removed` are paths whose value was wrong, about which nothing more is said.
pub(crate) fn check(plan: &Plan, root: &Node, removed: &BTreeSet<String>) -> Vec<Diagnostic> {
    if removed.iter().any(|path| path.starts_with("faults") || path.starts_with("matrix")) {
        return Vec::new();
    }
    let mut rules = Rules { plan, root, found: Vec::new() };
    for (name, fault) in &plan.faults {
        rules.target(name, fault);
        rules.memory(name, fault);
        rules.condition(name, fault);
        rules.endpoint(name, fault);
        rules.settings(name, fault);
        rules.watch(name, fault);
    }
    rules.contradictions();
    rules.lots();
    rules.data_volume();
    rules.found
}

struct Rules<'a> {
    plan: &'a Plan,
    root: &'a Node,
    found: Vec<Diagnostic>,
}

impl Rules<'_> {
    fn report(&mut self, path: &str, message: impl Into<String>, expected: impl Into<String>) {
        let keys: Vec<&str> = path.split('.').collect();
        self.found.push(Diagnostic::new(&self.root.origin_of(&keys), message, expected));
    }

    /// The memory limits that variants are run under.
    fn limits(&self) -> Vec<Limit> {
        self.plan.judged().map(|variant| variant.knobs.memory_limit).collect()
    }

    /// What the target lets be done to it.
    fn target(&mut self, name: &str, fault: &Fault) {
        let kind = fault.inject.kind();
        let path = format!("faults.{name}.inject");
        let launch = &self.plan.target.launch;
        if launch.replicas() > 1 {
            let message = format!("`{}` cannot be injected into a target of several replicas", kind.name);
            self.report(&path, message, "expected target.container.replicas = 1, or no faults");
            return;
        }
        if kind.level == Level::Protocol && self.plan.target.profile.protocol != Protocol::Flight {
            let message = format!("`{}` is done through Flight, which the target does not speak", kind.name);
            self.report(&path, message, "expected a fault of another level");
            return;
        }
        let Launch::Attach(attach) = launch else { return };
        if !self.plan.target.permit_faults {
            let message = format!("`{}` would be injected into a target that was running already", kind.name);
            self.report(&path, message, "expected target.permit_faults = true, or no faults");
        }
        if fault.inject.restarts() || fault.inject.needs_proxy() || kind.lever == "disk" {
            let message = format!("`{}` cannot be injected into a target that was running already", kind.name);
            self.report(&path, message, format!("it needs {}", kind.needs));
        } else if attach.to == AttachTo::Endpoints && kind.level == Level::Environment {
            let message = format!("`{}` needs a process to lay hold of, and attach:endpoints names none", kind.name);
            self.report(&path, message, "expected attach:pid=N or attach:container=NAME");
        }
    }

    fn memory(&mut self, name: &str, fault: &Fault) {
        let path = format!("faults.{name}.inject");
        let kind = fault.inject.kind();
        let least = |limit: Bytes| match &fault.inject {
            Injection::LimitShrink { to } => Some((limit.as_f64() * to.0, "the limit that is left")),
            Injection::Balloon { keep } => Some((keep.under(limit.as_f64()), "what is left free")),
            Injection::PageCache { size } | Injection::Tmpfs { size } => {
                Some((limit.as_f64() - size.under(limit.as_f64()), "what is left of the limit"))
            }
            Injection::RaiseLimit { by } => Some((limit.as_f64() + by.as_f64(), "the raised limit")),
            _ => None,
        };
        if least(Bytes(0)).is_none() || matches!(self.plan.target.launch, Launch::Attach(_)) {
            return;
        }
        let balloon = matches!(fault.inject, Injection::Balloon { .. });
        for limit in self.limits() {
            let bytes = match limit {
                Limit::Off => {
                    let message = format!("`{}` has no memory limit to work on", kind.name);
                    self.report(&path, message, "expected matrix.memory_limit = [\"…\"], a size in every variant");
                    return;
                }
                Limit::At(bytes) => Some(bytes),
                // Its bytes are known once the server was measured; what is a share of it can be checked all the same.
                Limit::OfPeak(_) => None,
            };
            let takes_nothing = match &fault.inject {
                Injection::LimitShrink { to } => to.0 >= 1.0,
                Injection::Balloon { keep: Size::OfLimit(share) } => share.0 >= 1.0,
                Injection::Balloon { keep: Size::At(keep) } => bytes.is_some_and(|limit| *keep >= limit),
                _ => false,
            };
            if takes_nothing {
                self.report(&path, format!("`{}` takes nothing from a limit of {limit}", kind.name), "expected less");
                return;
            }
            let left = bytes.and_then(least).filter(|(left, _)| !balloon && *left < LIMIT_MIN.as_f64());
            if let Some((left, what)) = left {
                let left = Bytes(left.max(0.0) as u64);
                let message = format!("{what} is {left} of {limit}: less than any target lives under");
                self.report(&path, message, format!("expected at least {LIMIT_MIN} to be left"));
                return;
            }
        }
    }

    fn condition(&mut self, name: &str, fault: &Fault) {
        let Some(condition) = fault.when else { return };
        let path = format!("faults.{name}.when");
        let of_limit = matches!(condition.against, Against::OfLimit(_)) || condition.of == Watched::WorkingSet;
        let attached = matches!(self.plan.target.launch, Launch::Attach(_));
        if of_limit && !attached && self.limits().contains(&Limit::Off) {
            let message = format!("`{condition}` is never known: there is no memory limit");
            self.report(&path, message, "expected matrix.memory_limit = [\"…\"], a size in every variant");
        }
        if condition.of == Watched::Goroutines && !self.plan.target.profile.series.contains_key("goroutines") {
            let message = format!("`{condition}` is never known: the profile names no series goroutines");
            self.report(&path, message, "expected series.goroutines in the profile");
        }
    }

    fn endpoint(&mut self, name: &str, fault: &Fault) {
        let endpoints = &self.plan.target.profile.endpoints;
        let asked = fault.inject.kind().level == Level::Cooperative;
        // A profile with a mistake in it has no name and contradicts nothing.
        if asked
            && !self.plan.target.profile.name.is_empty()
            && (endpoints.leak.is_none() || endpoints.leak_stop.is_none())
        {
            let profile = &self.plan.target.profile.name;
            let message = format!("a target of profile `{profile}` cannot be asked to leak");
            self.report(
                &format!("faults.{name}.inject"),
                message,
                "expected endpoints.leak and endpoints.leak_stop in the profile",
            );
        }
        let compacts = endpoints.compacts();
        if matches!(fault.inject, Injection::ForceCompaction) && !self.plan.target.profile.name.is_empty() && !compacts
        {
            let message = format!("a target of profile `{}` cannot be asked to compact", self.plan.target.profile.name);
            self.report(&format!("faults.{name}.inject"), message, "expected endpoints.compact in the profile");
        }
        let asks = match fault.inject {
            Injection::Vacuum => Some(("vacuum", &endpoints.vacuum)),
            Injection::ClearCache => Some(("clear_cache", &endpoints.clear_cache)),
            _ => None,
        };
        if let Some((endpoint, None)) = asks
            && !self.plan.target.profile.name.is_empty()
        {
            let message = format!("a target of profile `{}` has no {endpoint}", self.plan.target.profile.name);
            self.report(
                &format!("faults.{name}.inject"),
                message,
                format!("expected endpoints.{endpoint} in the profile"),
            );
        }
        if fault.inject.kind().lever == "disk" && self.plan.target.data_volume.is_none() {
            let message = "`disk_full` would fill a disk of this machine";
            self.report(
                &format!("faults.{name}.inject"),
                message,
                "expected target.data_volume = \"…\", which gives the target a volume of that size",
            );
        }
    }

    /// Settings with which nothing could be injected.
    fn settings(&mut self, name: &str, fault: &Fault) {
        let path = format!("faults.{name}.inject");
        match &fault.inject {
            Injection::LeakMemory { rate } | Injection::Bandwidth { rate } if rate.per == Per::Operation => {
                let message = format!("`{}` goes by time, and {rate} by operations", fault.inject.name());
                self.report(&path, message, "expected a rate such as \"64MiB/min\"");
            }
            Injection::LeakTasks { rate } if rate.a_second() > TASKS_PER_SECOND_MAX => {
                let message = format!("no target starts {rate} tasks");
                self.report(&path, message, format!("expected at most {TASKS_PER_SECOND_MAX}/s"));
            }
            Injection::OversizedBatches { size, .. } if *size > BATCH_MAX => {
                self.report(&path, format!("no message holds {size}"), format!("expected at most {BATCH_MAX}"));
            }
            Injection::Latency { delay } if delay.0.is_zero() => {
                self.report(&path, "a delay of nothing delays nothing", "expected a delay such as \"40ms\"");
            }
            Injection::StopLoad if fault.phase != FaultPhase::Query => {
                let message = format!(
                    "`stop_load` holds back the operations of query phases, and this is {}",
                    fault.phase.name()
                );
                self.report(&format!("faults.{name}.phase"), message, "expected phase = \"query\"");
            }
            _ => {}
        }
    }

    /// What is not watched for as long as it may take is never known to have come back.
    fn watch(&mut self, name: &str, fault: &Fault) {
        let watch_s = fault.watch.as_secs_f64();
        let objective = |id| self.plan.criteria.get(id).and_then(|threshold: &Threshold| threshold.at_most);
        // Memory has to hold its level for a while, and is sampled before and after that.
        let least = |objective_s: f64| {
            objective_s + recovery_window_s(watch_s) + 2.0 * self.plan.sampling.process.as_secs_f64()
        };
        let needed = [
            objective("fault_recovery").map(|objective_s| ("fault_recovery", objective_s, least(objective_s))),
            objective("first_answer").map(|objective_s| ("first_answer", objective_s, objective_s)),
        ];
        let short = needed.into_iter().flatten().find(|(_, _, needed_s)| watch_s < *needed_s);
        if let Some((id, objective_s, needed_s)) = short {
            let message = format!(
                "a watch of {} is too short to tell: {id} allows {objective_s} s, and what comes later takes {needed_s:.1} s to be seen",
                fault.watch
            );
            self.report(&format!("faults.{name}.watch"), message, "expected a longer watch, or a shorter objective");
        }
    }

    /// Two that lay hold of one thing at once, and what would begin while the target cannot answer.
    fn contradictions(&mut self) {
        // Drawn faults come one after the other.
        let is_drawn = |fault: &Fault| self.plan.chaos.draw > 0 && fault.at.is_none();
        let faults: Vec<(&String, &Fault)> = self.plan.faults.iter().filter(|(_, fault)| !is_drawn(fault)).collect();
        let mut found = Vec::new();
        for (nth, (name, fault)) in faults.iter().enumerate() {
            for (other_name, other) in &faults[..nth] {
                let comparable = match (fault.at, other.at) {
                    (None, None) => fault.phase == other.phase,
                    (at, other_at) => at.is_some() && other_at.is_some(),
                };
                if let Some(why) = contradiction(fault, other).filter(|_| comparable) {
                    let (kind, other_kind) = (fault.inject.name(), other.inject.name());
                    let message =
                        format!("`{name}` ({kind}) and `{other_name}` ({other_kind}) contradict each other: {why}");
                    found.push((format!("faults.{name}"), message));
                }
            }
        }
        for (path, message) in found {
            self.report(&path, message, "expected different phases, or one after the other (`after`, `hold`)");
        }
    }

    fn lots(&mut self) {
        let (draw, pool) =
            (self.plan.chaos.draw as usize, self.plan.faults.values().filter(|fault| fault.at.is_none()).count());
        if draw > pool {
            let message = format!("{draw} faults cannot be drawn from {pool}");
            self.report("chaos.draw", message, format!("expected at most {pool}"));
        }
    }

    fn data_volume(&mut self) {
        let target = &self.plan.target;
        if target.data_volume.is_some() && !target.durable {
            self.report(
                "target.data_volume",
                "a volume for data that the target does not keep",
                "expected target.durable = true beside it",
            );
        }
    }
}

/// Why two faults of one clock cannot be held as the file says.
fn contradiction(fault: &Fault, other: &Fault) -> Option<&'static str> {
    let held = |fault: &Fault| {
        let from = fault.at.unwrap_or(fault.after).0;
        (from, from + fault.hold.0)
    };
    let ((from, to), (other_from, other_to)) = (held(fault), held(other));
    let together = from < other_to && other_from < to;
    let (kind, other_kind) = (fault.inject.kind(), other.inject.kind());
    let ends = fault.inject.restarts() || other.inject.restarts();
    // Whichever begins while the other keeps the target from answering would find it not healthy.
    let unheard = (fault.inject.silences() && other_from >= from) || (other.inject.silences() && from >= other_from);
    match together {
        true if kind.lever == other_kind.lever || ends => Some("both are held at once"),
        true if unheard => Some("one begins while the other keeps the target from answering"),
        _ => None,
    }
}
