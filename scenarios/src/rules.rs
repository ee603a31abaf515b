//! What no single key can get wrong: settings that contradict each other, or a run that could not show what it is asked.

use std::collections::{BTreeMap, BTreeSet};

use crate::adapt::Lacks;
use crate::criterion::{self, Bounds};
use crate::diagnostic::Diagnostic;
use crate::launch::Launch;
use crate::plan::{Clear, MESSAGE_BYTES_MAX, Plan, Schedule};
use crate::tree::Node;
use crate::units::{Limit, Share, Span};

/// The share of false alarms that a criterion is allowed, over all of its variants.
const ALPHA: f64 = 0.05;
/// Fewer samples than this have no median worth the name.
const SAMPLES_MIN: u32 = 10;
/// An interval on the reclaimed share needs this many compactions.
const COMPACTIONS_MIN: u32 = 5;

/// Holds a plan against every rule.
pub(crate) fn check(plan: &Plan, root: &Node, removed: &BTreeSet<String>) -> Vec<Diagnostic> {
    let mut rules = Rules { plan, root, removed, found: Vec::new() };
    rules.cycles();
    rules.smallest_p();
    rules.batches_can_fill();
    rules.graph_can_recall();
    rules.query();
    rules.windows();
    rules.thresholds();
    rules.reclaimable();
    rules.misbehaviour();
    rules.positive_control();
    rules.protocol();
    rules.knobs_reach();
    rules.relative_limits();
    rules.server_limits();
    rules.found
}

struct Rules<'a> {
    plan: &'a Plan,
    root: &'a Node,
    /// Paths whose value was wrong: what depends on them says nothing.
    removed: &'a BTreeSet<String>,
    found: Vec<Diagnostic>,
}

