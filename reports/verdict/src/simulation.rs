//! Whole records, synthetic and seeded, through the whole judge: healthy ones pass, each misbehaviour fails where it should and only there.

mod on_purpose;

use std::collections::BTreeMap;

use proptest::prelude::*;
use soak_record::{Event, EventKind, HandAction, Outcome, Phase, Series, TaskGroup, VariantRecord};
use soak_scenario::Plan;

use crate::stats::draws::normal;
use crate::{RunVerdict, Verdict, judge};

const MIB: f64 = 1_048_576.0;
const CYCLES: u32 = 7;

/// A target as the simulation knows it. Sizes in MiB, rates a second, times in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) seed: u64,
    pub(crate) floor_sd: f64,
    pub(crate) leak_per_s: f64,
    pub(crate) retained_per_cycle: f64,
    pub(crate) tasks_per_s: f64,
    pub(crate) reclaim: f64,
    pub(crate) release_per_s: f64,
    pub(crate) mapped: f64,
    pub(crate) step_at: Option<u32>,
    /// What it leaks lies beside its heap.
    pub(crate) beside_heap: bool,
    /// Its compactions end with an error.
    pub(crate) errors: bool,
    /// Its compactions find nothing that could go.
    pub(crate) pinned: bool,
    /// First-order correlation of the floors' noise from cycle to cycle.
    pub(crate) correlation: f64,
}

pub(crate) const HEALTHY: Target = Target {
    seed: 0,
    floor_sd: 0.15,
    leak_per_s: 0.0,
    retained_per_cycle: 0.0,
    tasks_per_s: 0.0,
    reclaim: 1.0,
    release_per_s: 400.0,
    mapped: 0.0,
    step_at: None,
    beside_heap: false,
    errors: false,
    pinned: false,
    correlation: 0.0,
};

/// Builds one variant's record.
pub(crate) struct Builder {
    target: Target,
    now: f64,
    /// Memory now, what it is on its way to, and what has been kept.
    rss: f64,
    aim: f64,
    kept: f64,
    noise: f64,
    /// Bytes of deleted rows, in MiB, and compactions so far.
    dead: f64,
    compactions: f64,
    events: Vec<Event>,
    series: BTreeMap<String, Series>,
    draws: u64,
}

impl Builder {
    fn event(&mut self, kind: EventKind) {
        self.events.push(Event { at_s: self.now, variant: None, kind });
    }

    fn draw(&mut self) -> f64 {
        self.draws += 1;
        normal(self.target.seed * 100_000 + self.draws)
    }

    /// Lets time pass, sampling at 10 Hz.
    fn pass(&mut self, seconds: f64) {
        for _ in 0..(seconds * 10.0).round() as u32 {
            self.now += 0.1;
            self.kept += self.target.leak_per_s * 0.1;
            self.rss = if self.rss > self.aim {
                f64::max(self.aim, self.rss - self.target.release_per_s * 0.1)
            } else {
                self.aim
            };
            let jitter = 0.004 * self.draw();
            let anon = (10.0 + self.noise + self.rss + self.kept + jitter) * MIB;
            let file = (8.0 + self.target.mapped) * MIB;
            let tasks = 23.0 + (self.target.tasks_per_s * self.now).floor();
            let in_heap = if self.target.beside_heap { 0.0 } else { self.kept };
            let heap = (6.0 + self.aim + in_heap) * MIB + 2000.0 * self.draw();
            let skipped = if self.target.pinned { self.compactions } else { 0.0 };
            let fragmentation = if self.aim > 0.0 { self.dead / self.aim } else { 0.0 };
            for (name, value) in [
                ("rss_anon_bytes", anon),
                ("rss_file_bytes", file),
                ("rss_bytes", anon + file),
                ("heap_bytes", heap),
                ("dataset_bytes", self.aim * MIB),
                ("goroutines", tasks),
                ("tombstone_bytes", self.dead * MIB),
                ("slab_bytes", 0.6 * self.aim * MIB),
                ("slab_fragmentation_share", fragmentation),
                ("compactions_total", self.compactions),
                ("compactions_skipped_total", skipped),
                ("datasets", f64::from(self.aim > 0.0)),
            ] {
                self.series.entry(name.to_owned()).or_default().push(self.now, value);
            }
        }
    }

