//! What the target answers over HTTP, on this machine alone.

use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use soak_diagnosis::{Artefact, Missing, name};
use soak_scenario::Profile;

use super::{Sides, Wishes};
use crate::http;
use crate::target::CallError;

/// Every page that the profile names.
pub(super) async fn pages(profile: &Profile, sides: Sides, call: Duration) -> Vec<Artefact> {
    let own = profile.diagnosis.pages.iter().map(|(what, endpoint)| {
        fetch(
            format!("{}{what}.txt", name::PAGE),
            "diagnosis.pages",
            Some(endpoint.clone()),
            profile,
            (sides.http, call),
        )
    });
    let (mut all, own) = tokio::join!(of_memory(profile, sides, call), join_all(own));
    all.extend(own);
    all
}

/// Those that tell of memory.
pub(super) async fn of_memory(profile: &Profile, sides: Sides, call: Duration) -> Vec<Artefact> {
    let endpoints = &profile.endpoints;
    let pages = [
        (name::METRICS, "endpoints.metrics", &endpoints.metrics, sides.metrics),
        (name::TASKS, "endpoints.tasks", &endpoints.tasks, sides.profile),
        (name::HEAP, "endpoints.heap_profile", &endpoints.heap_profile, sides.profile),
    ];
    join_all(
        pages.map(|(name, key, endpoint, addr)| fetch(name.to_owned(), key, endpoint.clone(), profile, (addr, call))),
    )
    .await
}

/// The profile of the processor.
pub(super) async fn processor(profile: &Profile, addr: SocketAddr, wishes: &Wishes) -> Artefact {
    let endpoint = profile.endpoints.cpu_profile.as_ref();
    let endpoint = endpoint.map(|endpoint| endpoint.replace("{seconds}", &wishes.seconds.to_string()));
    let call = wishes.call + Duration::from_secs(wishes.seconds.into());
    fetch(name::CPU.to_owned(), "endpoints.cpu_profile", endpoint, profile, (addr, call)).await
}

async fn fetch(
    name: String,
    key: &str,
    endpoint: Option<String>,
    profile: &Profile,
    (addr, call): (SocketAddr, Duration),
) -> Artefact {
    let Some(endpoint) = endpoint else { return from_usual_place(name, key, profile, (addr, call)).await };
    let from = format!("{endpoint} of {addr}");
    match http::fetch(addr, &endpoint, call).await {
        Ok(bytes) => Artefact::of(name, from, &bytes),
        Err(error) => {
            let next = match &error {
                CallError::Refused(_) => {
                    format!("check {key} of the profile `{}`; the target may be built without it", profile.name)
                }
                CallError::Broken(why) if why.contains("cannot connect") => {
                    format!("check that the target runs and listens at {addr} (--http)")
                }
                CallError::Broken(_) => {
                    "ask again; if it stays so, the target or what stands before it ends the answer early".to_owned()
                }
                CallError::TimedOut(_) => {
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
async fn from_usual_place(
    name: String,
    key: &str,
    profile: &Profile,
    (addr, call): (SocketAddr, Duration),
) -> Artefact {
    let next = "name it in a profile of your own (`soak export profile`), where the target has one";
    let Some(endpoint) = usual_place(&name) else {
        let why = format!("the profile `{}` names no {key}", profile.name);
        return Artefact::missing(name, format!("{key} of the profile"), Missing::new(why, next));
    };
    let from = format!("{endpoint} of {addr}, a usual place; the profile `{}` names no {key}", profile.name);
    match http::fetch(addr, endpoint, call).await {
        Ok(bytes) => Artefact::of(name, from, &bytes),
        Err(error) => {
            let why = format!("the profile `{}` names no {key}, and {endpoint} failed: {error}", profile.name);
            Artefact::missing(name, from, Missing::new(why, next))
        }
    }
}

/// An answer that ended early is told as that.
fn in_words(error: &CallError) -> String {
    let text = error.to_string();
    let early = [
        "before message completed",
        "error reading a body",
        "end of file before message length reached",
        "unexpected EOF",
    ];
    if early.iter().any(|words| text.contains(words)) { format!("the answer is cut off: {text}") } else { text }
}