impl Rules<'_> {
    fn sound(&self, paths: &[&str]) -> bool {
        let touched = |path: &str| self.removed.iter().any(|removed| removed.starts_with(path));
        !paths.iter().any(|path| touched(path))
    }

    fn report(&mut self, path: &str, message: impl Into<String>, expected: impl Into<String>) -> &mut Diagnostic {
        let keys: Vec<&str> = path.split('.').collect();
        let at = self.found.len();
        self.found.push(Diagnostic::new(&self.root.origin_of(&keys), message, expected));
        &mut self.found[at]
    }

    fn counted(&self) -> u32 {
        self.plan.cycle.count.saturating_sub(self.plan.cycle.warm_up)
    }

    /// A limit is measured by starting the target without one.
    fn relative_limits(&mut self) {
        if !matches!(self.plan.target.launch, Launch::Attach(_)) {
            return;
        }
        for axis in ["memory_limit", "gomemlimit"] {
            let is_relative = self.plan.variants.iter().any(|variant| {
                let limit = if axis == "gomemlimit" { variant.knobs.gomemlimit } else { variant.knobs.memory_limit };
                matches!(limit, Limit::OfPeak(_))
            });
            if is_relative {
                let message = "a limit that is a share of the peak cannot be set for a target that was running already";
                let expected = format!("expected matrix.{axis} = [\"off\"], or the size that it was started with");
                self.report(&format!("matrix.{axis}"), message, expected);
            }
        }
    }

    fn cycles(&mut self) {
        let cycle = &self.plan.cycle;
        if self.sound(&["cycle.count", "cycle.warm_up"]) && cycle.count <= cycle.warm_up {
            let message =
                format!("a count of {} with {} of warm-up leaves no cycle to count", cycle.count, cycle.warm_up);
            self.report("cycle.count", message, "expected more cycles than warm_up");
        }
        if let Some(most) =
            cycle.at_most.filter(|most| *most < cycle.count && self.sound(&["cycle.count", "cycle.at_most"]))
        {
            let message = format!("at most {most} cycles are fewer than the {} of cycle.count", cycle.count);
            self.report("cycle.at_most", message, "expected at least cycle.count, or no cycle.at_most");
        }
    }

    /// Exact Kendall: all counted floors rising has p = 1/n!, and Holm's first step over the variants is α/variants.
    fn smallest_p(&mut self) {
        let floors = ["rss_floor", "heap_floor"];
        let judged = floors.iter().any(|id| self.plan.criteria.contains_key(*id));
        let (counted, variants) = (self.counted(), self.plan.variants.len());
        if !judged || counted == 0 || variants == 0 || !self.sound(&["cycle.count", "cycle.warm_up"]) {
            return;
        }
        let enough = |n: u32| factorial(n) * ALPHA + 1e-9 >= variants as f64;
        if enough(counted) {
            return;
        }
        // Eight cycles already serve more variants than a matrix may have.
        let needed = (counted..=20).find(|n| enough(*n)).unwrap_or(counted);
        let warm_up = self.plan.cycle.warm_up;
        let s = if variants == 1 { "" } else { "s" };
        let message = format!("{counted} counted cycles are too few to show a leak in {variants} variant{s}");
        let expected = format!("expected at least {}: {needed} counted and {warm_up} of warm-up", needed + warm_up);
        let p = 1.0 / factorial(counted);
        let help = format!(
            "the smallest p that {counted} cycles can give is 1/{counted}! = {p:.2}, and a leak needs {ALPHA}/{variants} = {:.4}",
            ALPHA / variants as f64
        );
        self.report("cycle.count", message, expected).help = Some(help);
    }

    fn batches_can_fill(&mut self) {
        if !self.sound(&["workload.vectors_per_cycle", "matrix"]) {
            return;
        }
        let mut seen = BTreeSet::new();
        for variant in &self.plan.variants {
            let (dim, batch) = (variant.knobs.dim, u64::from(variant.knobs.batch_rows));
            let rows = self.plan.workload.rows_per_cycle(dim);
            if rows == 0 && seen.insert((dim, 0)) {
                let message = format!("no number of vectors for dimension {dim}");
                let help = format!("add `{dim} = …` or `default = …` to the table");
                self.report(
                    "workload.vectors_per_cycle",
                    message,
                    "expected every dimension of the matrix, or default",
                )
                .help = Some(help);
            } else if rows > 0 && batch > rows && seen.insert((dim, batch)) {
                let message =
                    format!("a batch of {batch} rows is never full: a cycle has {rows} vectors at dimension {dim}");
                let expected = format!("expected at least {batch}, or fewer batch_rows");
                self.report("workload.vectors_per_cycle", message, expected);
            }
            let row_bytes = u64::from(dim) * 4;
            if batch * row_bytes > MESSAGE_BYTES_MAX && seen.insert((dim, u64::MAX - batch)) {
                let message = format!("a batch of {batch} rows at dimension {dim} does not fit into one message");
                let expected = format!("expected at most {} rows at this dimension", MESSAGE_BYTES_MAX / row_bytes);
                self.report("matrix.batch_rows", message, expected);
            }
        }
    }

    /// Too narrow a search while building leaves a graph whose recall is not worth measuring; the memory still is.
    fn graph_can_recall(&mut self) {
        if !self.sound(&["matrix"]) {
            return;
        }
        let pairs: BTreeSet<(u32, u32)> =
            self.plan.variants.iter().map(|variant| (variant.knobs.ef_construction, variant.knobs.hnsw_m)).collect();
        for (ef, m) in pairs.into_iter().filter(|(ef, m)| *ef <= 2 * m) {
            let message = format!("ef_construction {ef} is not above twice hnsw_m {m}: recall will be poor");
            let found = self.report("matrix.ef_construction", message, format!("better more than {}", 2 * m));
            *found = found.clone().warning();
        }
    }

    fn query(&mut self) {
        let (query, ingest) = (&self.plan.workload.query, &self.plan.workload.ingest);
        let mix = query.mix;
        if self.sound(&["workload.query.mix"]) && mix.search == 0 && mix.upsert == 0 && mix.delete == 0 {
            self.report("workload.query.mix", "all weights are zero", "expected at least one above zero");
        }
        for (schedule, path) in
            [(query.schedule, "workload.query.schedule"), (ingest.schedule, "workload.ingest.schedule")]
        {
            if let Schedule::Burst { every, length, base, peak } = schedule {
                if length >= every {
                    let message = format!("a burst of {length} every {every} never ends");
                    self.report(&format!("{path}.burst.length"), message, "expected less than every");
                }
                if peak.a_second() <= base.a_second() {
                    let message = format!("the peak {peak} is no burst over {base}");
                    self.report(&format!("{path}.burst.peak"), message, "expected more than base");
                }
            }
        }
        if let Schedule::Step { at, .. } = query.schedule
            && self.sound(&["workload.query.duration"])
            && at >= query.duration
        {
            let message = format!("the step at {at} is never reached: the phase takes {}", query.duration);
            self.report("workload.query.schedule.step.at", message, "expected less than workload.query.duration");
        }
    }

    fn windows(&mut self) {
        let (cycle, sampling) = (&self.plan.cycle, &self.plan.sampling);
        let samples = |window: Span, period: Span| window.0 < period.0 * SAMPLES_MIN;
        let need = |period: Span| Span(period.0 * SAMPLES_MIN);
        if self.sound(&["cycle.window", "sampling.process"]) && samples(cycle.window, sampling.process) {
            let message = format!(
                "a window of {} holds fewer than {SAMPLES_MIN} samples of one every {}",
                cycle.window, sampling.process
            );
            let expected = format!("expected at least {}, or a shorter sampling.process", need(sampling.process));
            self.report("cycle.window", message, expected);
        }
        let judged = self.plan.criteria.contains_key("goroutine_baseline");
        if judged && self.sound(&["cycle.idle", "sampling.metrics"]) && samples(cycle.idle, sampling.metrics) {
            let message = format!(
                "an idle window of {} holds fewer than {SAMPLES_MIN} samples of one every {}",
                cycle.idle, sampling.metrics
            );
            let expected = format!("expected at least {}: goroutine_baseline is taken there", need(sampling.metrics));
            self.report("cycle.idle", message, expected);
        }
    }

    fn thresholds(&mut self) {
        for (id, threshold) in self.plan.criteria.clone() {
            let path = format!("criteria.{id}");
            if !self.sound(&[&path]) {
                continue;
            }
            let (least, most) = (threshold.at_least, threshold.at_most);
            let bounds = criterion::find(&id).map(|spec| spec.bounds);
            if bounds == Some(Bounds::AtLeast) && least.is_none() {
                self.report(&path, format!("`{id}` has no bound that could fail"), "expected at_least");
            } else if bounds != Some(Bounds::AtLeast) && most.is_none() {
                self.report(&path, format!("`{id}` has no bound"), "expected at_most");
            }
            if least.zip(most).is_some_and(|(least, most)| least > most) {
                self.report(
                    &format!("{path}.at_least"),
                    "at_least is above at_most",
                    "expected at_least below at_most",
                );
            }
        }
    }

    /// Deleted and overwritten rows are all that a compaction can give back.
    fn reclaimable(&mut self) {
        let paths = ["workload.delete", "workload.ingest.upserts", "criteria.compaction_reclaim", "cycle.count"];
        let Some(threshold) = self.plan.criteria.get("compaction_reclaim").copied() else { return };
        if !self.sound(&paths) || self.plan.not_applicable("compaction_reclaim").is_some() {
            return;
        }
        let (deleted, again) = (self.plan.workload.delete.0, self.plan.workload.ingest.upserts.0);
        let share = (deleted + again) / (1.0 + again);
        let percent = |share: f64| format!("{:.0}%", share * 100.0);
        let band = |least: f64, most: f64| {
            format!("expected {} to {}, the band of compaction_reclaim", percent(least), percent(most))
        };
        let (least, most) = (threshold.at_least.unwrap_or(0.0), threshold.at_most.unwrap_or(1.0));
        if least > most {
            // Reported by itself; there is no band to be outside of.
        } else if share < least - 1e-9 {
            let message = format!(
                "deleting {} cannot pass: not even a perfect compaction reclaims {}",
                percent(share),
                percent(least)
            );
            self.report("workload.delete", message, band(least, most));
        } else if share > most + 1e-9 {
            let message =
                format!("deleting {} lets a perfect compaction reclaim more than {}", percent(share), percent(most));
            self.report("workload.delete", message, band(least, most));
        }
        let counted = self.counted();
        if counted > 0 && counted < COMPACTIONS_MIN {
            let message = format!("compaction_reclaim will be inconclusive: {counted} counted cycles give no interval");
            let found =
                self.report("cycle.count", message, format!("better at least {COMPACTIONS_MIN} counted cycles"));
            *found = found.clone().warning();
        }
    }

    fn misbehaviour(&mut self) {
        let target = &self.plan.target;
        if target.profile.can_misbehave || target.misbehave.is_healthy() {
            return;
        }
        let message = format!("a target of profile `{}` cannot be told to misbehave", target.profile.name);
        let expected = "expected no target.misbehave, or a profile with can_misbehave = true";
        self.report("target.misbehave", message, expected);
    }

    /// Something is put in, and what the load is to leave behind it does not put again by itself.
    fn positive_control(&mut self) {
        let Some(control) = &self.plan.positive_control else { return };
        let workload = &self.plan.workload;
        let nothing = |share: Option<Share>| share.is_some_and(|share| share.0 <= 0.0);
        let misbehave = &control.misbehave;
        let shares = [control.leave_rows, misbehave.retain_batches, misbehave.connection_leak];
        if control.is_empty() || shares.into_iter().any(nothing) {
            let expected = "expected misbehave, leave_rows or leave_connections, and each share above 0%";
            self.report("positive_control", "nothing is put in on purpose", expected);
        } else if control.seen_by.is_empty() {
            let expected = "expected the criteria that have to see it";
            self.report("positive_control.seen_by", "nothing has to see what is put in", expected);
        } else if control.leave_rows.is_some() && self.sound(&["workload.clear", "workload.same_names"]) {
            if workload.clear != Clear::Rows {
                let message = "rows are left behind, but a cycle ends by dropping the dataset that holds them";
                self.report("positive_control.leave_rows", message, "expected workload.clear = \"rows\"");
            } else if workload.same_names {
                let message = "rows are left behind, but the next cycle makes them again under the same names";
                self.report("positive_control.leave_rows", message, "expected workload.same_names = false");
            }
        }
    }
}

