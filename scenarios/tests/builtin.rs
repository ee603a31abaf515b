//! The built-in scenarios load at every pace, and what a person types finds them.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as a test does")]

use soak_scenario::{FLOORS, LoadError, Pace, Request, builtin_profiles, builtin_scenarios, load};

fn ids(request: &Request<'_>) -> Vec<String> {
    load(request).unwrap().plan.variants.into_iter().map(|variant| variant.id).collect()
}

fn scenario2() -> Request<'static> {
    Request { scenario: "scenario2.toml", ..Request::default() }
}

fn errors(request: &Request<'_>) -> String {
    match load(request) {
        Err(LoadError::Invalid { diagnostics }) => {
            diagnostics.iter().map(soak_scenario::Diagnostic::to_plain_string).collect()
        }
        other => panic!("expected mistakes, found {other:?}"),
    }
}

#[test]
fn every_builtin_loads_at_every_pace_without_a_warning() {
    for builtin in builtin_scenarios() {
        for pace in Pace::ALL {
            let loaded = load(&Request { scenario: builtin.name, pace: Some(pace), ..Request::default() });
            let loaded = loaded.unwrap_or_else(|error| panic!("{} at {}: {error:?}", builtin.name, pace.name()));
            assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
            assert_eq!(loaded.plan.scenario, builtin.name);
            assert_eq!(loaded.plan.title, builtin.title);
            assert_eq!(loaded.plan.source, "built-in");
        }
    }
    assert!(builtin_profiles().iter().any(|profile| profile.name == "reference" && profile.title != profile.name));
}

#[test]
fn every_file_of_the_folder_is_built_in() {
    for (folder, builtins) in [(".", builtin_scenarios()), ("profiles", builtin_profiles())] {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if path.extension().is_some_and(|extension| extension == "toml") && !["Cargo", "rustfmt"].contains(&&*name)
            {
                assert!(builtins.iter().any(|builtin| builtin.name == name), "{name} is no built-in");
            }
        }
    }
}

#[test]
fn scenario2_has_the_variants_of_each_pace() {
    let quick = [
        "dim128-rows500",
        "dim128-rows4096",
        "dim1536-rows500",
        "dim1536-rows4096",
        "dim3072-rows500",
        "dim3072-rows4096",
    ];
    assert_eq!(ids(&scenario2()), quick);
    let gate = [
        "dim128-rows4096-gogc100",
        "dim1536-rows4096-gogc100",
        "dim3072-rows4096-gogc100",
        "dim1536-rows500-gogc100",
        "dim1536-rows4096-gogc10",
        "dim3072-rows4096-gogc100-control",
    ];
    assert_eq!(ids(&Request { pace: Some(Pace::Gate), ..scenario2() }), gate);
    assert_eq!(ids(&Request { pace: Some(Pace::Soak), ..scenario2() }).len(), 25);
}

#[test]
fn a_gate_has_a_control_that_leaks_two_to_four_tolerances() {
    let gate = Request { pace: Some(Pace::Gate), ..scenario2() };
    let mut sizes = Vec::new();
    for seed in 0..50 {
        let plan = load(&Request { seed: Some(seed), ..gate }).unwrap().plan;
        assert_eq!((plan.judged().count(), plan.variants.len()), (5, 6));
        let control = &plan.variants[5];
        let dose = control.dose.unwrap();
        // 48 MiB a cycle at 3072-D: the tolerance is 1 MiB, and the share of a batch that is kept says the rest.
        assert!((dose.bytes_per_cycle / 1_048_576.0 - dose.tolerances).abs() < 1e-9, "{dose:?}");
        assert!((dose.retained.0 * 48.0 - dose.tolerances).abs() < 1e-9, "{dose:?}");
        assert_eq!(plan.misbehaviour(control).retain_batches, Some(dose.retained));
        assert!(plan.misbehaviour(&plan.variants[0]).is_healthy());
        assert_eq!(load(&Request { seed: Some(seed), ..gate }).unwrap().plan, plan, "the size goes with the seed");
        sizes.push(dose.tolerances);
    }
    let (least, most) = (sizes.iter().copied().fold(9.0, f64::min), sizes.iter().copied().fold(0.0, f64::max));
    assert!((1.99..2.2).contains(&least) && (3.8..4.01).contains(&most), "{least} {most}");
    let one = load(&Request { only: Some("dim128-*"), ..gate }).unwrap().plan;
    assert_eq!(one.variants[1].id, "dim128-rows4096-gogc100-control");
}

