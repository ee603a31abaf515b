//! Data in and out of an embedded target, through the engine's own client.

use std::sync::Arc;
use std::time::Duration;

use soak_engine::load::{Fate, IngestJob, Ingested, ingest};
use soak_engine::target::{Batch, CallError, Client as _};
use soak_engine::{DataSpec, FlightClient, Planes};
use soak_scenario::{Distribution, IdType};
use soak_tests::{Target, until};
use soak_workload::SECOND_VERSION;

/// Rows of a dataset that a test puts.
pub(crate) struct Load {
    client: Arc<FlightClient>,
    runtime: tokio::runtime::Runtime,
    batch_rows: u32,
}

impl Load {
    pub(crate) fn new(target: &Target, dim: u32, batch_rows: u32) -> Self {
        let address = |url: &str| url.trim_start_matches("grpc://").parse().unwrap();
        let planes = Planes { data: address(&target.data), meta: address(&target.meta) };
        let spec = DataSpec {
            dataset: "test".to_owned(),
            distribution: Distribution::Clustered,
            dim,
            seed: 1,
            ids: IdType::Int64,
        };
        let client = Arc::new(FlightClient::new(planes, spec, Duration::from_secs(60)));
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        Self { client, runtime, batch_rows }
    }

    /// Puts rows and waits until they are indexed.
    pub(crate) fn put(&self, target: &Target, rows: u32) {
        let account = self.offer(0..u64::from(rows / self.batch_rows), |_, _| {});
        assert_eq!(account.acked_rows, u64::from(rows), "{account:?}");
        until("all rows are indexed", || (target.metric("hnsw_nodes") >= f64::from(rows)).then_some(()));
    }

    /// Offers the batches of these numbers, one after the other, and tells of the fate of each.
    pub(crate) fn offer(
        &self,
        batches: impl Iterator<Item = u64> + Send + 'static,
        tell: impl Fn(Batch, Fate) + Send + Sync + 'static,
    ) -> Ingested {
        let rows = self.batch_rows;
        let batch = move |n| Batch { first: n * u64::from(rows), rows, version: 0 };
        let job = IngestJob {
            batches: Box::new(batches.map(batch)),
            starts: None,
            length: None,
            streams: 1,
            silence_at_most: Duration::from_secs(60),
            given_up: Box::new(|| false),
            persists: Box::new(|| false),
            tell: Box::new(tell),
        };
        self.runtime.block_on(ingest(Arc::<FlightClient>::clone(&self.client), job))
    }

    /// Waits until everything acknowledged is indexed.
    pub(crate) fn settle(&self) {
        until("all rows are indexed", || self.runtime.block_on(self.client.is_indexed()).unwrap().then_some(()));
    }

    /// Puts the second version of rows.
    pub(crate) fn upsert(&self, ids: std::ops::Range<u64>) {
        self.runtime.block_on(async {
            for id in ids {
                self.client.upsert(id).await.unwrap();
            }
        });
    }

    /// Whether a row is found by its second version.
    pub(crate) fn is_second(&self, id: u64) -> bool {
        self.runtime.block_on(self.client.search(id + SECOND_VERSION, 200)).unwrap().first() == Some(&id)
    }

    /// Deletes a row; whether it was there.
    pub(crate) fn take(&self, id: u64) -> bool {
        match self.runtime.block_on(self.client.delete(id)) {
            Ok(()) => true,
            Err(CallError::Refused(why)) if why.words.contains("has no row with id") => false,
            Err(error) => panic!("{id}: {error}"),
        }
    }

    /// Deletes rows by id.
    pub(crate) fn delete(&self, ids: std::ops::Range<u64>) {
        self.runtime.block_on(async {
            for id in ids {
                self.client.delete(id).await.unwrap();
            }
        });
    }

    /// Drops the dataset.
    pub(crate) fn drop_dataset(&self) {
        self.runtime.block_on(self.client.drop_dataset()).unwrap();
    }
}
