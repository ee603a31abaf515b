//! Leaks of a known size that a run puts into the target on purpose: the positive control of a gate, and the trials of a proof.
//!
//! A dose is a share of each ingested batch that is kept for ever: so much a cycle, however long the cycle takes.

use serde::{Deserialize, Serialize};

use crate::launch::Launch;
use crate::matrix::data_seed;
use crate::misbehave::Misbehave;
use crate::plan::{Knobs, Pace, Plan, Variant};
use crate::units::Share;

/// The criteria that a leak a cycle has to show up in.
pub const FLOORS: [&str; 2] = ["rss_floor", "heap_floor"];

/// The control leaks between these many tolerances a cycle.
pub const CONTROL_TOLERANCES: [f64; 2] = [2.0, 4.0];

/// Added to the seed of a plan for the size of its control, which would otherwise go with the data.
const CONTROL_SEED: u64 = 0x636f_6e74_726f_6c00;

/// A leak of a known size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Dose {
    /// Its size, in tolerances a cycle.
    pub tolerances: f64,
    /// Its size in bytes a cycle.
    pub bytes_per_cycle: f64,
    /// The share of each batch that is kept.
    pub retained: Share,
}

impl Plan {
    /// The variants that are judged: all but those that something was put into on purpose.
    pub fn judged(&self) -> impl Iterator<Item = &Variant> {
        self.variants.iter().filter(|variant| !variant.is_control())
    }

    /// Bytes of vectors that a cycle puts.
    pub fn bytes_per_cycle(&self, knobs: &Knobs) -> f64 {
        let rows = self.workload.rows_per_cycle(knobs.dim) as f64;
        rows * (1.0 + self.workload.ingest.upserts.0) * f64::from(knobs.dim) * 4.0
    }

    /// What the floors may grow by in a cycle, the greater of those that are judged; `None` where neither is.
    pub fn floor_tolerance(&self, knobs: &Knobs) -> Option<f64> {
        let ingested = self.bytes_per_cycle(knobs);
        let judged = FLOORS.iter().filter_map(|id| self.criteria.get(*id));
        judged.map(|threshold| threshold.floor_tolerance(ingested)).reduce(f64::max)
    }

    /// What the target is told to do wrong in this variant.
    pub fn misbehaviour(&self, variant: &Variant) -> Misbehave {
        if let Some(control) = &variant.control {
            return control.misbehave.clone();
        }
        let retain_batches = variant.dose.map_or(self.target.misbehave.retain_batches, |dose| Some(dose.retained));
        Misbehave { retain_batches, ..self.target.misbehave.clone() }
    }

    /// A variant with a leak of so many tolerances a cycle, or why there is none.
    ///
    /// # Errors
    ///
    /// Where the target cannot be told to leak, no floor is judged, or a cycle puts less than it would have to leak.
    pub fn dosed(&self, variant: &Variant, tolerances: f64, id: String) -> Result<Variant, String> {
        if matches!(self.target.launch, Launch::Attach(_)) {
            return Err("what runs already cannot be told to leak".to_owned());
        }
        if !self.target.profile.can_misbehave {
            return Err(format!("a target of profile `{}` cannot be told to leak", self.target.profile.name));
        }
        if !self.target.misbehave.is_healthy() {
            return Err("the target is told to misbehave already".to_owned());
        }
        let tolerance = self.floor_tolerance(&variant.knobs).ok_or("no floor is judged")?;
        let ingested = self.bytes_per_cycle(&variant.knobs);
        if tolerance <= 0.0 || ingested <= 0.0 {
            return Err("no growth is tolerated, so that a leak has no size in tolerances".to_owned());
        }
        let retained = tolerances * tolerance / ingested;
        if retained > 1.0 {
            return Err(format!("a cycle puts less than {tolerances} tolerances"));
        }
        // Nine digits are said to the target; the dose is what was said.
        let retained = Share((retained * 1e9).round() / 1e9);
        let bytes_per_cycle = retained.0 * ingested;
        if (bytes_per_cycle - tolerances * tolerance).abs() > 1e-3 * tolerances * tolerance {
            return Err("a leak of that size is too small a share of what a cycle puts".to_owned());
        }
        let dose = Dose { tolerances: bytes_per_cycle / tolerance, bytes_per_cycle, retained };
        Ok(Variant { id, dose: Some(dose), ..variant.clone() })
    }

    /// The variant that puts most, with a leak of two to four tolerances, the size drawn from the seed.
    pub(crate) fn leaking(&self) -> Result<Variant, String> {
        let size = |variant: &&Variant| self.bytes_per_cycle(&variant.knobs);
        // The most data moves the floors most; of several the first, which is the likeliest to be asked for alone.
        let most = self.judged().reduce(|most, other| if size(&other) > size(&most) { other } else { most });
        let most = most.ok_or("there is no variant")?;
        let [least, greatest] = CONTROL_TOLERANCES;
        // No more than a cycle puts.
        let room = self.floor_tolerance(&most.knobs).map_or(0.0, |tolerance| size(&most) / tolerance);
        let greatest = greatest.min(room).max(least);
        let part = (data_seed(self.seed ^ CONTROL_SEED, 0) >> 11) as f64 / (1_u64 << 53) as f64;
        self.dosed(most, least + (greatest - least) * part, format!("{}-control", most.id))
    }
}

/// Whether a run at this pace has a control unless the scenario says otherwise.
pub(crate) fn has_control(pace: Pace) -> bool {
    pace != Pace::Quick
}
