//! What a gRPC address speaks: Arrow Flight, and of that the actions which loads use. Only read-only calls are made.

use std::net::SocketAddr;
use std::time::Duration;

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{Action, Empty};
use serde_json::json;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// A dataset that nobody has. The question changes nothing, whatever the answer is.
const NOBODYS: &str = "soak-init-asks";

/// An answer to these questions is a few hundred bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// What a gRPC address speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GrpcFound {
    /// Arrow Flight, with the action `check_readiness`: the plane of searches and deletes.
    FlightActions,
    /// Arrow Flight without that action: a plane of puts, or another server's Flight.
    Flight,
    /// gRPC, but no Arrow Flight.
    OtherGrpc,
}

/// Why an address says nothing about itself.
#[derive(Debug, thiserror::Error)]
pub enum GrpcError {
    /// No connection, or one that speaks no HTTP/2.
    #[error("{addr} takes no gRPC connection: {why}")]
    NoConnection {
        /// Where to.
        addr: SocketAddr,
        /// The innermost reason.
        why: String,
    },
    /// A server that wants to know who asks.
    #[error("it wants a login or a key: {0}")]
    Unauthorised(String),
    /// No answer in time.
    #[error("no answer within {:.0} s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// The connection ended, or the server failed.
    #[error("{0}")]
    Broken(String),
}

/// Asks a gRPC address what it speaks.
///
/// # Errors
///
/// See [`GrpcError`].
pub async fn grpc(addr: SocketAddr, deadline: Duration) -> Result<GrpcFound, GrpcError> {
    let asked = tokio::time::timeout(deadline, ask(addr, deadline)).await;
    asked.unwrap_or(Err(GrpcError::TimedOut(deadline)))
}

async fn ask(addr: SocketAddr, deadline: Duration) -> Result<GrpcFound, GrpcError> {
    let no_connection = |error: &tonic::transport::Error| GrpcError::NoConnection { addr, why: innermost(error) };
    let endpoint = Endpoint::from_shared(format!("http://{addr}")).map_err(|error| no_connection(&error))?;
    let channel = endpoint.connect_timeout(deadline).connect().await.map_err(|error| no_connection(&error))?;
    let mut client = FlightServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX);
    let body = json!({ "dataset": NOBODYS }).to_string().into();
    match act(&mut client, Action { r#type: "check_readiness".to_owned(), body }).await {
        Ok(answer) if serde_json::from_slice::<serde_json::Value>(&answer).is_ok() => Ok(GrpcFound::FlightActions),
        Ok(_) => Ok(GrpcFound::Flight),
        Err(status) if says_no_such_service(&status) => other_or_flight(&mut client).await,
        Err(status) if is_of_no_server(&status) => Err(GrpcError::Broken(told(&status))),
        Err(status) => match status.code() {
            Code::Unauthenticated | Code::PermissionDenied => Err(GrpcError::Unauthorised(told(&status))),
            Code::Unavailable | Code::Cancelled => Err(GrpcError::Broken(told(&status))),
            Code::DeadlineExceeded => Err(GrpcError::TimedOut(deadline)),
            // It knows the call and refuses this one: an unknown action, an unknown dataset.
            Code::NotFound if told(&status).contains(NOBODYS) => Ok(GrpcFound::FlightActions),
            _ => Ok(GrpcFound::Flight),
        },
    }
}

/// A server may leave actions out and still be one of Flight: then it lists what it can do, or says that of this call in its own words.
async fn other_or_flight(client: &mut FlightServiceClient<Channel>) -> Result<GrpcFound, GrpcError> {
    match client.list_actions(Empty {}).await {
        Err(status) if says_no_such_service(&status) => Ok(GrpcFound::OtherGrpc),
        Ok(_) | Err(_) => Ok(GrpcFound::Flight),
    }
}

async fn act(client: &mut FlightServiceClient<Channel>, action: Action) -> Result<Vec<u8>, Status> {
    let mut answers = client.do_action(action).await?.into_inner();
    let mut bytes = Vec::new();
    while let Some(answer) = answers.message().await? {
        if bytes.len() + answer.body.len() > ANSWER_BYTES_MAX {
            break;
        }
        bytes.extend_from_slice(&answer.body);
    }
    Ok(bytes)
}

/// Whether the service itself is unknown. gRPC for Go says so in words (`unknown service`), tonic and others with no words at all; a
/// method that a Flight server leaves out has words of its own.
fn says_no_such_service(status: &Status) -> bool {
    let words = status.message();
    status.code() == Code::Unimplemented && (words.is_empty() || words.contains("unknown service"))
}

/// Whether the client made the status up because no gRPC server answered: HTTP/1.1 or HTML came, or the connection ended.
fn is_of_no_server(status: &Status) -> bool {
    std::error::Error::source(status).is_some() || status.message().contains("grpc-status header missing")
}

fn told(status: &Status) -> String {
    format!("{}: {}", status.code().description(), status.message())
}

fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}
