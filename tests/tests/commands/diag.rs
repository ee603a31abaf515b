//! `soak diag`: one archive, whatever of it could be had, and never a secret in it.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use soak_tests::{Ended, FreePort, Kind, Running, Story, Target, binary, is_alive, record, root, soak, soak_in, until};

/// What must never be in an archive.
const SECRET: &str = "hunter22Zq";

/// A server that gives one answer for each path, and counts how often it was asked.
struct StandIn {
    addr: SocketAddr,
}

/// What stands before the body, and the body.
type Answer = (&'static str, Vec<u8>);

impl StandIn {
    /// Answers until the tests end.
    fn start(answer: impl Fn(&str, usize) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let asked = AtomicUsize::new(0);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = Vec::new();
                let mut byte = [0];
                while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                    request.push(byte[0]);
                }
                let request = String::from_utf8_lossy(&request).into_owned();
                let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                let (head, body) = answer(&path, asked.fetch_add(1, Ordering::SeqCst));
                let _ = write!(stream, "HTTP/1.1 {head}\r\nConnection: close\r\n\r\n");
                let _ = stream.write_all(&body);
            }
        });
        Self { addr }
    }

    /// `soak diag` of it, a second long.
    fn diag(&self, folder: &Path, out: &str, more: &[&str]) -> Ended {
        let http = self.addr.to_string();
        let args = ["diag", "--profile", "go", "--http", &http, "--seconds", "1", "--out", out];
        soak_in(folder, &[&args, more].concat())
    }
}

/// Name and contents of everything in an archive.
fn unpacked(archive: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(GzDecoder::new(std::fs::File::open(archive).unwrap()));
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (entry.path().unwrap().display().to_string(), bytes)
    });
    entries.collect()
}

/// The page of an archive, which must hold no secret anywhere.
#[track_caller]
fn page(archive: &Path) -> String {
    let files = unpacked(archive);
    for (name, bytes) in &files {
        let mut plain = Vec::new();
        let packed = GzDecoder::new(bytes.as_slice()).read_to_end(&mut plain).is_ok();
        let bytes = if packed { &plain } else { bytes };
        assert!(!String::from_utf8_lossy(bytes).contains(SECRET), "{name} holds a secret");
    }
    for wanted in ["index.html", "index.md", "diagnosis.json", "raw/origins.json"] {
        assert!(files.contains_key(wanted), "{wanted} is not among {:?}", files.keys());
    }
    String::from_utf8(files["index.md"].clone()).unwrap()
}

#[track_caller]
fn holds(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
}

/// A heap profile with one stack, as the format has it: fields by hand, so that the decoder is held against something else than its own encoder.
fn heap_profile(function: &str, bytes: u64) -> Vec<u8> {
    fn number(mut value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        while value >= 0x80 {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
        out
    }
    let value = |field: u64, value: u64| [number(field << 3), number(value)].concat();
    let nested =
        |field: u64, inside: &[u8]| [number(field << 3 | 2), number(inside.len() as u64), inside.to_vec()].concat();
    let strings = ["", "inuse_space", "bytes", function, "tenant", SECRET];
    let message = [
        nested(1, &[value(1, 1), value(2, 2)].concat()),
        nested(2, &[value(1, 7), value(2, bytes), nested(3, &[value(1, 4), value(2, 5)].concat())].concat()),
        nested(4, &[value(1, 7), nested(4, &value(1, 9))].concat()),
        nested(5, &[value(1, 9), value(2, 3)].concat()),
        strings.iter().flat_map(|text| nested(6, text.as_bytes())).collect(),
    ];
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&message.concat()).unwrap();
    packed.finish().unwrap()
}

#[test]
fn each_trouble_is_told_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = StandIn::start(|path, _| match path {
        "/metrics" => ("200 OK", b"<!DOCTYPE html><title>Log in</title>".to_vec()),
        path if path.starts_with("/debug/pprof/goroutine") => {
            ("404 Not Found", format!("no such page, token={SECRET}").into_bytes())
        }
        path if path.starts_with("/debug/pprof/heap") => ("200 OK", heap_profile("main.leak", 9 << 20)[..40].to_vec()),
        _ => ("200 OK\r\nContent-Length: 1000", b"too little".to_vec()),
    });
    let ended = server.diag(folder.path(), "x.tar.gz", &[]);
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    let words = [
        "no raw/metrics.txt: what came is no metrics page: it is HTML",
        "answered 404 Not Found: no such page, token=[removed]",
        "no raw/heap.pprof: what came is no profile: it is cut off after 40 bytes",
        "no raw/cpu.pprof: the answer is cut off",
        "check endpoints.tasks of the profile `go`",
        "no process is named",
        "--log FILE",
        "Archive: x.tar.gz",
    ];
    holds(&ended.stdout, &words);
    let page = page(&folder.path().join("x.tar.gz"));
    holds(
        &page,
        &[
            "## Environment",
            "## Logs",
            "**Could not be had**",
            "Memory of the machine",
            "The processes of the machine that hold most",
        ],
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
}

