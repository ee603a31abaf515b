//! What is made of pages that real servers printed.

use soak_engine::discovery::{ContainerFound, PublishedPort};
use soak_scenario::{Protocol, parse_profile};

use super::look::{Endpoint, MetricsPage, Seen};
use super::product::{Product, Runtime, recognise};
use super::{FILL_IN, mapping, pages, profile};

const LONGBOW: &str = include_str!("../../../../../tests/captures/longbow-metrics.prom");
const GUTS: &str = include_str!("../../../../../tests/captures/guts-metrics.prom");
const WEAVIATE: &str = include_str!("../../../../../tests/captures/weaviate-metrics.prom");

fn addr(port: u16) -> std::net::SocketAddr {
    std::net::SocketAddr::from(([127, 0, 0, 1], port))
}

fn seen(page: &str) -> Seen {
    let metrics = MetricsPage { addr: addr(9090), path: "/metrics".to_owned(), text: page.to_owned() };
    Seen { metrics: Some(metrics), http: vec![addr(9090)], pid: Some(7), ..Seen::default() }
}

fn written(seen: &Seen) -> profile::Written {
    let lines = seen.lines();
    let recognised = recognise(seen, &lines);
    profile::write(&profile::Case { name: "my-store".to_owned(), seen, lines: &lines, recognised: &recognised })
}

#[track_caller]
fn holds(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
}

#[test]
fn servers_are_recognised_by_their_own_metrics() {
    for (page, product, runtime) in [
        (LONGBOW, Product::Longbow, Runtime::Go),
        (GUTS, Product::Guts, Runtime::Unknown),
        (WEAVIATE, Product::Weaviate, Runtime::Go),
        ("app_info{name=\"qdrant\",version=\"1.12\"} 1\n", Product::Qdrant, Runtime::Unknown),
        ("longbow_put_message_rows_max 1\ngo_goroutines 3\n", Product::GoStore, Runtime::Go),
        ("longbow_retired_bytes 1\ngo_goroutines 3\n", Product::Embedded, Runtime::Go),
    ] {
        let seen = seen(page);
        let recognised = recognise(&seen, &seen.lines());
        assert_eq!((recognised.product, recognised.runtime), (Some(product), runtime));
    }
}

#[test]
fn a_server_without_metrics_is_recognised_by_an_answer_of_its_own() {
    let mut seen = Seen { http: vec![addr(8000)], ..Seen::default() };
    seen.answers.insert("/api/v2/heartbeat", "{\"nanosecond heartbeat\":17}".to_owned());
    assert_eq!(recognise(&seen, &[]).product, Some(Product::Chroma));
    seen.answers.insert("/api/v2/heartbeat", "{\"status\":\"ok\"}".to_owned());
    assert_eq!(recognise(&seen, &[]).product, None);
}

#[test]
fn a_longbow_starts_from_its_built_in_profile_with_marked_changes() {
    let mut seen = seen(LONGBOW);
    (seen.data, seen.meta) = (Some(addr(3000)), Some(addr(3001)));
    seen.endpoints.push(Endpoint { addr: addr(9090), key: "made_up", call: "GET /made-up" });
    let written = written(&seen);
    assert_eq!(written.protocol, Protocol::Flight);
    holds(&written.recognised, &["This is Longbow", "built-in `longbow`"]);
    holds(
        &written.text,
        &["made_up = \"GET /made-up\" # + found\n", "LONGBOW_LISTEN_ADDR = \"{data_addr}\"", "[attest]\ngogc"],
    );
    assert!(written.open().is_empty());
    assert_eq!(
        seen.attach(Protocol::Flight),
        "attach:pid=7,data=127.0.0.1:3000,meta=127.0.0.1:3001,http=127.0.0.1:9090"
    );
    // The made-up key is the only thing that is wrong with it.
    assert!(parse_profile("x", &written.text.replace("made_up", "heap_profile_")).is_err());
    let plain: String = written.text.split_inclusive('\n').filter(|line| !line.contains("made_up")).collect();
    assert!(parse_profile("x", &plain).is_ok(), "{plain}");
}

#[test]
fn a_page_elsewhere_replaces_the_built_in_one() {
    let mut seen = seen(GUTS);
    if let Some(page) = &mut seen.metrics {
        "/prom".clone_into(&mut page.path);
    }
    let written = written(&seen);
    holds(&written.text, &["# - metrics = \"GET /metrics\"", "\nmetrics = \"GET /prom\" # + answers here\n"]);
    assert!(parse_profile("x", &written.text).is_ok(), "{}", written.text);
}

