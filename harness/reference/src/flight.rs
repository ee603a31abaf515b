//! The Flight service with Longbow's contract: put, get, and the actions of the meta plane.

use std::pin::Pin;
use std::sync::Arc;

use arrow_flight::decode::{DecodedPayload, FlightDataDecoder};
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest, HandshakeResponse,
    PollInfo, PutResult, Result as ActionResult, SchemaResult, Ticket,
};
use arrow_ipc::writer::StreamWriter;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use serde::Deserialize;
use soak_scenario::HeldLock;
use tonic::{Request, Response, Status, Streaming};

use crate::batch;
use crate::config::Dialect;
use crate::dataset::ChangeError;
use crate::store::{Store, StoreError};
use crate::wal::LogError;

/// The Flight service; both planes serve all of it.
#[derive(Debug, Clone)]
pub(crate) struct Planes(pub(crate) Arc<Store>);

type Answers<T> = Pin<Box<dyn stream::Stream<Item = Result<T, Status>> + Send>>;

/// Largest message taken: what Longbow takes.
pub(crate) const MESSAGE_BYTES_MAX: usize = 512 << 20;

#[derive(Debug, Deserialize)]
struct SearchBody {
    dataset: String,
    vector: Vec<f32>,
    k: usize,
}

#[derive(Debug, Deserialize)]
struct TicketBody {
    name: Option<String>,
    limit: Option<usize>,
    search: Option<SearchBody>,
}

#[derive(Debug, Deserialize)]
struct DatasetBody {
    dataset: String,
}

#[derive(Debug, Deserialize)]
struct DeleteBody {
    dataset: String,
    id: String,
}

#[derive(Debug, Deserialize)]
struct DeleteRowBody {
    dataset: String,
    vector_id: usize,
}

impl From<StoreError> for Status {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::NoDataset(_) => Self::not_found(message),
            StoreError::WrongDim { .. } | StoreError::Batch(_) => Self::invalid_argument(message),
            StoreError::Change(ChangeError::Memory(_) | ChangeError::Log(LogError::Full { .. }))
            | StoreError::Log(LogError::Full { .. }) => Self::resource_exhausted(message),
            StoreError::CompactionFails | StoreError::Change(ChangeError::Log(_)) | StoreError::Log(_) => {
                Self::internal(message)
            }
        }
    }
}

fn body<'a, T: Deserialize<'a>>(bytes: &'a [u8], what: &str) -> Result<T, Status> {
    serde_json::from_slice(bytes).map_err(|error| Status::invalid_argument(format!("{what}: {error}")))
}

fn internal(error: impl std::fmt::Display) -> Status {
    Status::internal(error.to_string())
}

impl Planes {
    /// Runs `work` where it may block.
    async fn blocking<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, Status> {
        let store = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || work(&store)).await;
        Ok(done.map_err(internal)??)
    }

    async fn act(&self, action: Action) -> Result<Vec<ActionResult>, Status> {
        let kind = action.r#type.as_str();
        let answer = |text: String| Ok(vec![ActionResult { body: text.into() }]);
        match kind {
            "VectorSearch" => {
                self.0.leaks.pass(HeldLock::Search, &self.0.tasks).await;
                let SearchBody { dataset, vector, k } = body(&action.body, kind)?;
                let found = self.blocking(move |store| store.search(&dataset, &vector, k)).await?;
                Ok(vec![ActionResult {
                    body: ipc_stream(&batch::of_found(&found, self.0.dialect()).map_err(internal)?)?.into(),
                }])
            }
            "check_readiness" => {
                let DatasetBody { dataset } = body(&action.body, kind)?;
                answer(match self.0.readiness(&dataset) {
                    Ok((0, nodes)) => format!(r#"{{"status":"READY","reason":"","index_len":{nodes}}}"#),
                    Ok((waiting, nodes)) => {
                        format!(
                            r#"{{"status":"BUSY","reason":"{waiting} rows wait for the index","index_len":{nodes}}}"#
                        )
                    }
                    Err(_) => r#"{"status":"NOT_FOUND","reason":"no such dataset","index_len":0}"#.to_owned(),
                })
            }
            "delete" => {
                self.0.leaks.pass(HeldLock::Delete, &self.0.tasks).await;
                let DeleteBody { dataset, id } = body(&action.body, kind)?;
                let missing = Status::not_found(format!("dataset {dataset:?} has no row with id {id:?}"));
                if self.blocking(move |store| store.delete(&dataset, &id)).await? {
                    answer("deleted".to_owned())
                } else {
                    Err(missing)
                }
            }
            "delete-vector" => {
                let DeleteRowBody { dataset, vector_id } = body(&action.body, kind)?;
                let missing = Status::not_found(format!("dataset {dataset:?} has no live row {vector_id}"));
                if self.blocking(move |store| store.delete_row(&dataset, vector_id)).await? {
                    answer("deleted".to_owned())
                } else {
                    Err(missing)
                }
            }
            "delete-dataset" => {
                let DatasetBody { dataset } = body(&action.body, kind)?;
                self.blocking(move |store| store.delete_dataset(&dataset)).await?;
                answer("deleted".to_owned())
            }
            "cluster-status" => Err(Status::unavailable("gossip is not enabled")),
            _ => Err(Status::invalid_argument(format!("unknown action {kind:?}"))),
        }
    }
}

