//! Puts a plan together from a checked, complete document and what was decided beside it.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::fault::Fault;
use crate::launch::Launch;
use crate::merge::to_json;
use crate::plan::{Chaos, IgnoredAxis, PLAN_SCHEMA, Pace, Plan, Target, Variant};
use crate::profile::{DiagnosisSettings, Endpoints, LaunchSettings, Profile, Protocol};
use crate::requests::Requests;
use crate::scenario_shape;
use crate::tree::Node;
use crate::units::Span;

/// What a document does not say by itself.
pub(crate) struct Parts {
    pub(crate) source: String,
    pub(crate) pace: Pace,
    pub(crate) seed: u64,
    pub(crate) launch: Launch,
    /// `None` when it was wrong, which is reported elsewhere.
    pub(crate) profile: Option<Profile>,
    pub(crate) variants: Vec<Variant>,
    pub(crate) ignored: Vec<IgnoredAxis>,
    pub(crate) edits: Vec<String>,
}

/// The plan; an error only where the declared shape and the plan's types disagree.
pub(crate) fn assemble(root: &Node, parts: Parts) -> Result<Plan, serde_json::Error> {
    let document = Document(to_json(root, scenario_shape::scenario()));
    let chaos: Chaos = document.part("/chaos")?;
    let profile = parts.profile.unwrap_or_else(any_profile);
    let durable: bool = document.part("/target/durable")?;
    Ok(Plan {
        schema: PLAN_SCHEMA,
        scenario: document.part("/name")?,
        title: document.part("/title")?,
        source: parts.source,
        // A section with a mistake in it is no section; the mistake is reported.
        runbook: document.part("/runbook").unwrap_or_default(),
        pace: parts.pace,
        seed: parts.seed,
        target: Target {
            launch: parts.launch,
            durable: durable || profile.needs_data_dir || !profile.launch.settings.is_empty(),
            profile,
            misbehave: document.part("/target/misbehave")?,
            data_volume: document.part("/target/data_volume")?,
            oom_score_adj: None,
            permit_faults: document.part("/target/permit_faults")?,
        },
        workload: document.part("/workload")?,
        cycle: document.part("/cycle")?,
        sampling: document.part("/sampling")?,
        deadlines: document.part("/deadlines")?,
        calibration: document.part("/calibration")?,
        fitted: Vec::new(),
        // A fault with a mistake in it is none; the mistake is reported.
        faults: stretched(document.part("/faults").unwrap_or_default(), chaos.stretch),
        chaos,
        stop: document.part("/stop")?,
        criteria: document.part("/criteria")?,
        variants: parts.variants,
        ignored: parts.ignored,
        adapted: Vec::new(),
        // A control with a mistake in it is none; the mistake is reported.
        positive_control: document.part("/positive_control").unwrap_or_default(),
        no_control: None,
        is_smoke: false,
        edits: parts.edits,
    })
}

struct Document(Json);

impl Document {
    fn part<T: DeserializeOwned>(&self, pointer: &str) -> Result<T, serde_json::Error> {
        serde_json::from_value(self.0.pointer(pointer).cloned().unwrap_or(Json::Null))
    }
}

fn stretched(mut faults: BTreeMap<String, Fault>, times: u32) -> BTreeMap<String, Fault> {
    let longer = |span: Span| Span(span.0.saturating_mul(times));
    for fault in faults.values_mut() {
        (fault.after, fault.hold, fault.watch) = (longer(fault.after), longer(fault.hold), longer(fault.watch));
    }
    faults
}

/// Stands in for a profile that is wrong, while the rest of the scenario is still checked; it contradicts nothing.
fn any_profile() -> Profile {
    Profile {
        name: String::new(),
        title: String::new(),
        protocol: Protocol::Flight,
        launch: LaunchSettings::default(),
        container: None,
        service: None,
        endpoints: Endpoints::default(),
        tls: None,
        at_least: BTreeMap::new(),
        at_most: BTreeMap::new(),
        requests: Requests::default(),
        series: BTreeMap::new(),
        json: BTreeMap::new(),
        attest: BTreeMap::new(),
        ignores: BTreeMap::new(),
        modelled: Vec::new(),
        can_misbehave: true,
        needs_data_dir: false,
        diagnosis: DiagnosisSettings::default(),
    }
}
