//! A Flight server of the tests: it takes puts, remembers which datasets it has, and counts what is done to it.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::net::SocketAddr;
use std::pin::Pin;

use arrow_array::{Float32Array, Int64Array, RecordBatch};
use arrow_flight::decode::{DecodedPayload, FlightDataDecoder};
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest, HandshakeResponse,
    PollInfo, PutResult, Result as ActionResult, SchemaResult, Ticket,
};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::DataType;
use futures::stream::{self, BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use tonic::{Request, Response, Status, Streaming};

use super::*;

#[derive(Debug, Default)]
struct State {
    /// Dimension by name.
    datasets: Mutex<BTreeMap<String, i32>>,
    connections: AtomicU64,
    open_streams: AtomicU64,
    deletes: AtomicU64,
    largest_batch_rows: AtomicU64,
    /// Answers of `DoGet` are short; puts are not read.
    short: AtomicU64,
    deaf: AtomicU64,
    full: AtomicBool,
}

/// A running server; one port for both planes.
pub(super) struct Server {
    addr: SocketAddr,
    state: Arc<State>,
    _serving: tokio::task::JoinSet<()>,
}

impl Server {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        state.datasets.lock().unwrap().insert("load".to_owned(), 8);
        let counted = Arc::clone(&state);
        let incoming = stream::unfold(listener, |listener| async {
            let accepted = listener.accept().await.map(|(stream, _)| stream);
            Some((accepted, listener))
        });
        let incoming = incoming.inspect(move |_| {
            counted.connections.fetch_add(1, Ordering::Relaxed);
        });
        let service = FlightServiceServer::new(Service(Arc::clone(&state))).max_decoding_message_size(1 << 30);
        let mut serving = tokio::task::JoinSet::new();
        serving.spawn(async move {
            let server = tonic::transport::Server::builder().add_service(service);
            server.serve_with_incoming(Box::pin(incoming)).await.unwrap();
        });
        Self { addr, state, _serving: serving }
    }

    pub(super) fn planes(&self) -> Planes {
        Planes { data: self.addr, meta: self.addr }
    }

    pub(super) fn datasets(&self) -> Vec<String> {
        self.state.datasets.lock().unwrap().keys().cloned().collect()
    }

    /// Forgets all that it has.
    pub(super) fn lose_datasets(&self) {
        self.state.datasets.lock().unwrap().clear();
    }

    pub(super) fn connections(&self) -> u64 {
        self.state.connections.load(Ordering::Relaxed)
    }

    pub(super) fn open_streams(&self) -> u64 {
        self.state.open_streams.load(Ordering::Relaxed)
    }

    pub(super) fn deletes(&self) -> u64 {
        self.state.deletes.load(Ordering::Relaxed)
    }

    pub(super) fn largest_batch_rows(&self) -> u64 {
        self.state.largest_batch_rows.load(Ordering::Relaxed)
    }

    /// From now on answers of `DoGet` fit into any window.
    pub(super) fn answer_short(&self) {
        self.state.short.store(1, Ordering::Relaxed);
    }

    /// Whether all batches are refused from now on.
    pub(super) fn be_full(&self, full: bool) {
        self.state.full.store(full, Ordering::Relaxed);
    }

    /// From now on puts are accepted and not read.
    pub(super) fn stop_reading(&self) {
        self.state.deaf.store(1, Ordering::Relaxed);
    }
}

/// Counts an open stream while it lives.
struct Counted(Arc<State>);

