//! A real Prometheus server: `soak judge --prometheus` asks it, and the usual tests equal what it computes itself.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use soak_engine::{Side, http};
use soak_tests::{FreePort, Running, soak, until};
use soak_verdict::baselines::{Baselines, predict_linear};

/// A whole number of seconds, and a few minutes away from the ends of the server's blocks.
const START_S: u64 = 1_760_000_400;
const STEP_S: u64 = 10;

/// Samples of half an hour, some of them lost: seconds and bytes.
fn samples(leak: f64) -> Vec<(u64, f64)> {
    let (times, values) = soak_verdict::simulated::Family::Remembering(20).series(5, 1800.0, STEP_S as f64, leak);
    let kept = times.iter().zip(values).enumerate().filter(|(i, _)| i % 23 != 7);
    kept.map(|(_, (time, value))| (START_S + *time as u64, (value * 1_048_576.0).round())).collect()
}

/// The series of the server, in the text form that its tool imports.
fn import(folder: &Path, promtool: &str) {
    let mut text = "# TYPE soak_test_bytes gauge\n".to_owned();
    for (name, leak) in [("leaks", 4.0), ("healthy", 0.0)] {
        for (at_s, value) in samples(leak) {
            let _ = writeln!(text, "soak_test_bytes{{store=\"{name}\"}} {value} {at_s}");
        }
    }
    text += "# TYPE soak_test_level gauge\n";
    for i in 0..60 {
        let _ = writeln!(text, "soak_test_level 7 {}", START_S + i * STEP_S);
    }
    text += "# EOF\n";
    let source = folder.join("samples.txt");
    std::fs::write(&source, text).unwrap();
    let made = Command::new(promtool)
        .args(["tsdb", "create-blocks-from", "openmetrics"])
        .args([&source, &folder.join("data")])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

struct Server {
    running: Running,
    port: FreePort,
    runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

impl Server {
    /// A server of these samples; `None` where there is no Prometheus.
    fn start() -> Option<Self> {
        let program = soak_tests::prometheus()?;
        let folder = tempfile::tempdir().unwrap();
        import(folder.path(), &format!("{}", Path::new(&program).with_file_name("promtool").display()));
        let config = folder.path().join("prometheus.yml");
        std::fs::write(&config, "scrape_configs: []\n").unwrap();
        let port = FreePort::find().unwrap();
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg("--storage.tsdb.retention.time=100y")
            .arg(format!("--web.listen-address={}", port.addr()))
            .arg("--log.level=error");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let server = Self { running: Running::start(&mut command), port, runtime, _folder: folder };
        until("the server is ready", || server.get("/-/ready").ok());
        assert!(soak_tests::is_alive(server.running.pid()));
        Some(server)
    }

    fn get(&self, path: &str) -> Result<String, String> {
        let side = Side::plain(self.port.addr());
        let endpoint = format!("GET {path}");
        let call = http::call(&side, &endpoint, Duration::from_secs(30));
        self.runtime.block_on(call).map_err(|error| error.to_string())
    }

    /// The value of an instant query.
    fn value(&self, query: &str, at_s: u64) -> f64 {
        let text = self.get(&format!("/api/v1/query?query={}&time={at_s}", http::encode(query))).unwrap();
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        answer["data"]["result"][0]["value"][1].as_str().unwrap_or_else(|| panic!("{query}: {text}")).parse().unwrap()
    }

    fn judge(&self, query: &str, more: &[&str]) -> soak_tests::Ended {
        let url = format!("http://{}", self.port.addr());
        let (start, end) = (START_S.to_string(), (START_S + 1790).to_string());
        let asked = ["judge", "--prometheus", &url, "--query", query, "--start", &start, "--end", &end];
        soak(&[&asked[..], &["--step", "10s", "--tolerance", "1MiB/min", "--format", "json"], more].concat())
    }
}

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{found} is not {expected}");
}

#[test]
fn a_server_is_asked_and_agrees() {
    let Some(server) = Server::start() else { return };
    lines_are_the_servers(&server);
    a_recording_is_judged_as_its_table(&server);
    wrong_questions_are_refused(&server);
}

fn lines_are_the_servers(server: &Server) {
    for (name, leak) in [("leaks", 4.0), ("healthy", 0.0)] {
        let all = samples(leak);
        let last = all.last().unwrap().0;
        for seconds in [60_u64, 600, 1200, 1790] {
            // The range of this server holds both its ends.
            let within: Vec<&(u64, f64)> = all.iter().filter(|(at_s, _)| *at_s >= last - seconds).collect();
            let times: Vec<f64> = within.iter().map(|(at_s, _)| *at_s as f64).collect();
            let values: Vec<f64> = within.iter().map(|(_, value)| *value).collect();
            let series = format!("soak_test_bytes{{store=\"{name}\"}}[{seconds}s]");
            close(
                predict_linear(&times, &values, 14400.0).unwrap(),
                server.value(&format!("predict_linear({series}, 14400)"), last),
            );
            close(
                Baselines::of(&times, &values).unwrap().least_squares_slope,
                server.value(&format!("deriv({series})"), last),
            );
        }
    }
    let times: Vec<f64> = (0..60).map(|i| (START_S + i * STEP_S) as f64).collect();
    let said = server.value("predict_linear(soak_test_level[10m], 3600)", START_S + 59 * STEP_S);
    close(predict_linear(&times, &[7.0; 60], 3600.0).unwrap(), said);
}

fn a_recording_is_judged_as_its_table(server: &Server) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    let rows = samples(4.0).into_iter().map(|(at_s, value)| format!("{at_s},{value}\n"));
    let table = format!("time_s,rss\n{}", rows.collect::<String>());
    std::fs::write(&path, table).unwrap();
    let csv =
        ["judge", "--csv", path.to_str().unwrap(), "--series", "rss", "--tolerance", "1MiB/min", "--format", "json"];
    let (from_table, query) = (soak(&csv), "last_over_time(soak_test_bytes{store=\"leaks\"}[5s])");
    let from_server = server.judge(query, &["--series", "rss"]);
    assert_eq!((from_server.code, from_table.code), (1, 1), "{}", from_server.stderr);
    let (mut one, mut other) = (from_server.json(), from_table.json());
    assert_eq!(one["missing"], 8, "what was lost is missing, not filled in: {one:#}");
    for document in [&mut one, &mut other] {
        document.as_object_mut().unwrap().remove("missing");
    }
    assert_eq!(one, other);
    let healthy = server.judge("soak_test_bytes{store=\"healthy\"}", &[]);
    assert_eq!(healthy.code, 0, "{}", healthy.stdout);
    assert_eq!(healthy.json()["series"], "soak_test_bytes{store=\"healthy\"}");
}

