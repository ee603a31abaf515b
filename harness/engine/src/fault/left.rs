//! What a fault asked of a target and the target may still have once the harness is gone: looked for, and dropped by name. No answer says nothing: only a
//! target that is not there any more, or says so itself, has nothing left.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use soak_scenario::{Distribution, IdType};
use tokio::net::TcpStream;

use crate::client::{DataSpec, FlightClient, Planes};
use crate::target::{CallError, within};

/// A target that is there and goes on answers within this time.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Whether anybody listens at an address of this machine; an error where that cannot be told.
pub(crate) async fn listens(addr: SocketAddr) -> Result<bool, String> {
    match tokio::time::timeout(ANSWER_WITHIN, TcpStream::connect(addr)).await {
        Ok(Ok(_)) => Ok(true),
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => Ok(false),
        Ok(Err(error)) => Err(format!("cannot connect to {addr}: {error}")),
        Err(_) => Err(format!("{addr} takes no connection within {} s", ANSWER_WITHIN.as_secs())),
    }
}

/// Which of these datasets the target at an address still has. One that nobody answers for is gone with its target; an error says that the target is
/// there and does not answer.
pub(crate) async fn still_there(meta: SocketAddr, names: &[String]) -> Result<Vec<String>, String> {
    let mut there = Vec::new();
    if !listens(meta).await? {
        return Ok(there);
    }
    let client = client(meta);
    for name in names {
        let answer = within(ANSWER_WITHIN, client.act("check_readiness", body(name))).await;
        let is_there = is_there(answer).map_err(|error| {
            format!("the target at {meta} does not say whether it still has the dataset {name}: {error}")
        })?;
        if is_there {
            there.push(name.clone());
        }
    }
    Ok(there)
}

/// Drops one.
pub(crate) async fn drop_at(meta: SocketAddr, name: &str) -> Result<(), String> {
    if !listens(meta).await? {
        return Ok(());
    }
    let answer = within(ANSWER_WITHIN, client(meta).act("delete-dataset", body(name))).await;
    dropped(answer).map_err(|error| format!("the dataset {name} of the target at {meta} could not be dropped: {error}"))
}

/// Whether an answer about readiness is one of a dataset that is there.
fn is_there(answer: Result<Vec<u8>, CallError>) -> Result<bool, CallError> {
    match answer {
        Ok(answer) => {
            let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
            Ok(answer.get("status").and_then(Value::as_str) != Some("NOT_FOUND"))
        }
        Err(error) if error.is_not_found() => Ok(false),
        // A target that refuses for another reason knows what was meant.
        Err(CallError::Refused(_)) => Ok(true),
        Err(error) => Err(error),
    }
}

/// What an answer says of a dataset that was to be dropped: one that was not there is as good as dropped.
fn dropped(answer: Result<Vec<u8>, CallError>) -> Result<(), CallError> {
    match answer {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

fn body(name: &str) -> bytes::Bytes {
    json!({ "dataset": name }).to_string().into()
}

fn client(meta: SocketAddr) -> FlightClient {
    let spec =
        DataSpec { dataset: String::new(), distribution: Distribution::Uniform, dim: 1, seed: 0, ids: IdType::Int64 };
    FlightClient::new(Planes { data: meta, meta }, spec, ANSWER_WITHIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_dataset_that_is_not_found_is_gone() {
        let answer = |text: &str| Ok(text.as_bytes().to_vec());
        let refused = |text: &str| Err(CallError::refused(text));
        let not_found = || Err(CallError::not_found("Some requested entity was not found: no such dataset"));
        assert_eq!(is_there(answer(r#"{"status":"READY"}"#)), Ok(true));
        assert_eq!(is_there(answer(r#"{"status":"NOT_FOUND"}"#)), Ok(false));
        assert_eq!(is_there(not_found()), Ok(false));
        assert_eq!(is_there(refused("The system is not in a required state: read only")), Ok(true));
        assert_eq!(dropped(answer("")), Ok(()));
        assert_eq!(dropped(not_found()), Ok(()));
        assert!(dropped(refused("Internal error: it is busy")).is_err(), "a refusal drops nothing");
    }

    #[test]
    fn no_answer_says_nothing() {
        let silent = || Err(CallError::TimedOut(ANSWER_WITHIN));
        let broken = || Err(CallError::broken("connection reset, entity not found"));
        assert!(is_there(silent()).is_err() && is_there(broken()).is_err());
        assert!(dropped(silent()).is_err() && dropped(broken()).is_err());
    }

    #[tokio::test]
    async fn a_target_that_is_gone_has_nothing_and_one_that_stands_still_may_have_all() {
        let names = ["soak-fault-a".to_owned(), "soak-fault-b".to_owned()];
        // A listener that nobody accepts from is what a stopped process looks like from outside.
        let port = crate::ports::FreePort::find().unwrap();
        let addr = port.addr();
        let stopped = std::net::TcpListener::bind(addr).unwrap();
        let why = still_there(addr, &names).await.unwrap_err();
        assert!(why.contains("does not say whether it still has the dataset soak-fault-a"), "{why}");
        drop(stopped);
        assert_eq!(still_there(addr, &names).await, Ok(Vec::new()));
        assert_eq!(drop_at(addr, &names[0]).await, Ok(()));
    }
}