    fn phase(&mut self, phase: Phase, cycle: u32, seconds: f64) {
        self.event(EventKind::PhaseStarted { phase, cycle: Some(cycle) });
        self.pass(seconds);
        self.event(EventKind::PhaseEnded { phase, cycle: Some(cycle), seconds });
    }

    /// Settles for at most three seconds, then watches for one.
    fn rest(&mut self, phase: Phase, cycle: Option<u32>) {
        for _ in 0..30 {
            self.pass(0.1);
            if self.rss <= self.aim {
                break;
            }
        }
        let (from_s, settled) = (self.now, self.rss <= self.aim);
        self.pass(1.2);
        self.event(EventKind::Window { phase, cycle, from_s, to_s: self.now, settled });
    }

    fn tasks(&mut self, phase: Phase) {
        let leaked = (self.target.tasks_per_s * self.now).floor() as u64;
        let group = |signature: &str, count| TaskGroup { signature: signature.to_owned(), count, oldest_minutes: 0 };
        let groups = vec![group("serve < main", 23), group("wait < worker", leaked)];
        self.event(EventKind::Tasks { phase, cycle: None, groups });
    }

    fn cycle(&mut self, cycle: u32) {
        let data = 48.0;
        let fresh = self.draw();
        let (rho, sd) = (self.target.correlation, self.target.floor_sd);
        self.noise = rho * self.noise + (1.0 - rho * rho).sqrt() * sd * fresh;
        if self.target.step_at == Some(cycle) {
            self.kept += 9.0;
        }
        self.kept += self.target.retained_per_cycle;
        self.aim = 1.9 * data;
        self.phase(Phase::Ingest, cycle, 0.6);
        let bytes = (data * MIB) as u64;
        self.event(EventKind::Ingested {
            cycle,
            rows: 4096,
            bytes,
            acked_rows: 4096,
            indeterminate_rows: 0,
            refused_rows: 0,
            back_pressure: 2,
            seconds: 0.6,
        });
        self.phase(Phase::Index, cycle, 0.5);
        self.aim = 1.1 * data;
        self.phase(Phase::Query, cycle, 0.5);
        self.event(EventKind::Deleted { cycle, rows: 1147, failed: 0 });
        self.dead = 0.28 * 1.1 * data;
        self.rest(Phase::BeforeCompact, Some(cycle));
        self.aim = 1.1 * data * (1.0 - 0.28 * self.target.reclaim) + 0.1 * self.draw();
        self.dead *= 1.0 - self.target.reclaim;
        self.compactions += 1.0;
        self.phase(Phase::Compact, cycle, 0.2);
        let error = self.target.errors.then(|| "answered 500".to_owned());
        self.event(EventKind::Compacted { cycle, seconds: 0.2, error });
        self.rest(Phase::AfterCompact, Some(cycle));
        self.aim = 0.0;
        self.dead = 0.0;
        self.phase(Phase::Clear, cycle, 0.1);
        self.rest(Phase::Settle, Some(cycle));
    }

    pub(crate) fn record(plan: &Plan, id: usize, target: Target) -> VariantRecord {
        let (events, series) = (Vec::new(), BTreeMap::new());
        let mut builder = Self {
            target,
            now: 0.0,
            rss: 0.0,
            aim: 0.0,
            kept: 0.0,
            noise: 0.0,
            dead: 0.0,
            compactions: 0.0,
            events,
            series,
            draws: 0,
        };
        let attested = |knob: &str| EventKind::Attested {
            knob: knob.to_owned(),
            requested: "75".to_owned(),
            effective: Some("75".to_owned()),
            source: "metrics".to_owned(),
            holds: Some(true),
        };
        builder.event(attested("gogc"));
        builder.rest(Phase::ColdIdle, None);
        for cycle in 0..CYCLES {
            builder.cycle(cycle);
            if cycle == 0 {
                builder.rest(Phase::Idle, None);
                builder.tasks(Phase::Idle);
            }
        }
        builder.rest(Phase::Drain, None);
        builder.tasks(Phase::Drain);
        builder.event(EventKind::VariantEnded { outcome: Outcome::Completed });
        VariantRecord {
            variant: plan.variants[id].clone(),
            events: builder.events,
            series: builder.series,
            broken: Vec::new(),
        }
    }
}

