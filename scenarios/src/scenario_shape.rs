//! Every section and key of a scenario file: the one place to add a field.

use std::sync::LazyLock;

use crate::criterion::{Bounds, CRITERIA, CriterionSpec, Unit};
use crate::fault_shape;
use crate::misbehave::{BadCompaction, HeldLock};
use crate::plan::{Clear, Distribution, IdType};
use crate::shape::{Field, Keys, Kind, Presence, Quantity, TextRule, optional, required, section, with_default};
use crate::units::{Bytes, Span};

/// The smallest kernel limit that a target could boot under.
pub const MEMORY_LIMIT_MIN: Bytes = Bytes::mib(16);
/// Sampling faster than this would measure the sampler.
const SAMPLING_MIN: Span = Span(std::time::Duration::from_millis(10));
/// A call or a boot that is given less than this fails on any machine.
const DEADLINE_MIN: Span = Span(std::time::Duration::from_millis(100));
/// The axes of the matrix, in the order in which they vary, slowest first.
pub(crate) const AXES: [&str; 9] = [
    "dim",
    "batch_rows",
    "gogc",
    "gomemlimit",
    "memory_limit",
    "hnsw_m",
    "ef_construction",
    "compaction_interval",
    "query_rate",
];

/// The axes that a target is told of; the last is the load's alone.
pub(crate) fn axes_of_the_target() -> &'static [&'static str] {
    &AXES[..AXES.len() - 1]
}

/// The keys of a scenario file.
pub(crate) fn scenario() -> &'static Kind {
    static SHAPE: LazyLock<Kind> = LazyLock::new(|| Kind::Section(root()));
    &SHAPE
}

fn root() -> Vec<Field> {
    vec![
        required("name", Kind::Text(TextRule::Name), "name in reports and on the command line"),
        required("title", Kind::Text(TextRule::NotEmpty), "one line for people"),
        optional("pace", Kind::Paces(paces()), "the pace unless `--pace` says otherwise, and what each pace changes"),
        with_default(
            "seed",
            Kind::Integer { min: 0, max: i64::MAX },
            "1",
            "seed of everything random, unless `--seed` says otherwise",
        ),
        optional(
            "control",
            Kind::Flag,
            "one more variant leaks on purpose, two to four tolerances a cycle, to show that the run can see it; unless said otherwise at every pace but quick",
        ),
        optional(
            "positive_control",
            Kind::Section(positive_control()),
            "what this scenario is there to see: at the same paces one more variant has it on purpose, and a criterion that does not see it loses its passes",
        ),
        optional("runbook", Kind::Section(runbook()), "the runbook section that the scenario rehearses"),
        section("target", target(), "what is tested"),
        section("matrix", matrix(), "the variants: every combination of the lists, less `exclude`, plus `include`"),
        section("workload", workload(), "what the target is loaded with in each cycle"),
        section("cycle", cycle(), "how one variant's run is cut into cycles and windows"),
        section("sampling", sampling(), "how often series are read"),
        section("deadlines", deadlines(), "how long any one thing may take"),
        section(
            "calibration",
            calibration(),
            "what is fitted to the server by one cycle before the run, besides limits written as a share of the peak",
        ),
        fault_shape::faults(),
        fault_shape::chaos(),
        fault_shape::stop(),
        section(
            "criteria",
            CRITERIA.iter().map(criterion).collect(),
            "thresholds; a criterion that is absent is shown but not judged",
        ),
    ]
}

fn runbook() -> Vec<Field> {
    vec![
        required("runbook", Kind::Text(TextRule::NotEmpty), "the runbook's title"),
        required("section", Kind::Text(TextRule::NotEmpty), "the heading inside it"),
    ]
}