#[test]
fn an_unknown_store_over_flight_has_nothing_to_fill_in() {
    let page = WEAVIATE.lines().filter(|line| !line.contains("weaviate_")).map(|line| format!("{line}\n"));
    let mut seen = seen(&page.collect::<String>());
    (seen.data, seen.meta) = (Some(addr(3000)), Some(addr(3000)));
    let written = written(&seen);
    let profile = parse_profile("x", &written.text).unwrap();
    assert_eq!(profile.attest["gogc"], "go_gc_gogc_percent");
    assert_eq!(profile.series["heap_bytes"], "go_memstats_heap_alloc_bytes");
    assert_eq!(profile.series["gc_pause_max_seconds"], "go_gc_duration_seconds{quantile=\"1\"}");
    assert!(written.open().is_empty());
}

#[test]
fn an_unknown_store_over_http_names_the_lines_to_fill_in() {
    let written = written(&seen("process_resident_memory_bytes 5\njvm_threads_current 9\nx_open_connections 2\n"));
    assert_eq!(written.open().len(), 2);
    for number in written.open() {
        assert!(written.text.lines().nth(number - 1).unwrap().contains(FILL_IN), "{number}");
    }
    let filled =
        written.text.replace("call = \"\"", "call = \"POST /rows\"").replace("body = ''", "body = '{\"id\":{id}}'");
    let profile = parse_profile("x", &filled).unwrap();
    assert_eq!(profile.series["goroutines"], "jvm_threads_current");
    assert_eq!(profile.series["connections"], "x_open_connections");
    assert!(written.missing.iter().any(|one| one.what.contains("heap in use")));
}

#[test]
fn runtimes_are_mapped_by_what_their_libraries_export() {
    let series = |page: &str| {
        let lines = soak_diagnosis::metrics_page::parse(page);
        mapping::series(&lines).into_iter().map(|one| (one.name, one.metric)).collect::<Vec<_>>()
    };
    let jvm = series("jvm_memory_used_bytes{area=\"heap\",id=\"a\"} 5\njvm_gc_pause_seconds_count 2\n");
    assert_eq!(jvm[0], ("heap_bytes", "jvm_memory_used_bytes{area=\"heap\"}".to_owned()));
    let python = series("python_gc_collections_total{generation=\"0\"} 5\npython_info 1\n");
    assert_eq!(python, [("gc_cycles_total", "python_gc_collections_total".to_owned())]);
    let rust = series("jemalloc_allocated_bytes 5\ntokio_num_alive_tasks 3\n");
    assert_eq!(rust.len(), 2);
}

#[test]
fn a_gogc_that_is_off_is_said_to_be() {
    let lines = soak_diagnosis::metrics_page::parse("go_gc_gogc_percent 1.8446744073709552e+19\n");
    assert!(mapping::knobs(&lines)[0].remark().unwrap().contains("GOGC is off"));
}

#[test]
fn what_is_no_metrics_page_says_what_it_is() {
    assert_eq!(pages::kind("<!DOCTYPE html>"), Err("HTML"));
    assert_eq!(pages::kind("{\"a\":1}"), Err("JSON"));
    assert_eq!(pages::kind(""), Err("an empty answer"));
    assert_eq!(pages::kind("Welcome 2\nthis is a page\nof prose\n"), Err("text without metrics"));
    for page in [LONGBOW, GUTS, WEAVIATE, "up 1\n"] {
        assert_eq!(pages::kind(page), Ok(()));
    }
}

#[test]
fn a_container_is_described_so_that_it_can_be_started_again() {
    let mut seen = seen("go_goroutines 3\n");
    (seen.data, seen.meta, seen.pid) = (Some(addr(23000)), Some(addr(23001)), None);
    let published = [(3000, 23000), (3001, 23001), (9090, 9090)];
    let published = published.map(|(inside, outside)| PublishedPort { inside, addr: addr(outside) });
    let container = ContainerFound {
        image: "store:1".to_owned(),
        pid: None,
        published: published.into(),
        unpublished: Vec::new(),
        volumes: vec!["/data".to_owned()],
    };
    seen.container = Some(("store".to_owned(), container));
    let profile = parse_profile("x", &written(&seen).text).unwrap();
    let container = profile.container.unwrap();
    assert_eq!((container.image.as_str(), container.ports.data, container.ports.meta), ("store:1", 3000, 3001));
    assert_eq!(container.volumes, ["/data"]);
}