/// A plan with six variants and the thresholds of the quick pace.
pub(crate) fn plan() -> Plan {
    let variants: Vec<_> = (0..6)
        .map(|i| {
            let knobs = r#"{"dim":1536,"batch_rows":500,"gogc":"75","gomemlimit":"off","memory_limit":"off","hnsw_m":32,"ef_construction":100,"compaction_interval":"off"}"#;
            format!(r#"{{"id":"dim{i}-rows500","seed":{i},"knobs":{knobs}}}"#)
        })
        .collect();
    let criteria = r#"{"rss_floor":{"at_most":1048576,"at_most_of_ingested":0.01},"heap_floor":{"at_most":1048576,"at_most_of_ingested":0.01},
        "compaction_reclaim":{"at_least":0.2,"at_most":0.3},"goroutine_baseline":{"at_most":3},"peak_per_ingested":{"at_most":3},
        "time_to_baseline":{"at_most":2},"unresponsive_time":{"at_most":5},"unverified_settings":{"at_most":0}}"#;
    let text = format!(
        r#"{{"schema":1,"scenario":"scenario2","title":"Spikes","source":"built-in","runbook":null,"pace":"quick","seed":7,
        "target":{{"launch":"embedded","profile":{{"name":"reference","title":"","protocol":"flight","launch":{{"args":[],"env":{{}}}},
        "endpoints":{{"compact":"POST /compact"}},"series":{{"heap_bytes":"heap","goroutines":"tasks"}},"attest":{{}},"modelled":["gc_cycles_total"],"can_misbehave":true}},"misbehave":{{}}}},
        "workload":{{"distribution":"uniform","ids":"int64","vectors_per_cycle":{{"0":4096}},"ingest":{{"schedule":"all","streams":2,"upserts":"0%"}},
        "query":{{"schedule":"all","duration":"1s","k":10,"in_flight":4,"mix":{{"search":1,"upsert":0,"delete":0}}}},"delete":"28%"}},
        "cycle":{{"count":{CYCLES},"warm_up":1,"window":"1s","settle_at_most":"3s","cold_idle":"1s","idle":"1s","drain_at_most":"5s"}},
        "sampling":{{"process":"100ms","metrics":"100ms","smaps":"1min"}},"deadlines":{{"boot":"10s","call":"10s","index":"10s","phase":"10min"}},
        "criteria":{criteria},"variants":[{}],"edits":["target.misbehave.heap_leak=2MiB/min"]}}"#,
        variants.join(",")
    );
    serde_json::from_str(&text).unwrap()
}

/// Judges six variants of one kind.
pub(crate) fn run(target: Target) -> RunVerdict {
    let plan = plan();
    let records = (0..6).map(|i| Builder::record(&plan, i, Target { seed: target.seed * 6 + i as u64, ..target }));
    judge("run-1", &plan, records.collect::<Vec<_>>())
}

/// The criteria that failed, each once.
fn failed(verdict: &RunVerdict) -> Vec<&str> {
    let mut failed: Vec<&str> = verdict
        .findings()
        .filter(|(_, f)| f.verdict == Some(Verdict::Fail))
        .map(|(_, f)| f.criterion.as_str())
        .collect();
    failed.sort_unstable();
    failed.dedup();
    failed
}

#[test]
fn healthy_targets_pass() {
    let mut passes = 0;
    for seed in 0..200 {
        let sd = 0.1 + 0.1 * (seed % 2) as f64;
        let correlation = if seed % 3 == 0 { 0.5 } else { 0.0 };
        let verdict = run(Target { seed, floor_sd: sd, correlation, ..HEALTHY });
        assert_eq!(failed(&verdict), [""; 0], "seed {seed}");
        passes += u32::from(verdict.verdict == Verdict::Pass);
    }
    assert!(passes >= 196, "{passes} of 200 runs of six variants passed");
}

