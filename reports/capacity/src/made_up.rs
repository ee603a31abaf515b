//! Runs that are made up, of which the truth is known: what a fit finds, how often its intervals hold, and what it refuses.

use soak_record::Phase;

use crate::answer::{Answer, Question};
use crate::held_out::HeldOut;
use crate::model::Model;
use crate::point::{Point, same};
use crate::recorded::{Identity, Observation, Recorded};
use crate::rules::Holds;
use crate::terms::Term;

const MIB: f64 = 1_048_576.0;

/// A store of known needs.
#[derive(Debug, Clone, Copy)]
struct Store {
    base: f64,
    of_vectors: f64,
    of_links: f64,
    row: f64,
    of_batches: f64,
    of_garbage: f64,
    /// Bytes of a peak for each search a second.
    of_searches: f64,
    /// Relative standard deviation of each measurement.
    noise: f64,
}

const GO_LIKE: Store = Store {
    base: 21.0 * MIB,
    of_vectors: 1.04,
    of_links: 1.2,
    row: 166.0,
    of_batches: 2.7,
    of_garbage: 0.65,
    of_searches: 4096.0,
    noise: 0.03,
};

/// Gaussian noise of a seed: sums of twelve uniform draws of `SplitMix64`.
struct Noise(u64);

impl Noise {
    fn draw(&mut self) -> f64 {
        let mut uniform = || {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        };
        (0..12).map(|_| uniform()).sum::<f64>() - 6.0
    }
}

impl Store {
    fn held(self, point: &Point) -> f64 {
        self.of_vectors * point.data_bytes() + self.of_links * point.vectors * point.m * 4.0 + self.row * point.vectors
    }

    fn settled(self, point: &Point) -> f64 {
        self.base + self.held(point)
    }

    fn peak(self, point: &Point) -> f64 {
        let garbage = self.of_garbage * self.held(point) * point.garbage_share();
        self.settled(point) + self.of_batches * point.batch_bytes() + garbage + self.of_searches * point.qps
    }

    fn run(self, points: &[Point], seed: u64) -> Recorded {
        let mut noise = Noise(seed);
        let observe = |(i, point): (usize, &Point)| Observation {
            run: "made-up".to_owned(),
            variant: format!("v{i}"),
            point: *point,
            settled_bytes: self.settled(point) * (1.0 + self.noise * noise.draw()),
            peak_bytes: self.peak(point) * (1.0 + self.noise * noise.draw()),
            peak_phase: Phase::Ingest,
            node_bytes: Some(point.m * 4.0),
            reclaimed: Some(0.28),
            cpu_s_per_million: Some(100.0 / point.gogc.unwrap_or(100.0)),
            cpu_error_s_per_million: Some(0.02),
            search_p99_ms: None,
        };
        Recorded {
            run: "made-up".to_owned(),
            identity: Identity(vec![("target", "process:store".to_owned()), ("misbehaviour", "none".to_owned())]),
            sets_m: true,
            sets_gogc: true,
            sets_gomemlimit: true,
            observations: points.iter().enumerate().map(observe).collect(),
            left_out: Vec::new(),
        }
    }
}

fn at(vectors: f64, dim: f64) -> Point {
    Point { vectors, dim, m: 16.0, batch_rows: 500.0, streams: 1.0, qps: 100.0, gogc: Some(100.0) }
}

/// Sizes as the scenario `capacity` has them.
fn spread() -> Vec<Point> {
    let sizes = [
        (8000.0, 96.0),
        (3000.0, 128.0),
        (6000.0, 256.0),
        (2000.0, 384.0),
        (5000.0, 512.0),
        (2000.0, 768.0),
        (4000.0, 1024.0),
        (1500.0, 1536.0),
        (2500.0, 2048.0),
        (2000.0, 3072.0),
    ];
    let mut points: Vec<Point> = sizes.into_iter().map(|(vectors, dim)| at(vectors, dim)).collect();
    points.extend(
        [(1, 3000.0), (4, 2000.0), (7, 1500.0), (9, 1000.0)].map(|(i, rows)| Point { batch_rows: rows, ..points[i] }),
    );
    points.extend([(1, 32.0), (2, 8.0), (6, 32.0)].map(|(i, m)| Point { m, ..points[i] }));
    points.extend([(2, 50.0), (5, 200.0), (8, 50.0)].map(|(i, gogc)| Point { gogc: Some(gogc), ..points[i] }));
    points.extend([(1, 1000.0), (3, 1000.0), (7, 500.0)].map(|(i, qps)| Point { qps, ..points[i] }));
    points
}

