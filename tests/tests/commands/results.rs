//! `check`, `plan`, `list`, `criteria`, `export`: what they print when all is well.

use std::collections::BTreeSet;
use std::path::Path;

use soak_scenario::runbook::{Covered, indicators, steps};
use soak_scenario::{Pace, Plan, Request, load};
use soak_tests::{Ended, soak, soak_in};

/// Ends well and says nothing besides.
fn quietly(args: &[&str]) -> Ended {
    let ended = soak(args);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{args:?}\n{}", ended.stdout);
    ended
}

fn plan_of(args: &[&str]) -> Plan {
    let args = [&["plan"], args, &["--format", "json"]].concat();
    serde_json::from_value(quietly(&args).json()).unwrap()
}

#[test]
fn check_counts_the_variants_of_every_pace() {
    assert_eq!(quietly(&["check", "scenario2"]).stdout, "scenario2: quick 6 variants, gate 5, soak 24\n");
    assert_eq!(quietly(&["check", "scenario2.toml", "--pace", "gate"]).stdout, "scenario2.toml: gate 5 variants\n");
    let document = quietly(&["check", "scenario2", "--format", "json"]).json();
    let scenario = &document["scenarios"][0];
    assert_eq!((&scenario["scenario"], &scenario["valid"]), (&"scenario2".into(), &true.into()));
    let counts: Vec<usize> =
        scenario["paces"].as_array().unwrap().iter().map(|pace| pace["variants"].as_array().unwrap().len()).collect();
    assert_eq!(counts, [6, 5, 24]);
}

#[test]
fn a_plan_in_json_is_the_plan() {
    let request = Request { scenario: "scenario2", pace: Some(Pace::Gate), seed: Some(7), ..Request::default() };
    assert_eq!(plan_of(&["scenario2", "--pace", "gate", "--seed", "7"]), load(&request).unwrap().plan);
}

#[test]
fn every_choice_reaches_the_plan() {
    let plan = plan_of(&[
        "scenario2",
        "--only",
        "dim{128,1536}-rows500",
        "--target",
        "process:./store",
        "--set",
        "target.misbehave.heap_leak=2MiB/min",
        "--set",
        "cycle.count=9",
        "--set",
        "cycle.count=10",
    ]);
    let ids: Vec<&str> = plan.variants.iter().map(|variant| variant.id.as_str()).collect();
    assert_eq!(ids, ["dim128-rows500", "dim1536-rows500"]);
    assert_eq!(plan.target.launch, soak_scenario::Launch::Process("./store".to_owned()));
    assert_eq!(plan.target.misbehave.settings(), [("heap_leak", "2MiB/min".to_owned())]);
    assert_eq!((plan.cycle.count, plan.edits.len()), (10, 3));
}

