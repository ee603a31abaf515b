//! Every built-in profile is executed: with each driver that it allows and every knob at its default, off, in the middle and at the ends of its
//! range, a server starts, answers, takes rows and reports the settings that it was given. A server is the real one where it is on the machine,
//! else a stand-in that refuses what the real one refuses.

#![expect(clippy::unwrap_used, reason = "tests")]

mod knobs;
mod start;

use std::sync::Mutex;

use soak_scenario::{builtin_profiles, load_profile};
use soak_tests::{binary, chroma, go_target, image, stand_in_image, turn, weaviate};

/// Servers that start at once: each is idle, but for its start.
const AT_ONCE: usize = 4;

/// The program that stands behind a profile; `None`, with a message, where it is missing.
fn program(profile: &str) -> Option<String> {
    let stand_in = || binary().with_file_name("soak-stand-in").display().to_string();
    match profile {
        "reference" => Some(binary().display().to_string()),
        // The runbook's build is nobody's: the Go store reads its variables, with a real Go runtime.
        "go" | "longbow-runbook" => go_target().map(|program| program.display().to_string()),
        "weaviate" => weaviate(),
        "chroma" => chroma(),
        "longbow" | "guts" | "qdrant" => Some(stand_in()),
        other => panic!("nothing starts the profile `{other}`: name a program here"),
    }
}

/// The image that stands behind a profile.
fn image_of(profile: &str, stand_in: Option<&str>) -> Option<String> {
    match profile {
        "go" | "longbow-runbook" => image(),
        "longbow" | "qdrant" => stand_in.map(str::to_owned),
        // Its image is built for the tests of Weaviate alone, and Chroma's needs an operating system.
        "weaviate" | "chroma" => None,
        other => panic!("nothing starts a container of the profile `{other}`: name an image here"),
    }
}

/// Starts every combination of these profiles and targets; each complaint is `PROFILE, KNOBS: why`.
fn complaints(targets: &[(&str, String)]) -> Vec<String> {
    let of = |(profile, target): &(&'static str, String)| {
        let sets = knobs::sets(profile);
        sets.into_iter().map(|set| (*profile, target.clone(), set)).collect::<Vec<_>>()
    };
    let targets: Vec<(&'static str, String)> = targets
        .iter()
        .filter_map(|(name, target)| {
            let profile = builtin_profiles().into_iter().find(|profile| profile.name == *name)?;
            Some((profile.name, target.clone()))
        })
        .collect();
    let left = Mutex::new(targets.iter().flat_map(of).collect::<Vec<_>>());
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
                while let Some((profile, target, set)) = { left.lock().unwrap().pop() } {
                    if let Err(why) = runtime.block_on(start::start(profile, &target, &set)) {
                        found.lock().unwrap().push(format!("{profile}, {target}, knobs {}: {why}", set.name));
                    }
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap();
    found.sort();
    found
}

#[track_caller]
fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "{} combinations do not start:\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn every_profile_starts_as_a_process_at_the_ends_of_every_knob() {
    let _turn = turn();
    let targets = builtin_profiles().into_iter().filter_map(|profile| {
        let target = format!("process:{}", program(profile.name)?);
        Some((profile.name, target))
    });
    assert_none(&complaints(&targets.collect::<Vec<_>>()));
}

#[test]
fn every_profile_with_an_image_starts_as_a_container() {
    let _turn = turn();
    let stand_in = stand_in_image();
    let targets = builtin_profiles().into_iter().filter_map(|profile| {
        load_profile(profile.name).unwrap().container?;
        Some((profile.name, format!("container:{}", image_of(profile.name, stand_in.as_deref())?)))
    });
    assert_none(&complaints(&targets.collect::<Vec<_>>()));
}