#[test]
fn why_there_is_no_control_is_said() {
    let with = |edits: &[&str], target: Option<&str>| {
        let edits: Vec<String> = edits.iter().map(|edit| (*edit).to_owned()).collect();
        let plan = load(&Request { pace: Some(Pace::Gate), edits: &edits, target, ..scenario2() }).unwrap().plan;
        (plan.variants.iter().any(|variant| variant.dose.is_some()), plan.no_control)
    };
    assert_eq!(with(&[], None), (true, None));
    assert_eq!(with(&["control=false"], None), (false, None), "nobody asked for one");
    let why = |edits: &[&str], target| with(edits, target).1.unwrap();
    assert!(why(&["target.misbehave.task_leak=2/min"], None).contains("misbehave already"));
    assert!(why(&[], Some("attach:pid=1")).contains("cannot be told to leak"));
    let small = ["workload.vectors_per_cycle=128", "matrix.batch_rows=[64]", "matrix.dim=[128]", "matrix.include=[]"];
    assert!(why(&small, None).contains("puts less than"));
    let none = [
        "criteria.rss_floor={at_most=\"0B/cycle\",at_most_of_ingested=\"0%\"}",
        "criteria.heap_floor={at_most=\"0B/cycle\",at_most_of_ingested=\"0%\"}",
    ];
    assert!(why(&none, None).contains("no growth is tolerated"));
    let much = "workload.vectors_per_cycle=1000000";
    let edits = [
        much,
        "criteria.rss_floor={at_most=\"128KiB/cycle\",at_most_of_ingested=\"0%\"}",
        "criteria.heap_floor={at_most=\"128KiB/cycle\",at_most_of_ingested=\"0%\"}",
    ];
    let edits: Vec<String> = edits.iter().map(|edit| (*edit).to_owned()).collect();
    let plan = load(&Request { pace: Some(Pace::Gate), edits: &edits, ..scenario2() }).unwrap().plan;
    let dose = plan.variants.last().unwrap().dose.unwrap();
    assert!((2.0..=4.0).contains(&dose.tolerances) && dose.bytes_per_cycle > 262_000.0, "{dose:?}");
    let quick = |edits: &[String]| load(&Request { edits, ..scenario2() }).unwrap().plan.variants.len();
    assert_eq!((quick(&[]), quick(&["control=true".to_owned()])), (6, 7));
}

/// What a scenario has on purpose at a pace: the settings of each control, and the criteria that have to see it.
fn controls(scenario: &str, pace: Pace, edits: &[&str]) -> (Vec<(String, Vec<String>)>, Option<String>) {
    let edits: Vec<String> = edits.iter().map(|edit| (*edit).to_owned()).collect();
    let plan = load(&Request { scenario, pace: Some(pace), edits: &edits, ..Request::default() }).unwrap().plan;
    let floors = || FLOORS.iter().filter(|id| plan.criteria.contains_key(**id)).map(|id| (*id).to_owned()).collect();
    let leaks = plan.variants.iter().filter(|one| one.dose.is_some()).map(|_| ("leak".to_owned(), floors()));
    let own = plan
        .variants
        .iter()
        .filter_map(|one| Some((one.control.as_ref()?.words(), one.control.as_ref()?.seen_by.clone())));
    (leaks.chain(own).collect(), plan.no_control)
}

#[test]
fn each_scenario_of_a_runbook_has_on_purpose_what_it_is_there_to_see() {
    let of = |put_in: &str, seen_by: &[&str]| (put_in.to_owned(), seen_by.iter().map(|id| (*id).to_owned()).collect());
    let leak = || of("leak", &["rss_floor", "heap_floor"]);
    let rss = || of("leak", &["rss_floor"]);
    let everything = "task_leak=90/min, compaction=noop, series_leak=600/min, connection_leak=5%";
    let everyone = ["goroutine_baseline", "connection_baseline", "compaction_reclaim", "metrics_cardinality"];
    for (scenario, wanted) in [
        ("scenario1", vec![leak(), of("series_leak=600/min", &["metrics_cardinality"])]),
        ("scenario2", vec![leak()]),
        (
            "scenario3",
            vec![leak(), of("fragment=true, mapped_file=256MiB", &["resident_per_vector", "compaction_reclaim"])],
        ),
        (
            "scenario4",
            vec![rss(), of("task_leak=90/min, connection_leak=5%", &["goroutine_baseline", "connection_baseline"])],
        ),
        ("scenario5", vec![rss(), of("compaction=weak", &["compaction_reclaim"])]),
        ("gate", vec![leak(), of(everything, &everyone)]),
        ("guts-growth", vec![of("leave_rows=20%", &["rss_floor"])]),
    ] {
        assert_eq!(controls(scenario, Pace::Gate, &[]), (wanted, None), "{scenario}");
        assert_eq!(controls(scenario, Pace::Quick, &[]), (Vec::new(), None), "{scenario}");
    }
    let (both, floors) = controls("guts-growth", Pace::Gate, &["criteria.heap_floor.at_most=1MiB/cycle"]);
    assert_eq!(both.len(), 1);
    assert_eq!(floors, None, "of a heap that the server does not tell, nothing has to be shown");
    let (connections, floors) = controls("guts-connections", Pace::Gate, &[]);
    assert_eq!(connections, [of("leave_connections=8", &["connection_baseline"])]);
    assert!(floors.unwrap().contains("cannot be told to leak"), "of its floor nothing shows what it can see");
}

