//! How often a comparison is right, where the truth is known: two builds that are the same, and one that is a tenth worse, with the noise that real runs have.
//!
//! Cycles scatter and remember one another, pools fill, processes of one build differ, and every quantity does so by its own measure.

use super::{Answer, Comparison, Settings, compare};
use crate::digest::{DIGEST_SCHEMA, Digest, End, QUANTITIES, Quantity, VariantDigest};
use crate::outcome::Verdict;
use crate::stats::draws::normal;

const COMPARISONS: u64 = 1000;
/// As at gate pace.
const VARIANTS: usize = 5;
const CYCLES: usize = 6;
const MIB: f64 = 1_048_576.0;

/// Noise of a target, in units of what was measured of real ones.
#[derive(Clone, Copy)]
struct Noise {
    /// From cycle to cycle, and how much of it the next cycle remembers.
    cycle: f64,
    memory: f64,
    /// Between processes, in allowances.
    process: f64,
    /// By how much the machine gets slower from run to run, for all that is of time.
    drift: f64,
}

/// As measured (`ci/bench compare`).
const REAL: Noise = Noise { cycle: 1.0, memory: 0.3, process: 0.9, drift: 0.0 };

/// A quantity's level, and how its logarithm scatters from cycle to cycle: root mean squares of what was measured of both stores.
fn level(quantity: &Quantity, settled: f64) -> (f64, f64) {
    match quantity.id {
        "rss_settled" => (settled, 0.145 * MIB / settled),
        "rss_loaded" => (2.0 * settled, 0.12 * MIB / (2.0 * settled)),
        "rss_peak" => (4.0 * settled, 0.013),
        "heap_settled" => (0.4 * MIB, 0.08),
        "heap_loaded" => (settled, 0.005),
        "tasks" => (13.0, 0.0),
        "compaction_left" => (0.72, 0.012),
        "throughput" => (3000.0, 0.2),
        "search_p50" => (3.0, 0.15),
        _ => (8.0, 0.5),
    }
}

/// Draws, the same for every run of the tests.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> f64 {
        self.0 += 1;
        normal(self.0)
    }

    /// Cycles of a process whose pools fill as those of the embedded store do, by a third over the run.
    fn cycles(&mut self, quantity: &Quantity, (level, scatter): (f64, f64), noise: Noise) -> Vec<Option<f64>> {
        let process = noise.process * quantity.allowance.of(level) * self.next();
        let mut state = self.next();
        let values = (0..CYCLES).map(|cycle| {
            state = noise.memory * state + (1.0 - noise.memory * noise.memory).sqrt() * self.next();
            let filled = 1.0 - 0.3 * (-0.5 * cycle as f64).exp();
            Some(level * filled * (process + noise.cycle * scatter * state).exp())
        });
        values.collect()
    }

    /// A run of a target that holds so many times the memory of the base.
    fn run(&mut self, name: &str, place: u32, (settled, factor): (f64, f64), noise: Noise) -> Digest {
        let mut plan = crate::simulation::plan();
        plan.variants.truncate(VARIANTS);
        let variants = plan.variants.iter().map(|variant| {
            let cycles = QUANTITIES.iter().map(|quantity| {
                let (mut level, scatter) = level(quantity, settled);
                let drift = 1.0 + noise.drift * f64::from(place);
                match quantity.unit {
                    "bytes" => level *= factor,
                    "rows/s" => level /= drift,
                    "ms" => level *= drift,
                    _ => {}
                }
                (quantity.id.to_owned(), self.cycles(quantity, (level, scatter), noise))
            });
            let cycles = cycles.collect();
            VariantDigest {
                id: variant.id.clone(),
                end: End::Completed,
                departures: Vec::new(),
                attested: [].into(),
                cycles,
            }
        });
        let variants = variants.collect();
        Digest {
            schema: DIGEST_SCHEMA,
            run: format!("{name}-{place}"),
            unix_s: u64::from(place),
            harness: "0".to_owned(),
            build: None,
            host: "Linux 6.1 x86_64, 2 cores, 8.0 GiB".to_owned(),
            verdict: Verdict::Pass,
            platform_failed: false,
            complete: true,
            plan,
            variants,
        }
    }

    /// Runs of both sides, by turns, and their comparison.
    fn compared(&mut self, case: Case) -> Comparison {
        let (mut base, mut candidate) = (Vec::new(), Vec::new());
        for turn in 0..case.runs {
            // Which goes first changes from turn to turn.
            let [first, second] = if turn % 2 == 0 { [0, 1] } else { [1, 0] };
            base.push(self.run("base", 2 * turn + first, (case.settled, 1.0), case.noise));
            candidate.push(self.run("candidate", 2 * turn + second, (case.settled, case.factor), case.noise));
        }
        compare(&base, &candidate, &Settings { paired: case.paired, ..Settings::default() }).unwrap()
    }
}