#[test]
fn a_server_that_is_not_there_is_no_reason_to_give_up() {
    let folder = tempfile::tempdir().unwrap();
    let port = FreePort::find().unwrap();
    let free = port.addr().to_string();
    let ended =
        soak_in(folder.path(), &["diag", "--profile", "go", "--http", &free, "--seconds", "1", "--out", "x.tar.gz"]);
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    holds(&ended.stdout, &["cannot connect", "check that the target runs and listens at"]);
    holds(&page(&folder.path().join("x.tar.gz")), &["Node type and resources"]);
}

#[test]
fn what_grew_since_an_earlier_archive_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let asked = AtomicUsize::new(0);
    let server = StandIn::start(move |path, _| {
        match path {
        "/debug/pprof/heap" => {
            let times = asked.fetch_add(1, Ordering::SeqCst) as u64 + 1;
            ("200 OK", heap_profile("main.(*cache).keep", times * (20 << 20)))
        }
        path if path.starts_with("/debug/pprof/goroutine") => {
            ("200 OK", b"goroutine 1 [running]:\nmain.main()\n\t/app/main.go:10 +0x1\n".to_vec())
        }
        "/metrics" => ("200 OK", b"longbow_dataset_memory_bytes{dataset=\"big\"} 9e9\nlongbow_dataset_memory_bytes{dataset=\"small\"} 1e6\nlongbow_dataset_memory_bytes{dataset=\"tiny\"} 1e6\ngo_goroutines 1\n".to_vec()),
        _ => ("404 Not Found", Vec::new()),
    }
    });
    assert_eq!(server.diag(folder.path(), "before.tar.gz", &[]).code, 0);
    let ended = server.diag(folder.path(), "after.tar.gz", &["--baseline", "before.tar.gz"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    holds(&ended.stdout, &["main.(*cache).keep holds 20.0 MiB more than at before.tar.gz, 100 % of all growth"]);
    let files = unpacked(&folder.path().join("after.tar.gz"));
    assert!(files.contains_key("before/heap.pprof") && files.contains_key("raw/heap.pprof"));
    holds(&page(&folder.path().join("after.tar.gz")), &["| big | 8.38 GiB | 3", "more than twice the average"]);
}

#[test]
fn a_profile_in_a_file_is_read_without_a_target() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    file("before.prof", &heap_profile("main.(*cache).keep", 20 << 20));
    file("heap.prof", &heap_profile("main.(*cache).keep", 50 << 20));
    let ended = soak_in(folder.path(), &["diag", "heap.prof", "--baseline", "before.prof", "--out", "x.tar.gz"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    holds(
        &ended.stdout,
        &[
            "main.(*cache).keep holds 30.0 MiB more than at before.prof, 100 % of all growth",
            "main.(*cache).keep holds 50.0 MiB of 50.0 MiB, 100 %",
        ],
    );
    let page = page(&folder.path().join("x.tar.gz"));
    holds(&page, &["Diagnosis of the profile heap.prof", "keep holds 30.0 MiB more than at before.prof"]);
    assert!(!page.contains("--http"), "it asks for nothing that a file cannot have: {page}");

    file("cut.prof", &heap_profile("main.leak", 9 << 20)[..40]);
    file("page.html", b"<!DOCTYPE html><title>Log in</title>");
    for (name, words) in [("cut.prof", "it is cut off after 40 bytes"), ("page.html", "it is HTML and no profile")] {
        let ended = soak_in(folder.path(), &["diag", name, "--out", "y.tar.gz"]);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{name} {}", ended.stderr);
        holds(&ended.stderr, &[name, words, "a file has to be a heap, a processor or a goroutine profile"]);
    }
    assert!(!folder.path().join("y.tar.gz").exists());
}

#[test]
fn pages_of_text_and_formats_of_others_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let diag = |name: &str, text: &str, more: &[&str]| {
        std::fs::write(folder.path().join(name), text).unwrap();
        let out = format!("{name}.tar.gz");
        soak_in(folder.path(), &[&["diag", name, "--out", &out], more].concat())
    };
    let tasks = "goroutine profile: total 907\n900 @ 0x1 0x2\n#\t0x1\tmain.wait+0xa5\t/src/tick.go:159\n\n7 @ 0x3\n#\t0x3\tmain.main+0x1\t/src/m.go:1\n\n";
    let ended = diag("tasks.txt", tasks, &[]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    holds(&ended.stdout, &["900 of 907 tasks are in main.wait.", "7 of 907 tasks are in main.main."]);
    let heap = "heap profile: 1: 8388608 [6: 50331648] @ heap/1048576\n1: 8388608 [6: 50331648] @ 0x4a\n#\t0x4a\tmain.keep+0x2b\t/src/index.go:88\n\n# runtime.MemStats\n";
    let ended = diag("heap.txt", heap, &[]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    holds(&ended.stdout, &["main.keep holds 8.0 MiB of 8.0 MiB, 100 %."]);
    let ended = diag("heap2.txt", heap, &["--baseline", "tasks.txt"]);
    assert_eq!(ended.code, 2, "{}", ended.stdout);
    holds(&ended.stderr, &["it tells of goroutines", "name a baseline of the same kind"]);
    let ended = diag("jemalloc.txt", "heap_v2/524288\n  t*: 28106: 56637512 [0: 0]\n", &[]);
    assert_eq!(ended.code, 2, "{}", ended.stdout);
    holds(&ended.stderr, &["a heap profile of jemalloc or tcmalloc as text", "pprof -proto"]);
}

#[test]
fn what_is_wrong_with_the_command_is_told_before_anything_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("taken.tar.gz"), "mine").unwrap();
    let of = |args: &[&str]| soak_in(folder.path(), &[&["diag"], args].concat());
    let go = ["--profile", "go"];
    let refused: [(&[&str], &str); 7] = [
        (&["--http", "10.0.0.1:9090"], "10.0.0.1:9090 is not of this machine"),
        (&["--http", "localhost"], "expected an address such as 127.0.0.1:9090"),
        (&["--out", "taken.tar.gz"], "taken.tar.gz is there already; name another with --out"),
        (&["--out", "no/such/x.tar.gz"], "there is no folder no/such"),
        (&["--baseline", "taken.tar.gz"], "it takes an archive of `soak diag`, a run's folder, or a file with a pprof"),
        (&["--baseline", "nowhere"], "--baseline nowhere"),
        (&["--since", "nowhere"], "not a run folder"),
    ];
    for (args, words) in refused {
        let ended = of(&[&go, args].concat());
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{args:?} {}", ended.stderr);
        holds(&ended.stderr, &[words]);
    }
    assert_eq!(of(&["--profile", "goo"]).code, 2);
    assert_eq!(of(&[]).code, 2);
    assert_eq!(of(&["nowhere"]).code, 2);
    assert_eq!(std::fs::read_to_string(folder.path().join("taken.tar.gz")).unwrap(), "mine");
}

/// A `kubectl` that knows one deployment, whose environment holds a password.
fn kubectl(folder: &Path) {
    let deployment = format!(
        r#"{{"spec":{{"replicas":3,"template":{{"spec":{{"containers":[{{"name":"store","image":"store:7","env":[{{"name":"X","value":"{SECRET}"}}],"resources":{{"limits":{{"memory":"8Gi"}}}}}}]}}}}}},"status":{{"readyReplicas":2}}}}"#
    );
    let nodes = r#"{"items":[{"metadata":{"name":"node-a","labels":{"node.kubernetes.io/instance-type":"m5.large"}},"status":{"capacity":{"cpu":"2","memory":"8Gi"},"nodeInfo":{"kubeletVersion":"v1.31.0"}}}]}"#;
    let sets = r#"{"items":[{"metadata":{"creationTimestamp":"2026-01-02T00:00:00Z","annotations":{"deployment.kubernetes.io/revision":"7"},"ownerReferences":[{"name":"store"}]},"spec":{"replicas":3,"template":{"spec":{"containers":[{"image":"store:7"}]}}}}]}"#;
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in\nversion) echo 'Server Version: v1.31.0';;\n*'get nodes'*) echo '{nodes}';;\n*'get deployment'*) echo '{deployment}';;\n*'get replicasets'*) echo '{sets}';;\n*'rollout history'*) echo 'REVISION 7';;\n*'top pods'*) echo 'store-1 2Gi';;\n*logs*) echo 'compaction 1 error: no space'; echo 'compaction 2 error: no space';;\n*) exit 1;;\nesac\n"
    );
    let path = folder.join("kubectl");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn kubernetes_is_asked_only_where_somebody_said_so() {
    let folder = tempfile::tempdir().unwrap();
    kubectl(folder.path());
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let server = StandIn::start(|_, _| ("404 Not Found", Vec::new()));
    let diag = |out: &str, more: &[&str]| -> Ended {
        let http = server.addr.to_string();
        let args = ["diag", "--profile", "go", "--http", &http, "--seconds", "1", "--out", out];
        let output =
            Command::new(binary()).args(args).args(more).env("PATH", &path).current_dir(folder.path()).output();
        output.unwrap().into()
    };
    assert_eq!(diag("without.tar.gz", &[]).code, 0);
    holds(&page(&folder.path().join("without.tar.gz")), &["nobody said which deployment is meant"]);
    let repo = root();
    let more = ["--deployment", "store", "--namespace", "vectors", "--repo", repo.to_str().unwrap()];
    let ended = diag("with.tar.gz", &more);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let page = page(&folder.path().join("with.tar.gz"));
    let words = [
        "Server Version: v1.31.0",
        "type m5.large, 2 cores",
        "replicas: 3 wanted, 2 ready",
        "memory limit 8Gi",
        "2026-01-02T00:00:00Z revision 7: image store:7",
        "REVISION 7",
        "compaction # error: no space",
        "kubectl --namespace vectors rollout history deployment/store",
    ];
    holds(&page, &words);
    holds(&ended.stdout, &["The log has the same error 2 times."]);
}

