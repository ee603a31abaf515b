//! `compare`: over made-up runs of which the truth is known, and over runs that cannot be compared.

use std::fs;
use std::path::{Path, PathBuf};

use soak_engine::residue::Register;
use soak_tests::{BUILD, Ended, Story, record, soak};

/// Made-up runs, and the folder that holds them until the test ends.
struct Runs(tempfile::TempDir);

impl Runs {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a run, and gives its folder.
    fn made(&self, name: &str, story: Story) -> String {
        record(&self.path(name), story);
        self.path(name).display().to_string()
    }
}

fn compare(args: &[&str]) -> Ended {
    soak(&[&["compare"], args].concat())
}

/// Refuses, with these words.
#[track_caller]
fn refused(args: &[&str], words: &[&str]) {
    let ended = compare(args);
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{args:?}\n{}", ended.stderr);
    for word in words {
        assert!(ended.stderr.contains(word), "{word} is not in\n{}", ended.stderr);
    }
}

fn replace(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from} is not in {}", path.display());
    fs::write(path, text.replace(from, to)).unwrap();
}

/// The answer of a row.
fn answer<'a>(document: &'a serde_json::Value, variant: &str, quantity: &str) -> &'a serde_json::Value {
    let rows = document["rows"].as_array().unwrap();
    rows.iter().find(|row| row["variant"] == variant && row["quantity"] == quantity).unwrap()
}

#[test]
fn two_runs_of_one_target_are_the_same() {
    let runs = Runs::new();
    let (base, candidate) = (runs.made("a", Story::Healthy), runs.made("b", Story::Again));
    let human = compare(&[&base, &candidate]);
    assert_eq!((human.code, human.stderr.as_str()), (0, ""), "{}", human.stdout);
    assert!(human.stdout.starts_with("PASS — scenario2 at quick pace: no worse than the base\n"), "{}", human.stdout);
    assert!(human.stdout.lines().all(|line| line.chars().count() <= 110), "{}", human.stdout);
    let json = compare(&[&base, &candidate, "--format", "json"]);
    let document = json.json();
    assert_eq!((json.code, &document["verdict"]), (0, &"pass".into()));
    let rows = document["rows"].as_array().unwrap();
    let required: Vec<_> = rows.iter().filter(|row| row["role"] == "required").collect();
    assert!(required.len() >= 10 && required.iter().all(|row| row["answer"] == "same"), "{document:#}");
    for row in required {
        let [low, high] = [0, 1].map(|end: usize| row["interval"][end].as_f64().unwrap());
        let change = row["change"].as_f64().unwrap();
        assert!(low <= change && change <= high && high < row["threshold"].as_f64().unwrap(), "{row:#}");
        assert!(row["detectable"].as_f64().unwrap() > 0.0);
    }
    // Comparing is a function of the records.
    assert_eq!(compare(&[&base, &candidate]), human);
    let several = compare(&["--base", &base, "--candidate", &candidate]);
    assert_eq!(several.stdout, human.stdout);
}

