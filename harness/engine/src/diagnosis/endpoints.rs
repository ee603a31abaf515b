//! What the target answers over HTTP, on this machine alone.

use std::time::Duration;

use futures::future::join_all;
use soak_diagnosis::{Artefact, Missing, name};
use soak_scenario::Profile;

use super::Wishes;
use crate::http;
use crate::side::{Side, Sides};
use crate::target::{CallError, Cause};

/// Every page that the profile names.
pub(super) async fn pages(profile: &Profile, sides: &Sides, call: Duration) -> Vec<Artefact> {
    let own = profile.diagnosis.pages.iter().map(|(what, endpoint)| {
        fetch(
            format!("{}{what}.txt", name::PAGE),
            "diagnosis.pages",
            Some(endpoint.clone()),
            profile,
            (&sides.http, call),
        )
    });
    let (mut all, own) = tokio::join!(of_memory(profile, sides, call), join_all(own));
    all.extend(own);
    all
}

/// Those that tell of memory.
pub(super) async fn of_memory(profile: &Profile, sides: &Sides, call: Duration) -> Vec<Artefact> {
    let endpoints = &profile.endpoints;
    let pages = [
        (name::METRICS, "endpoints.metrics", &endpoints.metrics, &sides.metrics),
        (name::TASKS, "endpoints.tasks", &endpoints.tasks, &sides.profile),
        (name::HEAP, "endpoints.heap_profile", &endpoints.heap_profile, &sides.profile),
    ];
    join_all(
        pages.map(|(name, key, endpoint, side)| fetch(name.to_owned(), key, endpoint.clone(), profile, (side, call))),
    )
    .await
}

/// The profile of the processor.
pub(super) async fn processor(profile: &Profile, side: &Side, wishes: &Wishes) -> Artefact {
    let endpoint = profile.endpoints.cpu_profile.as_ref();
    let endpoint = endpoint.map(|endpoint| endpoint.replace("{seconds}", &wishes.seconds.to_string()));
    let call = wishes.call + Duration::from_secs(wishes.seconds.into());
    fetch(name::CPU.to_owned(), "endpoints.cpu_profile", endpoint, profile, (side, call)).await
}

async fn fetch(
    name: String,
    key: &str,
    endpoint: Option<String>,
    profile: &Profile,
    (side, call): (&Side, Duration),
) -> Artefact {
    let Some(endpoint) = endpoint else { return from_usual_place(name, key, profile, (side, call)).await };
    let addr = side.addr();
    let from = format!("{endpoint} of {addr}");
    match http::fetch(side, &endpoint, call).await {
        Ok(bytes) => Artefact::of(name, from, &bytes),
        Err(error) => {
            let next = match (&error, error.cause()) {
                (_, Cause::Unfit(_)) => "correct the profile or the address as it says".to_owned(),
                (_, Cause::Status(401 | 403)) => format!(
                    "give the key that the server wants to [requests] headers of the profile `{}`",
                    profile.name
                ),
                (CallError::Refused(_), _) => {
                    format!("check {key} of the profile `{}`; the target may be built without it", profile.name)
                }
                (_, Cause::Unreachable) => {
                    let option = if name == name::METRICS { "--metrics" } else { "--pprof" };
                    format!("check that the target runs and listens at {addr} (--http or {option})")
                }
                (CallError::Broken(_), _) => {
                    "ask again; if it stays so, the target or what stands before it ends the answer early".to_owned()
                }
                (CallError::TimedOut(_), _) => {
                    "ask again; a target that answers nothing is stuck, and its task dump would tell where".to_owned()
                }
            };
            Artefact::missing(name, from, Missing::new(in_words(&error), next))
        }
    }
}

/// Where servers usually have what the profile does not name: Go's paths, which others copy.
fn usual_place(name: &str) -> Option<&'static str> {
    match name {
        name::METRICS => Some("GET /metrics"),
        name::TASKS => Some("GET /debug/pprof/goroutine?debug=2"),
        name::HEAP => Some("GET /debug/pprof/heap"),
        name::CPU => Some("GET /debug/pprof/profile?seconds=10"),
        _ => None,
    }
}

/// Tries the usual place of what the profile does not name.
async fn from_usual_place(name: String, key: &str, profile: &Profile, (side, call): (&Side, Duration)) -> Artefact {
    let next = "name it in a profile of your own (`soak export profile`), where the target has one";
    let Some(endpoint) = usual_place(&name) else {
        let why = format!("the profile `{}` names no {key}", profile.name);
        return Artefact::missing(name, format!("{key} of the profile"), Missing::new(why, next));
    };
    let addr = side.addr();
    let from = format!("{endpoint} of {addr}, a usual place; the profile `{}` names no {key}", profile.name);
    match http::fetch(side, endpoint, call).await {
        Ok(bytes) => Artefact::of(name, from, &bytes),
        Err(error) => {
            let why = format!("the profile `{}` names no {key}, and {endpoint} failed: {error}", profile.name);
            Artefact::missing(name, from, Missing::new(why, next))
        }
    }
}

/// An answer that ended early is told as that.
fn in_words(error: &CallError) -> String {
    match error.cause() {
        Cause::CutOff => format!("the answer is cut off: {error}"),
        _ => error.to_string(),
    }
}
