//! Whatever is wrong with the input: exit code 2, nothing on standard output, one clear message.

use soak_tests::{root, soak, soak_in};

/// Refuses, with these words.
#[track_caller]
fn refused(args: &[&str], words: &[&str]) -> String {
    let ended = soak(args);
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{args:?}\n{}", ended.stderr);
    for word in words {
        assert!(ended.stderr.contains(word), "{word} is not in\n{}", ended.stderr);
    }
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    assert!(!ended.stderr.contains('\u{1b}'), "colour without a terminal:\n{}", ended.stderr);
    ended.stderr
}

/// Refuses this text as a scenario, by `check` and by `plan`.
#[track_caller]
fn refused_text(text: &str, words: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    std::fs::write(&path, text).unwrap();
    for command in ["check", "plan"] {
        refused(&[command, path.to_str().unwrap()], words);
    }
}

const HEAD: &str = "name = \"mine\"\ntitle = \"Mine\"\n";

#[test]
fn an_unknown_key_has_its_place_and_the_nearest_name() {
    let words = [
        "unknown key `windw` in [cycle]",
        "mine.toml:4:1",
        "4 | windw = \"12s\"",
        "  | ^^^^^ expected one of: ",
        "did you mean `window`?",
    ];
    refused_text(&format!("{HEAD}[cycle]\nwindw = \"12s\"\n"), &words);
}

#[test]
fn a_wrong_unit_and_an_impossible_matrix_say_what_would_do() {
    refused_text(
        &format!("{HEAD}[cycle]\nwindow = \"12\"\n"),
        &["expected a length of time such as", "mine.toml:4:10"],
    );
    refused_text(&format!("{HEAD}[matrix]\ndim = []\n"), &["mine.toml:4:7"]);
    let everything = format!("{HEAD}[matrix]\ndim = [128]\nexclude = [{{ dim = 128 }}]\n");
    refused_text(&everything, &["mine.toml:5:"]);
}

#[test]
fn every_mistake_is_told_at_once() {
    let path = root().join("scenarios/invalid/many-at-once.toml");
    let said = refused(&["check", path.to_str().unwrap()], &["6 mistakes in "]);
    // Three paces find the same six, and the last line counts them.
    assert_eq!(said.matches("error: ").count(), 7, "{said}");
}

#[test]
fn every_pinned_mistake_is_refused_with_its_pinned_words() {
    let folder = root().join("scenarios");
    let mut checked = 0;
    for entry in std::fs::read_dir(folder.join("invalid")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let name = format!("invalid/{}", path.file_name().unwrap().to_str().unwrap());
        let words = std::fs::read_to_string(path.with_extension("txt")).unwrap();
        let ended = soak_in(&folder, &["plan", &name]);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{name}");
        assert!(ended.stderr.starts_with(&words), "{name} says\n{}\nand not\n{words}", ended.stderr);
        checked += 1;
    }
    assert!(checked >= 20, "{checked}");
}

#[test]
fn a_missing_file_names_what_there_is() {
    refused(&["check", "scenaro2.toml"], &["there is no scenario `scenaro2.toml`", "did you mean `scenario2`?"]);
    let said = refused(&["plan", "no/such/file.toml"], &["neither a file nor one of the built-in gate"]);
    assert_eq!(said.lines().count(), 1, "{said}");
    refused(&["check", "scenarios"], &["cannot read scenarios", "directory"]);
    refused(&["export", "scenario", "nope"], &["there is no built-in scenario `nope`", "scenario2"]);
    refused(&["export", "profile", "nope"], &["there is no built-in profile `nope`", "reference"]);
}

#[test]
fn a_wrong_choice_is_underlined_where_it_was_typed() {
    let with = |choice: &[&str], words: &[&str]| {
        for command in ["check", "plan"] {
            refused(&[&[command, "scenario2"], choice].concat(), words);
        }
    };
    with(&["--set", "cycle.cuont=9"], &["unknown key `cuont`", "did you mean `count`?", "--set:1:7"]);
    with(&["--set", "cycle.count"], &["an edit needs a `=`", "such as cycle.count=9"]);
    with(&["--set", "cycle.count="], &["needs a value"]);
    with(&["--set", "matrix.dim=[128"], &["--set:1:"]);
    with(&["--set", "cycle.window=soon"], &["expected a length of time"]);
    with(&["--only", "dim127*"], &["no variant matches `dim127*`"]);
    with(&["--target", "docker:x"], &["unknown target `docker:x`", "expected embedded, process:PATH, container:IMAGE"]);
    with(&["--target", "attach:endpoints,data=10.0.0.1:3000"], &["10.0.0.1:3000 is not of this machine"]);
    with(&["--seed", "one"], &["expected a whole number", "--seed"]);
    with(&["--seed", "-1"], &["-1"]);
    with(&["--pace", "fast"], &["invalid value 'fast'", "quick, gate, soak"]);
}

#[test]
fn a_wrong_command_is_refused() {
    refused(&[], &["Usage: soak"]);
    refused(&["chek"], &["unrecognized subcommand 'chek'", "check"]);
    refused(&["check"], &["<SCENARIO>"]);
    refused(&["list", "scenarois"], &["invalid value 'scenarois'"]);
    refused(&["plan", "scenario2", "--format", "yaml"], &["invalid value 'yaml'"]);
}

#[test]
fn one_wrong_scenario_among_several_does_not_hide_the_others() {
    let ended = soak(&["check", "scenario2", "nope", "scenario2.toml"]);
    assert_eq!(ended.code, 2);
    assert_eq!(ended.stdout.lines().count(), 2, "{}", ended.stdout);
    assert!(ended.stderr.contains("there is no scenario `nope`"), "{}", ended.stderr);
}

#[test]
fn json_carries_the_mistakes_itself() {
    let path = root().join("scenarios/invalid/many-at-once.toml");
    let ended = soak(&["check", path.to_str().unwrap(), "nope", "--format", "json"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (2, ""));
    let document = ended.json();
    let diagnostics = document["scenarios"][0]["diagnostics"].as_array().unwrap();
    assert_eq!(diagnostics.len(), 6);
    let first = &diagnostics[0];
    assert_eq!((&first["line"], &first["column"], &first["text"]), (&3.into(), &2.into(), &"matrx".into()));
    assert_eq!(first["help"], "did you mean `matrix`?");
    assert!(document["scenarios"][1]["error"].as_str().unwrap().contains("there is no scenario `nope`"));
    let plan = soak(&["plan", "nope", "--format", "json"]);
    assert_eq!((plan.code, plan.stdout.as_str()), (2, ""));
}

#[test]
fn a_live_view_needs_a_terminal_and_is_for_a_person() {
    refused(&["run", "scenario2", "--live"], &["--live needs a terminal", "progress is told in lines"]);
    for other in [&["--format", "json"][..], &["--smoke"], &["--against", "embedded"]] {
        refused(&[&["run", "scenario2", "--live"], other].concat(), &["cannot be used with"]);
    }
}