/// Sizes between those.
fn between() -> Vec<Point> {
    let sizes = [(5000.0, 112.0), (4000.0, 192.0), (6500.0, 320.0), (4500.0, 640.0), (2600.0, 896.0), (3200.0, 1280.0)];
    let points = sizes.map(|(vectors, dim)| at(vectors, dim));
    let batches = points.map(|point| Point { batch_rows: 900.0, gogc: Some(75.0), ..point });
    let links = points.map(|point| Point { m: 24.0, gogc: Some(150.0), ..point });
    [points, batches, links].concat()
}

fn asked(vectors: f64, dim: f64) -> Question {
    Question { vectors, dim, m: None, batch_rows: None, streams: None, qps: None, gogc: None, node_bytes: None }
}

fn answered(question: &Question, recorded: &[Recorded]) -> Answer {
    Answer::to(question, &Model::of(recorded), &["made-up".to_owned()])
}

fn what_is_missing(answer: &Answer) -> Vec<&'static str> {
    answer.missing.iter().map(|missing| missing.what).collect()
}

#[test]
fn what_a_store_needs_is_found() {
    let exact = Store { noise: 0.0, ..GO_LIKE };
    let model = Model::of(&[exact.run(&spread(), 1)]).unwrap();
    for (term, wanted) in [(Term::Base, 21.0 * MIB), (Term::Vectors, 1.04), (Term::Links, 1.2), (Term::Rows, 166.0)] {
        let found = model.rest.coefficient(term);
        assert!((found / wanted - 1.0).abs() < 1e-6, "{term:?}: {found}, not {wanted}");
    }
    assert!((model.peak.coefficient(Term::Batches) / 2.7 - 1.0).abs() < 1e-6, "{:?}", model.peak);
    assert!((model.peak.coefficient(Term::Garbage) / 0.65 - 1.0).abs() < 1e-6, "{:?}", model.peak);
    assert!((model.peak.coefficient(Term::Queries) / 4096.0 - 1.0).abs() < 1e-6, "{:?}", model.peak);
}

#[test]
fn intervals_hold_as_often_as_they_say() {
    let (mut inside, mut of) = (0, 0);
    for seed in 0..120 {
        let model = Model::of(&[GO_LIKE.run(&spread(), seed)]).unwrap();
        let held_out = HeldOut::of(&model, &[GO_LIKE.run(&between(), seed + 1_000_000)]);
        for tally in [held_out.settled, held_out.peak] {
            inside += tally.inside;
            of += tally.of;
            assert!(tally.of == between().len() && tally.half_width_most < 0.2, "seed {seed}: {tally:?}");
        }
    }
    let share = f64::from(u32::try_from(inside).unwrap()) / f64::from(u32::try_from(of).unwrap());
    // Sizes that are left out are fewer than variants, so the intervals are on the wide side of 95 %.
    assert!((0.93..0.995).contains(&share), "{inside} of {of}");
}

#[test]
fn steps_of_arrays_that_double_are_inside_too() {
    // Of each row 80 bytes lie in an array that doubles.
    let steps = |recorded: &mut Recorded| {
        for one in &mut recorded.observations {
            let slack = 80.0 * (one.point.vectors.log2().ceil().exp2() - one.point.vectors);
            one.settled_bytes += slack;
            one.peak_bytes += slack;
        }
    };
    let exact = Store { noise: 0.002, ..GO_LIKE };
    let (mut fitted, mut others) = (exact.run(&spread(), 3), exact.run(&between(), 4));
    steps(&mut fitted);
    steps(&mut others);
    let held_out = HeldOut::of(&Model::of(&[fitted]).unwrap(), &[others]);
    for tally in [held_out.settled, held_out.peak] {
        assert!(tally.inside as f64 >= 0.9 * tally.of as f64, "{tally:?}");
    }
}

