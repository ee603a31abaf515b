//! What is not the same about two runs: what forbids to compare them, and what a reader should know.

use serde_json::Value;
use soak_scenario::Plan;

use crate::digest::Digest;

/// Something that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unlike {
    pub(super) what: String,
    pub(super) left: String,
    pub(super) right: String,
}

impl Unlike {
    fn new(what: impl Into<String>, left: impl Into<String>, right: impl Into<String>) -> Self {
        Self { what: what.into(), left: left.into(), right: right.into() }
    }

    /// `seed: 1 in A, 2 in B`.
    pub(super) fn words(&self, [left, right]: [&str; 2]) -> String {
        format!("{}: {} in {left}, {} in {right}", self.what, self.left, self.right)
    }
}

/// Parts of a plan that make another experiment of it: what is put into the target, when, and how it is watched.
const EXPERIMENT: [&str; 12] = [
    "/scenario",
    "/pace",
    "/seed",
    "/workload",
    "/cycle",
    "/sampling",
    "/faults",
    "/chaos",
    "/target/durable",
    "/target/data_volume",
    "/target/profile/protocol",
    "/target/launch/container/replicas",
];

/// Parts that belong to the build that is tested, or to how it is judged. What is started has a place of its own in reports.
const OF_THE_BUILD: [&str; 4] = ["/target/misbehave", "/target/profile", "/deadlines", "/criteria"];

/// Settings that are part of the load; another one of them is another experiment.
const OF_THE_LOAD: [&str; 3] = ["dim", "batch_rows", "query_rate"];

/// More than this of one part are not told one by one.
const TOLD: usize = 6;

/// What forbids to compare runs of two plans.
pub(super) fn experiment(left: &Plan, right: &Plan) -> Vec<Unlike> {
    let mut found = parts(left, right, &EXPERIMENT);
    for variant in left.judged() {
        let Some(other) = right.judged().find(|other| other.id == variant.id) else { continue };
        for ((name, here), (_, there)) in left.asked_settings(variant).into_iter().zip(right.asked_settings(other)) {
            if here != there && OF_THE_LOAD.contains(&name) {
                found.push(Unlike::new(format!("{name} of {}", variant.id), here, there));
            }
        }
        if variant.seed != other.seed && left.seed == right.seed {
            found.push(Unlike::new(
                format!("data of {}", variant.id),
                variant.seed.to_string(),
                other.seed.to_string(),
            ));
        }
    }
    found
}

/// Whether two runs have variants in common, with the same settings, of targets that were told to misbehave alike.
pub(crate) fn same_settings(left: &Digest, right: &Digest) -> bool {
    let mut common = left.plan.judged().filter_map(|variant| Some((variant, right.planned(&variant.id)?))).peekable();
    common.peek().is_some()
        && common.all(|(here, there)| left.plan.asked_settings(here) == right.plan.asked_settings(there))
        && parts(&left.plan, &right.plan, &["/target/misbehave"]).is_empty()
}

/// What differs about the two builds and how they are judged.
pub(super) fn builds(left: &Digest, right: &Digest) -> Vec<Unlike> {
    let mut found = parts(&left.plan, &right.plan, &OF_THE_BUILD);
    for variant in left.plan.judged() {
        let Some(other) = right.planned(&variant.id) else { continue };
        for ((name, here), (_, there)) in
            left.plan.asked_settings(variant).into_iter().zip(right.plan.asked_settings(other))
        {
            if here != there && !OF_THE_LOAD.contains(&name) {
                found.push(Unlike::new(format!("{name} of {}", variant.id), here, there));
            }
        }
        let effective = left.variant(&variant.id).into_iter().flat_map(|digest| &digest.attested);
        for (knob, here) in effective {
            let there = right.variant(&variant.id).and_then(|digest| digest.attested.get(knob));
            let asked = |digest: &Digest| {
                let planned = digest.planned(&variant.id)?;
                digest.plan.asked_settings(planned).into_iter().find(|(name, _)| name == knob).map(|(_, value)| value)
            };
            if let Some(there) = there.filter(|there| *there != here && asked(left) == asked(right)) {
                found.push(Unlike::new(format!("{knob} as read back of {}", variant.id), here, there));
            }
        }
    }
    if left.harness != right.harness {
        found.push(Unlike::new("version of soak", &left.harness, &right.harness));
    }
    found
}

