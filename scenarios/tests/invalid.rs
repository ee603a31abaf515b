//! Every file of `invalid/` is refused, with exactly the words beside it.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as a test does")]

use std::path::{Path, PathBuf};

use soak_scenario::{LoadError, Request, Severity, load};

fn cases() -> Vec<PathBuf> {
    // Relative to the crate, where tests run, so that no snapshot holds anybody's folders.
    let entries = std::fs::read_dir("invalid").unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|one| one == "toml")).collect();
    cases.sort();
    cases
}

fn rendered(path: &Path) -> Result<String, String> {
    match load(&Request { scenario: path.to_str().unwrap(), ..Request::default() }) {
        Err(LoadError::Invalid { diagnostics }) => {
            let errors = diagnostics.iter().filter(|one| one.severity == Severity::Error).count();
            assert!(errors > 0, "{}: refused without an error", path.display());
            Ok(diagnostics.iter().map(soak_scenario::Diagnostic::to_plain_string).collect::<Vec<_>>().join("\n"))
        }
        Err(other) => Err(format!("{}: {other}", path.display())),
        Ok(_) => Err(format!("{} is accepted, but should not be", path.display())),
    }
}

#[test]
fn every_mistake_is_refused_in_the_expected_words() {
    let mut wrong = Vec::new();
    for path in cases() {
        let snapshot = path.with_extension("txt");
        match (rendered(&path), std::fs::read_to_string(&snapshot)) {
            (Err(problem), _) => wrong.push(problem),
            (Ok(text), Ok(expected)) if text == expected => {}
            (Ok(text), Ok(_)) => wrong.push(format!("{} should now hold:\n{text}", snapshot.display())),
            (Ok(text), Err(_)) => wrong.push(format!("{} is missing; it should hold:\n{text}", snapshot.display())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(cases().len() >= 20);
}

#[test]
fn no_snapshot_is_without_its_scenario() {
    for entry in std::fs::read_dir("invalid").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|one| one == "txt") {
            assert!(path.with_extension("toml").exists(), "{} has no scenario", path.display());
        }
    }
}