#[test]
fn each_misbehaviour_fails_where_it_should_and_only_there() {
    let cases = [
        ("heap_leak", Target { leak_per_s: 0.4, ..HEALTHY }, &["heap_floor", "rss_floor"][..]),
        ("heap_leak, fast", Target { leak_per_s: 3.0, ..HEALTHY }, &["heap_floor", "rss_floor"]),
        ("retain_batches", Target { retained_per_cycle: 4.8, ..HEALTHY }, &["heap_floor", "rss_floor"]),
        ("retain_batches, half", Target { retained_per_cycle: 24.0, ..HEALTHY }, &["heap_floor", "rss_floor"]),
        ("task_leak", Target { tasks_per_s: 0.5, ..HEALTHY }, &["goroutine_baseline"]),
        ("compaction noop", Target { reclaim: 0.0, ..HEALTHY }, &["compaction_reclaim"]),
        ("compaction weak", Target { reclaim: 0.25, ..HEALTHY }, &["compaction_reclaim"]),
        ("slow_release", Target { release_per_s: 8.0, ..HEALTHY }, &["time_to_baseline"]),
        ("mapped_file", Target { mapped: 256.0, ..HEALTHY }, &[]),
        ("one step", Target { step_at: Some(3), ..HEALTHY }, &[]),
    ];
    for (name, target, expected) in cases {
        for seed in 0..20 {
            let verdict = run(Target { seed: 1000 + seed, ..target });
            assert_eq!(failed(&verdict), expected, "{name}, seed {seed}");
        }
    }
}

#[test]
fn findings_name_what_a_person_needs() {
    let leak = run(Target { tasks_per_s: 0.5, ..HEALTHY });
    let finding = leak.variants[0].finding("goroutine_baseline").unwrap();
    assert!(finding.reason.contains("wait < worker"), "{}", finding.reason);
    let line = finding.reproduce.as_deref().unwrap();
    let expected =
        "soak run scenario2 --pace quick --seed 7 --only 'dim0-rows500' --set 'target.misbehave.heap_leak=2MiB/min'";
    assert_eq!(line, expected);
    let mapped = run(Target { mapped: 256.0, ..HEALTHY });
    assert!(mapped.variants[0].notes.iter().any(|note| note.contains("mapped files, not the heap")));
    let healthy = run(HEALTHY);
    for name in ["rss_floor", "heap_floor"] {
        let finding = healthy.variants[0].finding(name).unwrap();
        assert!(finding.detectable.unwrap() > MIB && finding.reason.contains("could have seen"), "{}", finding.reason);
    }
    assert_eq!(healthy.exit_code(), 0);
    assert_eq!(leak.exit_code(), 1);
    let text = serde_json::to_string(&leak).unwrap();
    assert_eq!(serde_json::from_str::<RunVerdict>(&text).unwrap(), leak);
}

/// The verdict where GOMEMLIMIT was read back like this.
fn with_gomemlimit(effective: Option<&str>, holds: Option<bool>) -> RunVerdict {
    let plan = plan();
    let mut record = Builder::record(&plan, 0, HEALTHY);
    record.events.push(Event {
        at_s: 0.0,
        variant: None,
        kind: EventKind::Attested {
            knob: "gomemlimit".to_owned(),
            requested: "1GiB".to_owned(),
            effective: effective.map(str::to_owned),
            source: "metrics".to_owned(),
            holds,
        },
    });
    judge("r", &plan, [record])
}

#[test]
fn a_setting_without_effect_turns_passes_into_doubt() {
    let verdict = with_gomemlimit(Some("512MiB"), Some(false));
    assert_eq!(verdict.variants[0].verdict, Verdict::Inconclusive);
    assert!(verdict.variants[0].findings.iter().all(|finding| finding.verdict != Some(Verdict::Pass)));
    assert!(!verdict.complete && verdict.exit_code() == 3);
}

#[test]
fn a_setting_that_is_not_reported_and_not_compared_is_a_note() {
    let verdict = with_gomemlimit(None, None);
    let finding = verdict.variants[0].finding("unverified_settings").unwrap();
    assert_eq!(finding.verdict, Some(Verdict::Pass));
    assert!(verdict.variants[0].notes.iter().any(|note| note.contains("does not report gomemlimit")));
}