fn positive_control() -> Vec<Field> {
    // No fault is injected into such a variant, and its settings are those of the others.
    let of_faults = |id: &str| {
        id.starts_with("fault_") || ["first_answer", "acknowledged_data", "unverified_settings"].contains(&id)
    };
    let seen = CRITERIA.iter().map(|criterion| criterion.id).filter(|id| !of_faults(id));
    let criteria = Kind::Choice(seen.collect());
    vec![
        section("misbehave", misbehave(), "what the target is told to do wrong, as in `target.misbehave`"),
        optional(
            "leave_rows",
            Kind::Quantity(Quantity::Share),
            "share of a cycle's rows that the load leaves behind, for targets that cannot be told to leak",
        ),
        optional(
            "leave_connections",
            Kind::Integer { min: 1, max: 10_000 },
            "connections that the load opens in each cycle and never closes, likewise",
        ),
        required("seen_by", Kind::List(Box::new(criteria)), "the criteria that have to see it"),
    ]
}

fn misbehave() -> Vec<Field> {
    let rate = Kind::Quantity(Quantity::ByteRate);
    let bad = Kind::Choice(BadCompaction::ALL.iter().map(|bad| bad.name()).collect());
    vec![
        optional("heap_leak", rate.clone(), "heap memory that is allocated, touched and never freed"),
        optional("task_leak", Kind::Quantity(Quantity::Rate), "tasks that are started and never end"),
        optional(
            "leaked_goroutines",
            Kind::Quantity(Quantity::Rate),
            "goroutines that wait for ever on a channel that nothing else holds; of stores on the Go runtime",
        ),
        optional("compaction", bad, "what compaction does instead of its work"),
        optional(
            "retain_batches",
            Kind::Quantity(Quantity::Share),
            "share of each decoded record batch that is kept for ever",
        ),
        with_default("fragment", Kind::Flag, "false", "compaction leaves live data pinned between the dead"),
        optional("mapped_file", Kind::Quantity(Quantity::Bytes), "size of a file that is mapped and touched"),
        optional("slow_release", rate.clone(), "retired memory goes back to the system no faster than this"),
        optional("offheap_leak", rate, "memory mapped beside the heap, touched and never unmapped"),
        optional(
            "cache_fill",
            Kind::Quantity(Quantity::Bytes),
            "a cache keeps a tenth of each ingested batch until it holds this much: a plateau, not a leak",
        ),
        optional(
            "step",
            Kind::Quantity(Quantity::Bytes),
            "kept once, when the fourth dataset is made: a step, not a leak",
        ),
        optional(
            "series_leak",
            Kind::Quantity(Quantity::Rate),
            "new values of a label of the metrics page, each of which is a series that stays",
        ),
        optional(
            "connection_leak",
            Kind::Quantity(Quantity::Share),
            "share of the connections that are kept once their clients have closed them",
        ),
        optional(
            "held_lock",
            Kind::Choice(HeldLock::ALL.iter().map(|operation| operation.name()).collect()),
            "the operation that waits for a lock that never opens, once fifty of its kind have been served",
        ),
    ]
}

fn target() -> Vec<Field> {
    let doc = "how to talk to the target: a built-in profile, or a path to a profile's file";
    vec![
        with_default("profile", Kind::Text(TextRule::NotEmpty), "\"reference\"", doc),
        section("container", container(), "how its containers are run, over what the profile says"),
        with_default(
            "durable",
            Kind::Flag,
            "false",
            "it is given a folder to keep its data in (`{data_dir}` of the profile), so that the data outlives a kill",
        ),
        optional(
            "data_volume",
            Kind::Quantity(Quantity::Bytes),
            "size of that folder: a volume of its own in memory, which can be full without filling a disk; as root",
        ),
        with_default(
            "permit_faults",
            Kind::Flag,
            "false",
            "faults may be injected into a target that was running already (`attach:`)",
        ),
        section("misbehave", misbehave(), "faults of its own that the target is asked to have; none in a healthy run"),
    ]
}

fn container() -> Vec<Field> {
    let text = || Kind::Text(TextRule::NotEmpty);
    vec![
        optional("image", text(), "the image's name and tag; then the target is a container"),
        optional("build", text(), "a folder with a `Dockerfile`, from which the image is built first"),
        optional("cpus", Kind::Number, "processors it may use, such as 1.5"),
        optional(
            "cpuset",
            Kind::Text(TextRule::Processors),
            "processors it is pinned to, such as \"0\"; the harness keeps to the others",
        ),
        with_default("replicas", Kind::Integer { min: 1, max: 16 }, "1", "containers that share the load"),
    ]
}

