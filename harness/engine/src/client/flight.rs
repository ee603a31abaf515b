//! The Flight client with Longbow's contract: puts on the data plane, actions on the meta plane.

use std::io::Cursor;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Float32Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{Action, Ticket};
use arrow_ipc::reader::StreamReader;
use arrow_schema::DataType;
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::json;
use soak_scenario::{Distribution, IdType, MESSAGE_BYTES_MAX};
use soak_workload::{SECOND_VERSION, Vectors};
use tokio::time::Instant;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use super::put_body::PutBody;
use super::put_stream;
use super::wire;
use crate::load::Progress;
use crate::target::{Batch, CallError, Cause, Client, PutAcks, PutSender};

/// An answer to a search of many neighbours is far below this.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// More rows than any dataset has.
const ROWS_MAX: u32 = i32::MAX as u32;

/// Where the planes listen.
#[derive(Debug, Clone, Copy)]
pub struct Planes {
    /// Puts.
    pub data: SocketAddr,
    /// Actions.
    pub meta: SocketAddr,
}

/// What is put.
#[derive(Debug, Clone)]
pub struct DataSpec {
    /// Name of the dataset.
    pub dataset: String,
    /// Where the vectors lie.
    pub distribution: Distribution,
    /// Components of a vector.
    pub dim: u32,
    /// Seed of the vectors.
    pub seed: u64,
    /// Type of the id column.
    pub ids: IdType,
}

/// The client.
#[derive(Debug)]
pub struct FlightClient {
    planes: Planes,
    spec: DataSpec,
    vectors: Vectors,
    deadline: Duration,
    meta: Mutex<Option<Channel>>,
}

impl FlightClient {
    /// A client that is not yet connected. `deadline` bounds connecting and each call.
    pub fn new(planes: Planes, spec: DataSpec, deadline: Duration) -> Self {
        let vectors = Vectors::new(spec.distribution, spec.dim, spec.seed, crate::VECTOR_STREAM);
        Self { planes, spec, vectors, deadline, meta: Mutex::new(None) }
    }

    /// A new connection, bounded by the deadline.
    pub(crate) async fn connect(&self, addr: SocketAddr) -> Result<Channel, CallError> {
        let endpoint = Endpoint::from_shared(format!("http://{addr}"));
        let endpoint = endpoint.map_err(|error| CallError::broken(error.to_string()))?;
        let connected = endpoint.connect_timeout(self.deadline).tcp_nodelay(true).connect().await;
        connected.map_err(|error| {
            CallError::broken(format!("cannot connect to {addr}: {}", chain(&error))).because(Cause::Unreachable)
        })
    }

    async fn meta(&self) -> Result<Channel, CallError> {
        let open = self.meta.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(channel) = open {
            return Ok(channel);
        }
        let channel = self.connect(self.planes.meta).await?;
        *self.meta.lock().unwrap_or_else(PoisonError::into_inner) = Some(channel.clone());
        Ok(channel)
    }

