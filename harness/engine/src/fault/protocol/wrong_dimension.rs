//! Batches whose vectors have one component more than the dataset's.

use std::sync::Arc;

use soak_scenario::units::Rate;

use super::abuse::Abuse;
use super::site::{Site, put};
use super::tally::Tally;
use super::wrong::{self, Wrong};
use crate::load::Progress;

pub(super) const WHAT: &str = "wrong-dimension";

pub(super) fn begin(site: &Site, tally: &Arc<Tally>, rate: Rate) -> Abuse {
    let (client, deadline) = (Arc::new(site.own_of(WHAT, site.spec.dim + 1)), site.deadline);
    wrong::begin(site, tally, Wrong { what: WHAT, how: "another dimension", rate }, move |_| {
        let client = Arc::clone(&client);
        async move { put(&client, [wrong::BATCH], &Progress::default(), deadline).await }
    })
}