#[test]
fn the_working_of_a_criterion_is_told() {
    let plan = plan();
    let records = || (0..6).map(|i| Builder::record(&plan, i, HEALTHY)).collect::<Vec<_>>();
    let explained = crate::explain(&plan, "rss_floor", records()).unwrap();
    assert_eq!(explained.len(), 6);
    let text = explained[0].working.join("\n");
    for part in ["cycle 1: ", "Tolerance: 1.00 MiB", "Kendall's exact", "Theil–Sen slope", "Holm's procedure"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let verdict = judge("run-1", &plan, records());
    for (one, variant) in explained.iter().zip(&verdict.variants) {
        let finding = variant.finding("rss_floor").unwrap();
        assert_eq!(
            (&one.variant, one.finding.verdict, one.finding.value),
            (&variant.id, finding.verdict, finding.value)
        );
    }
    assert!(
        crate::explain(&plan, "compaction_reclaim", records()).unwrap()[0]
            .working
            .join(" ")
            .contains("ln(after / before)")
    );
    assert!(crate::explain(&plan, "nonsense", records()).is_none());
    for spec in soak_scenario::criterion::CRITERIA {
        for one in crate::explain(&plan, spec.id, records()).unwrap_or_default() {
            // Nobody was killed: there is nothing to work out.
            let told = !one.working.is_empty() || one.finding.value.is_none() || spec.id == "oom_cascade";
            assert!(told, "{} tells nothing", spec.id);
        }
    }
}

#[test]
fn endings_decide() {
    let plan = plan();
    let end = |outcome: Outcome| {
        let records: Vec<_> = (0..6)
            .map(|i| {
                let mut record = Builder::record(&plan, i, HEALTHY);
                if i == 2 {
                    record.events.pop();
                    record.events.push(Event {
                        at_s: 99.0,
                        variant: None,
                        kind: EventKind::VariantEnded { outcome: outcome.clone() },
                    });
                }
                record
            })
            .collect();
        judge("r", &plan, records)
    };
    let reason = || "no answer".to_owned();
    assert_eq!(end(Outcome::TargetFailed { reason: reason() }).exit_code(), 1);
    assert_eq!(end(Outcome::PlatformFailed { reason: reason() }).exit_code(), 4);
    assert_eq!(end(Outcome::Interrupted).exit_code(), 3);
    assert!(!end(Outcome::Interrupted).complete);
    assert_eq!(end(Outcome::Completed).exit_code(), 0);
}

#[test]
fn a_criterion_without_threshold_or_of_a_model_is_for_information() {
    let mut plan = plan();
    plan.criteria.remove("rss_floor");
    plan.target.profile.modelled.push("heap_bytes".to_owned());
    let leaky = Target { leak_per_s: 3.0, ..HEALTHY };
    let records: Vec<_> = (0..6).map(|i| Builder::record(&plan, i, leaky)).collect();
    let verdict = judge("r", &plan, records);
    for name in ["rss_floor", "heap_floor"] {
        let finding = verdict.variants[0].finding(name).unwrap();
        assert!(finding.informational && finding.verdict.is_none() && finding.value.is_some());
    }
    assert_eq!(verdict.verdict, Verdict::Pass);
}

#[test]
fn a_missing_or_silent_series_is_never_a_pass() {
    let plan = plan();
    let mut record = Builder::record(&plan, 0, HEALTHY);
    record.series.remove("heap_bytes");
    if let Some(series) = record.series.get_mut("goroutines") {
        series.values.fill(0.0);
    }
    let verdict = judge("r", &plan, [record]);
    for name in ["heap_floor", "goroutine_baseline"] {
        let finding = verdict.variants[0].finding(name).unwrap();
        assert_eq!(finding.verdict, Some(Verdict::Inconclusive));
        assert!(finding.reason.contains("heap_bytes") || finding.reason.contains("goroutines"));
    }
}

fn values() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(f64::NAN), Just(f64::INFINITY), -1e18..1e18f64, 0.0..1e9f64]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// No record, however damaged, stops the judge, and nothing but finite numbers comes out.
    #[test]
    fn any_record_is_judged(cut in 0usize..150, keep in 0usize..800, spoiled in proptest::collection::vec((0usize..800, values()), 0..20), skip in 1usize..5) {
        let plan = plan();
        let mut record = Builder::record(&plan, 0, HEALTHY);
        record.events.truncate(cut);
        record.events = record.events.into_iter().enumerate().filter(|(i, _)| i % skip != skip - 1 || skip == 1).map(|(_, e)| e).collect();
        for series in record.series.values_mut() {
            series.times_s.truncate(keep);
            series.values.truncate(keep);
            for (at, value) in &spoiled {
                if let Some(slot) = series.values.get_mut(*at) {
                    *slot = *value;
                }
            }
        }
        let verdict = judge("r", &plan, [record]);
        let text = serde_json::to_string(&verdict).unwrap();
        prop_assert_eq!(serde_json::from_str::<RunVerdict>(&text).unwrap(), verdict);
    }

    /// A leak on top never turns a fail into a pass.
    #[test]
    fn more_leak_is_never_better(seed in 0u64..10_000, sd in 0.05..3.0f64, leak in 0.0..2.0f64, more in 0.0..4.0f64) {
        let less = run(Target { seed, floor_sd: sd, leak_per_s: leak, ..HEALTHY });
        let worse = run(Target { seed, floor_sd: sd, leak_per_s: leak + more, ..HEALTHY });
        for name in ["rss_floor", "heap_floor"] {
            for (before, after) in less.variants.iter().zip(&worse.variants) {
                let (before, after) = (before.finding(name).unwrap().verdict, after.finding(name).unwrap().verdict);
                prop_assert!(!(before == Some(Verdict::Fail) && after == Some(Verdict::Pass)), "{}", name);
            }
        }
    }
}