/// A batch as a complete Arrow IPC stream.
fn ipc_stream(batch: &arrow_array::RecordBatch) -> Result<Vec<u8>, Status> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).map_err(internal)?;
    writer.write(batch).map_err(internal)?;
    writer.into_inner().map_err(internal)
}

/// The dataset that a descriptor names.
fn dataset_of(descriptor: Option<&FlightDescriptor>) -> Result<String, Status> {
    let name = descriptor.and_then(|descriptor| descriptor.path.first());
    let missing = || Status::invalid_argument("the first message needs a descriptor whose path names the dataset");
    name.filter(|name| !name.is_empty()).cloned().ok_or_else(missing)
}

#[tonic::async_trait]
impl FlightService for Planes {
    type HandshakeStream = Answers<HandshakeResponse>;
    type ListFlightsStream = Answers<FlightInfo>;
    type DoGetStream = Answers<FlightData>;
    type DoPutStream = Answers<PutResult>;
    type DoActionStream = Answers<ActionResult>;
    type ListActionsStream = Answers<ActionType>;
    type DoExchangeStream = Answers<FlightData>;

    async fn do_put(&self, request: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        let running = self.0.tasks.enter(&["flight.DoPut", "server.serveStream"], "select");
        let mut messages = request.into_inner();
        let first = messages.message().await?.ok_or_else(|| Status::invalid_argument("an empty stream"))?;
        let dataset = dataset_of(first.flight_descriptor.as_ref())?;
        let all = stream::once(async { Ok(first) }).chain(messages.map_err(FlightError::from));
        let planes = self.clone();
        let answers = FlightDataDecoder::new(all).filter_map(move |decoded| {
            let _running = &running;
            let (planes, dataset) = (planes.clone(), dataset.clone());
            async move {
                let batch = match decoded {
                    Ok(message) => match message.payload {
                        DecodedPayload::RecordBatch(batch) => batch,
                        DecodedPayload::None | DecodedPayload::Schema(_) => return None,
                    },
                    Err(FlightError::Tonic(status)) => return Some(Err(*status)),
                    Err(error) => return Some(Err(Status::invalid_argument(error.to_string()))),
                };
                planes.0.leaks.pass(HeldLock::Put, &planes.0.tasks).await;
                let slow_down = planes.blocking(move |store| store.put(&dataset, batch)).await;
                if planes.0.dialect() == Dialect::Longbow && slow_down.as_ref().is_ok_and(|slow_down| !slow_down) {
                    return None;
                }
                Some(slow_down.map(|slow_down| {
                    let answer: &'static [u8] =
                        if slow_down { br#"{"status":"slow_down","reason":"index_backlog"}"# } else { b"" };
                    PutResult { app_metadata: answer.into() }
                }))
            }
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let ticket: TicketBody = body(&request.into_inner().ticket, "ticket")?;
        let batch = if let Some(SearchBody { dataset, vector, k }) = ticket.search {
            let found = self.blocking(move |store| store.search(&dataset, &vector, k)).await?;
            batch::of_found(&found, self.0.dialect())
        } else {
            let name = ticket.name.ok_or_else(|| Status::invalid_argument("ticket: expected name or search"))?;
            let limit = ticket.limit.unwrap_or(usize::MAX);
            let (dim, rows) = self.blocking(move |store| store.scan(&name, limit)).await?;
            batch::of_rows(dim, rows)
        };
        let batch = batch.map_err(internal)?;
        let encoder = FlightDataEncoderBuilder::new().with_schema(batch.schema());
        let data = encoder.build(stream::once(async { Ok(batch) })).map_err(Status::from);
        Ok(Response::new(Box::pin(data)))
    }

    async fn do_action(&self, request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        let _running = self.0.tasks.enter(&["flight.DoAction", "server.serveStream"], "select");
        let results = self.act(request.into_inner()).await?;
        let results: BoxStream<'static, _> = stream::iter(results.into_iter().map(Ok)).boxed();
        Ok(Response::new(results))
    }

    async fn list_actions(&self, _: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        let actions = [
            ("VectorSearch", "nearest neighbours: {dataset, vector, k}"),
            ("check_readiness", "whether all rows are indexed: {dataset}"),
            ("delete", "delete a row by id: {dataset, id}"),
            ("delete-vector", "delete a row by number: {dataset, vector_id}"),
            ("delete-dataset", "drop a dataset: {dataset}"),
        ];
        let actions = actions.map(|(kind, text)| ActionType { r#type: kind.into(), description: text.into() });
        Ok(Response::new(Box::pin(stream::iter(actions.map(Ok)))))
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
