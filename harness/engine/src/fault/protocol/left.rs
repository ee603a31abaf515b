//! Datasets of a fault that a target may still have once the harness is gone: looked for and dropped by name.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use soak_scenario::{Distribution, IdType, Injection};

use super::site::Site;
use super::{
    abandoned_datasets, oversized_batches, reused_ids, tombstones, unfinished_streams, wrong_dimension, wrong_schema,
};
use crate::client::{DataSpec, FlightClient, Planes};
use crate::target::{CallError, within};

/// A target that is there answers within this time.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Names of the datasets that an abuse may make.
pub(crate) fn datasets(injection: &Injection) -> Vec<String> {
    match *injection {
        Injection::AbandonedDatasets { count, .. } => {
            (0..count).map(|number| Site::name(&abandoned_datasets::what(number))).collect()
        }
        Injection::OversizedBatches { .. } => vec![Site::name(oversized_batches::WHAT)],
        Injection::ReusedIds { .. } => vec![Site::name(reused_ids::WHAT)],
        Injection::Tombstones { .. } => vec![Site::name(tombstones::WHAT)],
        Injection::UnfinishedStreams { .. } => vec![Site::name(unfinished_streams::WHAT)],
        Injection::WrongDimension { .. } => vec![Site::name(wrong_dimension::WHAT)],
        Injection::WrongSchema { .. } => vec![Site::name(wrong_schema::WHAT)],
        _ => Vec::new(),
    }
}

fn client(meta: SocketAddr) -> FlightClient {
    let spec =
        DataSpec { dataset: String::new(), distribution: Distribution::Uniform, dim: 1, seed: 0, ids: IdType::Int64 };
    FlightClient::new(Planes { data: meta, meta }, spec, ANSWER_WITHIN)
}

/// Which of these the target at an address still has. One that nobody answers for is gone with its target.
pub(crate) async fn still_there(meta: SocketAddr, names: &[String]) -> Vec<String> {
    let client = client(meta);
    let mut there = Vec::new();
    for name in names {
        let body = json!({ "dataset": name }).to_string();
        match within(ANSWER_WITHIN, client.act("check_readiness", body.into())).await {
            Ok(answer) => {
                let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
                if answer.get("status").and_then(Value::as_str) != Some("NOT_FOUND") {
                    there.push(name.clone());
                }
            }
            Err(CallError::Refused(_)) => {}
            Err(CallError::Broken(_) | CallError::TimedOut(_)) => break,
        }
    }
    there
}

/// Drops one.
pub(crate) async fn drop_at(meta: SocketAddr, name: &str) -> Result<(), String> {
    let body = json!({ "dataset": name }).to_string();
    match within(ANSWER_WITHIN, client(meta).act("delete-dataset", body.into())).await {
        Ok(_) | Err(CallError::Refused(_)) => Ok(()),
        Err(error) => Err(format!("the dataset {name} of the target at {meta} could not be dropped: {error}")),
    }
}
