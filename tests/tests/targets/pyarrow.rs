//! Arrow's Python implementation on the other side: its client against `soak target`, `soak load` against its server.

use serde_json::Value;
use soak_tests::{Kind, Running, Target, python, soak};

fn pyarrow_can_put_search_and_delete(kind: Kind) {
    let Some(target) = Target::start(kind, &[]) else { return };
    let output = python("flight_client.py").args([&target.data, &target.meta]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    for ids in ["int64", "utf8"] {
        let seen = &seen[ids];
        assert_eq!((&seen["acks"], &seen["rows"]), (&2.into(), &149.into()), "{ids}: {seen}");
        for what in ["found", "gone", "refused"] {
            assert_eq!(seen[what], true, "{ids}, {what}: {seen}");
        }
    }
}

struct Server {
    running: Running,
    address: String,
}

impl Server {
    fn start(manner: &str) -> Self {
        let mut running = Running::start(python("flight_server.py").arg(manner));
        let address = running.line();
        assert!(address.starts_with("grpc://"), "{address}");
        Self { running, address }
    }

    fn load(&self, more: &[&str]) -> (i32, Value) {
        let mut args = vec!["load", "--target", &self.address, "--format", "json"];
        args.extend(more);
        let ended = soak(&args);
        (ended.code, ended.json())
    }

    fn seen(self) -> Value {
        serde_json::from_str(&self.running.rest()).unwrap()
    }
}

#[test]
fn a_server_that_answers_sees_what_was_sent() {
    let server = Server::start("acks");
    let (code, load) =
        server.load(&["--dim", "128", "--batch-rows", "500", "--duration", "2s", "--rate", "20/s", "--streams", "2"]);
    assert_eq!(code, 0, "{load}");
    let seen = server.seen();
    assert_eq!(load["acked_vectors"], seen["rows"], "{load}\n{seen}");
    let begun = load["latency"]["count"].as_u64().unwrap();
    assert_eq!(load["acked_vectors"].as_u64(), Some(500 * begun), "{load}");
    assert!(begun >= 20, "{load}");
    assert_eq!(seen["rows_of_batches"], serde_json::json!([500]), "every batch as it was asked for");
    assert_eq!(seen["columns"], serde_json::json!(["id: int64", "vector: fixed_size_list<item: float>[128]"]));
    let never = load["latency"]["never_started"].as_u64().unwrap();
    assert_eq!((&load["errors"], begun + never), (&0.into(), 40), "20 batches a second for two seconds: {load}");
    assert!(load["latency"]["corrected"]["p99_ms"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_server_that_never_answers_is_acknowledged_by_the_end_of_the_stream() {
    let server = Server::start("silent");
    let (code, load) = server.load(&["--dim", "64", "--batch-rows", "100", "--duration", "2s", "--ids", "utf8"]);
    assert_eq!(code, 0, "{load}");
    let seen = server.seen();
    assert_eq!(load["acked_vectors"], seen["rows"]);
    assert!(load["acked_vectors"].as_u64().unwrap() > 1000, "{load}");
    assert_eq!(seen["first_id"], "0000000000000000");
    assert_eq!(load["latency"]["count"], 0, "without answers there are no latencies");
}

#[test]
fn a_server_that_stalls_is_given_up() {
    let server = Server::start("stalls");
    let (code, load) = server.load(&["--dim", "1536", "--batch-rows", "4096", "--duration", "60s", "--deadline", "2s"]);
    assert_eq!((code, &load["gave_up"]), (1, &true.into()), "{load}");
    assert!(
        load["indeterminate_vectors"].as_u64().unwrap() > 0,
        "what had no answer is neither lost nor there: {load}"
    );
    assert!(load["longest_silence_seconds"].as_f64().unwrap() >= 2.0);
    assert!(load["seconds"].as_f64().unwrap() < 50.0, "it does not wait to the end: {load}");
}

#[test]
fn large_batches_do_not_make_the_harness_large() {
    let server = Server::start("silent");
    let batch_bytes = 3072.0 * 4.0 * 4096.0;
    let (code, load) = server.load(&["--dim", "3072", "--batch-rows", "4096", "--duration", "60s", "--streams", "1"]);
    assert_eq!(code, 0, "{load}");
    let rss = load["harness_rss_bytes_max"].as_f64().unwrap();
    assert!(rss < 128.0 * 1_048_576.0 + batch_bytes, "{rss} bytes: {load}");
    // The allocator holds up to 1.5 MiB more or less after half a minute. At least 9 GiB are sent in all: a thousandth of them, kept, would be more than this.
    let slope = load["harness_rss_bytes_per_minute"].as_f64().unwrap();
    assert!(slope < 8.0 * 1_048_576.0, "it grows by {slope} bytes a minute: {load}");
    assert!(load["acked_vectors"].as_u64().unwrap() >= 4096 * 200, "{load}");
}

for_both_stores!(pyarrow_can_put_search_and_delete);