/// Name, kind of one value, default list and meaning of each axis.
fn axes() -> [(&'static str, Kind, &'static str, &'static str); 9] {
    let integer = |min, max| Kind::Integer { min, max };
    let size = |at_least| Kind::Quantity(Quantity::Limit { at_least });
    [
        ("dim", integer(1, 65536), "[128]", "components of a vector"),
        ("batch_rows", integer(1, 1_000_000), "[500]", "rows of one Flight message"),
        ("gogc", Kind::Quantity(Quantity::Gogc), "[100]", "Go's collector setting"),
        ("gomemlimit", size(Bytes::mib(1)), "[\"off\"]", "Go's soft memory limit"),
        (
            "memory_limit",
            size(MEMORY_LIMIT_MIN),
            "[\"off\"]",
            "the kernel's limit for the target; `\"150% of peak\"` is measured before the run",
        ),
        ("hnsw_m", integer(2, 255), "[32]", "neighbours of a graph node (`hnsw_max_connections`)"),
        ("ef_construction", integer(1, 100_000), "[200]", "candidates while a node is inserted"),
        (
            "compaction_interval",
            Kind::Quantity(Quantity::Interval),
            "[\"off\"]",
            "how often the target compacts by itself",
        ),
        (
            "query_rate",
            Kind::Quantity(Quantity::QueryRate),
            "[\"planned\"]",
            "operations of the query phase, evenly; \"planned\" is what `workload.query.schedule` says",
        ),
    ]
}

fn matrix() -> Vec<Field> {
    let point = || axes().into_iter().map(|(name, kind, _, doc)| optional(name, kind, doc)).collect();
    let mut fields: Vec<Field> = axes()
        .into_iter()
        .map(|(name, kind, default, doc)| with_default(name, Kind::List(Box::new(kind)), default, doc))
        .collect();
    let points = Kind::List(Box::new(Kind::Section(point())));
    fields.push(with_default(
        "exclude",
        points.clone(),
        "[]",
        "combinations to leave out: every one that matches all keys of an entry",
    ));
    let doc = "points to add; an axis that an entry does not name takes the first value of its list";
    fields.push(with_default("include", points, "[]", doc));
    fields
}

fn schedule(default: &'static str, doc: &'static str) -> Field {
    let rate = || Kind::Quantity(Quantity::Rate);
    let above_zero = || Kind::Quantity(Quantity::Span { at_least: Span(std::time::Duration::from_millis(1)) });
    let ramp = vec![required("from", rate(), "rate at the start"), required("to", rate(), "rate at the end")];
    let step = vec![
        required("from", rate(), "rate before"),
        required("to", rate(), "rate after"),
        required("at", above_zero(), "when it changes, from the start of the phase"),
    ];
    let burst = vec![
        required("base", rate(), "rate between bursts"),
        required("peak", rate(), "rate within a burst"),
        required("every", above_zero(), "start to start"),
        required("length", above_zero(), "length of a burst"),
    ];
    let variants = vec![
        optional("constant", rate(), "evenly spaced"),
        optional("ramp", Kind::Section(ramp), "from one rate to another over the phase"),
        optional("step", Kind::Section(step), "one rate, then another"),
        optional("burst", Kind::Section(burst), "a base rate with bursts"),
    ];
    with_default("schedule", Kind::Tagged { words: vec!["all"], variants }, default, doc)
}

fn workload() -> Vec<Field> {
    let weight = || Kind::Integer { min: 0, max: 1_000_000 };
    let ingest = vec![
        schedule("\"all\"", "when batches are sent; rates count batches"),
        with_default("streams", Kind::Integer { min: 1, max: 64 }, "1", "how many streams at once"),
        with_default(
            "upserts",
            Kind::Quantity(Quantity::Share),
            "\"0%\"",
            "share of the rows that are put again under the same id",
        ),
    ];
    let mix = vec![
        with_default("search", weight(), "1", "weight of nearest-neighbour searches"),
        with_default("upsert", weight(), "0", "weight of puts of one row under a live id"),
        with_default("delete", weight(), "0", "weight of deletes of a live row"),
    ];
    let query = vec![
        schedule("{ constant = \"100/s\" }", "when operations start, whether or not earlier ones have ended"),
        with_default("duration", Kind::Quantity(Quantity::ANY_SPAN), "\"5s\"", "length of the phase"),
        with_default("k", Kind::Integer { min: 1, max: 10_000 }, "10", "neighbours asked for"),
        with_default(
            "in_flight",
            Kind::Integer { min: 1, max: 4096 },
            "32",
            "operations in flight at once, at most; what finds no place is counted",
        ),
        section("mix", mix, "weights of the operations"),
    ];
    let distributions = Kind::Choice(Distribution::ALL.iter().map(|one| one.name()).collect());
    let ids = Kind::Choice(IdType::ALL.iter().map(|one| one.name()).collect());
    let rows = Kind::ByDimension { min: 1, max: 1_000_000_000 };
    vec![
        with_default("distribution", distributions, "\"clustered\"", "where the vectors lie"),
        with_default("ids", ids, "\"int64\"", "type of the id column"),
        with_default("vectors_per_cycle", rows, "4096", "rows put in one cycle; a table gives it by dimension"),
        section("ingest", ingest, "the ingest phase"),
        section("query", query, "the query phase: a mix of operations in an open model"),
        with_default(
            "delete",
            Kind::Quantity(Quantity::Share),
            "\"28%\"",
            "share of a cycle's rows that are deleted before compaction",
        ),
        with_default(
            "clear",
            Kind::Choice(Clear::ALL.iter().map(|one| one.name()).collect()),
            "\"dataset\"",
            "how a cycle empties the store: by dropping the dataset, or by deleting every row that is left and compacting",
        ),
        with_default(
            "same_names",
            Kind::Flag,
            "false",
            "every cycle puts the ids and names of the first again; else none is ever used twice",
        ),
        with_default(
            "connections",
            Kind::Integer { min: 1, max: 4096 },
            "64",
            "connections at once, at most, to a target that speaks HTTP",
        ),
        with_default("keep_alive", Kind::Flag, "true", "whether such a connection serves more than one request"),
    ]
}

fn cycle() -> Vec<Field> {
    let span = || Kind::Quantity(Quantity::ANY_SPAN);
    let window = Kind::Quantity(Quantity::Span { at_least: DEADLINE_MIN });
    vec![
        with_default("count", Kind::Integer { min: 1, max: 100_000 }, "8", "cycles, the warm-up included"),
        optional(
            "at_most",
            Kind::Integer { min: 1, max: 100_000 },
            "where the floors are still filling after `count`, cycles go on until they have ended, up to so many; unless said otherwise `count`",
        ),
        with_default("warm_up", Kind::Integer { min: 1, max: 1000 }, "1", "cycles at the start that are not counted"),
        with_default("window", window, "\"12s\"", "length of the window whose median is a floor"),
        with_default(
            "settle_at_most",
            span(),
            "\"30s\"",
            "a window starts when the series has settled, or after this long",
        ),
        with_default("cold_idle", span(), "\"12s\"", "idle window before the first cycle"),
        with_default("idle", span(), "\"12s\"", "idle window after the warm-up, with every connection closed"),
        with_default("drain_at_most", span(), "\"60s\"", "how long tasks may take to drain after the last cycle"),
    ]
}

fn sampling() -> Vec<Field> {
    let period = || Kind::Quantity(Quantity::Span { at_least: SAMPLING_MIN });
    vec![
        with_default("process", period(), "\"1s\"", "period of `/proc/PID/status` and the cgroup"),
        with_default("metrics", period(), "\"1s\"", "period of the target's metrics page"),
        with_default("smaps", period(), "\"60s\"", "period of `/proc/PID/smaps_rollup`, which walks the page tables"),
    ]
}

fn deadlines() -> Vec<Field> {
    let deadline = || Kind::Quantity(Quantity::Span { at_least: DEADLINE_MIN });
    vec![
        with_default("boot", deadline(), "\"30s\"", "from start to the first answer"),
        with_default("call", deadline(), "\"30s\"", "one call"),
        with_default(
            "index",
            deadline(),
            "\"5min\"",
            "from the last acknowledgement until all is indexed; also one compaction",
        ),
        with_default(
            "phase",
            deadline(),
            "\"10min\"",
            "the load of one phase: an ingest (on top of its schedule), the deletes, the clearing of a cycle",
        ),
    ]
}

fn calibration() -> Vec<Field> {
    let cycle = Kind::Quantity(Quantity::Span { at_least: DEADLINE_MIN });
    vec![
        optional(
            "index_times",
            Kind::Integer { min: 2, max: 1000 },
            "`deadlines.index` becomes so many times what indexing and compaction took; at least `deadlines.call`, at most what it says",
        ),
        optional(
            "cycle_at_most",
            cycle,
            "the rows of a cycle are halved until its ingest, indexing, deletes and compaction take about so long; at most what `workload.vectors_per_cycle` says",
        ),
        with_default(
            "rows_at_least",
            Kind::Integer { min: 1, max: 1_000_000_000 },
            "512",
            "rows that a cycle keeps whatever `cycle_at_most` says",
        ),
    ]
}

fn criterion(spec: &CriterionSpec) -> Field {
    let value = || match spec.unit {
        Unit::BytesPerCycle => Kind::Measure(Quantity::BytesPerCycle),
        Unit::BytesPerSecond => Kind::Measure(Quantity::BytesOverTime),
        Unit::Share => Kind::Measure(Quantity::Share),
        Unit::Seconds => Kind::Measure(Quantity::ANY_SPAN),
        Unit::Bytes => Kind::Measure(Quantity::Bytes),
        Unit::Count | Unit::Ratio => Kind::Number,
    };
    let at_most = optional("at_most", value(), "greater fails");
    let fields = match spec.bounds {
        Bounds::AtMost => vec![at_most],
        Bounds::AtMostOfIngested => {
            let doc = "the tolerance is never under this share of the bytes ingested in a cycle";
            vec![at_most, optional("at_most_of_ingested", Kind::Measure(Quantity::Share), doc)]
        }
        Bounds::AtLeast => {
            vec![
                optional("at_least", value(), "less fails"),
                optional("at_most", value(), "greater is noted, and does not fail"),
            ]
        }
    };
    optional(spec.id, Kind::Section(fields), spec.doc)
}

/// What a pace may change: the same keys, without their defaults. Not the criteria: they are the same at every pace.
fn paces() -> Vec<Field> {
    let overrides = || {
        let sections = [
            section("matrix", matrix(), "axes to replace, and `exclude` and `include`"),
            section("workload", workload(), "changes to the workload"),
            section("cycle", cycle(), "changes to the cycles"),
            section("sampling", sampling(), "changes to the sampling"),
            section("deadlines", deadlines(), "changes to the deadlines"),
            section("calibration", calibration(), "changes to the calibration"),
            fault_shape::faults(),
            fault_shape::chaos(),
            fault_shape::stop(),
        ];
        Kind::Section(sections.into_iter().map(partial).collect())
    };
    let names = crate::plan::Pace::ALL.iter().map(|pace| pace.name()).collect();
    vec![
        with_default("default", Kind::Choice(names), "\"quick\"", "the pace unless `--pace` says otherwise"),
        optional("quick", overrides(), "what a demonstration changes: at most four minutes"),
        optional("gate", overrides(), "what continuous integration changes: at most thirty minutes"),
        optional("soak", overrides(), "what a soak changes: hours"),
    ]
}

/// The same field where an absent key means "as in the rest of the file".
fn partial(mut field: Field) -> Field {
    if field.presence != Presence::Required {
        field.presence = Presence::Optional;
    }
    field.kind = match field.kind {
        Kind::Section(fields) => Kind::Section(fields.into_iter().map(partial).collect()),
        Kind::Map { keys: Keys::Names, values } => {
            let named = partial(optional("", *values, ""));
            Kind::Map { keys: Keys::Names, values: Box::new(named.kind) }
        }
        other => other,
    };
    field
}
