//! Each abuse against a small Flight server with the contract's manners.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use soak_scenario::units::{Bytes, Share, Span};
use soak_scenario::{Distribution, IdType};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::fault::Evidence;
use crate::ports::FreePort;
use server::Server;

mod server;

const LONG: Duration = Duration::from_secs(20);
const DEADLINE: Duration = Duration::from_secs(5);

fn spec() -> DataSpec {
    let dataset = "load".to_owned();
    DataSpec { dataset, distribution: Distribution::Uniform, dim: 8, seed: 1, ids: IdType::Int64 }
}

async fn begin(injection: Injection, server: &Server) -> Box<dyn Guard> {
    inject(&injection, server.planes(), &spec(), DEADLINE).await.unwrap()
}

/// Evidence, once such has come.
async fn until(guard: &mut Box<dyn Guard>, such: impl Fn(&Evidence) -> bool) -> Evidence {
    let began = Instant::now();
    loop {
        let evidence = guard.evidence().await;
        if such(&evidence) {
            return evidence;
        }
        assert!(began.elapsed() < LONG, "{evidence:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// A figure without its fraction.
fn figure(evidence: &Evidence, name: &str) -> u64 {
    let found = evidence.figures.iter().find(|(one, _)| *one == name);
    found.unwrap_or_else(|| panic!("no {name} in {evidence:?}")).1 as u64
}

/// Heals it, and looks that nothing of it is left on the server.
async fn heal(guard: Box<dyn Guard>, server: &Server) {
    timeout(LONG, guard.heal()).await.unwrap().unwrap();
    let clean = async {
        while server.open_streams() > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, clean).await.unwrap();
    assert_eq!(server.datasets(), ["load"], "only the load's dataset is left");
}

fn often() -> Rate {
    Rate::per_second(100.0)
}

#[tokio::test]
async fn unfinished_streams_stay_open() {
    let server = Server::start().await;
    let mut guard = begin(Injection::UnfinishedStreams { count: 7 }, &server).await;
    let evidence = until(&mut guard, |evidence| figure(evidence, "acknowledged") >= 7).await;
    assert!(evidence.took_place && figure(&evidence, "open_streams") == 7, "{evidence:?}");
    assert_eq!((server.open_streams(), server.datasets().len()), (7, 2));
    heal(guard, &server).await;
}

#[tokio::test]
async fn an_unread_answer_waits_and_a_short_one_does_not() {
    let server = Server::start().await;
    let mut guard = begin(Injection::SlowReader { count: 3 }, &server).await;
    let evidence = until(&mut guard, |evidence| evidence.took_place).await;
    assert!(figure(&evidence, "waiting_answers") <= 3, "{evidence:?}");
    until(&mut guard, |evidence| figure(evidence, "waiting_answers") == 3).await;
    heal(guard, &server).await;
    server.answer_short();
    let mut guard = begin(Injection::SlowReader { count: 3 }, &server).await;
    let evidence = until(&mut guard, |evidence| figure(evidence, "acknowledged") == 3).await;
    assert!(!evidence.took_place, "{evidence:?}");
}

#[tokio::test]
async fn half_open_connections_are_held() {
    let server = Server::start().await;
    let mut guard = begin(Injection::HalfOpen { count: 10 }, &server).await;
    let evidence = until(&mut guard, |evidence| figure(evidence, "open_connections") == 10).await;
    assert!(evidence.took_place && figure(&evidence, "errors") == 0, "{evidence:?}");
    // Some servers greet whoever comes, others only those that say what they speak.
    let evidence = until(&mut guard, |evidence| figure(evidence, "greeted_connections") >= 5).await;
    assert_eq!(figure(&evidence, "open_connections"), 10, "{evidence:?}");
    heal(guard, &server).await;
}

#[tokio::test]
async fn a_storm_of_connections_is_counted() {
    let server = Server::start().await;
    let before = server.connections();
    let mut guard = begin(Injection::ConnectionStorm { rate: Rate::per_second(500.0) }, &server).await;
    let evidence = until(&mut guard, |evidence| figure(evidence, "made_connections") >= 100).await;
    assert!(evidence.took_place && figure(&evidence, "errors") == 0, "{evidence:?}");
    // Those that wait to be accepted are not yet the server's.
    until(&mut guard, |_| server.connections() - before >= 90).await;
    heal(guard, &server).await;
}

#[tokio::test]
async fn abandoned_datasets_are_there_until_healed() {
    let server = Server::start().await;
    let mut guard = begin(Injection::AbandonedDatasets { count: 9, rows: 1500 }, &server).await;
    let evidence = until(&mut guard, |evidence| figure(evidence, "made_datasets") == 9).await;
    assert!(evidence.took_place && figure(&evidence, "made_rows") == 13_500, "{evidence:?}");
    assert_eq!(server.datasets().len(), 10);
    heal(guard, &server).await;
}

#[tokio::test]
async fn tombstones_are_deletes_acknowledged() {
    let server = Server::start().await;
    let mut guard = begin(Injection::Tombstones { rows: 300 }, &server).await;
    let evidence = until(&mut guard, |evidence| figure(evidence, "deleted_rows") == 300).await;
    assert!(evidence.took_place && figure(&evidence, "put_rows") == 300, "{evidence:?}");
    assert_eq!(server.deletes(), 300);
    heal(guard, &server).await;
}

#[tokio::test]
async fn an_oversized_batch_is_one_message() {
    let server = Server::start().await;
    let mut guard = begin(Injection::OversizedBatches { size: Bytes::mib(5), count: 2 }, &server).await;
    let evidence = until(&mut guard, |evidence| figure(evidence, "acknowledged") == 2).await;
    assert!(evidence.took_place && figure(&evidence, "taken_bytes") >= 10 << 20, "{evidence:?}");
    assert_eq!(server.largest_batch_rows(), (5 << 20) / 32);
    heal(guard, &server).await;
    let too_much = Injection::OversizedBatches { size: Bytes::mib(3000), count: 1 };
    assert!(inject(&too_much, server.planes(), &spec(), DEADLINE).await.is_err());
}

#[tokio::test]
async fn what_only_lies_in_buffers_was_not_taken() {
    let server = Server::start().await;
    server.stop_reading();
    let oversized = Injection::OversizedBatches { size: Bytes::mib(64), count: 1 };
    let short = Duration::from_secs(2);
    let mut guard = inject(&oversized, server.planes(), &spec(), short).await.unwrap();
    let evidence = until(&mut guard, |evidence| figure(evidence, "errors") == 1).await;
    let taken = figure(&evidence, "taken_bytes");
    assert!(!evidence.took_place && taken > 0 && taken < 16 << 20, "{evidence:?}");
}

#[tokio::test]
async fn wrong_batches_are_refused() {
    let server = Server::start().await;
    for injection in [Injection::WrongSchema { rate: often() }, Injection::WrongDimension { rate: often() }] {
        let mut guard = begin(injection, &server).await;
        let evidence = until(&mut guard, |evidence| figure(evidence, "refused") >= 20).await;
        assert!(evidence.took_place, "{evidence:?}");
        assert_eq!((figure(&evidence, "acknowledged"), figure(&evidence, "errors")), (0, 0), "{evidence:?}");
        heal(guard, &server).await;
    }
}

#[tokio::test]
async fn nothing_is_wrong_before_there_is_a_dataset() {
    let server = Server::start().await;
    for injection in [Injection::WrongSchema { rate: often() }, Injection::WrongDimension { rate: often() }] {
        server.be_full(true);
        let mut guard = begin(injection, &server).await;
        let evidence = until(&mut guard, |evidence| evidence.words.contains("full")).await;
        assert!(!evidence.took_place && figure(&evidence, "sent_batches") == 0, "{evidence:?}");
        assert_eq!(server.datasets(), ["load"]);
        server.be_full(false);
        let evidence = until(&mut guard, |evidence| figure(evidence, "refused") >= 5).await;
        assert!(evidence.took_place && figure(&evidence, "acknowledged") == 0, "{evidence:?}");
        heal(guard, &server).await;
    }
}

#[tokio::test]
async fn reused_ids_are_taken() {
    let server = Server::start().await;
    let mut guard = begin(Injection::ReusedIds { rate: often() }, &server).await;
    let evidence = until(&mut guard, |evidence| figure(evidence, "acknowledged") >= 20).await;
    assert!(evidence.took_place && figure(&evidence, "refused") == 0, "{evidence:?}");
    heal(guard, &server).await;
}

#[tokio::test]
async fn huge_searches_are_answered() {
    let server = Server::start().await;
    let mut guard = begin(Injection::HugeK { k: 5000, rate: often() }, &server).await;
    let evidence = until(&mut guard, |evidence| figure(evidence, "acknowledged") >= 5).await;
    assert!(evidence.took_place && figure(&evidence, "found_rows") >= 25_000, "{evidence:?}");
    heal(guard, &server).await;
}

#[tokio::test]
async fn searches_of_no_dataset_show_nothing() {
    let server = Server::start().await;
    server.lose_datasets();
    let mut guard = begin(Injection::HugeK { k: 5000, rate: often() }, &server).await;
    let evidence = until(&mut guard, |evidence| figure(evidence, "not_found") >= 5).await;
    assert!(!evidence.took_place && figure(&evidence, "refused") == 0, "{evidence:?}");
}

/// Every abuse, small.
fn all() -> Vec<Injection> {
    let (count, rate) = (3, often());
    vec![
        Injection::UnfinishedStreams { count },
        Injection::SlowReader { count },
        Injection::HalfOpen { count },
        Injection::ConnectionStorm { rate },
        Injection::AbandonedDatasets { count, rows: 10 },
        Injection::Tombstones { rows: 10 },
        Injection::OversizedBatches { size: Bytes::mib(1), count },
        Injection::WrongSchema { rate },
        Injection::WrongDimension { rate },
        Injection::ReusedIds { rate },
        Injection::HugeK { k: 1000, rate },
    ]
}

#[tokio::test]
async fn a_target_that_hangs_or_is_gone_hangs_nothing() {
    // The system accepts for it, and nobody ever answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = FreePort::find().unwrap();
    let short = Duration::from_millis(200);
    for addr in [silent.local_addr().unwrap(), gone.addr()] {
        let began = Instant::now();
        let at = Planes { data: addr, meta: addr };
        let mut guards = Vec::new();
        for injection in all() {
            guards.push(inject(&injection, at, &spec(), short).await.unwrap());
        }
        for (mut guard, injection) in guards.into_iter().zip(all()) {
            let evidence = guard.evidence().await;
            assert!(!evidence.took_place, "{}: {evidence:?}", injection.name());
            let healed = guard.heal().await;
            assert!(healed.is_ok() || healed.unwrap_err().contains("delete-dataset"));
        }
        assert!(began.elapsed() < LONG, "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn no_task_outlives_a_guard() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let server = Server::start().await;
    for injection in all() {
        let name = injection.name();
        let guard = begin(injection, &server).await;
        sleep(Duration::from_millis(60)).await;
        drop(guard);
        let wait = async {
            // The server's own two are left.
            while tasks() > 2 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LONG, wait).await.unwrap_or_else(|_| panic!("{name}: {} tasks", tasks()));
    }
}

#[tokio::test]
async fn what_cannot_be_done_is_said() {
    let server = Server::start().await;
    let far = Planes { data: "192.0.2.1:1".parse().unwrap(), meta: server.planes().meta };
    let error = inject(&Injection::HalfOpen { count: 1 }, far, &spec(), DEADLINE).await.err().unwrap();
    assert!(error.contains("192.0.2.1"), "{error}");
    for (injection, word) in [
        (Injection::HalfOpen { count: 1_000_000 }, "at most"),
        (Injection::ReusedIds { rate: Rate::per_second(0.0) }, "never comes"),
        (Injection::CpuThrottle { to: Share(0.5) }, "not a fault of the protocol"),
        (Injection::Latency { delay: Span::seconds(1) }, "not a fault of the protocol"),
    ] {
        let error = inject(&injection, server.planes(), &spec(), DEADLINE).await.err().unwrap();
        assert!(error.contains(word), "{error}");
    }
}
