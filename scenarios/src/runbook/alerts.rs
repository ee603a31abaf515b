//! Alert rules for Prometheus: the thresholds of the runbooks, with the names of one kind of target.
//!
//! Every rule is read from the target's own page, so that its operands have the same labels. What the harness reads from the kernel stands there under the name
//! that Prometheus' clients give it; a limit that the page does not tell is given by whoever writes the rules.

use std::fmt::Write as _;
use std::num::NonZeroU64;

use super::{Alarm, Covered, Indicator, Level, Metric, indicators};
use crate::profile::Profile;

/// What Prometheus' clients call the resident memory of their own process.
const RESIDENT: &str = "process_resident_memory_bytes";

/// The rules for a profile, as YAML. `limit_bytes` is the memory limit; without it, that which the target tells.
/// `matching` are label matchers, such as `job="store"`, that choose the targets the rules are for.
pub fn alert_rules(profile: &Profile, limit_bytes: Option<NonZeroU64>, matching: Option<&str>) -> String {
    let metric = |name: &str| metric(profile, limit_bytes, matching, name);
    let mut left_out: Vec<&str> = Vec::new();
    let mut rules: Vec<Rule> = Vec::new();
    for (one, reading) in indicators().filter_map(|one| Some((one, one.covered.reading()?))) {
        // A figure that the target only models would call somebody for nothing.
        let modelled = reading.series().into_iter().any(|name| profile.modelled.iter().any(|one| one == name));
        let Some((value, holding)) = reading.promql(&metric).filter(|_| !modelled) else {
            left_out.push(one.id);
            continue;
        };
        let holding = holding.map_or_else(String::new, |holding| format!(" and ({holding} > 0)"));
        rules.extend(one.levels.alarms().into_iter().map(|alarm| Rule::of(one, alarm, &value, &holding)));
    }
    let mut out = format!(
        "# Thresholds of the runbooks for targets of the profile {}: `soak export alerts --profile {}`.\n",
        profile.name, profile.name
    );
    match limit_bytes {
        Some(bytes) => {
            let _ = writeln!(out, "# The memory limit is {bytes} bytes.");
        }
        None => {
            out.push_str(
                "# The memory limit is what the target tells; where none is set there, give it with --limit.\n",
            );
        }
    }
    if matching.is_none() {
        out.push_str("# They ask every target that has these metrics; --match chooses some.\n");
    }
    if !left_out.is_empty() {
        let _ = writeln!(
            out,
            "# Not among them, because such a target does not tell what they are read from, or only models it: {}.",
            left_out.join(", ")
        );
    }
    let _ = writeln!(out, "groups:\n  - name: {}\n    rules:", quoted(&format!("runbooks-{}", profile.name)));
    for rule in distinct(rules) {
        rule.write(&mut out);
    }
    out
}

/// The metric that holds a canonical series, of the targets that are chosen.
fn metric(profile: &Profile, limit_bytes: Option<NonZeroU64>, matching: Option<&str>, name: &str) -> Option<Metric> {
    if let (Some(bytes), "cgroup_limit_bytes" | "gomemlimit_bytes") = (limit_bytes, name) {
        return Some(Metric { selector: bytes.to_string(), own_labels: Vec::new() });
    }
    // Those of the machine, which Node Exporter has: not of the targets that are chosen.
    let of_host = match name {
        "host_memory_bytes" => Some("node_memory_MemTotal_bytes"),
        "host_available_bytes" => Some("node_memory_MemAvailable_bytes"),
        _ => None,
    };
    if let Some(of_host) = of_host {
        return Some(Metric { selector: of_host.to_owned(), own_labels: Vec::new() });
    }
    let resident = || (name == "rss_bytes").then_some(RESIDENT);
    let named = profile.series.get(name).map(String::as_str).or_else(resident)?;
    // The greatest of several has lost the labels by which the other operands would match.
    if named.starts_with("max(") {
        return None;
    }
    let (bare, own) = named.strip_suffix('}').and_then(|named| named.split_once('{')).unwrap_or((named, ""));
    // No label of a profile's metric has a comma in its value.
    let own_labels = own.split(',').filter_map(|one| one.split_once('=').map(|(label, _)| label.trim().to_owned()));
    let matchers: Vec<&str> = [own, matching.unwrap_or_default()].into_iter().filter(|part| !part.is_empty()).collect();
    let selector = if matchers.is_empty() { bare.to_owned() } else { format!("{bare}{{{}}}", matchers.join(",")) };
    Some(Metric { selector, own_labels: own_labels.collect() })
}

