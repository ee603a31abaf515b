//! Rules of the tree that no lint sees. Each is a function from files to complaints, and is shown to complain.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use soak_tests::{Text, root, soak, texts};
use toml::de::DeTable;

/// Crates of this workspace, and which others each may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("soak-scenario", &[]),
    ("soak-workload", &["soak-scenario"]),
    ("soak-record", &["soak-scenario"]),
    ("soak-reference", &["soak-scenario"]),
    ("soak-diagnosis", &["soak-scenario", "soak-record"]),
    ("soak-engine", &["soak-scenario", "soak-workload", "soak-record", "soak-diagnosis"]),
    ("soak-verdict", &["soak-scenario", "soak-record"]),
    ("soak-capacity", &["soak-scenario", "soak-record", "soak-verdict"]),
    ("soak-render", &["soak-scenario", "soak-record", "soak-verdict", "soak-capacity", "soak-diagnosis"]),
    ("soak", &ALL_CRATES),
    ("soak-tests", &ALL_CRATES),
];
const ALL_CRATES: [&str; 9] = [
    "soak-scenario",
    "soak-workload",
    "soak-record",
    "soak-reference",
    "soak-diagnosis",
    "soak-engine",
    "soak-verdict",
    "soak-capacity",
    "soak-render",
];

const FOLDERS: [&str; 7] = ["ci", "docs", "harness", "reports", "scenarios", "tests", "workloads"];
const DUMPING_GROUNDS: [&str; 5] = ["mod.rs", "utils", "helpers", "common", "misc"];
const LINES_AT_MOST: usize = 600;

fn file(path: &str, text: &str) -> Text {
    Text { path: path.to_owned(), text: text.to_owned() }
}

fn sources() -> Vec<Text> {
    texts().into_iter().filter(|file| file.extension() == "rs").collect()
}

/// Fails with every complaint at once.
fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "{} broken:\n  {}", complaints.len(), complaints.join("\n  "));
}

fn without_purpose(files: &[Text]) -> Vec<String> {
    let silent = files.iter().filter(|file| !file.text.starts_with("//! "));
    silent.map(|file| format!("{} does not begin with `//!` and what it is about", file.path)).collect()
}

#[test]
fn every_source_says_what_it_is_about() {
    assert!(sources().len() > 50, "the walk found too little: {}", sources().len());
    none(&without_purpose(&sources()));
    assert_eq!(without_purpose(&[file("a.rs", "use std::io;\n//! Late.\n"), file("b.rs", "//! B.\n")]).len(), 1);
}

fn too_long(files: &[Text]) -> Vec<String> {
    let long = files.iter().map(|file| (file, file.text.lines().count())).filter(|(_, lines)| *lines > LINES_AT_MOST);
    long.map(|(file, lines)| format!("{} has {lines} lines; at most {LINES_AT_MOST}", file.path)).collect()
}

#[test]
fn no_source_is_too_long_to_read() {
    none(&too_long(&sources()));
    assert_eq!(too_long(&[file("a.rs", &"\n".repeat(601)), file("b.rs", &"\n".repeat(600))]).len(), 1);
}

fn against_the_flow(manifests: &[Text]) -> Vec<String> {
    let mut complaints = Vec::new();
    for manifest in manifests {
        let table = DeTable::parse(&manifest.text).unwrap_or_else(|error| panic!("{}: {error}", manifest.path));
        let table = table.get_ref();
        let package = table.get("package").and_then(|package| package.get_ref().get("name"));
        let Some(name) = package.and_then(|name| name.get_ref().as_str()) else { continue };
        let Some((_, allowed)) = MAY_USE.iter().find(|(one, _)| *one == name) else {
            complaints.push(format!("{}: crate {name} has no place in the flow", manifest.path));
            continue;
        };
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let section = table.get(section).and_then(|section| section.get_ref().as_table());
            let used = section.into_iter().flat_map(DeTable::keys).map(|used| used.get_ref().as_ref());
            for wrong in used.filter(|used| used.starts_with("soak") && !allowed.contains(used)) {
                complaints.push(format!("{}: {name} must not use {wrong}", manifest.path));
            }
        }
    }
    complaints
}

#[test]
fn crates_use_each_other_in_one_direction() {
    let manifests: Vec<Text> = texts().into_iter().filter(|file| file.name() == "Cargo.toml").collect();
    assert!(manifests.len() >= 10, "{}", manifests.len());
    none(&against_the_flow(&manifests));
    let against =
        "[package]\nname = \"soak-verdict\"\n[dev-dependencies]\nsoak-engine.workspace = true\nserde = \"1\"\n";
    let unknown = "[package]\nname = \"soak-misc\"\n";
    let complaints = against_the_flow(&[file("a/Cargo.toml", against), file("b/Cargo.toml", unknown)]);
    assert_eq!(
        complaints,
        [
            "a/Cargo.toml: soak-verdict must not use soak-engine",
            "b/Cargo.toml: crate soak-misc has no place in the flow"
        ]
    );
}

