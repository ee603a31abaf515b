//! What would explain a failure, and what speaks for and against each: one row a cause, one function of facts each.

use soak_scenario::runbook::Case;

use super::facts::{Facts, Rise};
use crate::human::{bytes, number, percent, plural, seconds};
use crate::outcome::{Finding, Verdict};

/// A part from which on a series goes with the growth, or with the loss.
const GOES_WITH: f64 = 0.5;
/// A part below which it does not.
const STANDS_BY: f64 = 0.2;
/// A leaked task takes a stack and what it holds; more than this is other memory.
const TASK_BYTES: f64 = 256.0 * 1024.0;
/// The runbook: “High RSS due to memory-mapped files”, where that is a good part of a size worth asking for.
pub(super) const MAPPED_BYTES: f64 = 32.0 * 1_048_576.0;
pub(super) const MAPPED_SHARE: f64 = 0.3;
/// The runbook's normal fragmentation ends here.
const FRAGMENTED: f64 = 0.2;

/// An observation with its numbers, and how much it says: above 0 for the cause, below 0 against it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Clue {
    pub(super) weight: i32,
    pub(super) words: String,
}

/// A cause of a case, and the criteria that it would fail.
pub(super) struct Rule {
    pub(super) case: Case,
    pub(super) cause: &'static str,
    pub(super) explains: &'static [&'static str],
    pub(super) clues: fn(&Shown<'_>) -> Vec<Clue>,
}

/// What one variant shows.
pub(super) struct Shown<'a> {
    pub(super) facts: &'a Facts,
    pub(super) findings: &'a [Finding],
}

/// In the order in which the first of equals is taken.
pub(super) const RULES: &[Rule] = &[
    Rule {
        case: Case::Goroutines,
        cause: "tasks that never end",
        explains: &["goroutine_baseline", "rss_floor", "heap_floor", "rss_trend", "target"],
        clues: goroutines,
    },
    Rule {
        case: Case::FailedCompaction,
        cause: "compaction reclaims nothing, or not enough",
        explains: &["compaction_reclaim", "compaction_time", "compaction_overdue", "log_errors"],
        clues: failed_compaction,
    },
    Rule {
        case: Case::HighRss,
        cause: "slab fragmentation",
        explains: &["compaction_reclaim", "resident_per_vector"],
        clues: fragmentation,
    },
    Rule {
        case: Case::Growth,
        cause: "objects that stay reachable on the heap",
        explains: &["rss_floor", "heap_floor", "rss_trend", "resident_per_vector", "latency_rise", "target"],
        clues: growth,
    },
    Rule {
        case: Case::HighRss,
        cause: "memory beside the heap, such as record batches that are not released",
        explains: &["rss_floor", "rss_trend", "resident_per_vector", "unexplained_memory", "target"],
        clues: beside_the_heap,
    },
    Rule {
        case: Case::Spikes,
        cause: "memory that indexing takes, and that is late to come back",
        explains: &["time_to_baseline", "peak_per_ingested", "heap_goal", "target"],
        clues: spikes,
    },
    Rule {
        case: Case::HighRss,
        cause: "mapped files",
        explains: &["unexplained_memory", "resident_per_vector"],
        clues: mapped_files,
    },
    Rule {
        case: Case::Goroutines,
        cause: "connections that are never closed",
        explains: &["connection_baseline", "goroutine_baseline", "rss_floor", "heap_floor"],
        clues: connections,
    },
    Rule {
        case: Case::Growth,
        cause: "a label of the metrics page that takes ever new values",
        explains: &["metrics_cardinality"],
        clues: |shown| counted(shown, "metrics_cardinality"),
    },
    Rule {
        case: Case::Growth,
        cause: "datasets that nobody drops",
        explains: &["dataset_baseline"],
        clues: |shown| counted(shown, "dataset_baseline"),
    },
    Rule {
        case: Case::Growth,
        cause: "a queue that is not worked off",
        explains: &["pending_baseline"],
        clues: |shown| counted(shown, "pending_baseline"),
    },
    Rule {
        case: Case::Growth,
        cause: "a cache that nothing bounds",
        explains: &["cache_floor"],
        clues: |shown| counted(shown, "cache_floor"),
    },
];