#[test]
fn far_away_is_said_and_wider() {
    let recorded = [GO_LIKE.run(&spread(), 5)];
    let near = answered(&asked(3000.0, 1536.0), &recorded);
    let some = answered(&asked(30_000.0, 1536.0), &recorded);
    let far = answered(&asked(1e7, 1536.0), &recorded);
    let half = |answer: &Answer| answer.settled.unwrap().half_width();
    assert!(near.is_complete() && some.is_complete() && far.is_complete());
    assert_eq!((near.extrapolated, some.extrapolated, far.extrapolated), (false, false, true));
    assert!(half(&near) < half(&some) && half(&some) < half(&far), "{} {} {}", half(&near), half(&some), half(&far));
    let truth = GO_LIKE.settled(&at(1e7, 1536.0));
    let [low, high] = far.settled.unwrap().interval;
    assert!(low < truth && truth < high, "{low} {truth} {high}");
    let (limit, peak) = (far.limit.unwrap(), far.peak.unwrap());
    assert!(limit.value >= peak.interval[1] && limit.value - peak.interval[1] <= MIB, "whole MiB above the peak");
}

#[test]
fn nothing_is_answered_that_the_runs_do_not_tell_apart() {
    let all = spread();
    let only = |keep: &dyn Fn(&Point) -> bool| {
        let kept: Vec<Point> = all.iter().filter(|point| keep(point)).copied().collect();
        [GO_LIKE.run(&kept, 7)]
    };
    // One size: base and slope are one number.
    let one_size: Vec<Point> =
        (0..9).map(|i| Point { batch_rows: 100.0 + f64::from(i), ..at(3000.0, 128.0) }).collect();
    let answer = answered(&asked(1e6, 128.0), &[GO_LIKE.run(&one_size, 7)]);
    assert_eq!((what_is_missing(&answer), answer.settled, answer.limit), (vec!["sizes"], None, None));
    // One dimension: of that one it is answered, of another not.
    let one_dim: Vec<Point> = [1, 2, 3, 5, 8, 13, 21].map(|thousands| at(f64::from(thousands) * 1000.0, 128.0)).into();
    let one_dim = [GO_LIKE.run(&one_dim, 7)];
    assert!(answered(&asked(4000.0, 128.0), &one_dim).is_complete());
    let other = answered(&asked(4000.0, 256.0), &one_dim);
    assert_eq!((what_is_missing(&other), other.settled), (vec!["dimensions"], None));
    // One M, one batch, one GOGC, one rate: memory at rest goes with none of the last three.
    let usual = at(1.0, 1.0);
    let plain = only(&|point| {
        let Point { m, batch_rows, qps, gogc, .. } = usual;
        same(point.m, m) && same(point.batch_rows, batch_rows) && same(point.qps, qps) && point.gogc == gogc
    });
    let with = |change: &dyn Fn(&mut Question)| {
        let mut question = asked(3000.0, 512.0);
        change(&mut question);
        answered(&question, &plain)
    };
    assert!(with(&|_| {}).is_complete());
    let m = with(&|question| question.m = Some(32.0));
    assert_eq!((what_is_missing(&m), m.settled, m.peak), (vec!["hnsw_m"], None, None));
    for (what, answer) in [
        ("batch_rows", with(&|question| question.batch_rows = Some(4096.0))),
        ("streams", with(&|question| question.streams = Some(4.0))),
        ("gogc", with(&|question| question.gogc = Some(50.0))),
        ("qps", with(&|question| question.qps = Some(1000.0))),
    ] {
        assert_eq!((what_is_missing(&answer), answer.limit), (vec![what], None));
        assert!(answer.settled.is_some(), "memory at rest does not go with {what}");
    }
    // Too few sizes, and none at all.
    let few = only(&|point| point.dim <= 384.0 && same(point.m, 16.0));
    assert_eq!(what_is_missing(&answered(&asked(3000.0, 256.0), &few)), ["sizes"]);
    assert_eq!(what_is_missing(&answered(&asked(1.0, 1.0), &[])), ["runs"]);
}