impl Rules<'_> {
    /// What a target that speaks HTTP cannot be asked.
    fn protocol(&mut self) {
        let (target, workload) = (&self.plan.target, &self.plan.workload);
        let Some(lacks) = Lacks::of(&target.profile) else { return };
        let requests = target.profile.requests.clone();
        if requests.delete.is_none() && requests.delete_many.is_none() {
            let expected = "expected requests.delete in the profile: a cycle ends as it began, with nothing left";
            self.report("target.profile", lacks.request("deletes"), expected);
        }
        if workload.clear != Clear::Rows && lacks.drops && self.sound(&["workload.clear"]) {
            let expected = "expected \"rows\", or requests.create_collection and drop_collection in the profile";
            self.report("workload.clear", lacks.request("drops a collection"), expected);
        }
        let mix = self.plan.workload.query.mix;
        for (weight, lacking, what, path) in
            [(mix.search, lacks.reads, "reads", "search"), (mix.upsert, lacks.updates, "updates", "upsert")]
        {
            if weight > 0 && lacking {
                let path = format!("workload.query.mix.{path}");
                self.report(&path, lacks.request(what), "expected 0, or that request in the profile");
            }
        }
        if self.plan.workload.ingest.upserts.0 > 0.0 && lacks.updates {
            self.report("workload.ingest.upserts", lacks.request("updates"), "expected \"0%\"");
        }
        if self.plan.target.launch.replicas() > 1 {
            let message = "a load over several replicas is only made for Flight";
            self.report("target.container.replicas", message, "expected 1");
        }
    }

    /// Variants that differ in a knob which nothing sets would be one variant run several times.
    fn knobs_reach(&mut self) {
        // A profile with a mistake in it has no name and contradicts nothing; what runs already was told by somebody else.
        let target = &self.plan.target;
        let unknown = target.profile.name.is_empty() || matches!(target.launch, Launch::Attach(_));
        if unknown || !self.sound(&["matrix", "target"]) {
            return;
        }
        let mut values: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (name, value) in self.plan.variants.iter().flat_map(|variant| variant.knobs.settings()) {
            values.entry(name).or_default().insert(value);
        }
        let profile = &self.plan.target.profile;
        let idle: Vec<&str> = values
            .into_iter()
            .filter(|(name, all)| all.len() > 1 && !profile.sets(name))
            .map(|(name, _)| name)
            .collect();
        let profile = profile.name.clone();
        for name in idle {
            let message = format!("variants differ in {name}, which a target of profile `{profile}` is never told");
            let expected = format!("expected one value, or {{{name}}} among the profile's launch settings");
            self.report(&format!("matrix.{name}"), message, expected);
        }
    }
}

impl Rules<'_> {
    /// Values that the server refuses, by its profile's `at_least` and `at_most`. A knob that is off has no value.
    fn server_limits(&mut self) {
        if !self.sound(&["matrix", "target"]) {
            return;
        }
        let profile = &self.plan.target.profile;
        let mut refused: BTreeMap<String, (String, String)> = BTreeMap::new();
        for (name, text) in self.plan.variants.iter().flat_map(|variant| variant.knobs.settings()) {
            let Ok(value) = text.parse::<u64>() else { continue };
            let least = profile.at_least.get(name).filter(|least| value < **least);
            let most = profile.at_most.get(name).filter(|most| value > **most);
            let expected = match (least, most) {
                (Some(least), _) => format!("expected at least {least}"),
                (None, Some(most)) => format!("expected at most {most}"),
                (None, None) => continue,
            };
            let message = format!("a server of profile `{}` does not take {name} {value}", profile.name);
            refused.insert(name.to_owned(), (message, expected));
        }
        for (name, (message, expected)) in refused {
            self.report(&format!("matrix.{name}"), message, expected);
        }
    }
}

fn factorial(n: u32) -> f64 {
    (1..=n).map(f64::from).product()
}
