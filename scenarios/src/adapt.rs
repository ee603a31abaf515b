//! Fits a built-in scenario to what a server can be asked, so that one scenario runs on every server. What was changed is kept in the plan and shown.
//!
//! A scenario from a file is not changed: what it asks for in vain is a mistake in it, or in the profile.

use std::mem::replace;

use serde::{Deserialize, Serialize};

use crate::plan::{Clear, Plan};
use crate::profile::{Profile, Protocol};
use crate::units::Share;

/// Something that a scenario asks for and the server has no request for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adapted {
    /// The key in the scenario.
    pub key: String,
    /// Its value there.
    pub asked: String,
    /// Its value in the plan.
    pub used: String,
    /// Why.
    pub reason: String,
}

/// What the profile of a server that speaks HTTP has no request for.
pub(crate) struct Lacks {
    pub(crate) name: String,
    pub(crate) drops: bool,
    pub(crate) reads: bool,
    pub(crate) updates: bool,
}

impl Lacks {
    /// `None` for a server that speaks Flight, which has them all.
    pub(crate) fn of(profile: &Profile) -> Option<Self> {
        let requests = &profile.requests;
        (profile.protocol == Protocol::Http).then(|| Self {
            name: profile.name.clone(),
            drops: requests.drop_collection.is_none(),
            reads: requests.search.is_none() && requests.read.is_none(),
            updates: requests.rewrite().is_none(),
        })
    }

    /// The sentence for a person.
    pub(crate) fn request(&self, that: &str) -> String {
        format!("the profile `{}` has no request that {that}", self.name)
    }
}

impl Plan {
    /// Leaves out what the server cannot be asked for. Keys that are `fixed` stay as they are.
    pub(crate) fn adapt(&mut self, fixed: impl Fn(&str) -> bool) {
        let Some(lacks) = Lacks::of(&self.target.profile) else { return };
        let mut adapted = Vec::new();
        let mut note = |key: &str, asked: String, used: &str, reason: String| {
            adapted.push(Adapted { key: key.to_owned(), asked, used: used.to_owned(), reason });
        };
        let work = &mut self.workload;
        let key = "workload.clear";
        if lacks.drops && work.clear == Clear::Dataset && !fixed(key) {
            let asked = replace(&mut work.clear, Clear::Rows);
            note(key, asked.name().to_owned(), Clear::Rows.name(), lacks.request("drops a collection"));
        }
        let key = "workload.ingest.upserts";
        if lacks.updates && work.ingest.upserts.0 > 0.0 && !fixed(key) {
            let asked = replace(&mut work.ingest.upserts, Share(0.0));
            note(key, asked.to_string(), "0%", lacks.request("updates"));
        }
        let mix = &mut work.query.mix;
        for (weight, lacking, key, what) in [
            (&mut mix.search, lacks.reads, "workload.query.mix.search", "reads"),
            (&mut mix.upsert, lacks.updates, "workload.query.mix.upsert", "updates"),
        ] {
            if lacking && *weight > 0 && !fixed(key) {
                let asked = replace(weight, 0);
                note(key, asked.to_string(), "0", lacks.request(what));
            }
        }
        self.adapted = adapted;
    }
}