    /// An action; the bodies of its results, put together.
    pub(crate) async fn act(&self, kind: &str, body: Bytes) -> Result<Vec<u8>, CallError> {
        let mut client = FlightServiceClient::new(self.meta().await?).max_decoding_message_size(ANSWER_BYTES_MAX);
        let mut request = tonic::Request::new(Action { r#type: kind.to_owned(), body });
        request.set_timeout(self.deadline);
        let began = Instant::now();
        // The server is told the deadline, and either side may be the one that ends the call at it.
        let failed = |status: Status| {
            let at_deadline = began.elapsed() >= self.deadline;
            if at_deadline { CallError::TimedOut(self.deadline) } else { call_error(&status) }
        };
        let mut answers = client.do_action(request).await.map_err(failed)?.into_inner();
        let mut bytes = Vec::new();
        while let Some(answer) = answers.message().await.map_err(failed)? {
            bytes.extend_from_slice(&answer.body);
        }
        Ok(bytes)
    }

    async fn act_json(&self, kind: &str, body: serde_json::Value) -> Result<Vec<u8>, CallError> {
        self.act(kind, body.to_string().into()).await
    }

    /// Ids of the neighbours found, best first, with their scores where the target gives any.
    pub(crate) async fn search_scored(&self, row: u64, k: u32) -> Result<Vec<(u64, f32)>, CallError> {
        let vector = self.vectors.vector(row);
        let body = json!({ "dataset": self.spec.dataset, "vector": vector, "k": k });
        found(&self.act_json("VectorSearch", body).await?)
    }

    /// Rows of the dataset, at most so many; `None` where there is no dataset.
    async fn rows(&self, limit: u32) -> Result<Option<FlightRecordBatchStream>, CallError> {
        let mut client = FlightServiceClient::new(self.connect(self.planes.data).await?)
            .max_decoding_message_size(MESSAGE_BYTES_MAX as usize);
        let ticket = json!({ "name": self.spec.dataset, "limit": limit }).to_string();
        let answers = match client.do_get(Ticket { ticket: ticket.into() }).await {
            Ok(answers) => answers.into_inner(),
            Err(status) if status.code() == Code::NotFound => return Ok(None),
            Err(status) => return Err(call_error(&status)),
        };
        let messages = answers.map_err(|status| FlightError::Tonic(Box::new(status)));
        Ok(Some(FlightRecordBatchStream::new_from_flight_data(messages)))
    }

    fn text_id(&self, id: u64) -> String {
        match self.spec.ids {
            IdType::Int64 => id.to_string(),
            IdType::Utf8 => wire::text_id(id),
        }
    }
}

#[async_trait]
impl Client for FlightClient {
    async fn open_put(&self, progress: Progress) -> Result<(Box<dyn PutSender>, Box<dyn PutAcks>), CallError> {
        // A connection of its own, as separate clients would have.
        let channel = self.connect(self.planes.data).await?;
        let first = wire::first_message(&self.spec.dataset, self.spec.ids, self.spec.dim);
        let (vectors, ids) = (self.vectors, self.spec.ids);
        let body = |orders| PutBody::new(vectors, ids, first, orders, progress);
        let (sender, acks) = put_stream::open(channel, body).await?;
        Ok((Box::new(sender), Box::new(acks)))
    }

    async fn search(&self, row: u64, k: u32) -> Result<Vec<u64>, CallError> {
        let found = self.search_scored(row, k).await?;
        Ok(found.into_iter().map(|(id, _)| id).collect())
    }

    async fn upsert(&self, id: u64) -> Result<(), CallError> {
        let (mut sender, mut acks) = self.open_put(Progress::default()).await?;
        sender.send(Batch { first: id, rows: 1, version: SECOND_VERSION }).await?;
        sender.finish();
        while acks.next().await?.is_some() {}
        Ok(())
    }

    async fn delete(&self, id: u64) -> Result<(), CallError> {
        let body = json!({ "dataset": self.spec.dataset, "id": self.text_id(id) });
        self.act_json("delete", body).await.map(|_| ())
    }

    async fn is_indexed(&self) -> Result<bool, CallError> {
        let answer = self.act_json("check_readiness", json!({ "dataset": self.spec.dataset })).await?;
        let answer: serde_json::Value = serde_json::from_slice(&answer)
            .map_err(|error| CallError::refused(format!("check_readiness did not answer in JSON: {error}")))?;
        match answer.get("status").and_then(serde_json::Value::as_str) {
            Some("NOT_FOUND") => Err(CallError::not_found("there is no such dataset")),
            status => Ok(status == Some("READY")),
        }
    }

    async fn ids(&self) -> Result<Vec<u64>, CallError> {
        let mut ids = Vec::new();
        let Some(mut batches) = self.rows(ROWS_MAX).await? else { return Ok(ids) };
        while let Some(batch) = next_batch(&mut batches).await? {
            ids.extend(ids_of(&batch)?);
        }
        Ok(ids)
    }

    async fn dim_read_back(&self) -> Result<Option<u32>, CallError> {
        let Some(mut batches) = self.rows(1).await? else { return Ok(None) };
        let batch = next_batch(&mut batches).await?;
        let vector = batch.as_ref().and_then(|batch| batch.column_by_name("vector"));
        Ok(match vector.map(|column| column.data_type()) {
            Some(DataType::FixedSizeList(_, dim)) => u32::try_from(*dim).ok(),
            _ => None,
        })
    }

    async fn drop_dataset(&self) -> Result<(), CallError> {
        self.act_json("delete-dataset", json!({ "dataset": self.spec.dataset })).await.map(|_| ())
    }

    fn disconnect(&self) {
        *self.meta.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The next batch of an answer; `None` where it is over, or there is no such dataset.
async fn next_batch(batches: &mut FlightRecordBatchStream) -> Result<Option<RecordBatch>, CallError> {
    match batches.next().await.transpose() {
        Ok(batch) => Ok(batch),
        Err(FlightError::Tonic(status)) if status.code() == Code::NotFound => Ok(None),
        Err(FlightError::Tonic(status)) => Err(call_error(&status)),
        Err(error) => Err(CallError::refused(format!("the rows' answer: {error}"))),
    }
}

/// The ids and scores in a search's answer: an Arrow IPC stream with a column `id`, and perhaps one `score`.
fn found(answer: &[u8]) -> Result<Vec<(u64, f32)>, CallError> {
    let unreadable = |problem: &dyn std::fmt::Display| CallError::refused(format!("a search's answer: {problem}"));
    let batches = StreamReader::try_new(Cursor::new(answer), None).map_err(|error| unreadable(&error))?;
    let mut found = Vec::new();
    for batch in batches {
        let batch = batch.map_err(|error| unreadable(&error))?;
        let ids = ids_of(&batch)?;
        let scores = batch.column_by_name("score").and_then(|column| column.as_primitive_opt::<Float32Type>());
        let score = |row: usize| scores.and_then(|scores| scores.values().get(row).copied()).unwrap_or(f32::NAN);
        found.extend(ids.into_iter().enumerate().map(|(row, id)| (id, score(row))));
    }
    Ok(found)
}

/// The ids of a batch, from its column `id`. Servers answer with the type that they keep: any integer or string type is read.
fn ids_of(batch: &RecordBatch) -> Result<Vec<u64>, CallError> {
    let unreadable = |problem: &dyn std::fmt::Display| CallError::refused(format!("an answer's rows: {problem}"));
    let column = batch.column_by_name("id").ok_or_else(|| unreadable(&"no column \"id\""))?;
    let number = |id: &str| id.parse().map_err(|_| unreadable(&format!("the id {id:?} is not a number")));
    let wide = |id: i64| u64::try_from(id).map_err(|_| unreadable(&format!("the id {id} is negative")));
    match column.data_type() {
        DataType::Int8 => column.as_primitive::<Int8Type>().iter().flatten().map(|id| wide(id.into())).collect(),
        DataType::Int16 => column.as_primitive::<Int16Type>().iter().flatten().map(|id| wide(id.into())).collect(),
        DataType::Int32 => column.as_primitive::<Int32Type>().iter().flatten().map(|id| wide(id.into())).collect(),
        DataType::Int64 => column.as_primitive::<Int64Type>().iter().flatten().map(wide).collect(),
        DataType::UInt8 => Ok(column.as_primitive::<UInt8Type>().iter().flatten().map(u64::from).collect()),
        DataType::UInt16 => Ok(column.as_primitive::<UInt16Type>().iter().flatten().map(u64::from).collect()),
        DataType::UInt32 => Ok(column.as_primitive::<UInt32Type>().iter().flatten().map(u64::from).collect()),
        DataType::UInt64 => Ok(column.as_primitive::<UInt64Type>().iter().flatten().collect()),
        DataType::Utf8 => column.as_string::<i32>().iter().flatten().map(number).collect(),
        DataType::LargeUtf8 => column.as_string::<i64>().iter().flatten().map(number).collect(),
        DataType::Utf8View => column.as_string_view().iter().flatten().map(number).collect(),
        other => Err(unreadable(&format!("the column `id` has the type {other}; expected an integer or a string"))),
    }
}

/// What a status means for what was asked: refused, or perhaps done.
pub(crate) fn call_error(status: &Status) -> CallError {
    let text = format!("{}: {}", status.code().description(), status.message());
    let error = match status.code() {
        Code::Cancelled | Code::Unknown | Code::Unavailable | Code::DeadlineExceeded | Code::Aborted => {
            CallError::broken(text)
        }
        _ => CallError::refused(text),
    };
    if says_not_found(status) { error.because(Cause::NotFound) } else { error }
}

/// Whether a server says that there is no such thing. A Go server's plain errors come with the code `Unknown` and say it in words alone, so
/// that its words are read here and nowhere else.
fn says_not_found(status: &Status) -> bool {
    let words = status.message().to_lowercase();
    match status.code() {
        Code::NotFound => true,
        // A connection that breaks has one of these codes too, and its words are the client's own.
        Code::Cancelled | Code::Unavailable | Code::DeadlineExceeded | Code::Aborted => false,
        _ => words.contains("not found") || words.contains("no such dataset"),
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