#[test]
fn a_candidate_that_holds_more_is_worse_and_the_other_way_round_better() {
    let runs = Runs::new();
    let (base, candidate) = (runs.made("a", Story::Healthy), runs.made("b", Story::Heavier));
    let out = runs.path("out");
    let ended = compare(&[&base, &candidate, "--format", "json", "--out", out.to_str().unwrap()]);
    let document = ended.json();
    assert_eq!((ended.code, &document["verdict"]), (1, &"fail".into()), "{document:#}");
    for quantity in ["rss_settled", "rss_loaded", "heap_settled", "heap_loaded"] {
        assert_eq!(answer(&document, "dim128-rows500", quantity)["answer"], "worse", "{quantity}: {document:#}");
    }
    let settled = answer(&document, "dim128-rows500", "rss_settled")["change"].as_f64().unwrap();
    assert!((settled - 0.2).abs() < 0.01, "two of ten: {settled}");
    assert_eq!(answer(&document, "dim128-rows500", "tasks")["answer"], "same");
    assert_eq!(fs::read_to_string(out.join("comparison.json")).unwrap(), ended.stdout);
    let markdown = fs::read_to_string(out.join("comparison.md")).unwrap();
    assert!(markdown.starts_with("# FAIL — scenario2 at quick pace: worse than the base in "), "{markdown}");
    let line = markdown.lines().find(|line| line.starts_with("| dim128-rows500 | rss_settled | WORSE | ")).unwrap();
    assert!(line.contains(" MiB | 12.0 MiB | +20.") && line.ends_with("has to be shown |"), "{line}");
    let page = fs::read_to_string(out.join("comparison.html")).unwrap();
    assert!(page.contains("<span class=\"mark fail\">WORSE</span>") && !page.contains("<script"), "{page}");
    let github = compare(&[&base, &candidate, "--format", "github"]).stdout;
    assert!(github.contains("::error title=rss_settled in dim128-rows500%3A WORSE::"), "{github}");
    let turned = compare(&[&candidate, &base]);
    assert_eq!(turned.code, 0, "{}", turned.stdout);
    assert!(turned.stdout.contains("no worse than the base; better in rss_settled"), "{}", turned.stdout);
}

#[test]
fn what_counts_as_a_difference_can_be_said() {
    let runs = Runs::new();
    let (base, candidate) = (runs.made("a", Story::Healthy), runs.made("b", Story::Heavier));
    // Two MiB are less than forty of a hundred of everything, but for the heap.
    assert_eq!(compare(&[&base, &candidate, "--threshold", "40%"]).code, 0);
    let strict = ["--threshold", "40%", "--threshold", "rss_loaded=5%"];
    let ended = compare(&[&[base.as_str(), &candidate], &strict[..], &["--format", "json"]].concat());
    assert_eq!(ended.code, 1);
    assert_eq!(answer(&ended.json(), "dim128-rows500", "rss_loaded")["answer"], "worse");
    let memory = ["rss_settled", "rss_loaded", "rss_peak", "heap_settled", "heap_loaded"];
    let shown: Vec<&str> = memory.iter().flat_map(|quantity| ["--not-judged", *quantity]).collect();
    let ended = compare(&[&[base.as_str(), &candidate], &shown[..], &["--format", "json"]].concat());
    assert_eq!(ended.code, 0, "{}", ended.stdout);
    assert_eq!(answer(&ended.json(), "dim128-rows500", "rss_settled")["role"], "shown");
    refused(&[&base, &candidate, "--threshold", "rss=5%"], &["there is rss_settled, rss_loaded"]);
    refused(&[&base, &candidate, "--threshold", "5"], &["a percentage from 0% to 100%"]);
    refused(&[&base, &candidate, "--threshold", "0%"], &["no two runs are the same"]);
    refused(&[&base, &candidate, "--require", "speed"], &["there is rss_settled"]);
    let both = ["--require", "throughput", "--not-judged", "throughput"];
    refused(&[&[base.as_str(), &candidate], &both[..]].concat(), &["contradict each other"]);
}

