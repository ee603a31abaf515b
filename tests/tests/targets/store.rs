//! Data in and out of an embedded target, through the engine's own client.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float32Type, Int64Type};
use arrow_flight::Ticket;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use futures::TryStreamExt as _;
use serde_json::json;
use soak_engine::load::{Fate, IngestJob, Ingested, ingest};
use soak_engine::target::{Batch, CallError, Client as _};
use soak_engine::{DataSpec, FlightClient, Planes, VECTOR_STREAM};
use soak_scenario::{Distribution, IdType};
use soak_tests::{Target, until};
use soak_workload::{SECOND_VERSION, Vectors};
use tonic::transport::Endpoint;

/// The dataset that a test puts rows into.
const DATASET: &str = "test";

/// Rows of a dataset that a test puts.
pub(crate) struct Load {
    client: Arc<FlightClient>,
    /// The address of the data plane, as a URL.
    data: String,
    vectors: Vectors,
    runtime: tokio::runtime::Runtime,
    batch_rows: u32,
}

impl Load {
    pub(crate) fn new(target: &Target, dim: u32, batch_rows: u32) -> Self {
        let address = |url: &str| url.trim_start_matches("grpc://").parse().unwrap();
        let planes = Planes { data: address(&target.data), meta: address(&target.meta) };
        let (distribution, seed) = (Distribution::Clustered, 1);
        let spec = DataSpec { dataset: DATASET.to_owned(), distribution, dim, seed, ids: IdType::Int64 };
        let vectors = Vectors::new(distribution, dim, seed, VECTOR_STREAM);
        let client = Arc::new(FlightClient::new(planes, spec, Duration::from_secs(60)));
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let data = format!("http://{}", planes.data);
        Self { client, data, vectors, runtime, batch_rows }
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

    /// Every row that the target returns. A search would not do: its index is approximate, and may not reach a row that is stored.
    pub(crate) fn stored(&self) -> BTreeMap<u64, Vec<f32>> {
        self.runtime.block_on(async {
            let channel = Endpoint::new(self.data.clone()).unwrap().connect().await.unwrap();
            let mut client = FlightServiceClient::new(channel).max_decoding_message_size(1 << 30);
            let ticket = json!({ "name": DATASET, "limit": 1_000_000 }).to_string();
            let answers = client.do_get(Ticket { ticket: ticket.into() }).await.unwrap().into_inner();
            let answers = answers.map_err(|status| FlightError::Tonic(Box::new(status)));
            let batches = FlightRecordBatchStream::new_from_flight_data(answers);
            let batches: Vec<RecordBatch> = batches.try_collect().await.unwrap();
            batches.iter().flat_map(rows_of).collect()
        })
    }

    /// The second version of a row, as it is sent.
    pub(crate) fn second(&self, id: u64) -> Vec<f32> {
        self.vectors.vector(id + SECOND_VERSION)
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

/// Ids and vectors of a batch.
fn rows_of(batch: &RecordBatch) -> Vec<(u64, Vec<f32>)> {
    let ids = batch.column_by_name("id").unwrap().as_primitive::<Int64Type>().values();
    let vectors = batch.column_by_name("vector").unwrap().as_fixed_size_list();
    let vector = |row: usize| vectors.value(row).as_primitive::<Float32Type>().values().to_vec();
    ids.iter().enumerate().map(|(row, id)| (u64::try_from(*id).unwrap(), vector(row))).collect()
}