fn clue(clues: &mut Vec<Clue>, weight: i32, words: impl Into<String>) {
    clues.push(Clue { weight, words: words.into() });
}

impl Shown<'_> {
    fn finding(&self, criterion: &str) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.criterion == criterion)
    }

    fn verdict(&self, criterion: &str) -> Option<Verdict> {
        self.finding(criterion)?.verdict
    }

    fn fails(&self, criterion: &str) -> bool {
        self.verdict(criterion) == Some(Verdict::Fail)
    }

    fn floors_fail(&self) -> bool {
        ["rss_floor", "heap_floor", "rss_trend"].into_iter().any(|criterion| self.fails(criterion))
    }

    /// The kernel's kill, where the phase in which it came speaks.
    fn killed_while_data_was_put(&self) -> Option<bool> {
        use soak_record::Phase::{Compact, Index, Ingest};
        self.facts.killed_in.map(|phase| matches!(phase, Ingest | Index | Compact))
    }
}

/// `from 6.1 MiB to 21.2 MiB`.
fn from_to(rise: Rise) -> String {
    format!("from {} to {}", bytes(rise.first), bytes(rise.last))
}

fn goroutines(shown: &Shown<'_>) -> Vec<Clue> {
    let mut clues = Vec::new();
    let rise = shown.facts.rise("goroutines");
    match shown.finding("goroutine_baseline") {
        Some(finding) if finding.verdict == Some(Verdict::Fail) => {
            clue(&mut clues, 5, finding.reason.trim_end_matches('.'));
        }
        Some(finding) if finding.verdict == Some(Verdict::Pass) => {
            clue(&mut clues, -4, "the number of tasks comes back to what it was when idle");
        }
        _ => {}
    }
    if let Some(rise) = rise.filter(|rise| rise.per_cycle > 0.5) {
        let words = format!(
            "tasks rise by {} from cycle to cycle, from {} to {}",
            number(rise.per_cycle),
            number(rise.first),
            number(rise.last)
        );
        clue(&mut clues, 1, words);
        if let Some(anon) =
            shown.facts.rise("rss_anon_bytes").filter(|anon| anon.per_cycle > 0.0 && shown.floors_fail())
        {
            let each = anon.per_cycle / rise.per_cycle;
            let so = if each <= TASK_BYTES { "which their stacks may be" } else { "far more than stacks take" };
            let weight = if each <= TASK_BYTES { 2 } else { -6 };
            clue(&mut clues, weight, format!("memory grows by {} a task, {so}", bytes(each)));
        }
    }
    clues
}

/// What a count says of itself: that it came back, or that it did not and who grew.
fn counted(shown: &Shown<'_>, criterion: &str) -> Vec<Clue> {
    let mut clues = Vec::new();
    match shown.finding(criterion) {
        Some(finding) if finding.verdict == Some(Verdict::Fail) => {
            clue(&mut clues, 5, finding.reason.trim_end_matches('.'));
        }
        Some(finding) if finding.verdict == Some(Verdict::Pass) => {
            clue(&mut clues, -4, "it comes back to its baseline");
        }
        _ => {}
    }
    clues
}

/// A connection holds a task on its side, and buffers: where connections stay, both do.
fn connections(shown: &Shown<'_>) -> Vec<Clue> {
    let mut clues = counted(shown, "connection_baseline");
    let (tasks, open) = (shown.facts.rise("goroutines"), shown.facts.rise("connections"));
    if let (true, Some(tasks), Some(open)) = (shown.fails("connection_baseline"), tasks, open)
        && open.per_cycle > 0.5
        && shown.fails("goroutine_baseline")
    {
        let each = tasks.per_cycle / open.per_cycle;
        let weight = if (0.5..=3.0).contains(&each) { 2 } else { -2 };
        clue(&mut clues, weight, format!("{} tasks are left for each connection that is", number(each)));
    }
    clues
}