/// One alert.
struct Rule {
    alert: String,
    expression: String,
    for_s: u64,
    level: Level,
    summary: String,
    place: String,
}

impl Rule {
    fn of(one: &Indicator, alarm: Alarm, value: &str, holding: &str) -> Self {
        let sign = match (alarm.below, alarm.inclusive) {
            (false, false) => ">",
            (false, true) => ">=",
            (true, false) => "<",
            (true, true) => "<=",
        };
        Self {
            alert: name(one.id, alarm.level),
            expression: format!("{value} {sign} {}{holding}", alarm.bound),
            for_s: one.window.map_or(0, |window| window.0.as_secs()),
            level: alarm.level,
            summary: one.meaning.to_owned(),
            place: format!("{}, “{}”", one.runbook.title(), one.section),
        }
    }

    fn write(&self, out: &mut String) {
        let _ = write!(out, "      - alert: {}\n        expr: {}\n", self.alert, quoted(&self.expression));
        if self.for_s > 0 {
            let _ = writeln!(out, "        for: {}s", self.for_s);
        }
        let _ = write!(
            out,
            "        labels:\n          severity: {}\n        annotations:\n          summary: {}\n          runbook: {}\n",
            self.level.name(),
            quoted(&self.summary),
            quoted(&self.place)
        );
    }
}

/// Without those that say the same as another: the runbooks repeat some numbers. Of two levels the worse stays.
fn distinct(rules: Vec<Rule>) -> Vec<Rule> {
    let mut kept: Vec<Rule> = Vec::new();
    for rule in rules {
        match kept.iter_mut().find(|one| (&one.expression, one.for_s) == (&rule.expression, rule.for_s)) {
            Some(one) if rule.level > one.level => *one = rule,
            Some(_) => {}
            None => kept.push(rule),
        }
    }
    kept
}

/// `memory_alert` at a level as `MemoryAlertWarning`.
fn name(id: &str, level: Level) -> String {
    let capital = |word: &str| {
        let mut chars = word.chars();
        chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
    };
    id.split('_').chain([level.name()]).map(capital).collect()
}

/// A text between quotes. What JSON escapes, YAML reads alike.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl Covered {
    /// What reads it in every run, if something does.
    pub fn reading(&self) -> Option<&'static super::Reading> {
        if let Self::Read(reading) = self { Some(reading) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_profile;

    #[test]
    fn a_rule_has_the_names_of_the_profile_its_bound_and_its_window() {
        let profile = load_profile("go").unwrap();
        let rules = alert_rules(&profile, None, None);
        for part in [
            "      - alert: EscalateGoroutinesCritical\n        expr: \"go_goroutines > 1000\"\n",
            "expr: \"process_resident_memory_bytes / (go_gc_gomemlimit_bytes > 0) > 0.8\"\n        for: 300s\n",
            "expr: \"go_gc_duration_seconds{quantile=\\\"1\\\"} > 0.5\"",
            "sum without (event) (increase(compaction_events_total{event=\\\"error\\\"}[300s]))",
            "slab_pool_bytes / (go_memory_classes_heap_objects_bytes > 0) < 0.5 and (longbow_live_vectors > 0)\"",
        ] {
            assert!(rules.contains(part), "{part} is not in\n{rules}");
        }
        // “More than 500” is written four times.
        assert_eq!(rules.matches("go_goroutines > 500\"").count(), 1, "{rules}");
    }

    #[test]
    fn a_limit_that_is_given_is_a_number() {
        let rules = alert_rules(&load_profile("reference").unwrap(), NonZeroU64::new(8_000_000_000), None);
        assert!(rules.contains("process_resident_memory_bytes / 8000000000 > 0.95"), "{rules}");
        assert!(!rules.contains("gomemlimit"), "{rules}");
        // Its collections are a model.
        assert!(rules.contains("or only models it: ") && !rules.contains("go_gc_duration_seconds"), "{rules}");
    }

    #[test]
    fn matchers_choose_the_targets() {
        let rules = alert_rules(&load_profile("go").unwrap(), None, Some("job=\"store\""));
        assert!(rules.contains("\"go_goroutines{job=\\\"store\\\"} > 1000\""), "{rules}");
        assert!(rules.contains("go_gc_duration_seconds{quantile=\\\"1\\\",job=\\\"store\\\"} > 0.5"), "{rules}");
        // Labels that choose the targets are on both sides; the one that chooses the metric is not.
        assert!(rules.contains("sum without (event) (increase("), "{rules}");
    }

    #[test]
    fn names_are_words() {
        assert_eq!(name("gc_pause_alert", Level::Warning), "GcPauseAlertWarning");
    }
}
