//! The live view, on a terminal of 80 × 24: what is shown, what keys do, and that the terminal is given back.

use soak_tests::{OnTerminal, by_env, events, is_alive, signal, turn, until};

use crate::small::command;

const SIZE: [u16; 2] = [80, 24];

#[test]
fn a_run_is_watched_and_a_hand_taken_in_it() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut command = command(&out, &["workload.query.duration=1s", "cycle.count=20"]);
    command.arg("--live");
    let mut terminal = OnTerminal::start(&command, SIZE);
    for words in ["scenario2 · quick · seed 1", "dim3072-rows256 1 of 1", "cycle 1 to 19", "/cycle"] {
        terminal.until_shows(words);
    }
    for (key, words) in [
        ("p", "the load rests since"),
        ("p", "p pause"),
        ("c", "somebody asked for a compaction"),
        ("q", "end the run now"),
        ("n", "p pause"),
    ] {
        terminal.press(key);
        terminal.until_shows(words);
    }
    // Said of the record, cycle by cycle.
    terminal.until_shows("rss_floor");
    assert!(terminal.has_whole_screen());
    terminal.press("q");
    terminal.until_shows("end the run now");
    terminal.press("y");
    assert_eq!(terminal.wait(), 130, "{}", terminal.text());
    until("the terminal is given back", || (!terminal.has_whole_screen()).then_some(()));
    terminal.until_shows("INCONCLUSIVE");

    let by_hand = events(&out).into_iter().filter(|event| event["event"] == "by_hand");
    let done: Vec<String> = by_hand.map(|event| event["action"].as_str().unwrap().to_owned()).collect();
    assert_eq!(done, ["pause_load", "resume_load", "compact"]);
    let verdict = std::fs::read_to_string(out.join("verdict.json")).unwrap();
    assert!(!verdict.contains("\"verdict\": \"pass\""), "{verdict}");
}

#[test]
fn a_view_whose_terminal_goes_away_ends_in_good_order() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut command = command(&out, &[]);
    command.arg("--live");
    let mut terminal = OnTerminal::start(&by_env(&command, "--default-signal=HUP"), SIZE);
    terminal.until_shows("cycle 1 to 6");
    terminal.go_away();
    assert_eq!(terminal.wait(), 130);
    assert!(out.join("report.html").exists(), "what there is, is reported");
}

#[test]
fn a_view_that_is_killed_or_interrupted_leaves_no_target() {
    let _turn = turn();
    for sent in ["KILL", "TERM"] {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run");
        let mut command = command(&out, &[]);
        command.arg("--live");
        let mut terminal = OnTerminal::start(&command, SIZE);
        terminal.until_shows("cycle 1 to 6");
        let started = events(&out).into_iter().find(|event| event["event"] == "target_started").unwrap();
        let target = u32::try_from(started["pid"].as_u64().unwrap()).unwrap();
        signal(terminal.pid(), sent);
        let code = terminal.wait();
        until("its target is gone", || (!is_alive(target)).then_some(()));
        assert_eq!(code, if sent == "KILL" { -1 } else { 130 });
        if sent == "TERM" {
            until("the terminal is given back", || (!terminal.has_whole_screen()).then_some(()));
        }
    }
}
