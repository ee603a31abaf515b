//! What Kubernetes says, by `kubectl`, and only where a person named a namespace or a deployment: the context of a machine may lead anywhere.
//!
//! Of the documents that it answers with, only what is asked for is kept: a deployment's environment may hold passwords.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;
use soak_diagnosis::{Artefact, Missing, name};

use super::{Deployment, program};

/// Revisions that are listed.
const REVISIONS: usize = 20;

const ALL: [&str; 5] = [
    name::KUBERNETES_VERSION,
    name::KUBERNETES_NODES,
    name::KUBERNETES_DEPLOYMENT,
    name::KUBERNETES_ROLLOUTS,
    name::KUBERNETES_USAGE,
];

/// Everything.
pub(super) async fn all(deployment: Option<&Deployment>, call: Duration) -> Vec<Artefact> {
    let Some(asked) = deployment else {
        let missing = not_asked();
        return ALL.iter().map(|name| Artefact::missing(*name, "kubectl", missing.clone())).collect();
    };
    let version = program::artefact(name::KUBERNETES_VERSION, "kubectl", &["version"], call).await;
    if let Err(missing) = &version.got {
        // Whatever else is asked would wait as long for the same answer.
        let mut all = vec![version.clone()];
        all.extend(ALL[1..].iter().map(|name| Artefact::missing(*name, "kubectl", missing.clone())));
        return all;
    }
    let (nodes, running, rollouts, usage) = tokio::join!(
        document(name::KUBERNETES_NODES, vec!["get", "nodes", "-o", "json"], call, nodes),
        of_deployment(asked, call),
        revisions(asked, call),
        usage(asked, call),
    );
    vec![version, nodes, running, rollouts, usage]
}

fn not_asked() -> Missing {
    let here = match std::env::var_os("KUBERNETES_SERVICE_HOST") {
        Some(_) => "this is a pod of a cluster, but nobody said which deployment is meant",
        None => {
            "this is no pod of a cluster (KUBERNETES_SERVICE_HOST is not set), and nobody said which deployment is meant"
        }
    };
    Missing::new(
        here,
        "name it with --deployment NAME, and --namespace NAMESPACE where it is not the default: then kubectl is asked",
    )
}

/// Arguments with the namespace before them.
fn within<'a>(asked: &'a Deployment, arguments: &[&'a str]) -> Vec<&'a str> {
    let namespace = asked.namespace.iter().flat_map(|namespace| ["--namespace", namespace.as_str()]);
    namespace.chain(arguments.iter().copied()).collect()
}

async fn of_deployment(asked: &Deployment, call: Duration) -> Artefact {
    let Some(deployment) = &asked.name else {
        return Artefact::missing(
            name::KUBERNETES_DEPLOYMENT,
            "kubectl",
            Missing::new("no deployment is named", "name it with --deployment NAME"),
        );
    };
    let arguments = within(asked, &["get", "deployment", deployment, "-o", "json"]);
    document(name::KUBERNETES_DEPLOYMENT, arguments, call, replicas).await
}

/// The revisions of the deployment with their times, and the history as Kubernetes keeps it.
async fn revisions(asked: &Deployment, call: Duration) -> Artefact {
    let Some(deployment) = &asked.name else {
        return Artefact::missing(
            name::KUBERNETES_ROLLOUTS,
            "kubectl",
            Missing::new("no deployment is named", "name it with --deployment NAME"),
        );
    };
    let of = format!("deployment/{deployment}");
    let history =
        program::artefact(name::KUBERNETES_ROLLOUTS, "kubectl", &within(asked, &["rollout", "history", &of]), call)
            .await;
    let owned = deployment.clone();
    let sets =
        document(name::KUBERNETES_ROLLOUTS, within(asked, &["get", "replicasets", "-o", "json"]), call, move |json| {
            replica_sets(json, &owned)
        })
        .await;
    let both = format!("{} and {}", sets.from, history.from);
    match (history.got, sets.got) {
        (Ok(history), Ok(sets)) => {
            Artefact::of(name::KUBERNETES_ROLLOUTS, both, &[sets, b"\n".to_vec(), history].concat())
        }
        (Ok(one), Err(_)) | (Err(_), Ok(one)) => Artefact::of(name::KUBERNETES_ROLLOUTS, both, &one),
        (Err(missing), Err(_)) => Artefact::missing(name::KUBERNETES_ROLLOUTS, both, missing),
    }
}

async fn usage(asked: &Deployment, call: Duration) -> Artefact {
    program::artefact(name::KUBERNETES_USAGE, "kubectl", &within(asked, &["top", "pods"]), call).await
}

/// The log of the deployment.
pub(super) async fn log(asked: &Deployment, call: Duration) -> Option<Artefact> {
    let of = format!("deployment/{}", asked.name.as_ref()?);
    Some(program::artefact(name::LOG, "kubectl", &within(asked, &["logs", &of, "--tail=1000"]), call).await)
}

/// A document, and what is kept of it.
async fn document(name: &str, arguments: Vec<&str>, call: Duration, keep: impl FnOnce(&Value) -> String) -> Artefact {
    let from = format!("kubectl {}", arguments.join(" "));
    let kept = program::output("kubectl", &arguments, call).await.and_then(|bytes| {
        let parsed = serde_json::from_slice(&bytes);
        parsed
            .map(|json| keep(&json))
            .map_err(|error| Missing::new(format!("what kubectl printed is no JSON: {error}"), "run it by hand"))
    });
    match kept {
        Ok(text) => Artefact::of(name, from, text.as_bytes()),
        Err(missing) => Artefact::missing(name, from, missing),
    }
}

/// A text at a place of a document.
fn at<'a>(json: &'a Value, place: &str) -> &'a str {
    json.pointer(place).and_then(Value::as_str).unwrap_or("?")
}

