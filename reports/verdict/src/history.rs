//! Runs in the order in which they were made, each beside the one before that was the same experiment on the same kind of target and the same machine.

use std::collections::BTreeMap;

use serde::Serialize;
use soak_scenario::Pace;

use crate::compare::{alike, same_settings};
use crate::digest::{Digest, End, QUANTITIES, VariantDigest};
use crate::judge::rounded;
use crate::outcome::Verdict;

/// A run among others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Its id.
    pub run: String,
    /// Start, seconds since the Unix epoch.
    pub unix_s: u64,
    /// The scenario's name.
    pub scenario: String,
    /// Its pace.
    pub pace: Pace,
    /// Its seed.
    pub seed: u64,
    /// What was started, as `--target` takes it.
    pub target: String,
    /// Version of the harness.
    pub harness: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// Whether every variant ran to an end.
    pub complete: bool,
    /// Whether every variant ran through all its cycles as planned; of a run that did not there are no figures, because they would be of something else.
    pub as_planned: bool,
    /// Why it was not: each variant with what became of it.
    pub departures: Vec<String>,
    /// Geometric mean of each quantity over cycles and variants.
    pub figures: BTreeMap<String, f64>,
    /// The same of each variant, in the order of the plan.
    pub variants: Vec<(String, BTreeMap<String, f64>)>,
    /// The run before that was the same experiment on the same kind of target and the same machine.
    pub before: Option<String>,
    /// Change of each quantity since then, over the variants of both.
    pub changes: BTreeMap<String, f64>,
}

impl Entry {
    /// Why there are no figures of it, in a line: the first departure, and how many more there are.
    pub fn why_no_figures(&self) -> Option<String> {
        let (first, more) = self.departures.split_first()?;
        Some(if more.is_empty() { first.clone() } else { format!("{first}, and {} more", more.len()) })
    }
}

/// The history of these runs, the oldest first.
pub fn history(mut runs: Vec<Digest>) -> Vec<Entry> {
    // A copy of a run is the same run; of one that was cut the whole one counts.
    let place = |run: &Digest| (run.unix_s, run.run.clone(), !run.complete, usize::MAX - run.variants.len());
    runs.sort_by_cached_key(place);
    runs.dedup_by(|right, left| (left.unix_s, &left.run) == (right.unix_s, &right.run));
    let mut entries = Vec::new();
    for (at, run) in runs.iter().enumerate() {
        let departures = departures(run);
        let as_planned = departures.is_empty();
        let before = runs[..at].iter().rev().find(|before| {
            as_planned
                && self::departures(before).is_empty()
                && alike(before, run)
                && same_settings(before, run)
                && of_one_kind(before, run)
        });
        let changes = before.map(|before| changes(before, run)).unwrap_or_default();
        let counted: &[VariantDigest] = if as_planned { &run.variants } else { &[] };
        let variants: Vec<(String, BTreeMap<String, f64>)> =
            counted.iter().map(|variant| (variant.id.clone(), figures(&[variant]))).collect();
        entries.push(Entry {
            run: run.run.clone(),
            unix_s: run.unix_s,
            scenario: run.plan.scenario.clone(),
            pace: run.plan.pace,
            seed: run.plan.seed,
            target: run.plan.target.launch.to_string(),
            harness: run.harness.clone(),
            verdict: run.verdict,
            complete: run.complete,
            as_planned,
            departures,
            figures: figures(&counted.iter().collect::<Vec<_>>()),
            variants,
            before: before.map(|before| before.run.clone()),
            changes,
        });
    }
    entries
}

/// What became of the variants that did not run through all their cycles as planned: a target that died ends a run in good order, and is no measurement.
fn departures(run: &Digest) -> Vec<String> {
    let mut found = Vec::new();
    for variant in &run.variants {
        let ended = match variant.end {
            End::Completed => None,
            End::TargetFailed => Some("its target failed"),
            End::Early => Some("it did not come to its end"),
        };
        let all = ended.into_iter().chain(variant.departures.iter().map(String::as_str));
        found.extend(all.map(|what| format!("{}: {what}", variant.id)));
    }
    if !run.complete && found.is_empty() {
        found.push("the run did not come to its end".to_owned());
    }
    found
}

/// Whether two runs are of builds of one thing, as far as what was started tells: tags of images and folders of programs change with the build.
fn of_one_kind(left: &Digest, right: &Digest) -> bool {
    let name = |run: &Digest| {
        let target = run.plan.target.launch.to_string();
        let (kind, what) = target.split_once(':').unwrap_or((&target, ""));
        match kind {
            "process" => what.rsplit('/').next().unwrap_or(what).to_owned(),
            // The port of a registry comes before a slash.
            "container" => {
                what.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(what, |parts| parts.0).to_owned()
            }
            _ => kind.to_owned(),
        }
    };
    left.plan.target.profile.name == right.plan.target.profile.name && name(left) == name(right)
}

/// Geometric means over cycles and variants, of what was recorded.
fn figures(variants: &[&VariantDigest]) -> BTreeMap<String, f64> {
    let of = |id: &str| mean(variants.iter().filter_map(|variant| level(variant, id)));
    QUANTITIES.iter().filter_map(|quantity| Some((quantity.id.to_owned(), rounded(of(quantity.id)?.exp())))).collect()
}