/// Names that stand in one list and not in the other.
fn unpaired(here: &str, left: &[String], there: &str, right: &[String]) -> Vec<String> {
    let missing = |from: &[String], to: &[String], place: &str| -> Vec<String> {
        from.iter().filter(|name| !to.contains(name)).map(|name| format!("{name} is missing from {place}")).collect()
    };
    [missing(left, right, there), missing(right, left, here)].concat()
}

/// Stems of the files directly in a folder, by extension.
fn stems(folder: &str, extension: &str) -> Vec<String> {
    let files = texts().into_iter().filter(|file| {
        file.path.rsplit_once('/').is_some_and(|(parent, _)| parent == folder) && file.extension() == extension
    });
    let stem = |file: Text| file.name().trim_end_matches(extension).trim_end_matches('.').to_owned();
    files.map(stem).filter(|stem| stem != "Cargo").collect()
}

#[test]
fn no_scenario_and_no_profile_is_an_orphan() {
    for (kind, folder) in [("scenarios", "scenarios"), ("profiles", "scenarios/profiles")] {
        let listed = soak(&["list", kind, "--format", "json"]).json();
        let listed: Vec<String> =
            listed.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect();
        assert!(!listed.is_empty());
        none(&unpaired("the binary", &listed, folder, &stems(folder, "toml")));
    }
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let complaints = unpaired("x", &names(&["a", "b"]), "y", &names(&["b", "c"]));
    assert_eq!(complaints, ["a is missing from y", "c is missing from x"]);
}

#[test]
fn every_mistake_has_its_words_and_all_words_a_mistake() {
    let (mistakes, words) = (stems("scenarios/invalid", "toml"), stems("scenarios/invalid", "txt"));
    assert!(mistakes.len() >= 20, "{}", mistakes.len());
    none(&unpaired("the mistakes", &mistakes, "the snapshots", &words));
}

#[test]
fn generated_documents_are_what_the_binary_prints() {
    let documents = [
        ("scenarios/REFERENCE.md", "reference"),
        ("scenarios/RUNBOOKS.md", "runbooks"),
        ("scenarios/schema.json", "schema"),
    ];
    for (document, what) in documents {
        let committed = std::fs::read_to_string(root().join(document)).unwrap();
        let printed = soak(&["export", what]);
        assert_eq!(printed.code, 0, "{}", printed.stderr);
        assert!(printed.stdout == committed, "{document} is old: run `soak export {what} > {document}`");
        assert!(committed.len() > 1000, "{document} holds nothing");
    }
}

/// What stands between two markers of a document.
fn between<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<!-- {name} -->"))?;
    Some(rest.split_once(&format!("<!-- /{name} -->"))?.0)
}

#[test]
fn the_readme_has_the_criteria_that_the_binary_has() {
    let printed = soak(&["criteria", "--format", "markdown"]).stdout;
    assert!(printed.lines().count() >= 10, "{printed}");
    if let Ok(readme) = std::fs::read_to_string(root().join("README.md"))
        && let Some(table) = between(&readme, "criteria")
    {
        assert!(table.trim() == printed.trim(), "README.md should hold between its criteria markers:\n{printed}");
    }
    assert_eq!(between("a <!-- criteria -->b<!-- /criteria --> c", "criteria"), Some("b"));
    assert_eq!(between("a <!-- criteria -->b", "criteria"), None);
}

/// Relative links of a document: the paths, without anchors.
fn links(document: &Text) -> Vec<&str> {
    let targets = document.text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let paths = targets.map(|target| target.split(['#', ' ']).next().unwrap_or(target));
    paths.filter(|path| !path.is_empty() && !path.contains("://") && !path.starts_with("mailto:")).collect()
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for document in texts().iter().filter(|file| file.extension() == "md") {
        let folder = root().join(&document.path).parent().unwrap().to_owned();
        let lost = links(document).into_iter().filter(|link| !folder.join(link).exists());
        broken.extend(lost.map(|link| format!("{}: there is no {link}", document.path)));
    }
    none(&broken);
    let sample = file("a.md", "[a](b.md#c) [d](https://e.f) [g](#h) [i](j/k \"title\")");
    assert_eq!(links(&sample), ["b.md", "j/k"]);
}

fn out_of_place(folders: &[String]) -> Vec<String> {
    let dotless = folders.iter().filter(|name| !name.starts_with('.') && !["target", "runs"].contains(&name.as_str()));
    let known: Vec<String> = FOLDERS.map(str::to_owned).into();
    unpaired("the tree", &dotless.cloned().collect::<Vec<_>>(), "the list of top folders", &known)
}

#[test]
fn the_top_has_the_folders_that_are_listed() {
    let entries = std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap());
    let folders: Vec<String> = entries
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    none(&out_of_place(&folders));
    assert_eq!(out_of_place(&["src".to_owned()]).len(), 8);
}

