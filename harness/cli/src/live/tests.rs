//! The view is held against what is asked of it: everything on 80 × 24, nothing of another variant, and thinned series.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use soak_record::{Event, EventKind, LatencySummary, Outcome, Percentiles, Phase, Sample};
use soak_scenario::series::Source;
use soak_scenario::{Plan, Request, load};
use soak_verdict::{Finding, Verdict};

use super::board::{Asking, Board, Trace, clock};
use super::frame::draw;
use super::so_far::SoFar;

const MIB: f64 = 1_048_576.0;

fn plan() -> Plan {
    load(&Request { scenario: "scenario2", ..Request::default() }).unwrap().plan
}

/// The lines of a frame.
fn lines(board: &Board, [width, height]: [u16; 2]) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, board)).unwrap();
    let buffer = terminal.backend().buffer();
    let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..height).map(line).collect()
}

fn tell(board: &mut Board, at_s: f64, kind: EventKind) {
    board.event(&Event { at_s, variant: Some("dim1536-rows500".to_owned()), kind });
}

fn read(board: &mut Board, source: Source, at_s: f64, values: &[(&'static str, f64)]) {
    board.sample(&Sample { source, at_s, values: values.to_vec() });
}

/// The third variant in its third cycle, with a limit of half a gigabyte, while it is queried.
fn in_the_middle() -> Board {
    let mut board = Board::new(&plan(), true);
    board.begin(0);
    tell(&mut board, 1.0, EventKind::VariantEnded { outcome: Outcome::TargetFailed { reason: "it died".to_owned() } });
    board.begin(2);
    tell(&mut board, 60.0, EventKind::VariantStarted { index: 2, of: 6 });
    for cycle in 0..3_u32 {
        for step in 0..100 {
            let at_s = 60.0 + f64::from(cycle) * 10.0 + f64::from(step) * 0.1;
            let resident = (80.0 + f64::from(cycle) + if step < 50 { 2.0 * f64::from(step) } else { 0.0 }) * MIB;
            let process = [("rss_bytes", resident), ("rss_anon_bytes", resident), ("cgroup_limit_bytes", 512.0 * MIB)];
            read(&mut board, Source::Process, at_s, &process);
            read(&mut board, Source::Metrics, at_s, &[("heap_bytes", 0.5 * resident), ("goroutines", 23.0)]);
            read(&mut board, Source::Harness, at_s, &[("acked_vectors_total", 500.0 * at_s), ("in_flight", 4.0)]);
        }
        let [from_s, to_s] = [69.0, 70.0].map(|at| at + f64::from(cycle) * 10.0);
        let window = EventKind::Window { phase: Phase::Settle, cycle: Some(cycle), from_s, to_s, settled: true };
        tell(&mut board, to_s, window);
    }
    let corrected = Percentiles { p50_ms: 1.5, p99_ms: 42.0, ..Percentiles::default() };
    let summary = LatencySummary { count: 30, corrected, ..LatencySummary::default() };
    let operation = "search".to_owned();
    tell(&mut board, 90.0, EventKind::Latency { cycle: 2, phase: Phase::Query, operation, summary });
    tell(&mut board, 90.0, EventKind::PhaseStarted { phase: Phase::Query, cycle: Some(2) });
    board
}

fn finding(criterion: &str, verdict: Verdict) -> Finding {
    let text = serde_json::json!({
        "criterion": criterion, "verdict": verdict, "informational": false, "value": 2.5 * MIB, "unit": "bytes/cycle",
        "interval": null, "threshold": MIB, "detectable": null, "reason": "",
    });
    serde_json::from_value(text).unwrap()
}

#[test]
fn everything_that_is_asked_for_is_on_eighty_by_twenty_four() {
    let mut board = in_the_middle();
    let verdicts = [Verdict::Pass, Verdict::Inconclusive, Verdict::Fail];
    let names = ["heap_floor", "time_to_baseline", "rss_floor"];
    let findings = names.into_iter().zip(verdicts).map(|(name, verdict)| finding(name, verdict)).collect();
    board.take_so_far(Some(SoFar { index: 2, findings }));
    let lines = lines(&board, [80, 24]);
    let text = lines.join("\n");
    for part in [
        "scenario2 · quick · seed 1  ✗·✗···",
        "dim1536-rows500 3 of 6  cycle 2 to 6  ■■▣□□□□□□  query 00:00",
        "resident 82.0 MiB ━ of 512 MiB, 16.0 %",
        "heap 41.0 MiB",
        "82.0 MiB, +1.00 MiB/cycle",
        "goroutines 23, connections –",
        "500/s, 4 in flight",
        "search 2 ms / 42 ms",
        "✗ rss_floor           2.50 MiB a cycle",
        "p pause  c compact  q stop early   a hand in it is recorded, and costs passes",
        "the target failed: it died",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    let at = |part: &str| lines.iter().position(|line| line.contains(part)).unwrap();
    assert!(at("✗ rss_floor") < at("? time_to_baseline") && at("? time_to_baseline") < at("✓ heap_floor"), "{text}");
    assert!(text.chars().any(|c| ('\u{2801}'..='\u{28ff}').contains(&c)), "memory is drawn:\n{text}");
}

#[test]
fn what_has_not_begun_and_what_is_asked_is_said() {
    let mut board = Board::new(&plan(), false);
    let empty = lines(&board, [80, 24]).join("\n");
    assert!(empty.contains("dim128-rows500 1 of 6") && empty.contains("not yet: after a cycle"), "{empty}");
    board.asking = Some(Asking::Stop);
    assert!(lines(&board, [80, 24])[23].contains("end the run now"));
    board.asking = None;
    board.paused_for = Some(std::time::Duration::from_secs(75));
    assert!(lines(&board, [80, 24])[23].contains("p go on (the load rests since 01:15)  c compact"));
    board.is_stopping = true;
    assert!(lines(&board, [80, 24])[23].contains("stopping"));
    for small in [[40, 24], [80, 10], [1, 1]] {
        let text = lines(&board, small).join("\n");
        assert!(small[0] == 1 || text.contains("is too small"), "{text}");
    }
    for large in [[60, 16], [300, 90]] {
        assert!(lines(&in_the_middle(), large).join("\n").contains("resident 82.0 MiB"));
    }
}

#[test]
fn what_was_said_of_another_variant_is_not_shown_as_of_this() {
    let mut board = in_the_middle();
    board.take_so_far(Some(SoFar { index: 1, findings: vec![finding("rss_floor", Verdict::Pass)] }));
    assert!(board.findings.is_empty());
    let shown = lines(&board, [80, 24]);
    assert!(shown[0].contains("✗·▸···"), "of a variant that was never begun nothing is said: {}", shown[0]);
}

#[test]
fn a_long_series_is_thinned_and_keeps_its_ends() {
    let mut board = Board::new(&plan(), true);
    for step in 0..100_000_u32 {
        read(&mut board, Source::Process, f64::from(step), &[("rss_bytes", f64::from(step))]);
    }
    let points = Trace::points(&board.rss);
    assert!((2000..=4096).contains(&points.len()), "{}", points.len());
    assert!(points[0].0 < 100.0 && points[points.len() - 1].0 > 99_900.0);
    assert_eq!([clock(59.9), clock(61.0), clock(3661.0)], ["00:59", "01:01", "1:01:01"]);
}