fn changes(before: &Digest, run: &Digest) -> BTreeMap<String, f64> {
    let of = |id: &str| {
        let pairs = run.variants.iter().filter_map(|variant| Some((before.variant(&variant.id)?, variant)));
        mean(pairs.filter_map(|(before, variant)| Some(level(variant, id)? - level(before, id)?)))
    };
    QUANTITIES
        .iter()
        .filter_map(|quantity| Some((quantity.id.to_owned(), rounded(of(quantity.id)?.exp_m1()))))
        .collect()
}

/// Mean of the logarithms over the cycles.
fn level(variant: &VariantDigest, id: &str) -> Option<f64> {
    mean(variant.values(id).iter().flatten().map(|value| value.ln()))
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DIGEST_SCHEMA;
    use crate::simulation::{Builder, HEALTHY, Target, plan};

    fn run(name: &str, unix_s: u64, pace: Pace, kept: f64) -> Digest {
        let plan = soak_scenario::Plan { pace, ..plan() };
        let target = Target { retained_per_cycle: kept, seed: unix_s, ..HEALTHY };
        let variants = (0..2).map(|id| VariantDigest::of(&plan, &Builder::record(&plan, id, target))).collect();
        let (host, harness) = ("a machine".to_owned(), "0".to_owned());
        let (schema, verdict, platform_failed, complete) = (DIGEST_SCHEMA, Verdict::Pass, false, true);
        Digest {
            schema,
            run: name.to_owned(),
            unix_s,
            harness,
            host,
            build: None,
            verdict,
            platform_failed,
            complete,
            plan,
            variants,
        }
    }

    #[test]
    fn a_run_is_set_beside_the_last_that_was_the_same_experiment() {
        let runs = vec![
            run("third", 3, Pace::Quick, 1.0),
            run("first", 1, Pace::Quick, 0.0),
            run("second", 2, Pace::Gate, 0.0),
        ];
        let entries = history(runs);
        let names: Vec<&str> = entries.iter().map(|entry| entry.run.as_str()).collect();
        assert_eq!(names, ["first", "second", "third"]);
        assert_eq!([&entries[0].before, &entries[1].before], [&None, &None]);
        assert_eq!(entries[2].before.as_deref(), Some("first"));
        // One MiB a cycle from the warm-up on is 4.5 in the middle of six counted cycles, above ten.
        let change = entries[2].changes["rss_settled"];
        assert!((0.35..0.55).contains(&change), "{change}");
        assert!(entries[2].figures["throughput"] > 0.0 && entries[2].variants.len() == 2);
    }

    #[test]
    fn what_was_broken_off_is_no_measurement_and_a_copy_no_other_run() {
        let broken = Digest { complete: false, ..run("second", 2, Pace::Quick, 1.0) };
        let mut died = run("third", 3, Pace::Quick, 1.0);
        died.variants[1].end = End::TargetFailed;
        let mut paused = run("fourth", 4, Pace::Quick, 1.0);
        paused.variants[0].departures.push("a person took a hand in it and paused the load".to_owned());
        let first = run("first", 1, Pace::Quick, 0.0);
        let cut = Digest { complete: false, variants: Vec::new(), ..first.clone() };
        let entries = history(vec![cut, first.clone(), broken, died, paused, run("fifth", 5, Pace::Quick, 0.0), first]);
        let names: Vec<&str> = entries.iter().map(|entry| entry.run.as_str()).collect();
        assert_eq!(names, ["first", "second", "third", "fourth", "fifth"]);
        let reasons = ["the run did not come to its end", "its target failed", "a person took a hand"];
        for (entry, reason) in entries[1..4].iter().zip(reasons) {
            assert!(entry.why_no_figures().unwrap().contains(reason), "{:?}", entry.departures);
            assert!(!entry.as_planned && entry.figures.is_empty() && entry.variants.is_empty(), "{}", entry.run);
            assert!(entry.before.is_none(), "{}", entry.run);
        }
        assert_eq!(entries[4].before.as_deref(), Some("first"));
    }

    #[test]
    fn other_settings_are_another_experiment() {
        let first = run("first", 1, Pace::Quick, 0.0);
        let mut other = run("second", 2, Pace::Quick, 0.0);
        for variant in &mut other.plan.variants {
            variant.knobs.gogc = soak_scenario::units::Gogc::Off;
        }
        let entries = history(vec![first, other, run("third", 3, Pace::Quick, 0.0)]);
        assert_eq!([&entries[1].before, &entries[2].before], [&None, &Some("first".to_owned())]);
    }

    #[test]
    fn another_tag_or_folder_is_another_build_of_the_same_thing() {
        use soak_scenario::Launch;

        let of = |path: &str| {
            let mut run = run("a", 1, Pace::Quick, 0.0);
            run.plan.target.launch = Launch::Process(path.to_owned());
            run
        };
        assert!(of_one_kind(&of("/a/store"), &of("/b/store")));
        assert!(!of_one_kind(&of("/a/store"), &of("/a/other")));
        assert!(!of_one_kind(&of("/a/store"), &run("a", 1, Pace::Quick, 0.0)));
    }
}
