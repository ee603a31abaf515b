//! What of a scenario's faults cannot be, or could not show anything: said when the scenario is checked, before anything is touched.

use std::collections::BTreeSet;

use crate::condition::{Against, Watched};
use crate::diagnostic::Diagnostic;
use crate::fault::{Fault, Injection, Level};
use crate::launch::{AttachTo, Launch};
use crate::plan::Plan;
use crate::tree::Node;
use crate::units::{Bytes, Limit};

/// No program boots or lives under less.
const LIMIT_MIN: Bytes = Bytes::mib(16);

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
    fn limits(&self) -> Vec<Option<Bytes>> {
        let limit = |limit: Limit| if let Limit::At(bytes) = limit { Some(bytes) } else { None };
        self.plan.judged().map(|variant| limit(variant.knobs.memory_limit)).collect()
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
            Injection::Balloon { keep } => Some((keep.as_f64(), "what is left free")),
            Injection::PageCache { size } | Injection::Tmpfs { size } => {
                Some((limit.as_f64() - size.as_f64(), "what is left of the limit"))
            }
            _ => None,
        };
        if least(Bytes(0)).is_none() || matches!(self.plan.target.launch, Launch::Attach(_)) {
            return;
        }
        for limit in self.limits() {
            let Some(limit) = limit else {
                let message = format!("`{}` has no memory limit to press against", kind.name);
                self.report(&path, message, "expected matrix.memory_limit = [\"…\"], a size in every variant");
                return;
            };
            let shrinks_nothing = matches!(fault.inject, Injection::LimitShrink { to } if to.0 >= 1.0)
                || matches!(fault.inject, Injection::Balloon { keep } if keep >= limit);
            if shrinks_nothing {
                self.report(&path, format!("`{}` takes nothing from a limit of {limit}", kind.name), "expected less");
                return;
            }
            let balloon = matches!(fault.inject, Injection::Balloon { .. });
            if let Some((left, what)) = least(limit).filter(|(left, _)| !balloon && *left < LIMIT_MIN.as_f64()) {
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
        if of_limit && !attached && self.limits().iter().any(Option::is_none) {
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
        if fault.inject.kind().lever == "disk" && self.plan.target.data_volume.is_none() {
            let message = "`disk_full` would fill a disk of this machine";
            self.report(
                &format!("faults.{name}.inject"),
                message,
                "expected target.data_volume = \"…\", which gives the target a volume of that size",
            );
        }
    }

    /// What is not watched for as long as it may take is never known to have come back.
    fn watch(&mut self, name: &str, fault: &Fault) {
        let objectives = ["fault_recovery", "first_answer"].map(|id| Some((id, self.plan.criteria.get(id)?.at_most?)));
        for (id, objective_s) in objectives.into_iter().flatten() {
            if fault.watch.as_secs_f64() <= objective_s {
                let message = format!("a watch of {} is too short: {id} allows {objective_s} s", fault.watch);
                self.report(&format!("faults.{name}.watch"), message, "expected a longer watch than that");
                return;
            }
        }
    }

    /// Two that lay hold of one thing at once, and anything beside an end of the target.
    fn contradictions(&mut self) {
        if self.plan.chaos.draw > 0 {
            return;
        }
        let faults: Vec<(&String, &Fault)> = self.plan.faults.iter().filter(|(_, fault)| fault.at.is_none()).collect();
        let mut found = Vec::new();
        for (at, (name, fault)) in faults.iter().enumerate() {
            for (other_name, other) in &faults[..at] {
                let (from, to) = (fault.after.0, fault.after.0 + fault.hold.0);
                let (other_from, other_to) = (other.after.0, other.after.0 + other.hold.0);
                let together = fault.phase == other.phase && from < other_to && other_from < to;
                let (kind, other_kind) = (fault.inject.kind(), other.inject.kind());
                let clash = kind.lever == other_kind.lever && (kind.lever != kind.name || kind.name == other_kind.name);
                let ends = fault.inject.restarts() || other.inject.restarts();
                if together && (clash || ends) {
                    found.push((
                        format!("faults.{name}"),
                        format!(
                            "`{name}` ({}) and `{other_name}` ({}) contradict each other: both are held at once",
                            kind.name, other_kind.name
                        ),
                    ));
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