fn items(json: &Value) -> impl Iterator<Item = &Value> {
    json.get("items").and_then(Value::as_array).into_iter().flatten()
}

fn nodes(json: &Value) -> String {
    items(json).fold(String::new(), |mut text, node| {
        let _ = writeln!(
            text,
            "{}: type {}, {} cores, memory {} (for pods {}), kubelet {}, {}",
            at(node, "/metadata/name"),
            at(node, "/metadata/labels/node.kubernetes.io~1instance-type"),
            at(node, "/status/capacity/cpu"),
            at(node, "/status/capacity/memory"),
            at(node, "/status/allocatable/memory"),
            at(node, "/status/nodeInfo/kubeletVersion"),
            at(node, "/status/nodeInfo/osImage"),
        );
        text
    })
}

fn replicas(json: &Value) -> String {
    let count = |place| json.pointer(place).and_then(Value::as_u64).unwrap_or(0);
    let mut text = format!("replicas: {} wanted, {} ready\n", count("/spec/replicas"), count("/status/readyReplicas"));
    for container in json.pointer("/spec/template/spec/containers").and_then(Value::as_array).into_iter().flatten() {
        let _ = writeln!(
            text,
            "container {}: image {}, memory limit {}, memory request {}",
            at(container, "/name"),
            at(container, "/image"),
            at(container, "/resources/limits/memory"),
            at(container, "/resources/requests/memory"),
        );
    }
    text
}

/// Newest first: a revision is as old as its set of replicas.
fn replica_sets(json: &Value, deployment: &str) -> String {
    let owned = |set: &&Value| {
        let owners = set.pointer("/metadata/ownerReferences").and_then(Value::as_array).into_iter().flatten();
        owners.into_iter().any(|owner| at(owner, "/name") == deployment)
    };
    let mut sets: Vec<&Value> = items(json).filter(owned).collect();
    sets.sort_by_key(|set| std::cmp::Reverse(at(set, "/metadata/creationTimestamp")));
    sets.iter().take(REVISIONS).fold(String::new(), |mut text, set| {
        let _ = writeln!(
            text,
            "{} revision {}: image {}, {} replicas",
            at(set, "/metadata/creationTimestamp"),
            at(set, "/metadata/annotations/deployment.kubernetes.io~1revision"),
            at(set, "/spec/template/spec/containers/0/image"),
            set.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(0),
        );
        text
    })
}
