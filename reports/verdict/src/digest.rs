//! A run in a few kilobytes: what was run, and the levels of every counted cycle. What runs are compared by, and what a baseline keeps of one.

mod quantity;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use soak_record::{EventKind, Run, VariantRecord};
use soak_scenario::{Plan, Variant};

pub use quantity::{Allowance, QUANTITIES, Quantity, quantity};

use crate::compare::CYCLES_LEAST;
use crate::coverage::{self, another_build, departures};
use crate::ending::Ending;
use crate::judge::rounded;
use crate::observed::Observed;
use crate::outcome::{RunVerdict, Verdict};

/// The version of a digest's JSON form. A reader refuses any other: the first said nothing of departures from the plan, and nothing is not none.
pub const DIGEST_SCHEMA: u32 = 2;

/// 2⁶⁴: nothing that is compared is more.
const VALUE_MOST: f64 = 18_446_744_073_709_551_616.0;

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
    /// Which build was tested: `sha256:…` of its program or image, where that could be told. A variant of another one has that among its departures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
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
    /// In what it was not what was planned: [`departures`].
    pub departures: Vec<String>,
    /// The settings as they were read back, by knob.
    pub attested: BTreeMap<String, String>,
    /// For each quantity that was recorded its value in each counted cycle, in order; null where it is not known of a cycle.
    pub cycles: BTreeMap<String, Vec<Option<f64>>>,
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
    /// Of a run, its verdict, and what is kept of its variants, in any order; `None` of a record that does not say when and where the run began.
    pub fn of(run: &Run, verdict: &RunVerdict, mut variants: Vec<VariantDigest>) -> Option<Self> {
        let (harness, unix_s, host) = run.events.iter().find_map(|event| match &event.kind {
            EventKind::RunStarted { harness, unix_s, host, .. } => Some((harness.clone(), *unix_s, host.clone())),
            _ => None,
        })?;
        let place = |id: &str| run.plan.variants.iter().position(|variant| variant.id == id);
        variants.sort_by_key(|variant| place(&variant.id));
        let build = run.builds().first().map(|build| (*build).to_owned());
        for variant in &mut variants {
            let events = run.events.iter().filter(|event| event.variant.as_deref() == Some(&variant.id));
            let own = coverage::build(events.map(|event| &event.kind));
            variant.departures.extend(another_build(build.as_deref(), own));
        }
        Some(Self {
            schema: DIGEST_SCHEMA,
            run: run.id.clone(),
            unix_s,
            harness,
            host,
            build,
            verdict: verdict.verdict,
            platform_failed: verdict.platform.is_some(),
            complete: verdict.complete,
            plan: run.plan.clone(),
            variants,
        })
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
            Ending::TargetFailed(..) => End::TargetFailed,
            Ending::PlatformFailed(_) | Ending::Early(_) => End::Early,
        };
        let cycles = QUANTITIES.iter().filter_map(|quantity| {
            let values: Vec<Option<f64>> =
                observed.counted_cycles().map(|cycle| quantity.measure(&observed, cycle).map(rounded)).collect();
            values.iter().any(Option::is_some).then(|| (quantity.id.to_owned(), values))
        });
        Self {
            id: record.variant.id.clone(),
            end,
            departures: departures(plan, record),
            attested: attested.collect(),
            cycles: cycles.collect(),
        }
    }

    /// Whether it was what was planned, to its end.
    pub fn is_as_planned(&self) -> bool {
        self.end == End::Completed && self.departures.is_empty()
    }

    /// Whether enough cycles were measured to set it beside another.
    pub fn is_comparable(&self) -> bool {
        self.cycles.values().any(|values| values.iter().flatten().count() >= CYCLES_LEAST)
    }

    /// Whether all values are such as a machine can have: above zero, and no more than the bytes of an address space. Their logarithms are compared.
    pub fn is_measured(&self) -> bool {
        let mut values = self.cycles.values().flatten().flatten();
        values.all(|value| (f64::MIN_POSITIVE..VALUE_MOST).contains(value))
    }

    /// The values of a quantity, cycle by cycle; none where it was not recorded.
    pub fn values(&self, quantity: &str) -> &[Option<f64>] {
        self.cycles.get(quantity).map_or(&[], Vec::as_slice)
    }
}
