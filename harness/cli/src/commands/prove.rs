//! `soak prove`: leaks of known sizes, run on this machine, and what was said of them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use soak_engine::RunEnd;
use soak_record::write_whole;
use soak_scenario::units::Span;
use soak_scenario::{Plan, Request, Variant, data_seed, load};
use soak_verdict::proof::{LEAKS, OfCriterion, Proof, Row, Share};
use soak_verdict::{RunVerdict, Verdict, human};

use super::{Exit, Failure, Format};
use crate::execution::{execute, keep_off_the_targets};
use crate::table::{table, wrapped};
use crate::{mistakes, output, progress, reports, run_id};

const SCENARIO: &str = "prove";

/// Added to the seed for the order of trials, which would otherwise go with the data.
const ORDER_SEED: u64 = 0x6f72_6465_7200;

/// The proof as a document, in the proof's folder.
const DOCUMENT: &str = "proof.json";

/// Run leaks of known sizes (0, ½, 1, 2 and 4 tolerances a cycle) on this machine, and show which were found
#[derive(Debug, Args)]
pub(crate) struct Prove {
    /// What to test: `embedded`, or `container:IMAGE`, or `process:PATH`; it has to be one that can be told to leak
    #[arg(long)]
    target: Option<String>,
    /// How long it may take; rounds of five trials are run as long as another fits
    #[arg(long, value_name = "TIME", default_value = "20min")]
    within: Span,
    /// Seed of the data and of the order of trials
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Sets a key of the scenario `prove`, such as `cycle.count=9`; may be repeated
    #[arg(long = "set", value_name = "PATH.TO.KEY=VALUE")]
    edits: Vec<String>,
    /// The proof's folder, with a run's folder for each round [default: runs/ID]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// For whom the result is written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

impl Prove {
    pub(crate) fn execute(self) -> Result<Exit, Failure> {
        let plan = self.plan()?;
        keep_off_the_targets(&plan)?;
        let id = run_id::fresh(SCENARIO);
        let out = self.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(&id));
        let (runs, end, took) = self.rounds(&plan, &id, &out)?;
        let proof = Proof::of(&runs);
        let tolerance = plan.variants.first().and_then(|one| plan.floor_tolerance(&one.knobs)).unwrap_or(0.0);
        let told = Told { proof: &proof, runs: &runs, tolerance, within: self.within.0, took };
        let document = serde_json::to_string_pretty(&told.json()).map_err(Failure::platform)?;
        write_whole(&out.join(DOCUMENT), document.as_bytes()).map_err(Failure::platform)?;
        match self.format {
            Format::Json => output::print(&format!("{document}\n"))?,
            Format::Human => output::print(&told.words(&out))?,
        }
        let platform = runs.iter().any(|run| run.platform.is_some());
        Ok(match (end, proof.verdict) {
            (RunEnd::Interrupted, _) => Exit::Interrupted,
            (_, Verdict::Fail) => Exit::Fail,
            _ if platform => Exit::Platform,
            (_, Verdict::Inconclusive) => Exit::Inconclusive,
            (_, Verdict::Pass) => Exit::Pass,
        })
    }

    fn plan(&self) -> Result<Plan, Failure> {
        let request = Request {
            scenario: SCENARIO,
            seed: Some(self.seed),
            target: self.target.as_deref(),
            edits: &self.edits,
            ..Request::default()
        };
        let loaded = load(&request)?;
        if !loaded.warnings.is_empty() {
            output::say(&mistakes::draw(&loaded.warnings));
        }
        Ok(loaded.plan)
    }

    /// Runs rounds until no other would fit: at least one.
    fn rounds(&self, plan: &Plan, id: &str, out: &Path) -> Result<(Vec<RunVerdict>, RunEnd, Duration), Failure> {
        let began = Instant::now();
        let (mut runs, mut longest) = (Vec::new(), Duration::ZERO);
        loop {
            let number = runs.len() as u64 + 1;
            let round = round(plan, number).map_err(Failure::usage)?;
            let since = Instant::now();
            let folder = out.join(format!("round-{number:02}"));
            output::say(&format!(
                "round {number}, {} of {} gone\n",
                human::seconds(began.elapsed().as_secs_f64()),
                self.within
            ));
            let end = execute(&round, &format!("{id}-{number}"), &folder, progress::for_a_person(&round))?;
            runs.push(reports::write_reports(&folder).map_err(Failure::of_platform)?);
            longest = longest.max(since.elapsed());
            if end != RunEnd::Complete || began.elapsed() + longest > self.within.0 {
                return Ok((runs, end, began.elapsed()));
            }
        }
    }
}