#[test]
fn a_plan_for_a_person_has_variants_sizes_and_thresholds() {
    let text = quietly(&["plan", "scenario2", "--seed", "3"]).stdout;
    for part in [
        "scenario2 — Memory spikes during indexing",
        "seed      3",
        "“Scenario 2: Memory Spikes During Indexing”",
        "6 after 1 of warm-up",
        "gogc 75",
        "6 variants",
        "dim3072-rows4096",
        "5120          2.5",
        "at most 1.00 MiB a cycle, or 1.0 % of what a cycle ingests",
        "at least 20.0 %; above 30.0 % is noted",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn a_bare_name_works_from_any_folder_and_a_file_wins() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    assert_eq!(soak_in(here, &["check", "scenario2"]).code, 0);
    assert_eq!(soak_in(here, &["check", "scenario2.toml"]).code, 0);
    let mine = soak(&["export", "scenario", "scenario2"]).stdout.replace("dim = [128, 1536, 3072]", "dim = [128]");
    std::fs::write(here.join("scenario2.toml"), mine).unwrap();
    let plan = |name: &str| soak_in(here, &["plan", name, "--format", "json"]).json();
    assert_eq!(plan("scenario2.toml")["variants"].as_array().unwrap().len(), 2);
    assert_eq!(plan("scenario2.toml")["source"], "scenario2.toml");
    assert_eq!(plan("scenario2")["source"], "built-in");
    // A folder of that name hides nothing.
    std::fs::create_dir(here.join("scenario2")).unwrap();
    assert_eq!(plan("scenario2")["source"], "built-in");
}

#[test]
fn lists_are_complete_in_both_forms() {
    let kinds = [
        ("scenarios", "scenario2"),
        ("profiles", "reference"),
        ("criteria", "rss_floor"),
        ("series", "rss_anon_bytes"),
    ];
    for (kind, known) in kinds {
        let text = quietly(&["list", kind]).stdout;
        let document = quietly(&["list", kind, "--format", "json"]).json();
        assert!(text.contains(known), "{text}");
        for one in document.as_array().unwrap() {
            let name = one.get("name").or(one.get("id")).unwrap().as_str().unwrap();
            assert!(text.contains(name), "{name} is not in\n{text}");
        }
    }
    assert_eq!(quietly(&["list"]), quietly(&["list", "scenarios"]));
    assert_eq!(quietly(&["criteria"]), quietly(&["list", "criteria"]));
}

#[test]
fn criteria_and_the_runbooks_thresholds_are_one_array() {
    let list = |arguments: &[&str]| quietly(arguments).json().as_array().unwrap().clone();
    let all = list(&["criteria", "--format", "json"]);
    let thresholds = list(&["criteria", "--runbooks", "--format", "json"]);
    assert_eq!(all, [list(&["list", "criteria", "--format", "json"]), thresholds.clone()].concat());
    assert_eq!(thresholds.len(), indicators().count());
    let text = quietly(&["criteria", "--runbooks"]).stdout;
    for one in &thresholds {
        let keys = ["id", "runbook", "section", "written", "meaning", "series", "window", "levels", "covered"];
        assert!(keys.iter().all(|key| one.get(key).is_some()), "{one}");
        assert!(text.contains(one["id"].as_str().unwrap()), "{one} is not in\n{text}");
    }
    let table = quietly(&["criteria", "--runbooks", "--format", "markdown"]).stdout;
    assert_eq!(table.lines().filter(|line| line.starts_with("| `")).count(), thresholds.len());
}

#[test]
fn commands_that_cover_a_runbook_are_there() {
    let rows = indicators().map(|one| one.covered).chain(steps().map(|one| one.covered));
    let commands = rows.filter_map(|covered| match covered {
        Covered::Command(command) => Some(command),
        _ => None,
    });
    for command in commands.collect::<BTreeSet<_>>() {
        let mut words = command.split(' ').skip(1);
        let help = quietly(&[words.next().unwrap(), "--help"]).stdout;
        for word in words {
            assert!(help.split_whitespace().any(|known| known == word), "{command}: there is no {word}");
        }
    }
}

#[test]
fn built_in_files_are_printed_to_the_byte() {
    let on_disk = |path: &str| std::fs::read_to_string(soak_tests::root().join(path)).unwrap();
    assert_eq!(quietly(&["export", "scenario", "scenario2"]).stdout, on_disk("scenarios/scenario2.toml"));
    assert_eq!(quietly(&["export", "scenario", "scenario2.toml"]).stdout, on_disk("scenarios/scenario2.toml"));
    assert_eq!(quietly(&["export", "profile", "reference"]).stdout, on_disk("scenarios/profiles/reference.toml"));
    quietly(&["export", "schema"]).json();
}

#[test]
fn a_warning_is_said_and_does_not_stop() {
    let edit = ["--set", "matrix.ef_construction=[64]"];
    for command in [&["plan", "scenario2", "--format", "json"][..], &["check", "scenario2"]] {
        let ended = soak(&[command, &edit].concat());
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        assert!(ended.stderr.starts_with("warning: "), "{}", ended.stderr);
        assert!(!ended.stdout.contains("warning"), "{}", ended.stdout);
    }
    // Said at every pace, and shown once.
    assert_eq!(soak(&[&["check", "scenario2"], &edit[..]].concat()).stderr.matches("warning: ").count(), 1);
}

#[test]
fn help_has_every_command_and_the_exit_codes() {
    let help = quietly(&["--help"]).stdout;
    for part in ["check", "plan", "judge", "report", "list", "criteria", "export", "target", "3 inconclusive"] {
        assert!(help.contains(part), "{part} is not in\n{help}");
    }
    assert!(quietly(&["--version"]).stdout.starts_with("soak 0."));
    assert!(Path::new(&soak_tests::binary()).is_absolute());
}