/// What is simulated.
#[derive(Clone, Copy)]
struct Case {
    seed: u64,
    comparisons: u64,
    /// Runs a side.
    runs: u32,
    paired: bool,
    /// Memory at rest without data.
    settled: f64,
    /// The candidate's memory, in those of the base.
    factor: f64,
    noise: Noise,
}

const ALIKE: Case =
    Case { seed: 1, comparisons: COMPARISONS, runs: 1, paired: false, settled: 8.0 * MIB, factor: 1.0, noise: REAL };

/// How often, of a hundred: the verdict is fail, or pass; settled memory is called the same, or worse.
#[derive(Debug, Default)]
struct Rates {
    fail: f64,
    pass: f64,
    same: f64,
    worse: f64,
}

fn rates(case: Case) -> Rates {
    let mut draws = Draws(case.seed * 1_000_000_000);
    let mut rates = Rates::default();
    let of_all = 100.0 / case.comparisons as f64;
    for _ in 0..case.comparisons {
        let comparison = draws.compared(case);
        rates.fail += of_all * f64::from(u8::from(comparison.verdict == Verdict::Fail));
        rates.pass += of_all * f64::from(u8::from(comparison.verdict == Verdict::Pass));
        let settled = || comparison.rows.iter().filter(|row| row.quantity == "rss_settled");
        let share = |answer: Answer| settled().filter(|row| row.answer == answer).count() as f64 / VARIANTS as f64;
        rates.same += of_all * share(Answer::Same);
        rates.worse += of_all * share(Answer::Worse);
    }
    rates
}

#[test]
fn two_runs_of_one_build_are_called_the_same() {
    let rates = rates(ALIKE);
    assert!(rates.fail <= 2.0 && rates.pass >= 90.0 && rates.same >= 90.0, "{rates:?}");
}

#[test]
fn a_tenth_more_memory_is_found() {
    let rates = rates(Case { seed: 2, comparisons: 200, settled: 24.0 * MIB, factor: 1.1, ..ALIKE });
    assert!(rates.fail >= 95.0 && rates.worse >= 95.0, "{rates:?}");
    let better = self::rates(Case { seed: 3, comparisons: 200, settled: 24.0 * MIB, factor: 1.0 / 1.1, ..ALIKE });
    assert!(better.fail <= 2.0 && better.worse < 0.1, "{better:?}");
}

#[test]
fn turns_on_a_machine_that_gets_slower_are_not_blamed_on_the_candidate() {
    let noise = Noise { drift: 0.02, ..REAL };
    let rates = rates(Case { seed: 4, comparisons: 200, runs: 2, paired: true, noise, ..ALIKE });
    assert!(rates.fail <= 2.0 && rates.pass >= 90.0, "{rates:?}");
}

#[test]
fn processes_that_differ_more_than_the_allowance_are_found_out_by_several_runs() {
    let wild = Case { seed: 5, comparisons: 200, noise: Noise { process: 5.0, ..REAL }, ..ALIKE };
    let [one, three] = [1, 3].map(|runs| rates(Case { runs, ..wild }));
    assert!(one.fail > 10.0 && three.fail <= 4.0, "{one:?} {three:?}");
}

#[test]
fn cycles_that_remember_one_another_are_no_surer_for_it() {
    let noise = Noise { cycle: 2.0, memory: 0.7, ..REAL };
    let rates = rates(Case { seed: 6, comparisons: 200, noise, ..ALIKE });
    assert!(rates.fail <= 3.0 && rates.pass < 50.0, "what cannot be told is not called the same: {rates:?}");
}