#[test]
fn what_is_no_difference_is_said_of_each_row() {
    let runs = Runs::new();
    let (base, candidate) = (runs.made("a", Story::Healthy), runs.made("b", Story::Again));
    // One MiB is a tenth of ten, whatever is asked for.
    let ended = compare(&[&base, &candidate, "--threshold", "rss_settled=1%"]);
    let heads = ended.stdout.lines().find(|line| line.contains("90 % sure")).unwrap();
    let row = ended.stdout.lines().find(|line| line.contains("rss_settled")).unwrap();
    let cells = |line: &str| {
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    // The answer has no head.
    let column = cells(heads).iter().position(|head| head == "from").unwrap() + 1;
    assert_eq!(cells(row)[column], "10.0 %", "{heads}\n{row}");
}

#[test]
fn a_leak_is_no_level_and_still_worse() {
    let runs = Runs::new();
    let (base, candidate) = (runs.made("a", Story::Again), runs.made("b", Story::Leaking));
    let ended = compare(&[&base, &candidate, "--format", "json"]);
    assert_eq!(ended.code, 1, "{}", ended.stdout);
    assert_eq!(answer(&ended.json(), "every variant", "own criteria")["answer"], "worse");
}

/// What is done to a record's events.
type Edit<'a> = &'a dyn Fn(&str) -> String;

/// A line of events; of an ingest, with half of its rows taken.
fn half_taken(line: &str) -> String {
    let mut event: serde_json::Value = serde_json::from_str(line).unwrap();
    if let Some(acked) = event["acked_rows"].as_u64() {
        event["acked_rows"] = (acked / 2).into();
        event["refused_rows"] = (acked - acked / 2).into();
    }
    format!("{event}\n")
}

#[test]
fn what_was_not_as_planned_is_shown_to_be_no_worse_in_nothing() {
    let by_hand = r#""event":"by_hand","action":"pause_load","phase":"query","cycle":2}"#;
    let by_hand = format!("{{\"at_s\":40.0,\"variant\":\"dim128-rows500\",{by_hand}\n");
    let cases: [(&str, Edit, &str); 3] = [
        (
            "hand",
            &|events| events.replacen('\n', &format!("\n{by_hand}"), 1),
            "a person took a hand in it and paused the load",
        ),
        ("load", &|events| events.lines().map(half_taken).collect(), "acknowledged only"),
        ("setting", &|events| events.replace("\"holds\":true", "\"holds\":false"), "was asked for"),
    ];
    for (name, edit, words) in cases {
        let runs = Runs::new();
        let (base, other) = (runs.made("a", Story::Healthy), runs.made("b", Story::Again));
        let path = runs.path("b").join("events.jsonl");
        fs::write(&path, edit(&fs::read_to_string(&path).unwrap())).unwrap();
        for sides in [[&base, &other], [&other, &base]] {
            let ended = compare(&[sides[0], sides[1], "--format", "json"]);
            let document = ended.json();
            assert_eq!((ended.code, &document["verdict"]), (3, &"inconclusive".into()), "{name}: {document:#}");
            let row = answer(&document, "dim128-rows500", "as planned");
            assert!(row["reason"].as_str().unwrap().contains(words), "{name}: {row:#}");
            assert_eq!(answer(&document, "dim128-rows500", "rss_settled")["answer"], "cannot_tell", "{name}");
        }
        // A base that was not what was planned makes nobody worse.
        let heavier = runs.made("c", Story::Heavier);
        for (base, expected) in [(&base, "worse"), (&other, "cannot_tell")] {
            let document = compare(&[base, &heavier, "--format", "json"]).json();
            assert_eq!(answer(&document, "dim128-rows500", "rss_settled")["answer"], expected, "{name}: {document:#}");
        }
        let kept = runs.path("kept");
        let saved = soak(&["baseline", "--baselines", kept.to_str().unwrap(), "save", "main", &other]);
        assert_eq!(saved.code, 2, "{name}");
        assert!(
            saved.stderr.contains("made-up-again is no baseline") && saved.stderr.contains(words),
            "{}",
            saved.stderr
        );
        let history = soak(&["history", runs.0.path().to_str().unwrap(), "--format", "json"]).json();
        assert_eq!(history[1]["figures"], serde_json::json!({}), "{name}: {history:#}");
    }
}

/// A run that says it is of another build.
fn rebuilt(runs: &Runs, name: &str, story: Story) -> String {
    let run = runs.made(name, story);
    replace(&runs.path(name).join("events.jsonl"), BUILD, OTHER_BUILD);
    run
}

const OTHER_BUILD: &str = "sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";

#[test]
fn a_candidate_of_several_builds_is_none() {
    let runs = Runs::new();
    let (one, other) = (runs.made("a", Story::Again), rebuilt(&runs, "b", Story::Healthy));
    let heavier = rebuilt(&runs, "c", Story::Heavier);
    let mixed = compare(&["--base", &one, "--candidate", &other, "--format", "json"]);
    assert_eq!(mixed.code, 0, "{}", mixed.stdout);
    let third = runs.made("d", Story::Healthy);
    replace(&runs.path("d").join("events.jsonl"), "\"run\":\"made-up\"", "\"run\":\"made-up-third\"");
    let mixed = compare(&["--base", &one, "--candidate", &other, &third]);
    assert_eq!(mixed.code, 3, "{}\n{}", mixed.stdout, mixed.stderr);
    assert!(
        mixed.stdout.starts_with("INCONCLUSIVE — scenario2 at quick pace: the candidate is of several builds\n"),
        "{}",
        mixed.stdout
    );
    let words = "the runs of the candidate are of several builds, sha256:fedcba987654, sha256:0123456789ab.";
    let in_a_line = mixed.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(in_a_line.contains(words), "{}", mixed.stdout);
    // What is worse is so of them together.
    let worse = compare(&["--base", &one, "--candidate", &heavier, &third, "--format", "json"]);
    assert_ne!(worse.code, 0, "{}", worse.stdout);
    // A branch's last builds may be a base.
    let base = compare(&["--base", &one, &other, "--candidate", &third, "--format", "json"]);
    assert_eq!((base.code, base.json()["base"]["builds"].as_array().unwrap().len()), (0, 2), "{}", base.stdout);
    assert!(base.json()["notes"].to_string().contains("The base is of several builds"), "{}", base.stdout);
    let kept = runs.path("kept");
    let saved = soak(&["baseline", "--baselines", kept.to_str().unwrap(), "save", "main", &one, &other]);
    assert_eq!(saved.code, 0, "{}", saved.stderr);
    assert!(saved.stderr.contains("warning: main is of several builds"), "{}", saved.stderr);
}

#[test]
fn a_build_that_changes_under_a_run_is_two() {
    let runs = Runs::new();
    let (one, other) = (runs.made("a", Story::Again), runs.made("b", Story::Healthy));
    let events = runs.path("b").join("events.jsonl");
    let text = fs::read_to_string(&events).unwrap();
    let (before, after) = text.rsplit_once(BUILD).unwrap();
    fs::write(&events, format!("{before}{OTHER_BUILD}{after}")).unwrap();
    let judged = soak(&["judge", &other, "--format", "json"]);
    let verdict = judged.json();
    assert_eq!((judged.code, &verdict["variants"][0]["verdict"]), (3, &"pass".into()), "{verdict:#}");
    let words = "its target is build sha256:fedcba987654, and that of the first variant sha256:0123456789ab";
    assert!(verdict["variants"][1]["findings"].to_string().contains(words), "{verdict:#}");
    let compared = compare(&[&one, &other, "--format", "json"]).json();
    let row = answer(&compared, verdict["variants"][1]["id"].as_str().unwrap(), "as planned");
    assert!(row["reason"].as_str().unwrap().contains(words), "{row:#}");
}

#[test]
fn a_run_that_still_goes_on_is_waited_for() {
    let runs = Runs::new();
    let (base, other) = (runs.made("a", Story::Again), runs.made("b", Story::BrokeOff));
    let id = format!("made-up-{}", std::process::id());
    replace(&runs.path("b").join("events.jsonl"), "\"run\":\"made-up\"", &format!("\"run\":\"{id}\""));
    let register = Register::open(&id).unwrap();
    let going = format!("{id} still goes on (pid {})", std::process::id());
    let refused = compare(&[&base, &other]);
    let history = soak(&["history", runs.0.path().to_str().unwrap()]);
    let judged = soak(&["judge", &other]);
    let capacity = soak(&["capacity", &other, "--vectors", "1M", "--dim", "128"]);
    register.close();
    assert!(refused.code == 2 && refused.stderr.contains(&going), "{}", refused.stderr);
    assert!(history.code == 0 && history.stderr.contains(&format!("warning: left out: {going}")), "{}", history.stderr);
    assert!(!history.stdout.contains(&id), "{}", history.stdout);
    for ended in [judged, capacity] {
        assert!(ended.code == 3 && ended.stderr.contains(&format!("warning: {going}")), "{}", ended.stderr);
    }
    let history = soak(&["history", runs.0.path().to_str().unwrap()]);
    assert!(history.stdout.contains(&format!("no figures of {id}: ")), "{}", history.stdout);
}

#[test]
fn a_record_without_a_beginning_is_refused() {
    let runs = Runs::new();
    let (base, other) = (runs.made("a", Story::Again), runs.made("b", Story::Healthy));
    fs::write(runs.path("b").join("events.jsonl"), "").unwrap();
    refused(&[&base, &other], &["b/events.jsonl: it does not say that a run began"]);
}

#[test]
fn a_candidate_that_fails_its_criteria_at_times_is_not_passed() {
    let runs = Runs::new();
    let base = runs.made("a", Story::Healthy);
    let (well, ill) = (runs.made("b", Story::Again), runs.made("c", Story::Leaking));
    // Another run, and not the first with another end.
    replace(&runs.path("c").join("events.jsonl"), "\"run\":\"made-up\"", "\"run\":\"made-up-ill\"");
    let ended = compare(&["--base", &base, "--candidate", &well, "--candidate", &ill, "--format", "json"]);
    let document = ended.json();
    let row = answer(&document, "every variant", "own criteria");
    assert_eq!(row["answer"], "cannot_tell", "{document:#}");
    assert!(row["reason"].as_str().unwrap().starts_with("1 of 2 runs of the candidate fail"), "{row:#}");
    assert_ne!(ended.code, 0);
}

#[test]
fn a_run_that_broke_off_is_not_taken_for_one_that_is_as_good() {
    let runs = Runs::new();
    let (base, candidate) = (runs.made("a", Story::Again), runs.made("b", Story::BrokeOff));
    let ended = compare(&[&base, &candidate]);
    assert_eq!(ended.code, 3, "{}\n{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.starts_with("INCONCLUSIVE — "), "{}", ended.stdout);
    assert!(ended.stdout.contains("A run of the candidate broke off"), "{}", ended.stdout);
}

#[test]
fn what_could_not_be_judged_does_not_pass() {
    let runs = Runs::new();
    let (broken, leaking) = (runs.made("a", Story::BrokeOff), runs.made("b", Story::Leaking));
    replace(&runs.path("b").join("events.jsonl"), "\"run\":\"made-up\"", "\"run\":\"made-up-ill\"");
    let worse = compare(&[&broken, &leaking, "--format", "json"]);
    assert_eq!(worse.code, 3, "{}", worse.stdout);
    let row = answer(&worse.json(), "every variant", "own criteria").clone();
    assert_eq!(row["answer"], "cannot_tell", "{row:#}");
    let better = compare(&[&leaking, &broken]);
    assert!(!better.stdout.contains("better in own criteria"), "{}", better.stdout);
}

#[test]
fn a_quantity_of_one_side_alone_is_not_invented() {
    let runs = Runs::new();
    let (base, candidate) = (runs.made("a", Story::Healthy), runs.made("b", Story::Again));
    for file in fs::read_dir(runs.path("b/samples")).unwrap().map(|file| file.unwrap().path()) {
        if file.to_str().unwrap().contains("-metrics-") {
            fs::remove_file(file).unwrap();
        }
    }
    let ended = compare(&[&base, &candidate, "--format", "json"]);
    assert_eq!(ended.code, 3, "{}", ended.stdout);
    let heap = answer(&ended.json(), "dim128-rows500", "heap_loaded").clone();
    assert_eq!((&heap["answer"], &heap["candidate"]), (&"cannot_tell".into(), &serde_json::Value::Null), "{heap:#}");
    assert_eq!(heap["reason"], "It was not recorded of the candidate.");
}

#[test]
fn one_side_alone_is_refused() {
    let runs = Runs::new();
    let base = runs.made("a", Story::Healthy);
    refused(&[&base], &["is one side alone", "soak compare BASE CANDIDATE"]);
    refused(&[], &["there is nothing to compare"]);
    refused(&["--base", &base], &["the candidate is missing"]);
    refused(&["--candidate", &base], &["the base is missing"]);
    refused(&[&base, &base], &["made-up is given twice", "says nothing"]);
    refused(&[&base, "no-such-run"], &["there is no run and no baseline no-such-run", "soak baseline save NAME RUN"]);
    refused(&[&base, runs.0.path().to_str().unwrap()], &["is a folder and no run's", "plan.json"]);
}

#[test]
fn another_experiment_is_refused_by_what_differs() {
    let runs = Runs::new();
    let base = runs.made("a", Story::Healthy);
    let differences = [
        ("\"seed\": 1,", "\"seed\": 2,", "seed: 1 in base made-up, 2 in candidate made-up-again"),
        ("\"pace\": \"quick\"", "\"pace\": \"gate\"", "pace: quick in base"),
        ("\"scenario\": \"scenario2\"", "\"scenario\": \"scenario3\"", "scenario: scenario2 in base"),
        ("\"delete\": \"28%\"", "\"delete\": \"30%\"", "workload.delete: 28% in base"),
        ("\"window\": \"160ms\"", "\"window\": \"170ms\"", "cycle.window: 160ms in base"),
        ("\"batch_rows\": 500", "\"batch_rows\": 501", "batch_rows of dim128-rows500: 500 in base"),
    ];
    for (at, (from, to, words)) in differences.into_iter().enumerate() {
        let name = format!("b{at}");
        let candidate = runs.made(&name, Story::Again);
        replace(&runs.path(&name).join("plan.json"), from, to);
        refused(&[&base, &candidate], &["these runs cannot be compared", words]);
    }
    let candidate = runs.made("newer", Story::Again);
    replace(&runs.path("newer/plan.json"), "\"schema\": 1", "\"schema\": 99");
    refused(&[&base, &candidate], &["use a newer soak"]);
}

#[test]
fn another_machine_is_refused_unless_memory_alone_is_asked_for() {
    let runs = Runs::new();
    let (base, candidate) = (runs.made("a", Story::Healthy), runs.made("b", Story::Again));
    let hosts = [("a", "Linux 6.1 x86_64, 2 cores, 8.0 GiB"), ("b", "Linux 6.2 x86_64, 4 cores, 8.0 GiB")];
    for (run, host) in hosts {
        replace(&runs.path(run).join("events.jsonl"), "made up", host);
    }
    refused(&[&base, &candidate], &["processors: 2 cores in base", "4 cores in candidate", "--across-machines"]);
    let ended = compare(&[&base, &candidate, "--across-machines", "--format", "json"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let document = ended.json();
    assert_eq!(answer(&document, "dim128-rows500", "rss_settled")["answer"], "same");
    assert_eq!(answer(&document, "dim128-rows500", "throughput")["answer"], "cannot_tell");
    assert!(document["notes"].to_string().contains("kernel: Linux 6.1 in the base, Linux 6.2 in the candidate"));
    // Another kernel alone is told, and no more.
    replace(&runs.path("b/events.jsonl"), "4 cores", "2 cores");
    let ended = compare(&[&base, &candidate]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stdout.contains("kernel: Linux 6.1"), "{}", ended.stdout);
}

#[test]
fn another_setting_of_the_target_is_what_may_be_compared_and_is_told() {
    let runs = Runs::new();
    let (base, candidate) = (runs.made("a", Story::Healthy), runs.made("b", Story::Again));
    replace(&runs.path("b/plan.json"), "\"hnsw_m\": 32", "\"hnsw_m\": 48");
    let ended = compare(&[&base, &candidate]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let words = "hnsw_m of dim128-rows500: 32 in the base, 48 in the candidate.";
    assert!(ended.stdout.contains(words), "{}", ended.stdout);
    let third = runs.made("c", Story::Heavier);
    refused(&["--base", &base, &candidate, "--candidate", &third], &["hnsw_m", "(runs of one side)"]);
}
