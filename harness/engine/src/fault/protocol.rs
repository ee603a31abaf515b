//! Faults through the protocol: what a client may do wrong, done on purpose. One file for each.

mod abandoned_datasets;
mod abuse;
mod connection_storm;
mod datasets;
mod half_open;
mod huge_k;
mod keep_open;
mod oversized_batches;
mod pace;
mod reused_ids;
mod site;
mod slow_reader;
mod tally;
mod tombstones;
mod unfinished_streams;
mod wrong;
mod wrong_dimension;
mod wrong_schema;

use std::sync::Arc;
use std::time::Duration;

use soak_scenario::Injection;
use soak_scenario::units::Rate;

use super::Guard;
use crate::client::{DataSpec, Planes};
pub(crate) use datasets::datasets;
use site::Site;
use tally::Tally;

/// Connections, streams or datasets at most: each takes a task, and most a descriptor and a port.
const COUNT_MAX: u32 = 20_000;

/// Begins an abuse of the target at these planes. `spec` is the load's; its dataset is searched and read by some, and never written. `deadline` bounds
/// each call. An error says what is wrong with the injection; a target that does not answer is none, and seen in the evidence.
pub(crate) async fn inject(
    injection: &Injection,
    at: Planes,
    spec: &DataSpec,
    deadline: Duration,
) -> Result<Box<dyn Guard>, String> {
    for addr in [at.data, at.meta] {
        if !addr.ip().is_loopback() {
            return Err(format!("{addr} is not an address of this machine: load is sent to loopback only"));
        }
    }
    check(injection)?;
    let site = Site { at, spec: spec.clone(), deadline };
    let tally = Arc::new(Tally::default());
    // One that dies of the abuse has answered before.
    tally.note_answers(site.answers().await);
    let abuse = match *injection {
        Injection::UnfinishedStreams { count } => unfinished_streams::begin(&site, &tally, count),
        Injection::SlowReader { count } => return Ok(Box::new(slow_reader::begin(&site, &tally, count))),
        Injection::HalfOpen { count } => half_open::begin(&site, &tally, count),
        Injection::ConnectionStorm { rate } => connection_storm::begin(&site, &tally, rate),
        Injection::AbandonedDatasets { count, rows } => abandoned_datasets::begin(&site, &tally, count, rows),
        Injection::Tombstones { rows } => tombstones::begin(&site, &tally, rows),
        Injection::OversizedBatches { size, count } => oversized_batches::begin(&site, &tally, size, count)?,
        Injection::WrongSchema { rate } => wrong_schema::begin(&site, &tally, rate),
        Injection::WrongDimension { rate } => wrong_dimension::begin(&site, &tally, rate),
        Injection::ReusedIds { rate } => reused_ids::begin(&site, &tally, rate),
        Injection::HugeK { k, rate } => huge_k::begin(&site, &tally, k, rate),
        _ => return Err(format!("{} is not a fault of the protocol", injection.name())),
    };
    Ok(Box::new(abuse))
}

/// Whether counts and rates can be held.
fn check(injection: &Injection) -> Result<(), String> {
    let name = injection.name();
    let rate_is_good = |rate: Rate| rate.a_second() > 0.0 && rate.a_second().is_finite();
    match *injection {
        Injection::UnfinishedStreams { count }
        | Injection::SlowReader { count }
        | Injection::HalfOpen { count }
        | Injection::AbandonedDatasets { count, .. }
            if count > COUNT_MAX =>
        {
            Err(format!("{name}: a count of {count} is more than one machine holds; take {COUNT_MAX} at most"))
        }
        Injection::ConnectionStorm { rate }
        | Injection::WrongSchema { rate }
        | Injection::WrongDimension { rate }
        | Injection::ReusedIds { rate }
        | Injection::HugeK { rate, .. }
            if !rate_is_good(rate) =>
        {
            Err(format!("{name}: a rate of {rate} never comes; take one above nothing"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