fn dumping_grounds(files: &[Text]) -> Vec<String> {
    let bad = |part: &str| DUMPING_GROUNDS.iter().any(|bad| part == *bad || part.split('.').next() == Some(bad));
    let dumped = files.iter().filter(|file| file.path.split('/').any(bad));
    dumped.map(|file| format!("{}: name it by its idea", file.path)).collect()
}

#[test]
fn no_file_is_a_dumping_ground() {
    none(&dumping_grounds(&texts()));
    let bad = ["a/mod.rs", "b/utils.rs", "helpers/c.rs", "misc.py"].map(|path| file(path, ""));
    assert_eq!(dumping_grounds(&bad).len(), 4);
    assert!(dumping_grounds(&[file("a/model.rs", ""), file("a/commons.rs", "")]).is_empty());
}

/// Lines of attributes that a rule forbids, by what must not stand in them.
fn attributes(files: &[Text], forbidden: fn(&str) -> bool) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files {
        let attributes = file.text.lines().map(str::trim_start).enumerate();
        let attributes = attributes.filter(|(_, line)| line.starts_with("#[") || line.starts_with("#!["));
        for (number, line) in attributes.filter(|(_, line)| forbidden(line)) {
            complaints.push(format!("{}:{}: {line}", file.path, number + 1));
        }
    }
    complaints
}

#[test]
fn lints_are_expected_and_never_allowed() {
    let allows = |line: &str| line.contains("allow(");
    none(&attributes(&sources(), allows));
    let text =
        "//! A.\n#![allow(dead_code)]\n    #[cfg_attr(test, allow(x))]\n#[expect(x, reason = \"y\")]\n// #[allow(z)]\n";
    assert_eq!(attributes(&[file("a.rs", text)], allows).len(), 2);
}

#[test]
fn a_test_that_is_left_out_says_why() {
    let silent = |line: &str| line.starts_with("#[ignore]");
    none(&attributes(&sources(), silent));
    let text = "#[ignore]\n#[ignore = \"takes an hour\"]\n#[test]\n";
    assert_eq!(attributes(&[file("a.rs", text)], silent), ["a.rs:1: #[ignore]"]);
}

fn unsafe_scripts(scripts: &[(Text, u32)]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (script, mode) in scripts {
        let mut lines = script.text.lines();
        let rules = [
            (mode & 0o111 == 0o111, "is not executable"),
            (lines.next() == Some("#!/usr/bin/env bash"), "does not begin with #!/usr/bin/env bash"),
            (lines.next().is_some_and(|line| line.starts_with("# ")), "does not say on its second line what it is"),
            (script.text.lines().any(|line| line == "set -euo pipefail"), "does not stop at the first failure"),
        ];
        complaints.extend(rules.iter().filter(|(held, _)| !held).map(|(_, rule)| format!("{} {rule}", script.path)));
    }
    complaints
}

#[test]
fn scripts_stop_at_the_first_failure_and_say_what_they_are() {
    let scripts = texts().into_iter().filter(|file| file.path.starts_with("ci/") || file.path.starts_with(".ci/"));
    let scripts: Vec<(Text, u32)> = scripts
        .filter(|file| ["", "sh"].contains(&file.extension()))
        .map(|file| {
            let mode = std::fs::metadata(root().join(&file.path)).unwrap().permissions().mode();
            (file, mode)
        })
        .collect();
    assert!(scripts.len() >= 4, "{}", scripts.len());
    none(&unsafe_scripts(&scripts));
    assert_eq!(unsafe_scripts(&[(file("ci/x", "echo\n"), 0o644)]).len(), 4);
}

/// Folders of one machine, which nobody else has.
fn foreign_paths(files: &[Text]) -> Vec<String> {
    let folders = [concat!("/", "work"), concat!("/", "root"), concat!("/tmp/", "target")];
    let part_of_path = |c: char| c.is_alphanumeric() || "_.-/)}".contains(c);
    let mut complaints = Vec::new();
    for file in files {
        for folder in folders {
            let found = file.text.match_indices(folder).find(|(at, _)| {
                let (before, after) = (&file.text[..*at], &file.text[at + folder.len()..]);
                !before.ends_with(part_of_path) && !after.starts_with(|c: char| c.is_alphanumeric() || c == '_')
            });
            complaints.extend(found.map(|(at, _)| {
                let line = file.text[..at].matches('\n').count() + 1;
                format!("{}:{line}: {folder} is a folder of one machine", file.path)
            }));
        }
    }
    complaints
}

#[test]
fn no_file_knows_somebodys_folders() {
    none(&foreign_paths(&texts()));
    let leaks = concat!("a\n\"/", "work/main\" /tmp/", "target-b");
    assert_eq!(foreign_paths(&[file("a.txt", leaks)]).len(), 2);
    assert!(foreign_paths(&[file("a.txt", "/workloads ./work x/root")]).is_empty());
}

#[test]
fn the_flow_itself_has_no_circle() {
    let may_use: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    for (name, uses) in MAY_USE {
        for used in *uses {
            assert!(!may_use[used].contains(name), "{name} and {used} use each other");
        }
    }
}