/// What is varied, how in a run, and how in a question.
type Case<'a> = (&'static str, &'a dyn Fn(&mut Point), &'a dyn Fn(&mut Question));

#[test]
fn what_one_size_alone_has_is_its_own() {
    let odd = |change: &dyn Fn(&mut Point), sizes: usize| {
        let mut points: Vec<Point> = spread().into_iter().take(10).collect();
        for size in 0..sizes {
            let mut other = points[size + 1];
            change(&mut other);
            points.push(other);
        }
        [GO_LIKE.run(&points, 7)]
    };
    let cases: [Case; 4] = [
        ("hnsw_m", &|point| point.m = 32.0, &|question| question.m = Some(32.0)),
        ("batch_rows", &|point| point.batch_rows = 2000.0, &|question| question.batch_rows = Some(2000.0)),
        ("gogc", &|point| point.gogc = Some(50.0), &|question| question.gogc = Some(50.0)),
        ("qps", &|point| point.qps = 1000.0, &|question| question.qps = Some(1000.0)),
    ];
    for (what, change, ask) in cases {
        let mut question = asked(3000.0, 512.0);
        assert!(answered(&question, &odd(change, 1)).is_complete(), "{what}: the others have the usual value");
        ask(&mut question);
        let missing = answered(&question, &odd(change, 1));
        assert_eq!((what_is_missing(&missing), missing.limit), (vec![what], None), "{missing:?}");
        assert!(answered(&question, &odd(change, 2)).is_complete(), "{what}: two sizes tell it");
    }
}

#[test]
fn many_variants_of_one_size_are_one_size() {
    let mut points: Vec<Point> = spread().into_iter().take(10).map(|point| Point { m: 32.0, ..point }).collect();
    let one = points[4];
    points.extend([500.0, 600.0, 700.0].repeat(5).into_iter().map(|rows| Point { batch_rows: rows, m: 16.0, ..one }));
    let recorded = [GO_LIKE.run(&points, 7)];
    let answer = answered(&asked(3000.0, 512.0), &recorded);
    assert_eq!(
        (answer.asked.m, what_is_missing(&answer)),
        (16.0, vec!["hnsw_m"]),
        "most variants have it, of one size"
    );
    assert!(
        !what_is_missing(&answered(&Question { m: Some(32.0), ..asked(3000.0, 512.0) }, &recorded)).contains(&"hnsw_m")
    );
}

#[test]
fn the_node_that_is_asked_for_is_divided_by() {
    let recorded = [GO_LIKE.run(&spread(), 11)];
    let divided = |m: f64| {
        let answer = answered(&Question { m: Some(m), ..asked(5e7, 1536.0) }, &recorded);
        answer.rules.iter().find(|rule| rule.rule.contains("partitioning")).unwrap().clone()
    };
    // Four bytes for each of M: 64 and 128 bytes.
    assert!(divided(16.0).because.contains("one part is enough"), "{:?}", divided(16.0));
    assert!(divided(32.0).because.contains("2 parts"), "{:?}", divided(32.0));
    let unknown = divided(24.0);
    assert!(unknown.holds == Holds::Unknown && unknown.because.contains("no run with M 24"), "{unknown:?}");
}

#[test]
fn a_peak_is_no_less_than_rest_and_nothing_is_beyond_seen() {
    // A store whose two fits have bases of their own, and rates from none at all.
    let mut points = spread();
    points.iter_mut().take(3).for_each(|point| point.qps = 0.0);
    let store = Store { of_batches: 0.0, of_garbage: 0.0, of_searches: 0.0, noise: 0.05, ..GO_LIKE };
    for seed in 0..20 {
        let answer = answered(&asked(40.0, 8.0), &[store.run(&points, seed)]);
        let (settled, peak) = (answer.settled.unwrap(), answer.peak.unwrap());
        assert!(peak.value >= settled.value && peak.interval[1] >= settled.interval[1], "{settled:?} {peak:?}");
    }
    let often = Question { qps: Some(1e6), ..asked(3000.0, 512.0) };
    let answer = answered(&often, &[GO_LIKE.run(&points, 3)]);
    assert_eq!((answer.extrapolated, answer.beyond), (true, (1000.0, "searches a second")));
}