#[test]
fn the_embedded_store_has_no_heap_profile_and_everything_else() {
    let folder = tempfile::tempdir().unwrap();
    let target = Target::start_with(Kind::Embedded, &[("GOGC", "42"), ("API_TOKEN", SECRET)], &[]).unwrap();
    let log = format!("started\nlogin password={SECRET}\ncompaction of a failed\ncompaction of b done\n");
    std::fs::write(folder.path().join("store.log"), log).unwrap();
    std::fs::write(folder.path().join("store.yaml"), format!("level: debug\npassword: {SECRET}\n")).unwrap();
    std::fs::write(folder.path().join("store.yaml.bak"), "level: info\npassword: other\n").unwrap();
    let pid = target.pid().to_string();
    let args = ["--pid", &pid, "--log", "store.log", "--config", "store.yaml", "--seconds", "1", "--format", "json"];
    let http = target.http().to_string();
    let ended = soak_in(
        folder.path(),
        &[&["diag", "--profile", "reference", "--http", &http, "--out", "x.tar.gz"][..], &args].concat(),
    );
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let missing: Vec<String> = ended.json()["diagnosis"]["files"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|file| file["missing"].is_object())
        .map(|file| file["path"].as_str().unwrap().to_owned())
        .collect();
    for there in [
        "raw/metrics.txt",
        "raw/tasks.txt",
        "raw/smaps.txt",
        "raw/status.txt",
        "raw/settings.txt",
        "raw/descriptors.txt",
        "raw/trend.csv",
    ] {
        assert!(!missing.iter().any(|path| path == there), "{there} is missing");
    }
    assert!(missing.iter().any(|path| path == "raw/heap.pprof"), "{missing:?}");
    let words = [
        "/debug/pprof/heap of ",
        "names no endpoints.heap_profile",
        "| resident (VmRSS) |",
        "| anonymous |",
        "| gogc | 42 |",
        "- level: info\n+ level: debug",
        "login password=[removed]",
        "| of them, errors | 50.0 % |",
        "the figures are those of a model",
    ];
    holds(&page(&folder.path().join("x.tar.gz")), &words);
}

