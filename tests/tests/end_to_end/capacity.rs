//! Capacity, from runs to an answer: a fit of a tiny run says what a run of another size then takes; and a search finds a limit that is one.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use soak_tests::{Ended, alone, binary, is_root, scenario, soak, turn};

/// As little as tells a base, vectors and rows apart.
const TINY: [&str; 5] = [
    "matrix.include=[]",
    "matrix.hnsw_m=[8]",
    "matrix.ef_construction=[24]",
    "cycle.count=2",
    "workload.query.duration=100ms",
];

/// A load that 16 MiB are too little for.
const LARGER: [&str; 2] = ["matrix.dim=[1024]", "workload.vectors_per_cycle=1500"];

fn run(out: &Path, edits: &[&str]) {
    let ended = Ended::from(scenario("capacity", out, &[&TINY, edits].concat()).output().unwrap());
    assert_eq!(ended.code, 0, "{}\n{}", ended.stdout, ended.stderr);
}

#[test]
fn a_fit_says_what_another_size_takes() {
    let _turn = alone();
    let folder = tempfile::tempdir().unwrap();
    let (fit, other) = (folder.path().join("fit"), folder.path().join("other"));
    let sizes = "workload.vectors_per_cycle={64=4000,128=1000,256=2500,512=800,1024=1500,2048=600}";
    run(&fit, &["matrix.dim=[64,128,256,512,1024,2048]", sizes]);
    run(&other, &["matrix.dim=[768]", "workload.vectors_per_cycle=1200"]);
    let (fit, other) = (fit.to_str().unwrap(), other.to_str().unwrap());
    let ask = ["capacity", fit, "--against", other, "--vectors", "1200", "--dim", "768", "--format", "json"];
    let ended = soak(&ask);
    let answer = ended.json();
    assert_eq!((ended.code, &answer["extrapolated"]), (0, &false.into()), "{answer:#}");
    let of = |name: &str| answer[name]["value"].as_f64().unwrap();
    assert!(of("settled") < of("peak") && of("peak") < of("limit"), "{answer:#}");
    // The store holds each vector twice, in its slab and in its graph.
    assert!(of("settled") > 2.0 * 1200.0 * 768.0 * 4.0, "{answer:#}");
    let predictions = answer["held_out"]["predictions"].as_array().unwrap();
    assert_eq!(predictions.len(), 2);
    for one in predictions {
        let error = one["measured"].as_f64().unwrap() / one["predicted"]["value"].as_f64().unwrap() - 1.0;
        assert!(error.abs() < 0.12, "{one:#}");
    }
    assert!(answer["settings"]["systemd"].as_str().unwrap().contains("MemoryMax="), "{answer:#}");
    // M was the same in all runs, so of another nothing is known.
    let other_m = soak(&["capacity", fit, "--vectors", "1200", "--dim", "768", "--m", "32", "--format", "json"]);
    assert_eq!((other_m.code, &other_m.json()["missing"][0]["what"]), (3, &"hnsw_m".into()), "{}", other_m.stdout);
    // Too few were held out to say whether predictions stand.
    assert_eq!(soak(&["capacity", fit, "--against", other]).code, 3);
}

/// A search as coarse as it may be.
fn search(out: &Path, options: &[&str], edits: &[&str]) -> Ended {
    let mut command = Command::new(binary());
    command
        .args(["capacity", "search", "--times", "1", "--step", "5%", "--format", "json"])
        .args(options)
        .arg("--out")
        .arg(out);
    command.env("SOAK_STATE_DIR", out.with_extension("state"));
    for edit in TINY.iter().chain(edits) {
        command.args(["--set", edit]);
    }
    Ended::from(command.output().unwrap())
}

#[test]
fn a_target_that_needs_next_to_nothing_is_given_the_least_limit_that_is_set() {
    let _turn = turn();
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("search");
    let limited = "matrix.memory_limit=[\"64MiB\"]";
    let ended = search(&out, &[], &["matrix.dim=[16]", "workload.vectors_per_cycle=500", limited]);
    assert!(ended.stderr.contains("memory_limit 64MiB of "), "{}", ended.stderr);
    let document = ended.json();
    let found = &document["found"][0];
    // It is not shown to be the smallest: nothing smaller is ever tried.
    assert_eq!((ended.code, &found["limit"]), (3, &"16MiB".into()), "{document:#}\n{}", ended.stderr);
    assert_eq!((&found["at_less"], &document["settings"]), (&serde_json::json!([0, 0]), &Value::Null));
    let page = std::fs::read_to_string(out.join("search.md")).unwrap();
    assert!(page.contains("16MiB, which is the smallest limit that is set"), "{page}");
}

