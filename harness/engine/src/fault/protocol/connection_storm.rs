//! Connections that are opened and closed again, at a rate.

use std::sync::Arc;

use soak_scenario::units::Rate;
use tokio::net::TcpStream;

use super::abuse::Abuse;
use super::pace::at_rate;
use super::site::Site;
use super::tally::{Counts, Tally};
use crate::fault::Evidence;
use crate::target::{CallError, within};

/// Connections that are being made at once.
const IN_FLIGHT: usize = 256;

pub(super) fn begin(site: &Site, tally: &Arc<Tally>, rate: Rate) -> Abuse {
    let (at, deadline) = (site.at, site.deadline);
    let counted = Arc::clone(tally);
    let storm = at_rate(rate, IN_FLIGHT, move |number| {
        let addr = if number % 2 == 0 { at.data } else { at.meta };
        let tally = Arc::clone(&counted);
        async move {
            let made =
                async { TcpStream::connect(addr).await.map_err(|error| CallError::broken(format!("{addr}: {error}"))) };
            tally.record(&within(deadline, made).await);
        }
    });
    Abuse::new(site, tally, tell).with_task(storm)
}

fn tell(counts: &Counts) -> Evidence {
    Evidence {
        // The system accepts for a target that does not run.
        took_place: counts.acknowledged > 0 && counts.answers,
        words: format!("{} connections made and closed; {}", counts.acknowledged, counts.failures()),
        figures: vec![("made_connections", counts.acknowledged as f64), ("errors", counts.errors as f64)],
    }
}