/// A profile of a program that dumps its heap at a signal into this folder.
fn dumping_profile(folder: &Path) -> String {
    let path = folder.join("dumping.toml");
    let folder = folder.display();
    let text = format!(
        "name = \"dumping\"\ntitle = \"Dumps at a signal\"\n[diagnosis]\nheap_dump_signal = \"USR1\"\nheap_dump_files = \"{folder}/heap-*.prof\"\n[diagnosis.pages]\ncache = \"GET /api/debug/cache\"\n"
    );
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn a_heap_dump_is_taken_only_where_asked_and_only_of_who_survives_it() {
    let folder = tempfile::tempdir().unwrap();
    let profile = dumping_profile(folder.path());
    let source = folder.path().join("source");
    std::fs::write(&source, heap_profile("rocksdb::cache::insert", 64 << 20)).unwrap();
    let server = StandIn::start(|path, _| match path {
        "/api/debug/cache" => ("200 OK", format!("{{\"entries\": 12, \"auth_token\": \"{SECRET}\"}}").into_bytes()),
        _ => ("404 Not Found", Vec::new()),
    });
    let diag = |pid: u32, out: &str, more: &[&str]| {
        let (http, pid) = (server.addr.to_string(), pid.to_string());
        let args = [
            "diag",
            "--profile",
            &profile,
            "--http",
            &http,
            "--pid",
            &pid,
            "--seconds",
            "1",
            "--deadline",
            "5s",
            "--out",
            out,
        ];
        soak_in(folder.path(), &[&args, more].concat())
    };
    let script = format!(
        "trap 'cp {0} {1}/heap-1.prof' USR1; echo ready; while :; do sleep 0.05; done",
        source.display(),
        folder.path().display()
    );
    let mut dumps = Running::start(Command::new("bash").args(["-c", &script]));
    assert_eq!(dumps.line(), "ready");
    assert_eq!(diag(dumps.pid(), "unasked.tar.gz", &[]).code, 0);
    assert!(!folder.path().join("heap-1.prof").exists(), "nobody asked for it");
    let ended = diag(dumps.pid(), "asked.tar.gz", &["--dump-heap"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    holds(
        &page(&folder.path().join("asked.tar.gz")),
        &["| rocksdb::cache::insert | 64.0 MiB |", "\"entries\": 12", "The target's page of its cache"],
    );
    let other = Running::start(Command::new("sleep").arg("300"));
    let ended = diag(other.pid(), "other.tar.gz", &["--dump-heap"]);
    holds(&ended.stdout, &["does not handle signal 10, which would end it: it was not sent"]);
    assert!(is_alive(other.pid()));
}

#[test]
fn a_run_is_told_of_by_what_it_kept() {
    let folder = tempfile::tempdir().unwrap();
    let made = record(&folder.path().join("run"), Story::Leaking);
    let artifacts = made.folder.join("artifacts");
    for (phase, bytes) in [("idle", 10 << 20), ("drain", 50 << 20)] {
        let kept = artifacts.join(&made.plan.variants[0].id).join(phase);
        std::fs::create_dir_all(&kept).unwrap();
        std::fs::write(kept.join("heap.pprof"), heap_profile("main.leak", bytes)).unwrap();
        std::fs::write(kept.join("origins.json"), "[{\"name\":\"heap.pprof\",\"from\":\"GET /debug/pprof/heap\"}]")
            .unwrap();
    }
    std::fs::write(artifacts.join("000-target.log"), format!("error: token={SECRET}\n")).unwrap();
    let ended = soak_in(folder.path(), &["diag", "run", "--out", "x.tar.gz", "--since", "run"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let variant = &made.plan.variants[0].id;
    holds(&ended.stdout, &["main.leak holds 40.0 MiB more than at the idle baseline", variant]);
    let files = unpacked(&folder.path().join("x.tar.gz"));
    assert!(files.contains_key(&format!("{variant}/raw/heap.pprof")) && files.contains_key("index.html"));
    for bytes in files.values() {
        assert!(!String::from_utf8_lossy(bytes).contains(SECRET));
    }
    holds(&String::from_utf8_lossy(&files["index.md"]), &["the run kept none", "a run takes none", "compacted in"]);
}

#[test]
fn the_site_that_leaks_in_a_real_runtime_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let Some(target) = Target::start(Kind::Go, &["heap_leak=600MiB/min"]) else { return };
    let (http, pid) = (target.http().to_string(), target.pid().to_string());
    let diag = |out: &str, more: &[&str]| {
        // The runtime's profile is as of the last collection but one.
        target.collect();
        target.collect();
        let args = ["diag", "--profile", "go", "--http", &http, "--pid", &pid, "--seconds", "1", "--out", out];
        let ended = soak_in(folder.path(), &[&args, more].concat());
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        ended.stdout
    };
    diag("before.tar.gz", &[]);
    let leaked = || target.metric("longbow_leaked_bytes");
    let before = leaked();
    until("it has leaked 32 MiB more", || (leaked() > before + f64::from(32 << 20)).then_some(()));
    let told = diag("after.tar.gz", &["--baseline", "before.tar.gz"]);
    holds(&told, &["main.onHeap holds", "more than at before.tar.gz"]);
    let archive = folder.path().join("after.tar.gz");
    holds(&page(&archive), &["go_gc_duration_seconds", "| Holder |", "Where the processor's time goes"]);
    let document = String::from_utf8(unpacked(&archive)["diagnosis.json"].clone()).unwrap();
    holds(&document, &["main.onHeap < main.(*pile).owe < main.(*Leaks).pay"]);
    assert_eq!(soak(&["diag", "--help"]).code, 0);
}
