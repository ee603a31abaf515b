//! Servers that are not what the command says, by command: each is told with what was expected, what came and what to change, and is never the target's
//! fault.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use soak_tests::{Ended, FreePort, soak, soak_in, turn};

/// A server that answers every request on every connection with these bytes.
fn answering(answer: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let answer = answer.clone();
            std::thread::spawn(move || {
                let _ = stream.set_read_timeout(Some(Duration::from_millis(300)));
                let mut request = [0; 4096];
                let _ = stream.read(&mut request);
                let _ = stream.write_all(&answer);
                // What still comes is taken, or the answer would be lost in a reset.
                let mut rest = [0; 4096];
                while stream.read(&mut rest).is_ok_and(|read| read > 0) {}
            });
        }
    });
    addr
}

fn http(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A settings frame of HTTP/2, as gRPC servers send it first.
fn grpc() -> SocketAddr {
    answering(vec![0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100])
}

/// The commands that ask a server, each of this address.
fn commands(addr: SocketAddr) -> [(&'static str, Vec<String>); 4] {
    let words = |text: String| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let attach = format!("attach:endpoints,data={addr},meta={addr},http={addr}");
    [
        (
            "run",
            words(format!(
                "run scenario1 --smoke --target {attach} --set target.profile=qdrant --set matrix.gogc=[75] --out run"
            )),
        ),
        (
            "load",
            words(format!(
                "load --target http://{addr} --profile qdrant --dim 8 --batch-rows 4 --duration 1s --deadline 5s"
            )),
        ),
        ("diag", words(format!("diag --profile qdrant --http {addr} --seconds 1 --deadline 5s --out x.tar.gz"))),
        ("init", words(format!("init --http {addr} --out mine.toml"))),
    ]
}

fn of(folder: &std::path::Path, args: &[String]) -> (Ended, String) {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let ended = soak_in(folder, &args);
    let told = format!("{}{}", ended.stdout, ended.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
    (ended, told)
}

#[test]
fn a_server_that_is_not_there_or_is_of_another_kind_is_told_by_every_command() {
    let _turn = turn();
    let ssh = answering(b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec());
    let nobody = FreePort::find().unwrap();
    let cases = [
        ("nobody listens", nobody.addr(), "cannot connect"),
        ("a gRPC address", grpc(), "HTTP/2"),
        ("another kind of server", ssh, "SSH-2.0"),
    ];
    for (case, addr, words) in cases {
        for (command, args) in commands(addr) {
            let folder = tempfile::tempdir().unwrap();
            let (ended, told) = of(folder.path(), &args);
            assert!([2, 4].contains(&ended.code), "{command}, {case}: exit {}: {told}", ended.code);
            assert!(told.contains(words), "{command}, {case}: {words} is not in {told}");
            let says_what_to_do = told.contains("check") || told.contains("name the server's HTTP address");
            assert!(says_what_to_do, "{command}, {case}: {told}");
            match command {
                "run" => assert!(folder.path().join("run/verdict.json").exists(), "{case}: the record is kept"),
                "diag" => assert!(folder.path().join("x.tar.gz").exists(), "{case}: the archive is kept"),
                "init" => assert!(!folder.path().join("mine.toml").exists(), "{case}: no half profile"),
                _ => {}
            }
        }
    }
}

#[test]
fn answers_that_are_no_json_or_far_too_long_end_a_run() {
    let _turn = turn();
    let html = answering(http(b"<html><body>Log in</body></html>"));
    let long = answering(http(&vec![b'x'; 100 << 20]));
    for (case, addr) in [("no JSON", html), ("100 MB", long)] {
        for (command, args) in commands(addr).into_iter().filter(|(command, _)| *command == "run") {
            let folder = tempfile::tempdir().unwrap();
            let (ended, told) = of(folder.path(), &args);
            assert!([2, 4].contains(&ended.code), "{command}, {case}: exit {}: {told}", ended.code);
            assert!(told.contains("does not answer as the profile"), "{command}, {case}: {told}");
        }
    }
}

#[test]
fn a_metric_that_is_missing_is_named_and_fails_nothing() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let text = soak(&["export", "profile", "reference"]).stdout;
    let text = text.replacen("heap_bytes = \"", "heap_bytes = \"no_such_", 1).replacen("\"reference\"", "\"mine\"", 1);
    std::fs::write(folder.path().join("mine.toml"), text).unwrap();
    let args = ["run", "scenario2", "--smoke", "--set", "target.profile=mine.toml", "--out", "run"];
    let ended = soak_in(folder.path(), &args);
    assert!(ended.code != 1 && ended.stdout.contains("heap_bytes"), "{}{}", ended.stdout, ended.stderr);
}
