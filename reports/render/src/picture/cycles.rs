//! The numbers behind the charts, cycle by cycle: what a picture shows has to be readable, and to be had by a program.

use soak_record::{EventKind, Phase, VariantRecord};
use soak_scenario::Plan;
use soak_verdict::{floors, human};

/// What the cells of a row are.
pub(crate) const CYCLE_HEADS: [&str; 6] =
    ["Cycle", "Begins at", "RssAnon floor", "Heap floor", "Highest RSS", "Counted"];

/// A row for each cycle that came to its floor.
pub(super) fn rows(plan: &Plan, record: &VariantRecord) -> Vec<[String; 6]> {
    let heap = floors(plan, record, "heap_bytes");
    let unread = || "-".to_owned();
    let of_cycle = |cycle: u32| {
        let mut begun = None;
        let mut ended = None;
        for event in &record.events {
            match &event.kind {
                EventKind::PhaseStarted { cycle: Some(of), .. } if *of == cycle => {
                    begun = begun.or(Some(event.at_s));
                }
                EventKind::PhaseEnded { phase: Phase::Settle, cycle: Some(of), .. } if *of == cycle => {
                    ended = Some(event.at_s);
                }
                _ => {}
            }
        }
        begun.zip(ended)
    };
    let highest = |[from_s, to_s]: [f64; 2]| {
        let rss = record.series.get("rss_bytes")?;
        rss.within(from_s, to_s).1.iter().copied().filter(|value| value.is_finite()).reduce(f64::max)
    };
    floors(plan, record, "rss_anon_bytes")
        .into_iter()
        .map(|floor| {
            let span = of_cycle(floor.cycle);
            let heap = heap.iter().find(|heap| heap.cycle == floor.cycle);
            [
                floor.cycle.to_string(),
                span.map_or_else(unread, |(from_s, _)| format!("{from_s:.1} s")),
                human::bytes(floor.value),
                heap.map_or_else(unread, |heap| human::bytes(heap.value)),
                span.and_then(|(from_s, to_s)| highest([from_s, to_s])).map_or_else(unread, human::bytes),
                if floor.counted { "yes" } else { "warm-up" }.to_owned(),
            ]
        })
        .collect()
}