fn failed_compaction(shown: &Shown<'_>) -> Vec<Clue> {
    let mut clues = Vec::new();
    let told = &shown.facts.compactions;
    match (&told.error, told.failed) {
        (Some(error), failed) => {
            clue(
                &mut clues,
                5,
                format!("{failed} of {} ended with an error: {error}", plural(told.asked, "compaction")),
            );
        }
        (None, _) if told.asked > 0 => {
            clue(&mut clues, -1, format!("all {} said that they ended well", plural(told.asked, "compaction")));
        }
        _ => {}
    }
    if let Some(dataset) = told.dataset {
        let (gone, before, after) = (percent(dataset.gone()), bytes(dataset.before), bytes(dataset.after));
        let reclaimed = dataset.gone() >= STANDS_BY;
        let weight = if reclaimed { -3 } else { 3 };
        clue(&mut clues, weight, format!("by the target's own account a compaction frees {gone} ({before} → {after})"));
    }
    if let Some(dead) = told.tombstones.filter(|dead| dead.before > 0.0) {
        let left = percent(1.0 - dead.gone());
        let weight = if dead.gone() < GOES_WITH { 2 } else { -2 };
        clue(&mut clues, weight, format!("{left} of the bytes of deleted rows are still there afterwards"));
    }
    match (told.counted, told.skipped) {
        (Some(counted), Some(skipped)) if counted > 0.0 && skipped >= GOES_WITH * counted => {
            clue(&mut clues, -4, skipped_in_words(counted, skipped));
        }
        (Some(counted), _) if counted > 0.0 => {
            clue(&mut clues, 1, format!("the target counted {} compactions: it does run", number(counted)));
        }
        (Some(_), _) => clue(&mut clues, 2, "the target counted no compaction at all: its worker does not run"),
        _ => {}
    }
    clues
}

fn skipped_in_words(counted: f64, skipped: f64) -> String {
    format!(
        "in {} of {} compactions the target found nothing that could go, although rows were deleted",
        number(skipped),
        number(counted)
    )
}

fn fragmentation(shown: &Shown<'_>) -> Vec<Clue> {
    let mut clues = Vec::new();
    let told = &shown.facts.compactions;
    if let (Some(counted), Some(skipped)) = (told.counted, told.skipped)
        && counted > 0.0
    {
        let weight = if skipped >= GOES_WITH * counted { 4 } else { -1 };
        let words = if weight > 0 {
            format!("{}: live rows pin every slab", skipped_in_words(counted, skipped))
        } else {
            format!(
                "in {} of {} compactions the target found something that could go",
                number(counted - skipped),
                number(counted)
            )
        };
        clue(&mut clues, weight, words);
    }
    if let Some(share) = told.fragmentation {
        let weight = if share >= FRAGMENTED { 2 } else { -2 };
        clue(&mut clues, weight, format!("{} of what slabs hold is dead after a compaction", percent(share)));
    }
    if let Some(slabs) = told.slabs.filter(|slabs| slabs.before > 0.0) {
        let weight = if slabs.gone() < STANDS_BY { 1 } else { -1 };
        let (before, after) = (bytes(slabs.before), bytes(slabs.after));
        clue(&mut clues, weight, format!("slabs go from {before} to {after} in a compaction"));
    }
    if let (Some(dataset), Some(anon)) = (told.dataset, told.anon)
        && dataset.gone() >= STANDS_BY
        && anon.before - anon.after < GOES_WITH * (dataset.before - dataset.after)
    {
        let (by_account, by_kernel) = (bytes(dataset.before - dataset.after), bytes(anon.before - anon.after));
        let words =
            format!("by the target's own account a compaction frees {by_account}, and the kernel sees {by_kernel} go");
        clue(&mut clues, 4, words);
    }
    if told.error.is_some() {
        clue(&mut clues, -5, "compactions end with an error, which no fragmentation explains");
    }
    clues
}

