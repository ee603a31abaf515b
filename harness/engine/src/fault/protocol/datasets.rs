//! Names of the datasets that an abuse makes: a target may still have them once the harness is gone.

use soak_scenario::Injection;

use super::site::Site;
use super::{
    abandoned_datasets, oversized_batches, reused_ids, tombstones, unfinished_streams, wrong_dimension, wrong_schema,
};
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