impl Counted {
    fn new(state: &Arc<State>) -> Self {
        state.open_streams.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(state))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.open_streams.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Service(Arc<State>);

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl State {
    fn put(&self, dataset: &str, batch: &RecordBatch) -> Result<PutResult, Status> {
        if self.full.load(Ordering::Relaxed) {
            return Err(Status::resource_exhausted("full"));
        }
        let wrong = || Status::invalid_argument("not rows of id and vector");
        batch.column_by_name("id").ok_or_else(wrong)?;
        let DataType::FixedSizeList(item, dim) = batch.column_by_name("vector").ok_or_else(wrong)?.data_type() else {
            return Err(wrong());
        };
        if *item.data_type() != DataType::Float32 {
            return Err(wrong());
        }
        let mut datasets = self.datasets.lock().unwrap();
        if *datasets.entry(dataset.to_owned()).or_insert(*dim) != *dim {
            return Err(Status::invalid_argument("another dimension"));
        }
        self.largest_batch_rows.fetch_max(batch.num_rows() as u64, Ordering::Relaxed);
        Ok(PutResult::default())
    }

    fn act(&self, action: &Action) -> Result<Vec<u8>, Status> {
        let body: serde_json::Value = serde_json::from_slice(&action.body).unwrap();
        let dataset = body["dataset"].as_str().unwrap();
        let missing = || Status::not_found(dataset.to_owned());
        match action.r#type.as_str() {
            "check_readiness" => Ok(br#"{"status":"READY"}"#.to_vec()),
            "delete" => {
                self.deletes.fetch_add(1, Ordering::Relaxed);
                Ok(Vec::new())
            }
            "delete-dataset" => self.datasets.lock().unwrap().remove(dataset).map(|_| Vec::new()).ok_or_else(missing),
            "VectorSearch" => {
                self.datasets.lock().unwrap().get(dataset).ok_or_else(missing)?;
                let k = body["k"].as_i64().unwrap();
                let ids: arrow_array::ArrayRef = Arc::new(Int64Array::from_iter_values(0..k));
                let scores: arrow_array::ArrayRef = Arc::new(Float32Array::from(vec![0.0; k as usize]));
                let batch = RecordBatch::try_from_iter([("id", ids), ("score", scores)]).unwrap();
                let mut writer = StreamWriter::try_new(Cursor::new(Vec::new()), &batch.schema()).unwrap();
                writer.write(&batch).unwrap();
                Ok(writer.into_inner().unwrap().into_inner())
            }
            other => Err(Status::unimplemented(other.to_owned())),
        }
    }
}

#[tonic::async_trait]
impl FlightService for Service {
    type HandshakeStream = Answers<HandshakeResponse>;
    type ListFlightsStream = Answers<FlightInfo>;
    type DoGetStream = Answers<FlightData>;
    type DoPutStream = Answers<PutResult>;
    type DoActionStream = Answers<ActionResult>;
    type ListActionsStream = Answers<ActionType>;
    type DoExchangeStream = Answers<FlightData>;

    async fn do_put(&self, request: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        if self.0.deaf.load(Ordering::Relaxed) > 0 {
            let held = stream::once(async move {
                let _request = request;
                std::future::pending().await
            });
            return Ok(Response::new(Box::pin(held)));
        }
        let mut messages = request.into_inner();
        let first = messages.message().await?.ok_or_else(|| Status::invalid_argument("nothing"))?;
        let dataset = first.flight_descriptor.as_ref().unwrap().path[0].clone();
        let all = stream::once(async { Ok(first) }).chain(messages).map_err(Into::into);
        let (state, counted) = (Arc::clone(&self.0), Counted::new(&self.0));
        let answers = FlightDataDecoder::new(all).filter_map(move |decoded| {
            let _counted = &counted;
            let answer = match decoded.map(|decoded| decoded.payload) {
                Ok(DecodedPayload::RecordBatch(batch)) => Some(state.put(&dataset, &batch)),
                Ok(_) => None,
                Err(error) => Some(Err(Status::invalid_argument(error.to_string()))),
            };
            std::future::ready(answer)
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn do_get(&self, _: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let messages = if self.0.short.load(Ordering::Relaxed) > 0 { 1 } else { 1000 };
        let counted = Counted::new(&self.0);
        let message = FlightData { data_body: vec![0; 8 << 10].into(), ..FlightData::default() };
        let answer = stream::iter(0..messages).map(move |_| {
            let _counted = &counted;
            Ok(message.clone())
        });
        Ok(Response::new(Box::pin(answer)))
    }

    async fn do_action(&self, request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        let body = self.0.act(&request.into_inner())?;
        let results: BoxStream<'static, _> = stream::iter([Ok(ActionResult { body: body.into() })]).boxed();
        Ok(Response::new(results))
    }

    async fn list_actions(&self, _: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        Err(Status::unimplemented("list_actions"))
    }

    async fn handshake(
        &self,
        _: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        Err(Status::unimplemented("handshake"))
    }

    async fn list_flights(&self, _: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        Err(Status::unimplemented("list_flights"))
    }

    async fn get_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        Err(Status::unimplemented("get_flight_info"))
    }

    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        Err(Status::unimplemented("poll_flight_info"))
    }

    async fn get_schema(&self, _: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        Err(Status::unimplemented("get_schema"))
    }

    async fn do_exchange(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoExchangeStream>, Status> {
        Err(Status::unimplemented("do_exchange"))
    }
}