#[test]
fn a_search_says_why_it_found_nothing() {
    let _turn = turn();
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    // A target that is never told GOGC runs with another; and one that does not tell either may.
    let profile = soak(&["export", "profile", "reference"]).stdout;
    let [deaf, mute] = [("deaf", "GOGC ="), ("mute", "gogc =")].map(|(name, also)| {
        let dropped = |line: &str| line.starts_with("GOGC =") || line.starts_with(also);
        let lines: Vec<&str> = profile.lines().filter(|line| !dropped(line)).collect();
        assert!(lines.len() < profile.lines().count(), "{profile}");
        std::fs::write(path(name).with_extension("toml"), lines.join("\n")).unwrap();
        format!("target.profile=\"{}\"", path(name).with_extension("toml").display())
    });
    let load = ["matrix.dim=[128]", "workload.vectors_per_cycle=1500"];
    let untold = search(&path("untold"), &["--gogc", "50"], &[&load[..], &[&deaf]].concat());
    let unread = search(&path("unread"), &["--gogc", "50"], &[&load[..], &[&mute]].concat());
    let too_little = search(&path("little"), &["--at-most", "16MiB"], &LARGER);
    let no_time = search(&path("time"), &["--within", "1ms", "--gogc", "50,100"], &load);
    assert_eq!(no_time.stderr.matches("try ").count(), 1, "the first alone: {}", no_time.stderr);
    let cases = [
        (untold, "gogc is 100, and 50 was asked for"),
        (unread, "gogc could not be read back"),
        (too_little, "raise --at-most"),
        (no_time, "--within"),
    ];
    for (ended, words) in cases {
        let document = ended.json();
        let found = &document["found"][0];
        assert_eq!(
            (ended.code, &found["limit"], &document["settings"]),
            (3, &Value::Null, &Value::Null),
            "{document:#}"
        );
        assert!(found["reason"].as_str().unwrap().contains(words), "{words}: {found:#}");
    }
    let page = std::fs::read_to_string(path("untold").join("search.md")).unwrap();
    assert!(page.contains("gogc is 100, and 50 was asked for"), "{page}");
    let again = search(&path("little"), &[], &load);
    assert!(again.code == 2 && again.stderr.contains("is not empty; name another folder"), "{}", again.stderr);
}

#[test]
fn a_search_finds_a_limit_that_is_one() {
    let _turn = turn();
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("search");
    let ended = search(&out, &[], &LARGER);
    let found = ended.json()["found"][0].clone();
    assert_eq!(ended.code, 0, "{found:#}\n{}", ended.stderr);
    let survived = |name: &str| [0, 1].map(|side: usize| found[name][side].as_u64().unwrap());
    let ([at, of], [less, _]) = (survived("at_limit"), survived("at_less"));
    assert!(at == of && of >= 1 && less == 0, "{found:#}");
    let tried = found["tried"].as_array().unwrap();
    assert!(tried.iter().any(|one| one["survived"] == false && one["why"].is_string()), "{found:#}");
    assert!(tried.iter().any(|one| one["survived"] == true), "{found:#}");
    for page in ["search.html", "search.md"] {
        let page = std::fs::read_to_string(out.join(page)).unwrap();
        assert!(page.contains("MemoryMax=") && page.contains("try-001"), "{page}");
    }
    // How to see a try again has its limit in it.
    let killed = tried.iter().find(|one| one["survived"] == false).unwrap();
    let judged = soak(&["judge", out.join(killed["run"].as_str().unwrap()).to_str().unwrap(), "--format", "json"]);
    let reproduce = judged.json()["variants"][0]["findings"].to_string();
    let limit = format!("memory_limit=[\\\"{}MiB\\\"]", killed["limit_mib"]);
    assert!(reproduce.contains(&limit), "{limit} is not in {reproduce}");
}
