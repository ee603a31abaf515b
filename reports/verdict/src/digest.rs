//! A run in a few kilobytes: what was run, and the levels of every counted cycle. What runs are compared by, and what a baseline keeps of one.

mod quantity;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use soak_record::{EventKind, Phase, Run, VariantRecord};
use soak_scenario::{Plan, Variant};

pub use quantity::{QUANTITIES, Quantity, Scale, quantity};

use crate::ending::Ending;
use crate::observed::Observed;
use crate::outcome::{RunVerdict, Verdict};

/// The version of a digest's JSON form. A reader refuses a greater one.
pub const DIGEST_SCHEMA: u32 = 1;

/// What is kept of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// [`DIGEST_SCHEMA`] of the writer.
    pub schema: u32,
    /// The run's id.
    pub run: String,
    /// Start, seconds since the Unix epoch.
    pub unix_s: u64,
    /// Version of the harness, and so of the embedded target.
    pub harness: String,
    /// Kernel, cores, memory.
    pub host: String,
    /// Its verdict by the scenario's own thresholds.
    pub verdict: Verdict,
    /// Whether the harness or the machine failed.
    pub platform_failed: bool,
    /// Whether every variant ran to an end.
    pub complete: bool,
    /// The plan that was run.
    pub plan: Plan,
    /// The variants that are judged, in the order of the plan.
    pub variants: Vec<VariantDigest>,
}

/// What is kept of a variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VariantDigest {
    /// The variant's id.
    pub id: String,
    /// How it ended.
    pub end: End,
    /// The settings as they were read back, by knob.
    pub attested: BTreeMap<String, String>,
    /// For each quantity that was recorded its value in each counted cycle, in order; a cycle of which it is not known has none.
    pub cycles: BTreeMap<String, Vec<f64>>,
}

/// How a variant ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// All its phases ran.
    Completed,
    /// The target died, was killed for memory, or stopped answering.
    TargetFailed,
    /// It broke off, for any other reason.
    Early,
}

impl Digest {
    /// Of a run, its verdict, and what is kept of its variants, in any order.
    pub fn of(run: &Run, verdict: &RunVerdict, mut variants: Vec<VariantDigest>) -> Self {
        let started = run.events.iter().find_map(|event| match &event.kind {
            EventKind::RunStarted { harness, unix_s, host, .. } => Some((harness.clone(), *unix_s, host.clone())),
            _ => None,
        });
        let (harness, unix_s, host) = started.unwrap_or_default();
        let place = |id: &str| run.plan.variants.iter().position(|variant| variant.id == id);
        variants.sort_by_key(|variant| place(&variant.id));
        Self {
            schema: DIGEST_SCHEMA,
            run: run.id.clone(),
            unix_s,
            harness,
            host,
            verdict: verdict.verdict,
            platform_failed: verdict.platform.is_some(),
            complete: verdict.complete,
            plan: run.plan.clone(),
            variants,
        }
    }

    /// The digest of this variant.
    pub fn variant(&self, id: &str) -> Option<&VariantDigest> {
        self.variants.iter().find(|variant| variant.id == id)
    }

    /// The variant of the plan with this id.
    pub fn planned(&self, id: &str) -> Option<&Variant> {
        self.plan.variants.iter().find(|variant| variant.id == id)
    }
}

impl VariantDigest {
    /// Of a record.
    pub fn of(plan: &Plan, record: &VariantRecord) -> Self {
        let observed = Observed::new(plan, record);
        let attested = observed.events().filter_map(|event| match event {
            EventKind::Attested { knob, effective: Some(effective), .. } => Some((knob.clone(), effective.clone())),
            _ => None,
        });
        let end = match Ending::of(&observed) {
            Ending::Completed => End::Completed,
            Ending::TargetFailed(_) => End::TargetFailed,
            Ending::PlatformFailed(_) | Ending::Early(_) => End::Early,
        };
        let cycles = QUANTITIES.iter().filter_map(|quantity| {
            let values = quantity.measure(&observed);
            (!values.is_empty()).then(|| (quantity.id.to_owned(), values.into_iter().map(crate::judge::rounded).collect()))
        });
        Self { id: record.variant.id.clone(), end, attested: attested.collect(), cycles: cycles.collect() }
    }

    /// The values of a quantity, cycle by cycle; none where it was not recorded.
    pub fn values(&self, quantity: &str) -> &[f64] {
        self.cycles.get(quantity).map_or(&[], Vec::as_slice)
    }
}

/// Levels of a series in the windows of a phase, of the counted cycles in which it was at rest.
fn at_rest(observed: &Observed<'_>, series: &str, phase: Phase) -> Vec<f64> {
    let levels = observed.counted_cycles().filter_map(|cycle| observed.level(series, phase, Some(cycle)));
    levels.filter(|level| level.at_rest).map(|level| level.median).collect()
}