#[test]
fn predictions_stand_where_there_are_enough_and_each_is_one() {
    use soak_verdict::Verdict;

    let model = Model::of(&[GO_LIKE.run(&spread(), 12)]).unwrap();
    let of = |points: &[Point], store: Store| HeldOut::of(&model, &[store.run(points, 13)]).verdict();
    let many = [between(), between()].concat();
    assert_eq!(of(&many, GO_LIKE).0, Verdict::Pass);
    let (few, why) = of(&between()[..5], GO_LIKE);
    assert!(few == Verdict::Inconclusive && why.starts_with("5 predictions within the fitted range at rest"), "{why}");
    let (wrong, why) = of(&many, Store { of_vectors: 1.6, ..GO_LIKE });
    assert!(wrong == Verdict::Fail && why.contains("inside of their interval"), "{why}");
    // What the model cannot say is no wrong prediction.
    let off: Vec<Point> = many.iter().map(|point| Point { gogc: None, ..*point }).collect();
    let held = HeldOut::of(&model, &[GO_LIKE.run(&off, 14)]);
    assert_eq!((held.unanswered, held.peak.of, held.verdict().0), (off.len(), 0, Verdict::Inconclusive));
}

#[test]
fn runs_of_different_builds_are_no_fit_in_any_order() {
    let of = |run: &str, build: &str, seed: u64| {
        let mut recorded = GO_LIKE.run(&spread(), seed);
        recorded.run = run.to_owned();
        recorded.identity.0.push(("build", build.to_owned()));
        recorded
    };
    let missing = |runs: &[Recorded]| what_is_missing(&answered(&asked(3000.0, 512.0), runs));
    let (untold, one, other) = (of("a", "not told", 8), of("b", "sha256:b", 9), of("c", "sha256:c", 10));
    assert_eq!(missing(&[untold.clone(), one.clone()]), Vec::<&str>::new());
    for runs in [[&untold, &one, &other], [&one, &untold, &other], [&one, &other, &untold]] {
        assert_eq!(missing(&runs.map(Clone::clone)), ["target"]);
    }
    // Nor is one whose build changed under it.
    assert_eq!(missing(&[of("d", "sha256:b and sha256:c", 11)]), ["target"]);
}

#[test]
fn runs_of_different_targets_are_no_fit() {
    let one = GO_LIKE.run(&spread(), 8);
    let mut other = GO_LIKE.run(&spread(), 9);
    other.identity.0[0].1 = "process:another".to_owned();
    let answer = answered(&asked(3000.0, 512.0), &[one.clone(), other]);
    assert_eq!((what_is_missing(&answer), answer.settled), (vec!["target"], None));
    let mut leaking = one;
    leaking.identity.0[1].1 = "heap_leak=1MiB/s".to_owned();
    assert_eq!(what_is_missing(&answered(&asked(3000.0, 512.0), &[leaking])), ["target"]);
}

