//! What a scenario has to be able to see, put in on purpose: by telling the target to misbehave, or, where it cannot be told, by the load leaving something behind.

use serde::{Deserialize, Serialize};

use crate::dose::FLOORS;
use crate::launch::Launch;
use crate::misbehave::Misbehave;
use crate::plan::{Plan, Variant};
use crate::profile::Profile;
use crate::units::Share;

/// The misbehaviour that a scenario's criteria are there for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PositiveControl {
    /// What the target is told to do wrong.
    #[serde(default, skip_serializing_if = "Misbehave::is_healthy")]
    pub misbehave: Misbehave,
    /// The share of a cycle's rows that the load does not delete at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leave_rows: Option<Share>,
    /// Connections that the load opens in each cycle and never closes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leave_connections: Option<u32>,
    /// The criteria that have to see it.
    pub seen_by: Vec<String>,
}

impl PositiveControl {
    /// Whether nothing is put in.
    pub(crate) fn is_empty(&self) -> bool {
        self.misbehave.is_healthy() && self.leave_rows.is_none() && self.leave_connections.is_none()
    }

    /// What is put in, as `key=value` pairs.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = self.misbehave.settings();
        settings.extend(self.leave_rows.map(|share| ("leave_rows", share.to_string())));
        settings.extend(self.leave_connections.map(|count| ("leave_connections", count.to_string())));
        settings
    }

    /// The same without what a target of this profile cannot have: goroutines that are proved leaked need a Go runtime.
    fn for_profile(&self, profile: &Profile) -> Self {
        let mut control = self.clone();
        if profile.endpoints.leaked_tasks.is_none() {
            control.misbehave.leaked_goroutines = None;
        }
        control
    }

    /// What is put in, in words.
    pub fn words(&self) -> String {
        let settings = self.settings().into_iter().map(|(key, value)| format!("{key}={value}"));
        settings.collect::<Vec<_>>().join(", ")
    }

    /// Whether a floor has to see it.
    pub fn sees_a_floor(&self) -> bool {
        self.seen_by.iter().any(|id| FLOORS.contains(&id.as_str()))
    }
}

impl Plan {
    /// Adds the variants that show what the run can see: a leak for the floors, and what the scenario itself is about. Says why where one cannot be.
    pub(crate) fn add_controls(&mut self) {
        let (leak, own) = (self.leaking(), self.misbehaving());
        let by_own = match &own {
            Some(Ok(Variant { control: Some(own), .. })) => own.seen_by.clone(),
            _ => Vec::new(),
        };
        // What is put in for a floor by other means needs no leak of the target's.
        let bare = FLOORS.into_iter().filter(|id| self.judges(id) && !by_own.iter().any(|seen| seen == id));
        let bare = bare.collect::<Vec<_>>().join(" and ");
        let mut reasons = Vec::new();
        match leak {
            Ok(leak) => self.variants.push(leak),
            Err(_) if bare.is_empty() && own.is_some() => {}
            Err(why) if by_own.is_empty() => reasons.push(why),
            Err(why) => reasons.push(format!("of {bare}, because {why}")),
        }
        match own {
            Some(Ok(own)) => self.variants.push(own),
            // Said of the leak already.
            Some(Err(_)) if !reasons.is_empty() && !self.can_be_told() => {}
            Some(Err(why)) if !reasons.contains(&why) => reasons.push(why),
            _ => {}
        }
        self.no_control = (!reasons.is_empty()).then(|| reasons.join("; "));
    }

    /// Whether the target can be told to misbehave at all.
    fn can_be_told(&self) -> bool {
        self.target.profile.can_misbehave && !matches!(self.target.launch, Launch::Attach(_))
    }

    /// Whether the scenario sets a threshold for this criterion, and the target can be asked.
    fn judges(&self, id: &str) -> bool {
        self.criteria.contains_key(id) && self.not_applicable(id).is_none()
    }

    /// The variant that puts least, with the scenario's own misbehaviour, which is as large there as anywhere; `None` where the scenario names none.
    fn misbehaving(&self) -> Option<Result<Variant, String>> {
        let control = self.positive_control.as_ref()?;
        Some(self.with_control(control))
    }

    fn with_control(&self, control: &PositiveControl) -> Result<Variant, String> {
        if matches!(self.target.launch, Launch::Attach(_)) {
            return Err("nothing is put into what runs already".to_owned());
        }
        if !control.misbehave.is_healthy() && !self.target.profile.can_misbehave {
            return Err(format!("a target of profile `{}` cannot be told to misbehave", self.target.profile.name));
        }
        if !self.target.misbehave.is_healthy() {
            return Err("the target is told to misbehave already".to_owned());
        }
        let control = &control.for_profile(&self.target.profile);
        let seen_by: Vec<String> = control.seen_by.iter().filter(|id| self.judges(id)).cloned().collect();
        if seen_by.is_empty() {
            let cannot = control
                .seen_by
                .iter()
                .find_map(|id| Some(format!("{id} cannot be asked: {}", self.not_applicable(id)?)));
            return Err(cannot.unwrap_or_else(|| format!("no threshold is set for {}", control.seen_by.join(" and "))));
        }
        let size = |variant: &Variant| self.bytes_per_cycle(&variant.knobs);
        let least = self.judged().reduce(|least, other| if size(other) < size(least) { other } else { least });
        let least = least.ok_or("there is no variant")?;
        let control = PositiveControl { seen_by, ..control.clone() };
        Ok(Variant { id: format!("{}-misbehaving", least.id), control: Some(control), ..least.clone() })
    }
}