/// What both kinds of growth share: whether data or compaction explains it.
fn without_data(shown: &Shown<'_>, clues: &mut Vec<Clue>) {
    let facts = shown.facts;
    if let Some(datasets) = facts.rise("datasets") {
        if datasets.per_cycle > 0.5 {
            let (first, last) = (number(datasets.first), number(datasets.last));
            clue(clues, 1, format!("datasets are left behind, from {first} to {last}: look at who drops them"));
        } else {
            clue(clues, 1, format!("no data explains it: the floors are those of {} datasets", number(datasets.last)));
        }
    }
    match shown.verdict("goroutine_baseline") {
        Some(Verdict::Pass) => clue(clues, 1, "the number of tasks comes back, so that these are not their stacks"),
        Some(Verdict::Fail) => clue(clues, -1, "tasks are left as well, and hold memory of their own"),
        _ => {}
    }
    if let Some(Verdict::Pass) = shown.verdict("compaction_reclaim") {
        clue(clues, 0, "compaction gives back what it should, so that more of it will not help");
    }
}

fn at_rest(facts: &Facts) -> Option<String> {
    let part = facts.at_rest?;
    Some(if part >= GOES_WITH {
        format!(
            "it goes on at rest, at {} of its pace: it goes with time, and not with what is asked for",
            percent(part.min(1.0))
        )
    } else {
        let rise = facts.rise("rss_anon_bytes")?.per_cycle;
        let share = if facts.ingested > 0.0 {
            format!(", {} of what a cycle puts", percent(rise / facts.ingested))
        } else {
            String::new()
        };
        format!(
            "nothing grows at rest: it goes with what is asked for, {} a cycle{share}, as of record batches that are not released or objects that operations keep",
            bytes(rise)
        )
    })
}

fn growth(shown: &Shown<'_>) -> Vec<Clue> {
    let (mut clues, facts) = (Vec::new(), shown.facts);
    let anon = facts.rise("rss_anon_bytes");
    if let (Some(part), Some(heap)) = (facts.part_of_growth("heap_bytes"), facts.rise("heap_bytes"))
        && shown.floors_fail()
    {
        let weight = if part >= GOES_WITH { 4 } else { -4 };
        let words =
            format!("the heap's floors go {}, which is {} of the growth", from_to(heap), percent(part.clamp(0.0, 1.0)));
        clue(&mut clues, weight, words);
    } else if shown.fails("heap_floor") {
        clue(&mut clues, 4, "the floors of the heap rise from cycle to cycle");
    } else if let (true, Some(anon)) = (shown.floors_fail(), anon) {
        clue(&mut clues, 2, format!("anonymous memory goes {}; of the heap nothing is told", from_to(anon)));
    }
    if shown.floors_fail() {
        without_data(shown, &mut clues);
        clues.extend(at_rest(facts).map(|words| Clue { weight: 1, words }));
    } else if let Some(anon) = anon.filter(Rise::rises) {
        let count = anon.count;
        clue(
            &mut clues,
            6,
            format!("each of {count} floors is above the one before, {}; they are too few to be judged", from_to(anon)),
        );
    } else if let Some(anon) = anon.filter(Rise::is_level) {
        clue(&mut clues, -3, format!("floors do not keep rising: they go {}", from_to(anon)));
    }
    if shown.killed_while_data_was_put() == Some(false) {
        clue(&mut clues, 1, "it was killed for memory while no data was put");
    }
    clues
}