#[test]
fn a_control_is_of_what_is_judged() {
    // Scenario 2 judges goroutines and no connections.
    let of = |seen_by: &'static str| ["positive_control.misbehave.task_leak=90/min", seen_by];
    let both = of("positive_control.seen_by=[\"goroutine_baseline\",\"connection_baseline\"]");
    let (some, none) = controls("scenario2", Pace::Gate, &both);
    assert_eq!((some[1].1.as_slice(), none), (&["goroutine_baseline".to_owned()][..], None));
    let neither = of("positive_control.seen_by=[\"connection_baseline\"]");
    let (leak, why) = controls("scenario2", Pace::Gate, &neither);
    assert_eq!((leak.len(), why.unwrap().as_str()), (1, "no threshold is set for connection_baseline"));
    let (nothing, why) = controls("scenario4", Pace::Gate, &["target.misbehave.task_leak=2/min"]);
    assert_eq!((nothing.len(), why.unwrap().as_str()), (0, "the target is told to misbehave already"));
    assert_eq!(controls("scenario4", Pace::Quick, &["control=true"]).0.len(), 2);
}

#[test]
fn an_edit_replaces_an_axis_everywhere() {
    let edits = [r#"matrix.memory_limit=["1536MiB"]"#.to_owned(), "matrix.gogc=[50]".to_owned()];
    let request = Request { pace: Some(Pace::Gate), edits: &edits, ..scenario2() };
    let plan = load(&request).unwrap().plan;
    // The included point that differed in GOGC alone is now one that the product has already.
    let expected = ["dim128-rows4096", "dim1536-rows4096", "dim3072-rows4096", "dim1536-rows500"];
    assert_eq!(plan.judged().map(|variant| variant.id.as_str()).collect::<Vec<_>>(), expected);
    assert!(plan.variants.iter().all(|one| one.knobs.memory_limit.to_string() == "1.50GiB"));
    assert!(plan.variants.iter().all(|one| one.knobs.gogc.to_string() == "50"));
    assert_eq!(plan.edits, edits);
    let edits = [r#"matrix.memory_limit=["1536MiB", "off"]"#.to_owned()];
    let both = ids(&Request { edits: &edits, only: Some("dim128-rows500*"), ..scenario2() });
    assert_eq!(both, ["dim128-rows500-limit1536MiB", "dim128-rows500-limitoff"]);
}

#[test]
fn edits_take_bare_texts_and_choose_the_pace() {
    let edits = [
        "target.misbehave.heap_leak=2MiB/min",
        "target.misbehave.compaction=weak",
        "pace=gate",
        "seed=7",
        "cycle.count=9",
    ];
    let edits = edits.map(str::to_owned);
    let plan = load(&Request { edits: &edits, ..scenario2() }).unwrap().plan;
    assert_eq!(plan.pace, Pace::Gate);
    assert_eq!((plan.seed, plan.cycle.count), (7, 9));
    let misbehave = [("heap_leak", "2MiB/min".to_owned()), ("compaction", "weak".to_owned())];
    assert_eq!(plan.target.misbehave.settings(), misbehave);
    let plan = load(&Request { edits: &edits, pace: Some(Pace::Quick), seed: Some(3), ..scenario2() }).unwrap().plan;
    assert_eq!((plan.pace, plan.seed), (Pace::Quick, 3));
}

#[test]
fn an_edit_replaces_one_schedule_by_another() {
    let edits = ["workload.query.schedule.ramp={ from = \"50/s\", to = \"400/s\" }".to_owned()];
    let plan = load(&Request { edits: &edits, ..scenario2() }).unwrap().plan;
    assert!(matches!(plan.workload.query.schedule, soak_scenario::Schedule::Ramp { .. }));
}

#[test]
fn a_rate_of_searches_is_an_axis_of_the_load() {
    let edits = ["matrix.query_rate=[\"planned\", \"2.5/s\", \"90/min\"]".to_owned(), "control=false".to_owned()];
    let plan = load(&Request { edits: &edits, ..scenario2() }).unwrap().plan;
    let schedule = |end: &str| {
        let variant = plan.variants.iter().find(|one| one.id == format!("dim128-rows500{end}"));
        variant.unwrap_or_else(|| panic!("{end} of {:?}", plan.variants)).knobs.query(&plan.workload.query).schedule
    };
    assert_eq!(schedule(""), plan.workload.query.schedule);
    for (end, rate) in [("-qps2_5", "2.5/s"), ("-qps90permin", "90/min")] {
        assert_eq!(schedule(end), soak_scenario::Schedule::Constant(rate.parse().unwrap()));
    }
}

#[test]
fn what_is_typed_wrong_is_underlined_where_it_was_typed() {
    let edits = ["cycle.cuont=9".to_owned(), "matrix.dim=128".to_owned(), "pace.gate.cycle.count=9".to_owned()];
    let text = errors(&Request { edits: &edits, target: Some("docker:x"), only: None, ..scenario2() });
    for part in [
        "unknown key `cuont` in [cycle]",
        "did you mean `count`?",
        "1 | cycle.cuont=9",
        "write it in brackets",
        "an edit cannot reach into [pace.gate]",
        "unknown target `docker:x`",
        "expected embedded, process:PATH, container:IMAGE",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let text = errors(&Request { only: Some("dim127*"), ..scenario2() });
    assert!(text.contains("no variant matches `dim127*`") && text.contains("dim3072-rows4096"), "{text}");
}

#[test]
fn only_and_target_are_applied() {
    let request = Request { only: Some("dim{128,1536}-rows500"), target: Some("process:./x"), ..scenario2() };
    assert_eq!(ids(&request), ["dim128-rows500", "dim1536-rows500"]);
    assert_eq!(load(&request).unwrap().plan.target.launch, soak_scenario::Launch::Process("./x".to_owned()));
}

/// The plan of a scenario for a server of this profile, started as a process.
fn of_profile(scenario: &str, profile: &str, more: &[&str]) -> Result<soak_scenario::Plan, LoadError> {
    let profile = format!("target.profile={profile}");
    let edits: Vec<String> = std::iter::once(profile).chain(more.iter().map(|&edit| edit.to_owned())).collect();
    let request = Request { scenario, target: Some("process:./x"), edits: &edits, ..Request::default() };
    load(&request).map(|loaded| loaded.plan)
}

#[test]
fn the_gate_fits_every_server() {
    for profile in builtin_profiles() {
        let plan = of_profile("gate", profile.name, &[]).unwrap_or_else(|error| panic!("{}: {error:?}", profile.name));
        let left: Vec<&str> = plan.all_not_applicable().into_iter().map(|(id, _)| id).collect();
        assert!(!left.contains(&"rss_floor"), "{}: memory is asked of every server", profile.name);
    }
    let left_out = |profile: &str| -> Vec<(String, String)> {
        let plan = of_profile("gate", profile, &[]).unwrap();
        plan.all_not_applicable().into_iter().map(|(id, why)| (id.to_owned(), why)).collect()
    };
    let has = |left: &[(String, String)], id: &str| left.iter().any(|(other, _)| other == id);
    let (go, chroma, weaviate) = (left_out("go"), left_out("chroma"), left_out("weaviate"));
    for id in ["heap_floor", "goroutine_baseline", "compaction_reclaim", "compaction_time"] {
        assert!(has(&chroma, id) && !has(&go, id), "{id}");
    }
    assert!(has(&weaviate, "compaction_reclaim") && !has(&weaviate, "heap_floor"), "{weaviate:?}");
    let why = chroma.iter().find(|(id, _)| id == "heap_floor").map(|(_, why)| why.as_str());
    assert_eq!(why, Some("the profile chroma reads no heap_bytes"));
}

#[test]
fn what_a_server_cannot_be_asked_is_left_out_of_a_built_in_scenario_alone() {
    let plan = of_profile("gate", "guts", &[]).unwrap();
    let adapted: Vec<(&str, &str, &str)> =
        plan.adapted.iter().map(|one| (one.key.as_str(), one.asked.as_str(), one.used.as_str())).collect();
    let expected = [
        ("workload.clear", "dataset", "rows"),
        ("workload.ingest.upserts", "1%", "0%"),
        ("workload.query.mix.upsert", "1", "0"),
    ];
    assert_eq!(adapted, expected);
    assert_eq!((plan.workload.clear.name(), plan.workload.query.mix.upsert), ("rows", 0));
    assert!(of_profile("gate", "weaviate", &[]).unwrap().adapted.is_empty(), "it has them all");
    // What a person asks for is no default that could be left out.
    let text = match of_profile("gate", "guts", &["workload.ingest.upserts=2%"]) {
        Err(LoadError::Invalid { diagnostics }) => diagnostics[0].to_plain_string(),
        other => panic!("{other:?}"),
    };
    assert!(text.contains("no request that updates"), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.toml");
    let gate = builtin_scenarios().into_iter().find(|one| one.name == "gate").unwrap();
    std::fs::write(&path, gate.text).unwrap();
    assert!(matches!(of_profile(path.to_str().unwrap(), "guts", &[]), Err(LoadError::Invalid { .. })));
}

#[test]
fn a_scenario_that_is_not_there_names_the_nearest() {
    match load(&Request { scenario: "scenaro2.toml", ..Request::default() }) {
        Err(LoadError::NotFound { nearest, builtin, .. }) => {
            assert_eq!(nearest.as_deref(), Some("scenario2"));
            assert!(builtin.contains(&"scenario2".to_owned()));
        }
        other => panic!("{other:?}"),
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    assert!(matches!(load(&Request { scenario: path, ..Request::default() }), Err(LoadError::Unreadable { .. })));
}

#[test]
fn a_file_names_a_profile_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let profile = builtin_profiles()[0].text.replace("name = \"reference\"", "name = \"mine\"");
    std::fs::write(folder.path().join("mine.toml"), profile).unwrap();
    let text = builtin_scenarios()[0].text.replace("profile = \"reference\"", "profile = \"mine.toml\"");
    let path = folder.path().join("scenario2.toml");
    std::fs::write(&path, text).unwrap();
    let plan = load(&Request { scenario: path.to_str().unwrap(), ..Request::default() }).unwrap().plan;
    assert_eq!(plan.target.profile.name, "mine");
    assert_eq!(plan.source, path.to_str().unwrap());
}

#[test]
fn a_warning_does_not_stop_a_run() {
    let edits = ["matrix.ef_construction=[64]".to_owned()];
    let loaded = load(&Request { edits: &edits, ..scenario2() }).unwrap();
    let [warning] = loaded.warnings.as_slice() else { panic!("{:?}", loaded.warnings) };
    assert_eq!(warning.severity, soak_scenario::Severity::Warning);
    assert!(warning.message.contains("not above twice hnsw_m 32"), "{}", warning.message);
    assert_eq!(warning.source_name, "--set");
}

#[test]
fn fewer_variants_need_fewer_cycles() {
    let edits = ["cycle.count=5".to_owned()];
    let text = errors(&Request { edits: &edits, ..scenario2() });
    assert!(text.contains("expected at least 6: 5 counted and 1 of warm-up"), "{text}");
    // One variant needs 1/n! of .05 at most, which four cycles give; the interval on the reclaimed share still needs five.
    let loaded = load(&Request { edits: &edits, only: Some("dim128-rows500"), ..scenario2() }).unwrap();
    assert!(loaded.warnings.iter().any(|one| one.message.contains("compaction_reclaim")));
}

#[test]
fn quantities_reach_the_plan_in_base_units() {
    let plan = load(&scenario2()).unwrap().plan;
    let floor = plan.criteria["rss_floor"];
    assert_eq!((floor.at_most, floor.at_most_of_ingested), (Some(1_048_576.0), Some(0.01)));
    let reclaim = plan.criteria["compaction_reclaim"];
    assert_eq!((reclaim.at_least, reclaim.at_most), (Some(0.2), Some(0.3)));
    assert_eq!(plan.criteria["time_to_baseline"].at_most, Some(5.0));
    assert_eq!((plan.workload.rows_per_cycle(128), plan.workload.rows_per_cycle(3072)), (5120, 4096));
    assert_eq!(plan.target.profile.launch.env["GOGC"], "{gogc}");
    assert_eq!(plan.target.profile.series["compaction_errors_total"], r#"compaction_events_total{event="error"}"#);
    // The bytes of every recorded run depend on these.
    assert_eq!(plan.variants.iter().map(|one| one.seed).collect::<std::collections::BTreeSet<_>>().len(), 3);
    assert_eq!(plan.variants[0].seed, soak_scenario::data_seed(1, 128));
}