fn wrong_questions_are_refused(server: &Server) {
    for (query, words) in [
        ("soak_test_bytes", "gives several series: {__name__=\"soak_test_bytes\",store=\"healthy\"}"),
        ("soak_test_bytes{store=\"none\"}", "has no sample of it"),
        ("rate(", "parse error"),
    ] {
        let ended = server.judge(query, &[]);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{query}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{query}: {}", ended.stderr);
    }
}

#[test]
fn servers_that_are_none_are_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let ask = |url: &str, start: &str| {
        soak(&["judge", "--prometheus", url, "--query", "x", "--start", start, "--tolerance", "1MiB/min"])
    };
    let silent = ask(&format!("http://127.0.0.1:{port}"), "2h");
    assert_eq!(silent.code, 4, "{}", silent.stderr);
    assert!(silent.stderr.contains("does not answer"), "{}", silent.stderr);
    for (url, start, words) in [
        ("https://127.0.0.1:9090", "2h", "kubectl port-forward"),
        ("http://192.0.2.7:9090", "2h", "not an address of this machine"),
        ("http://127.0.0.1:9090", "yesterday", "--start `yesterday`: expected seconds since 1970"),
    ] {
        let ended = ask(url, start);
        assert_eq!(ended.code, 2, "{url}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{url}: {}", ended.stderr);
    }
}
