//! A store with Longbow's contract, started by a test as a process: its addresses, its pages, its memory as the kernel sees it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::{Running, binary, go_target, until};

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `soak target`.
    Embedded,
    /// The Go store of `tests/targets/go`.
    Go,
}

/// A running store.
pub struct Target {
    kind: Kind,
    /// The data plane, as `grpc://HOST:PORT`.
    pub data: String,
    /// The meta plane.
    pub meta: String,
    http: String,
    program: Running,
}

/// The status and the body of an HTTP answer.
pub fn http(address: &str, method: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    // A profile is no text.
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().to_owned(), body.to_owned())
}

impl Target {
    /// Starts it on free ports with these misbehaviours and a quick index; `None` where the Go store was not built, which is said.
    pub fn start(kind: Kind, misbehave: &[&str]) -> Option<Self> {
        Self::start_with(kind, &[], misbehave)
    }

    /// The same with these variables set.
    pub fn start_with(kind: Kind, variables: &[(&str, &str)], misbehave: &[&str]) -> Option<Self> {
        let mut command = Self::command(kind)?;
        command.envs(variables.iter().copied());
        for setting in misbehave {
            command.args(["--misbehave", setting]);
        }
        Some(Self::started(kind, &mut command))
    }

    /// Starts it with its logs in this folder.
    pub fn start_in(kind: Kind, folder: &Path) -> Option<Self> {
        Some(Self::started(kind, Self::command(kind)?.arg("--data-path").arg(folder)))
    }

    /// The command that starts it, on free ports and with a quick index.
    pub fn command(kind: Kind) -> Option<Command> {
        let program = match kind {
            Kind::Embedded => binary(),
            Kind::Go => go_target()?,
        };
        let mut command = Command::new(program);
        command.arg("target").env("LONGBOW_HNSW_EF_CONSTRUCTION", "40").env("LONGBOW_HNSW_M", "8");
        for plane in ["--data-addr", "--meta-addr", "--http-addr"] {
            command.args([plane, "127.0.0.1:0"]);
        }
        Some(command)
    }

    fn started(kind: Kind, command: &mut Command) -> Self {
        let mut program = Running::start(command);
        let mut address = || program.line().rsplit(' ').next().unwrap().to_owned();
        let (data, meta) = (address(), address());
        let http = address().trim_start_matches("http://").to_owned();
        Self { kind, data, meta, http, program }
    }

    /// Kills it, and waits for its end.
    pub fn kill(mut self) {
        self.program.signal("KILL");
        self.program.wait();
    }

    /// Which store it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.program.pid()
    }

    /// Where its HTTP side listens.
    pub fn http(&self) -> &str {
        &self.http
    }

    /// Calls its HTTP side; the answer's body.
    pub fn call(&self, method: &str, path: &str) -> String {
        let (status, body) = self.answer(method, path);
        assert!(status == "200", "{method} {path}: {status}\n{body}");
        body
    }

    /// The status and the body of an answer of its HTTP side.
    pub fn answer(&self, method: &str, path: &str) -> (String, String) {
        http(&self.http, method, path)
    }

    /// A metric without labels.
    pub fn metric(&self, name: &str) -> f64 {
        let page = self.call("GET", "/metrics");
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name} on the page")).parse().unwrap()
    }

    /// A line of `/proc/PID/status`, in bytes.
    pub fn status_bytes(&self, name: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap().trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0
    }

    /// Anonymous resident memory at rest: collected, and no longer falling. What the indexer still held when it was dropped is freed a moment later.
    pub fn rest_bytes(&self) -> f64 {
        const STILL_BYTES: f64 = 262_144.0;
        self.collect();
        let mut last = self.status_bytes("RssAnon");
        let mut still = 0;
        until("memory comes to rest", || {
            std::thread::sleep(Duration::from_millis(300));
            let now = self.status_bytes("RssAnon");
            still = if (now - last).abs() < STILL_BYTES { still + 1 } else { 0 };
            last = now;
            (still >= 6).then_some(now)
        })
    }

    /// Collects, and gives back what was freed.
    pub fn collect(&self) {
        match self.kind {
            // The first collection only marks what the second gives back.
            Kind::Embedded => (0..2).for_each(|_| drop(self.call("GET", "/debug/pprof/heap?gc=1"))),
            // After a collection alone, Go's runtime returns memory over minutes.
            Kind::Go => drop(self.call("POST", "/admin/vacuum")),
        }
    }
}
