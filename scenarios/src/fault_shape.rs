//! The keys of a scenario's faults, its drawing of lots, and its stop conditions.

use std::time::Duration;

use crate::fault::FaultPhase;
use crate::shape::{Field, Keys, Kind, Quantity, optional, required, section, with_default};
use crate::units::Span;

/// What is held for less cannot be told from a hiccup.
const HOLD_MIN: Span = Span(Duration::from_millis(200));

/// The section `[faults]`: names of a person's choice, a fault each.
pub(crate) fn faults() -> Field {
    let faults = Kind::Map { keys: Keys::Names, values: Box::new(Kind::Section(fault())) };
    with_default(
        "faults",
        faults,
        "{}",
        "what is injected, each fault under a name of your choice; `soak list faults` explains the kinds",
    )
}

fn fault() -> Vec<Field> {
    let span = || Kind::Quantity(Quantity::ANY_SPAN);
    let hold = Kind::Quantity(Quantity::Span { at_least: HOLD_MIN });
    let phases = Kind::Choice(FaultPhase::ALL.iter().map(|phase| phase.name()).collect());
    vec![
        required("inject", Kind::Tagged { words: words(), variants: injections() }, "what is injected"),
        with_default("phase", phases, "\"query\"", "the phase of a cycle in which it begins"),
        with_default(
            "every",
            Kind::Integer { min: 1, max: 100_000 },
            "1",
            "in every so many counted cycles, from the first on",
        ),
        with_default("after", span(), "\"1s\"", "how long after the phase began"),
        optional(
            "at",
            span(),
            "once, at this time since the target was started, in whatever phase with load comes then; instead of `phase`, `every` and `after`",
        ),
        optional(
            "when",
            Kind::Quantity(Quantity::Condition),
            "it begins only once this holds; a fault that never began makes the run inconclusive",
        ),
        with_default("hold", hold, "\"5s\"", "how long it is held"),
        with_default("watch", span(), "\"10s\"", "how long the way back is watched afterwards, at most"),
    ]
}

/// The kinds without settings.
fn words() -> Vec<&'static str> {
    vec![
        "pause",
        "kill",
        "restart",
        "cut",
        "reset",
        "disk_full",
        "stop_load",
        "force_compaction",
        "vacuum",
        "clear_cache",
    ]
}

fn injections() -> Vec<Field> {
    let bytes = || Kind::Quantity(Quantity::Bytes);
    let size = || Kind::Quantity(Quantity::Size);
    let rate = || Kind::Quantity(Quantity::Rate);
    let byte_rate = || Kind::Quantity(Quantity::ByteRate);
    let share = || Kind::Quantity(Quantity::Share);
    let count = |max| Kind::Integer { min: 1, max };
    let of = |name: &'static str, fields: Vec<Field>| {
        let doc = crate::fault::FAULTS.iter().find(|kind| kind.name == name).map_or("", |kind| kind.doc);
        optional(name, Kind::Section(fields), doc)
    };
    vec![
        of("leak_memory", vec![required("rate", byte_rate(), "how fast")]),
        of("leak_tasks", vec![required("rate", rate(), "how fast")]),
        of("unfinished_streams", vec![required("count", count(1000), "how many")]),
        of("slow_reader", vec![required("count", count(1000), "how many at once")]),
        of("half_open", vec![required("count", count(10_000), "how many")]),
        of("connection_storm", vec![required("rate", rate(), "how many over time")]),
        of(
            "abandoned_datasets",
            vec![required("count", count(1000), "how many"), required("rows", count(1_000_000), "rows in each")],
        ),
        of("tombstones", vec![required("rows", count(1_000_000), "how many")]),
        of(
            "oversized_batches",
            vec![required("size", bytes(), "vectors in each"), required("count", count(1000), "how many")],
        ),
        of("wrong_schema", vec![required("rate", rate(), "how many over time")]),
        of("wrong_dimension", vec![required("rate", rate(), "how many over time")]),
        of("reused_ids", vec![required("rate", rate(), "batches over time")]),
        of(
            "huge_k",
            vec![
                required("k", count(100_000_000), "neighbours asked for"),
                required("rate", rate(), "how many over time"),
            ],
        ),
        of("limit_shrink", vec![required("to", share(), "of the limit before")]),
        of("balloon", vec![required("keep", size(), "what it leaves free below the limit")]),
        of("page_cache", vec![required("size", size(), "how much is cached")]),
        of("tmpfs", vec![required("size", size(), "how much")]),
        of("raise_limit", vec![required("by", bytes(), "on top of what it is")]),
        of("cpu_throttle", vec![required("to", share(), "of one processor")]),
        of("latency", vec![required("delay", Kind::Quantity(Quantity::ANY_SPAN), "so much longer, each way")]),
        of("bandwidth", vec![required("rate", byte_rate(), "each way and connection")]),
    ]
}

/// The section `[chaos]`: lots instead of a schedule.
pub(crate) fn chaos() -> Field {
    let fields = vec![
        with_default(
            "draw",
            Kind::Integer { min: 0, max: 100 },
            "0",
            "in each counted cycle so many of the faults are drawn by the seed, one after the other; 0: every fault as its own entry says",
        ),
        with_default(
            "within",
            Kind::Quantity(Quantity::ANY_SPAN),
            "\"2s\"",
            "a fault that was drawn begins at a moment of this length, drawn as well",
        ),
        with_default(
            "stretch",
            Kind::Integer { min: 1, max: 1000 },
            "1",
            "so many times as long as its entry says is every fault's `after`, `hold` and `watch`: for a slower pace",
        ),
    ];
    section("chaos", fields, "all faults together: drawn by lot, or stretched; `soak plan` prints the timetable")
}

/// The section `[stop]`: what ends a run safely, whatever its verdict.
pub(crate) fn stop() -> Field {
    let fields = vec![
        with_default(
            "host_memory_below",
            Kind::Quantity(Quantity::Bytes),
            "\"256MiB\"",
            "the machine has less than this available",
        ),
        optional(
            "error_rate_above",
            Kind::Quantity(Quantity::Share),
            "more of the operations of a query phase than this fail, outside of faults",
        ),
        optional("after", Kind::Quantity(Quantity::ANY_SPAN), "a variant has taken this long"),
    ];
    section(
        "stop",
        fields,
        "conditions that end the run safely; they say nothing of the target, so what is not yet known then is inconclusive",
    )
}