#[test]
fn gogc_is_traded_and_nodes_are_counted() {
    let recorded = [GO_LIKE.run(&spread(), 10)];
    let answer = answered(&Question { node_bytes: Some(512.0 * MIB), ..asked(200_000.0, 1536.0) }, &recorded);
    let gogc: Vec<f64> = answer.trade_off.iter().map(|one| one.gogc).collect();
    assert_eq!(gogc, [50.0, 100.0, 200.0]);
    assert!(answer.trade_off.windows(2).all(|pair| pair[0].peak.value < pair[1].peak.value), "{:?}", answer.trade_off);
    assert!((answer.trade_off[0].cpu.unwrap() - 2.0).abs() < 1e-9, "twice the collections: {:?}", answer.trade_off);
    let [low, high] = answer.trade_off[0].cpu_interval.unwrap();
    assert!(low < 2.0 && 2.0 < high && high < 2.1, "{low} to {high}");
    let mut short = recorded.clone();
    short[0].observations.iter_mut().for_each(|one| one.cpu_error_s_per_million = Some(0.5));
    let untold = answered(&asked(200_000.0, 1536.0), &short);
    assert_eq!((untold.trade_off[0].cpu, untold.trade_off[0].cpu_pairs), (None, 2), "some ticks are no factor");
    let nodes = answer.nodes.unwrap();
    let fits = |parts: u64| {
        answered(&asked((200_000.0 / parts as f64).ceil(), 1536.0), &recorded).peak.unwrap().interval[1] <= 512.0 * MIB
    };
    assert!(nodes > 1 && fits(nodes) && !fits(nodes - 1), "{nodes}");
    // What is set is set on one of them.
    let each = answer.node_limit.unwrap().value;
    assert!((256.0 * MIB..=512.0 * MIB).contains(&each), "{each}");
    let lines = answer.settings.unwrap().systemd;
    assert!(lines.contains(&format!("MemoryMax={}M", each / MIB)), "{lines}");
    // What holds no part of it is no number of nodes, however many.
    let answer = answered(&Question { node_bytes: Some(MIB), ..asked(200_000.0, 1536.0) }, &recorded);
    assert_eq!((what_is_missing(&answer), answer.nodes, answer.is_complete()), (vec!["nodes"], None, false));
    assert!(answer.limit.is_some());
}

#[test]
fn the_runbooks_rules_are_held_against_the_build() {
    let answer = answered(&asked(4000.0, 1536.0), &[GO_LIKE.run(&spread(), 11)]);
    let rule = |part: &str| answer.rules.iter().find(|rule| rule.rule.contains(part)).unwrap();
    let node = rule("per node");
    assert_eq!(node.holds, Holds::Unknown, "its page says 64 bytes a node, and memory 243: {node:?}");
    let lean = Store { row: 2.0, of_links: 1.0, noise: 1e-6, ..GO_LIKE };
    let answer_of_lean = answered(&asked(4000.0, 1536.0), &[lean.run(&spread(), 11)]);
    let holds = answer_of_lean.rules.iter().find(|rule| rule.rule.contains("per node")).unwrap().holds;
    assert_eq!(holds, Holds::Yes, "both say some 64");
    assert!(node.because.contains("128"), "2·M·4 bytes would be: {node:?}");
    assert_eq!(rule("compaction").holds, Holds::Unknown, "it was as frequent in all runs");
    assert_eq!(rule("partitioning").holds, Holds::Unknown, "one part is enough");
    let mut idle = GO_LIKE.run(&spread(), 11);
    idle.observations.iter_mut().for_each(|one| one.reclaimed = Some(0.0));
    let answer = answered(&asked(4000.0, 1536.0), &[idle]);
    assert!(answer.rules.iter().any(|rule| rule.rule.contains("compaction") && rule.holds == Holds::No), "{answer:?}");
    // 5 GB of such an index are some 80 million vectors.
    for (base, holds) in [(GO_LIKE.base, Holds::Yes), (512.0 * 1024.0 * MIB, Holds::No)] {
        let answer = answered(&asked(2e8, 1536.0), &[Store { base, noise: 1e-6, ..GO_LIKE }.run(&spread(), 11)]);
        let divided = answer.rules.iter().find(|rule| rule.rule.contains("partitioning")).unwrap();
        assert_eq!(divided.holds, holds, "{divided:?}");
        assert!(divided.because.contains("3 parts, which peak at"), "{divided:?}");
    }
    let hungry = Store { of_vectors: 6.0, ..GO_LIKE };
    // Of so few it is the process that is told of.
    let little = answered(&asked(400.0, 1536.0), &[hungry.run(&spread(), 12)]);
    assert!(little.rules.iter().any(|rule| rule.rule.contains("1536D") && rule.holds == Holds::Unknown), "{little:?}");
    let answer = answered(&asked(40_000.0, 1536.0), &[hungry.run(&spread(), 12)]);
    let allocate = answer.rules.iter().find(|rule| rule.rule.contains("1536D")).unwrap();
    assert_eq!(allocate.holds, Holds::No, "{allocate:?}");
    assert!(allocate.because.contains("too little"), "{allocate:?}");
}