/// Processors, memory and architecture that differ, as far as the record tells them apart; and the kernel.
pub(super) fn machines(left: &Digest, right: &Digest) -> (Vec<Unlike>, Option<Unlike>) {
    let (here, there) = (Machine::of(&left.host), Machine::of(&right.host));
    let (Some(here), Some(there)) = (here, there) else {
        let unlike = Unlike::new("machine", &left.host, &right.host);
        return (if left.host == right.host { Vec::new() } else { vec![unlike] }, None);
    };
    let mut found = Vec::new();
    for (what, left, right) in
        [("architecture", here.architecture, there.architecture), ("processors", here.cores, there.cores)]
    {
        if left != right {
            found.push(Unlike::new(what, left, right));
        }
    }
    // What the kernel keeps for itself differs between two boots of one machine.
    if (here.gib - there.gib).abs() > 0.05 * here.gib.max(there.gib) {
        found.push(Unlike::new("memory", format!("{:.1} GiB", here.gib), format!("{:.1} GiB", there.gib)));
    }
    let kernel = (here.kernel != there.kernel).then(|| Unlike::new("kernel", here.kernel, there.kernel));
    (found, kernel)
}

/// `Linux 6.18.44 x86_64, 2 cores, 23.5 GiB`, taken apart.
struct Machine<'a> {
    kernel: &'a str,
    architecture: &'a str,
    cores: &'a str,
    gib: f64,
}

impl<'a> Machine<'a> {
    fn of(host: &'a str) -> Option<Self> {
        let mut parts = host.split(", ");
        let (kernel, architecture) = parts.next()?.rsplit_once(' ')?;
        let cores = parts.next()?;
        let gib = parts.next()?.strip_suffix(" GiB")?.parse().ok()?;
        Some(Self { kernel, architecture, cores, gib })
    }
}

fn parts(left: &Plan, right: &Plan, pointers: &[&str]) -> Vec<Unlike> {
    // A plan is text, numbers and maps with text keys: it is a JSON value.
    let (Ok(left), Ok(right)) = (serde_json::to_value(left), serde_json::to_value(right)) else { return Vec::new() };
    let mut all = Vec::new();
    for pointer in pointers {
        let mut found = Vec::new();
        let path = pointer.trim_start_matches('/').replace('/', ".");
        differing(&path, left.pointer(pointer), right.pointer(pointer), &mut found);
        if found.len() > TOLD {
            found = vec![Unlike::new(path, format!("one with {} differences", found.len()), "the other")];
        }
        all.extend(found);
    }
    all
}

/// Every leaf that differs below this path. What is left out and what is null are the same.
fn differing(path: &str, left: Option<&Value>, right: Option<&Value>, found: &mut Vec<Unlike>) {
    let (left, right) = (left.unwrap_or(&Value::Null), right.unwrap_or(&Value::Null));
    match (left, right) {
        (Value::Object(here), Value::Object(there)) => {
            for (key, value) in here {
                differing(&format!("{path}.{key}"), Some(value), there.get(key), found);
            }
            for (key, value) in there.iter().filter(|(key, _)| !here.contains_key(*key)) {
                differing(&format!("{path}.{key}"), None, Some(value), found);
            }
        }
        _ if left == right => {}
        _ => found.push(Unlike::new(path, shown(left), shown(right))),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_leaf_that_differs_is_named() {
        let mut found = Vec::new();
        let left = serde_json::json!({"a": {"b": 1, "c": null, "d": "x"}, "e": [1, 2]});
        let right = serde_json::json!({"a": {"b": 2, "d": "x", "f": true}, "e": [1, 3]});
        differing("plan", Some(&left), Some(&right), &mut found);
        let words: Vec<String> = found.iter().map(|one| one.words(["A", "B"])).collect();
        assert_eq!(
            words,
            ["plan.a.b: 1 in A, 2 in B", "plan.a.f: none in A, true in B", "plan.e: [1,2] in A, [1,3] in B"]
        );
    }

    #[test]
    fn a_machine_is_taken_apart() {
        let machine = Machine::of("Linux 6.18.44-fc x86_64, 2 cores, 23.5 GiB").unwrap();
        assert_eq!((machine.kernel, machine.architecture, machine.cores), ("Linux 6.18.44-fc", "x86_64", "2 cores"));
        assert!(Machine::of("made up").is_none());
    }
}
