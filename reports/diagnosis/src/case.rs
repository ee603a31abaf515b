//! What is to be diagnosed: what was collected, of whom, and what it is compared with.

use soak_scenario::Profile;

use crate::artefact::Artefacts;

/// A case.
#[derive(Debug)]
pub struct Case<'a> {
    /// Its id, which is the archive's.
    pub id: &'a str,
    /// What it is about, in one line.
    pub title: &'a str,
    /// When it was collected.
    pub made_unix_s: u64,
    /// How the target is read.
    pub profile: &'a Profile,
    /// What was collected of the target; of a run, once for each variant.
    pub subjects: &'a [Subject],
    /// The last run that was good.
    pub good: Option<&'a Good>,
}

/// A target, or a variant of a run.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    /// The variant; empty where there is only one target.
    pub name: String,
    /// What was collected.
    pub now: Artefacts,
    /// What was collected before.
    pub before: Option<Artefacts>,
    /// What that is, such as `the idle baseline`.
    pub before_is: String,
}

/// A run that was good, as far as it can be compared with.
#[derive(Debug, Clone, Default)]
pub struct Good {
    /// Its id.
    pub name: String,
    /// Its settings.
    pub settings: Vec<(String, String)>,
    /// Its log.
    pub log: Option<String>,
}
