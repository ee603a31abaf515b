//! Pressure against response: what each fault was, and what the load, memory and tasks did before, during and after it.

use soak_record::{Stage, VariantRecord};
use soak_verdict::human;
use soak_verdict::injected::{Injected, injected, skipped};
use soak_verdict::stats::location::median;

use crate::wording::{grouped, milliseconds};

/// The heads of [`FaultLine::cells`].
pub(crate) const HEADS: [&str; 9] =
    ["Fault", "Shown by", "", "Done a second", "p50 ms", "p99 ms", "Errors", "RSS", "First answer"];

/// One stage of one fault, as a line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FaultLine {
    /// A cell for each head; the first two are empty but in the first line of a fault.
    pub(crate) cells: Vec<String>,
    /// Whether the fault is shown to have taken place.
    pub(crate) took_place: bool,
}

/// The lines of all faults, three for each, and one for each that did not begin.
pub(crate) fn lines(record: &VariantRecord) -> Vec<FaultLine> {
    let mut lines: Vec<FaultLine> = injected(&record.events).iter().flat_map(|fault| of(record, fault)).collect();
    lines.extend(skipped(&record.events).into_iter().map(|(fault, cycle, reason)| {
        let cycle = cycle.map_or_else(String::new, |cycle| format!(", cycle {cycle}"));
        let mut cells = vec![format!("{fault}{cycle}"), format!("did not begin: {reason}")];
        cells.resize(HEADS.len(), String::new());
        FaultLine { cells, took_place: false }
    }));
    lines
}

fn of(record: &VariantRecord, fault: &Injected) -> Vec<FaultLine> {
    let healed_s = fault.healed_s.unwrap_or(fault.applied_s);
    let stages = [
        (Stage::Before, "before", fault.compared_from_s, fault.compared_to_s),
        (Stage::During, "during", fault.applied_s, healed_s),
        (Stage::After, "after", healed_s, fault.watched_until_s),
    ];
    let cycle = fault.cycle.map_or_else(String::new, |cycle| format!(", cycle {cycle}"));
    let shown = match &fault.shown {
        Some((true, words)) => words.clone(),
        Some((false, words)) => format!("not shown: {words}"),
        None => "not shown: the run ended before".to_owned(),
    };
    let line = |(stage, name, from_s, to_s): (Stage, &str, f64, f64)| {
        let first = stage == Stage::Before;
        let load = fault.load.get(&stage);
        let of_load = |text: &dyn Fn(f64, &soak_record::LatencySummary) -> String| {
            load.map_or_else(String::new, |(seconds, summary)| text(*seconds, summary))
        };
        let done = |count: u64, text: String| if count > 0 { text } else { "–".to_owned() };
        let rss = record.series.get("rss_bytes").and_then(|series| median(series.within(from_s, to_s).1));
        let answer = match fault.first_answer.filter(|_| stage == Stage::After) {
            Some(Some(seconds)) => human::seconds(seconds),
            Some(None) => "none".to_owned(),
            None => String::new(),
        };
        let cells = vec![
            if first { format!("{}{cycle}", fault.title()) } else { String::new() },
            if first { shown.clone() } else { String::new() },
            name.to_owned(),
            of_load(&|seconds, summary| format!("{:.0}", summary.count as f64 / seconds.max(1e-3))),
            of_load(&|_, summary| done(summary.count, milliseconds(summary.corrected.p50_ms))),
            of_load(&|_, summary| done(summary.count, milliseconds(summary.corrected.p99_ms))),
            of_load(&|_, summary| grouped(summary.errors)),
            rss.map_or_else(String::new, human::bytes),
            answer,
        ];
        FaultLine { cells, took_place: fault.took_place() }
    };
    stages.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use soak_record::{Event, EventKind, LatencySummary, Phase};

    use super::*;
    use crate::synthetic;

    #[test]
    fn each_fault_has_its_pressure_and_three_stages() {
        let mut record = synthetic::record(0, synthetic::Target::HEALTHY);
        let summary = LatencySummary { count: 10, errors: 3, ..LatencySummary::default() };
        let kinds = [
            EventKind::FaultApplied {
                id: 0,
                fault: "squeeze".to_owned(),
                kind: "limit_shrink".to_owned(),
                settings: "to 60%".to_owned(),
                phase: Phase::Query,
                cycle: Some(1),
                took_s: 0.0,
            },
            EventKind::FaultLoad { id: 0, stage: Stage::Before, seconds: 2.0, summary },
            EventKind::FaultShown {
                id: 0,
                took_place: true,
                words: "256 → 154 MiB".to_owned(),
                figures: BTreeMap::new(),
            },
            EventKind::FaultLoad { id: 0, stage: Stage::During, seconds: 5.0, summary },
            EventKind::FaultHealed { id: 0, held_s: 5.0, error: None },
            EventKind::FaultSkipped { fault: "late".to_owned(), cycle: None, reason: "the phase was over".to_owned() },
        ];
        record.events.extend(kinds.into_iter().enumerate().map(|(at, kind)| Event {
            at_s: 1e4 + at as f64,
            variant: None,
            kind,
        }));
        let lines = lines(&record);
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[0].cells[..4], ["squeeze (limit_shrink, to 60%), cycle 1", "256 → 154 MiB", "before", "5"]);
        assert_eq!(lines[1].cells[2..4], ["during", "2"]);
        assert_eq!(lines[1].cells[6], "3");
        assert_eq!(lines[2].cells[3], "", "what was not told is not made up");
        assert_eq!(lines[3].cells[..2], ["late", "did not begin: the phase was over"]);
        assert!(!lines[3].took_place && lines.iter().all(|line| line.cells.len() == HEADS.len()));
    }
}