/// One trial of each leak, in an order drawn from the seed, so that nothing else on the machine goes with the size of the leak.
fn round(plan: &Plan, number: u64) -> Result<Plan, String> {
    let seed = plan.seed.wrapping_add(number - 1);
    let mut variants = Vec::new();
    for variant in plan.judged() {
        for leak in LEAKS {
            let mut dosed = plan.dosed(variant, leak, format!("{}-leak{leak}", variant.id))?;
            dosed.seed = data_seed(seed, variant.knobs.dim);
            variants.push(dosed);
        }
    }
    let mut drawn: Vec<(u64, Variant)> = variants
        .into_iter()
        .enumerate()
        .map(|(i, variant)| (data_seed(seed ^ ORDER_SEED, i as u32), variant))
        .collect();
    drawn.sort_by_key(|(key, _)| *key);
    let variants = drawn.into_iter().map(|(_, variant)| variant).collect();
    Ok(Plan { seed, variants, no_control: None, ..plan.clone() })
}

/// A proof and what goes with it.
struct Told<'a> {
    proof: &'a Proof,
    runs: &'a [RunVerdict],
    tolerance: f64,
    within: Duration,
    took: Duration,
}

impl Told<'_> {
    fn json(&self) -> serde_json::Value {
        json!({
            "verdict": self.proof.verdict,
            "tolerance": { "value": self.tolerance, "unit": "bytes/cycle" },
            "rounds": self.runs.len(),
            "within_s": self.within.as_secs_f64(),
            "took_s": self.took.as_secs_f64(),
            "criteria": self.proof.criteria,
            "trials": self.proof.trials,
        })
    }

    fn words(&self, out: &Path) -> String {
        let headline = match self.proof.verdict {
            Verdict::Pass => "PROVED: on this machine every leak of two tolerances was found, and nothing else",
            Verdict::Fail => "DISPROVED: the judge was wrong more often than chance explains",
            Verdict::Inconclusive => "NOT PROVED: not every answer was right on this machine, or there were too few",
        };
        let mut text = format!(
            "{headline}\n{} of {} in {}; the tolerance is {} a cycle\n",
            human::plural(self.proof.trials.len(), "answer"),
            human::plural(self.runs.len(), "round"),
            human::seconds(self.took.as_secs_f64()),
            human::bytes(self.tolerance)
        );
        for one in &self.proof.criteria {
            text.push('\n');
            text.push_str(&criterion(one));
        }
        let _ = writeln!(text, "\nRounds: {}", out.display());
        text
    }
}

fn criterion(one: &OfCriterion) -> String {
    let share = |share: &Share| {
        let [low, high] = share.interval.map(|end| end * 100.0);
        format!("{}/{} ({low:.0}–{high:.0} %)", share.count, share.of)
    };
    let row = |row: &Row| [row.truth.words().to_owned(), share(&row.fail), share(&row.inconclusive), share(&row.pass)];
    let rows = one.table.each_ref().map(row);
    let mut text = table([one.criterion, "fail", "inconclusive", "pass"], &rows);
    let bytes = |bytes: Option<f64>| bytes.map_or_else(|| "none".to_owned(), human::bytes);
    let predicted = &one.predicted_and_found;
    let agrees = if predicted.of == 0 {
        "no trial leaked as much as it predicted that it could have detected".to_owned()
    } else {
        format!("of the trials that leaked that much or more {} found it", share(predicted))
    };
    let line = format!(
        "Smallest leak found every time: {} a cycle. Predicted to be detectable: {} a cycle in the middle; {agrees}.",
        bytes(one.smallest_found),
        bytes(one.predicted)
    );
    text.push_str(&wrapped(&line, 0, output::WIDTH));
    text
}