#[test]
fn a_hand_in_the_run_takes_passes_back_and_no_fails() {
    let plan = plan();
    let judged = |retained_per_cycle: f64, error: Option<&str>| {
        let mut record = Builder::record(&plan, 0, Target { seed: 7, retained_per_cycle, ..HEALTHY });
        let error = error.map(str::to_owned);
        let kind = EventKind::ByHand { action: HandAction::Compact, phase: Phase::Query, cycle: Some(3), error };
        record.events.push(Event { at_s: 50.0, variant: None, kind });
        judge("r", &plan, [record]).variants.remove(0)
    };
    let healthy = judged(0.0, None);
    let finding = healthy.finding("rss_floor").unwrap();
    assert_eq!(finding.verdict, Some(Verdict::Inconclusive));
    assert!(finding.reason.contains("a person took a hand in it and asked for a compaction"), "{}", finding.reason);
    assert_eq!(judged(5.0, None).finding("rss_floor").unwrap().verdict, Some(Verdict::Fail));
    let mut weak = Builder::record(&plan, 0, Target { seed: 7, reclaim: 0.1, ..HEALTHY });
    assert_eq!(
        judge("r", &plan, [weak.clone()]).variants[0].finding("compaction_reclaim").unwrap().verdict,
        Some(Verdict::Fail)
    );
    let kind = EventKind::ByHand { action: HandAction::ResumeLoad, phase: Phase::Query, cycle: Some(3), error: None };
    weak.events.push(Event { at_s: 50.0, variant: None, kind });
    let excused = judge("r", &plan, [weak]).variants.remove(0);
    let finding = excused.finding("compaction_reclaim").unwrap();
    assert_eq!(finding.verdict, Some(Verdict::Inconclusive), "the person may have been the reason");
    assert!(
        finding.reason.contains("That would fail, but a person took a hand in it and paused"),
        "{}",
        finding.reason
    );
    let refused = judged(0.0, Some("the target cannot be asked to"));
    assert_eq!(refused.finding("rss_floor").unwrap().verdict, Some(Verdict::Pass), "nothing came of it");
}

#[test]
fn what_is_said_so_far_is_as_strict_as_the_end() {
    let plan = plan();
    let leak = Builder::record(&plan, 0, Target { seed: 8, retained_per_cycle: 5.0, ..HEALTHY });
    let said = |record: &VariantRecord, id: &str| {
        let found = crate::so_far(&plan, record).into_iter().find(|finding| finding.criterion == id);
        found.and_then(|finding| finding.verdict)
    };
    assert_eq!(said(&leak, "rss_floor"), Some(Verdict::Fail));
    let mut early = leak;
    let third = |event: &Event| matches!(event.kind, EventKind::PhaseStarted { cycle: Some(3), .. });
    let until = early.events.iter().find(|event| third(event)).unwrap().at_s;
    early.events.retain(|event| event.at_s < until);
    assert_eq!(said(&early, "rss_floor"), Some(Verdict::Inconclusive), "two cycles show nothing yet");
    let said: Vec<_> = crate::so_far(&plan, &early).into_iter().map(|finding| finding.criterion).collect();
    assert_eq!(said.len(), plan.criteria.len(), "of what is judged, and of nothing else: {said:?}");
}