fn beside_the_heap(shown: &Shown<'_>) -> Vec<Clue> {
    let (mut clues, facts) = (Vec::new(), shown.facts);
    if let (Some(part), Some(heap), Some(anon)) =
        (facts.part_of_growth("heap_bytes"), facts.rise("heap_bytes"), facts.rise("rss_anon_bytes"))
        && shown.floors_fail()
    {
        let weight = if part < STANDS_BY { 5 } else { -3 };
        let words = format!("anonymous memory goes {}, and the heap {}", from_to(anon), from_to(heap));
        clue(&mut clues, weight, words);
        without_data(shown, &mut clues);
    }
    for (name, what) in [("slab_bytes", "slabs"), ("heap_free_bytes", "heap that is free and not given back")] {
        if let (true, Some(part), Some(rise)) = (shown.floors_fail(), facts.part_of_growth(name), facts.rise(name)) {
            let weight = i32::from(part >= GOES_WITH);
            let words = format!("{what} make up {} of it, {}", percent(part.clamp(0.0, 1.0)), from_to(rise));
            clue(&mut clues, weight, words);
        }
    }
    if shown.fails("unexplained_memory") {
        clue(&mut clues, 3, "the kernel charges memory that no row of the ledger names");
    }
    if shown.floors_fail() {
        clues.extend(at_rest(facts).map(|words| Clue { weight: 1, words }));
    }
    clues
}

fn spikes(shown: &Shown<'_>) -> Vec<Clue> {
    let (mut clues, facts) = (Vec::new(), shown.facts);
    if let Some(finding) = shown.finding("time_to_baseline") {
        let needed = finding.value.map_or_else(|| "too long".to_owned(), seconds);
        match finding.verdict {
            Some(Verdict::Fail) => {
                clue(&mut clues, 5, format!("memory needs {needed} to come down once the data is gone"));
            }
            Some(Verdict::Pass) => {
                clue(&mut clues, -1, format!("memory comes down within {needed} once the data is gone"));
            }
            _ => {}
        }
    }
    if let Some(finding) = shown.finding("peak_per_ingested").filter(|finding| finding.value.is_some()) {
        let weight = if finding.verdict == Some(Verdict::Fail) { 5 } else { 0 };
        let peak = finding.value.unwrap_or_default();
        clue(
            &mut clues,
            weight,
            format!("while indexing, memory rises by {} bytes for a byte of vectors", number(peak)),
        );
    }
    if shown.fails("heap_goal") {
        clue(&mut clues, 4, "the heap's peaks lie above the goal of its collector");
    }
    match shown.verdict("rss_floor") {
        Some(Verdict::Pass) => clue(&mut clues, 1, "the floors do not rise: all of it comes back in the end"),
        Some(Verdict::Fail) => clue(&mut clues, -2, "the floors rise, so that not all of it comes back"),
        _ if facts.rise("rss_anon_bytes").is_some_and(|anon| anon.rises()) => {
            clue(&mut clues, -2, "each floor is above the one before, so that not all of it comes back");
        }
        _ => {}
    }
    if let Some(retired) = facts.retired.filter(|retired| *retired > 0.0) {
        clue(&mut clues, 1, format!("{} were retired and not yet released once the data was gone", bytes(retired)));
    }
    if shown.killed_while_data_was_put() == Some(true) {
        let phase = facts.killed_in.map_or("", soak_record::Phase::words);
        clue(&mut clues, 4, format!("the kernel killed the target for memory during {phase}"));
    }
    clues
}

fn mapped_files(shown: &Shown<'_>) -> Vec<Clue> {
    let mut clues = Vec::new();
    if let Some([file, rss]) = shown.facts.mapped {
        let weight = if is_mapped(file, rss) { 4 } else { -2 };
        let words = format!("mapped files are {} of {} that are resident", bytes(file), bytes(rss));
        clue(&mut clues, weight, words);
    }
    clues
}

/// Whether so much of resident memory is pages of mapped files that somebody would take it for pressure.
pub(crate) fn is_mapped(file: f64, rss: f64) -> bool {
    file >= MAPPED_BYTES && file >= MAPPED_SHARE * rss
}
