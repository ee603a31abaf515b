//! `soak init`: a profile from what a server answers, and words for everything that is no such answer.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};

use soak_tests::{Ended, FreePort, root, soak_in};

/// What stands before the body, and the body.
type Answer = (&'static str, Vec<u8>);

/// A server that gives one answer for each path: what stands before the body, and the body.
fn server(answer: impl Fn(&str) -> Answer + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                request.push(byte[0]);
            }
            let request = String::from_utf8_lossy(&request).into_owned();
            let (head, body) = answer(request.split(' ').nth(1).unwrap_or_default());
            let _ = write!(stream, "HTTP/1.1 {head}\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(&body);
        }
    });
    addr
}

/// A server whose metrics page is a capture of a real one.
fn capture(name: &str) -> SocketAddr {
    let page = std::fs::read(root().join("tests/captures").join(name)).unwrap();
    server(move |path| if path == "/metrics" { ("200 OK", page.clone()) } else { ("404 Not Found", Vec::new()) })
}

fn init(args: &[&str]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    soak_in(folder.path(), &[&["init"], args].concat())
}

#[track_caller]
fn refused(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!((ended.code, ended.stdout.as_str()), (code, ""), "{}", ended.stderr);
    holds(&ended.stderr, words);
}

#[track_caller]
fn holds(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
}

#[test]
fn a_known_server_starts_from_its_built_in_profile_and_passes_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let addr = capture("longbow-metrics.prom").to_string();
    let ended = soak_in(folder.path(), &["init", "--http", &addr, "--out", "my-store.toml"]);
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    holds(
        &ended.stdout,
        &[
            "This is Longbow (by metrics longbow_*)",
            "missing  process of the server (--pid or --container)",
            "costs: resident memory cannot be read",
            "Checked with scenario2: the profile has no mistakes.",
            "Next: soak run gate --smoke --target attach:endpoints,",
            "--set target.profile=my-store.toml",
        ],
    );
    let check = soak_in(folder.path(), &["check", "--set", "target.profile=my-store.toml", "scenario2"]);
    assert_eq!(check.code, 0, "{}", check.stderr);
    let again = soak_in(folder.path(), &["init", "--http", &addr, "--out", "my-store.toml"]);
    refused(&again, 2, &["--out my-store.toml: the file is there already"]);
}

#[test]
fn an_unknown_http_store_names_the_lines_to_fill_in() {
    let folder = tempfile::tempdir().unwrap();
    let addr = server(|path| match path {
        "/metrics" => ("200 OK", b"process_resident_memory_bytes 5\njvm_threads_current 9\n".to_vec()),
        "/healthz" => ("200 OK", b"ok".to_vec()),
        _ => ("404 Not Found", Vec::new()),
    });
    let ended = soak_in(folder.path(), &["init", "--http", &addr.to_string(), "--out", "new.toml"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    holds(&ended.stdout, &["a Java virtual machine", "health checks: /healthz", "Fill in lines ", "of new.toml"]);
    let text = std::fs::read_to_string(folder.path().join("new.toml")).unwrap();
    let numbers = ended.stdout.split("Fill in lines ").nth(1).unwrap().split(" of ").next().unwrap();
    for number in numbers.split(", ") {
        let line = text.lines().nth(number.parse::<usize>().unwrap() - 1).unwrap();
        assert!(line.contains("FILL IN"), "{line}");
    }
    let smoke = soak_in(folder.path(), &["init", "--http", &addr.to_string(), "--out", "other.toml", "--smoke"]);
    assert_eq!(smoke.code, 2, "{}", smoke.stderr);
    holds(&smoke.stderr, &["other.toml has lines that only a person can fill in"]);
}

#[test]
fn what_is_no_metrics_page_is_refused_with_what_came() {
    let big = b"x_total 1\n".repeat(2 << 20);
    let answers: [(Answer, &str); 5] = [
        (
            ("302 Found\r\nLocation: http://example.com/login", Vec::new()),
            "302 Found, a redirect to http://example.com/login",
        ),
        (("401 Unauthorized", Vec::new()), "401 Unauthorized: it wants a login or a key"),
        (("200 OK", b"<html>hello".to_vec()), "expected a metrics page in Prometheus' text format, but HTML came"),
        (("200 OK", b"{\"a\":1}".to_vec()), "but JSON came"),
        (("200 OK", big), "the answer is longer than 8 MiB"),
    ];
    for ((head, body), words) in answers {
        let addr = server(move |_| (head, body.clone())).to_string();
        refused(&init(&["--metrics", &addr]), 2, &["--metrics ", "/metrics: ", words, "name the page's own address"]);
    }
}

#[test]
fn what_cannot_be_reached_is_told_apart_from_a_wrong_command() {
    let port = FreePort::find().unwrap();
    let free = port.addr().to_string();
    refused(&init(&["--http", &free]), 4, &["--http ", "cannot connect", "check that the server runs"]);
    refused(&init(&["--metrics", &free]), 4, &["--metrics ", "cannot connect"]);
    refused(&init(&["--grpc", &free]), 4, &["--grpc ", "takes no gRPC connection"]);
    let http = capture("guts-metrics.prom").to_string();
    refused(&init(&["--grpc", &http]), 4, &["--grpc ", "expected a gRPC server", "goes into --http"]);
    refused(&init(&[]), 2, &["no server is named"]);
    refused(&init(&["--http", "10.0.0.1:9090"]), 2, &["is not an address of this machine", "--allow-remote"]);
    refused(&init(&["--http", "nowhere"]), 2, &["expected an address such as 127.0.0.1:9090"]);
    refused(&init(&["--http", "https://127.0.0.1:1"]), 2, &["needs --ca-file"]);
    refused(&init(&["--pid", "4194304"]), 2, &["there is no such process"]);
    refused(&init(&["--http", &http, "--out", "x.json"]), 2, &["ends in .toml"]);
}

#[test]
fn guts_is_checked_with_its_own_scenario() {
    let folder = tempfile::tempdir().unwrap();
    let addr = capture("guts-metrics.prom").to_string();
    let ended = soak_in(folder.path(), &["init", "--http", &addr, "--out", "node.toml"]);
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    holds(&ended.stdout, &["This is Guts", "Checked with guts-growth", "Next: soak run guts-growth --smoke"]);
}
