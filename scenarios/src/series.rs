//! The canonical series: what the harness calls a quantity, whatever a target calls it.

/// A series that the harness knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesSpec {
    /// The name in records and profiles; the unit comes last.
    pub name: &'static str,
    /// Who reads it.
    pub source: Source,
    /// What it is.
    pub doc: &'static str,
}

/// Who reads a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// `/proc/PID/status` and the target's cgroup.
    Process,
    /// `/proc/PID/smaps_rollup`.
    Smaps,
    /// The target's metrics page, through the profile.
    Metrics,
    /// The harness about itself: its own memory and processor, the ledger's counts.
    Harness,
}

impl Source {
    /// Every source.
    pub const ALL: [Self; 4] = [Self::Process, Self::Smaps, Self::Metrics, Self::Harness];

    /// The name in file names of a record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Smaps => "smaps",
            Self::Metrics => "metrics",
            Self::Harness => "harness",
        }
    }
}

const fn series(name: &'static str, source: Source, doc: &'static str) -> SeriesSpec {
    SeriesSpec { name, source, doc }
}

/// The one that is read of the metrics page without any metric on it.
pub const OF_THE_PAGE: &str = "page_series";

/// Every canonical series.
pub const SERIES: &[SeriesSpec] = &[
    series("rss_bytes", Source::Process, "resident set: anonymous, file and shared memory together"),
    series("rss_anon_bytes", Source::Process, "anonymous resident memory, on which leaks are judged"),
    series("rss_file_bytes", Source::Process, "resident pages of mapped files"),
    series("rss_shmem_bytes", Source::Process, "resident shared memory"),
    series("threads", Source::Process, "threads of the process"),
    series("cpu_seconds_total", Source::Process, "processor time used by the process"),
    series("cgroup_usage_bytes", Source::Process, "memory that the target's own cgroup charges, page cache included"),
    series("cgroup_limit_bytes", Source::Process, "memory limit of the cgroup; absent when there is none"),
    series("cgroup_anon_bytes", Source::Process, "anonymous memory that the cgroup charges"),
    series(
        "cgroup_file_bytes",
        Source::Process,
        "page cache that the cgroup charges, mapped or not, without shared memory",
    ),
    series("cgroup_shmem_bytes", Source::Process, "shared memory and tmpfs that the cgroup charges"),
    series("cgroup_mapped_bytes", Source::Process, "page cache that is mapped by a process"),
    series("cgroup_kernel_bytes", Source::Process, "kernel memory that the cgroup charges"),
    series("cgroup_working_set_bytes", Source::Process, "charge less inactive page cache: what eviction goes by"),
    series("cgroup_limit_hits_total", Source::Process, "times that the charge met the limit"),
    series("cgroup_oom_kills_total", Source::Process, "processes of the cgroup that the kernel killed for memory"),
    series("cgroup_throttled_seconds_total", Source::Process, "time for which the cgroup was denied a processor"),
    series(
        "memory_pressure_seconds_total",
        Source::Process,
        "time for which some task waited for memory, of the cgroup where the kernel tells, else of the host",
    ),
    series("pss_bytes", Source::Smaps, "proportional set size"),
    series("lazy_free_bytes", Source::Smaps, "memory given back that the kernel has not yet taken"),
    series("heap_bytes", Source::Metrics, "heap in use: allocated and not freed"),
    series("heap_objects_bytes", Source::Metrics, "heap objects, live or not yet collected"),
    series("heap_unused_bytes", Source::Metrics, "heap that is reserved for objects and holds none"),
    series("heap_free_bytes", Source::Metrics, "heap that is free and not yet returned to the system"),
    series("runtime_bytes", Source::Metrics, "all memory that the runtime has mapped"),
    series("released_bytes", Source::Metrics, "part of the mapped memory that was returned to the system"),
    series("gc_roots_stack_bytes", Source::Metrics, "stacks that the collector scans"),
    series("gc_roots_globals_bytes", Source::Metrics, "globals that the collector scans"),
    series("retired_bytes", Source::Metrics, "memory no longer live that the collector has not yet released"),
    series("dataset_bytes", Source::Metrics, "memory that the target accounts to its datasets"),
    series("tombstone_bytes", Source::Metrics, "memory of deleted rows that a compaction could reclaim"),
    series("graph_bytes", Source::Metrics, "memory of the index graphs"),
    series("graph_layers", Source::Metrics, "layers of the highest index graph"),
    series("slab_fragmentation_share", Source::Metrics, "share of what slabs hold that is dead"),
    series("slab_bytes", Source::Metrics, "slabs held from the system"),
    series("datasets", Source::Metrics, "number of datasets"),
    series("live_vectors", Source::Metrics, "rows that are not deleted"),
    series("indexed_vectors", Source::Metrics, "rows in the index"),
    series("goroutines", Source::Metrics, "goroutines or tasks"),
    series("gc_cycles_total", Source::Metrics, "collections"),
    series("gc_pause_seconds_total", Source::Metrics, "time in collection pauses"),
    series("gc_pause_max_seconds", Source::Metrics, "the longest of the last collection pauses"),
    series("gogc_percent", Source::Metrics, "effective GOGC"),
    series("gomemlimit_bytes", Source::Metrics, "effective GOMEMLIMIT"),
    series("compactions_total", Source::Metrics, "compactions begun"),
    series("compaction_errors_total", Source::Metrics, "compactions that failed"),
    series(
        "compactions_skipped_total",
        Source::Metrics,
        "compactions that ended well and rewrote nothing, because nothing could go",
    ),
    series("put_rows_total", Source::Metrics, "rows received in put messages"),
    series("put_messages_total", Source::Metrics, "put messages received"),
    series("heap_goal_bytes", Source::Metrics, "heap at which the next collection starts"),
    series("dataset_max_bytes", Source::Metrics, "memory of the largest dataset"),
    series("cache_bytes", Source::Metrics, "what the target's cache holds"),
    series("pending_items", Source::Metrics, "transactions or jobs that wait"),
    series("connections", Source::Metrics, "open connections of clients"),
    series(OF_THE_PAGE, Source::Metrics, "series on the target's own metrics page"),
    series("host_memory_bytes", Source::Harness, "memory of the machine"),
    series("host_available_bytes", Source::Harness, "memory of the machine that programs could still have"),
    series("harness_rss_bytes", Source::Harness, "resident set of the harness"),
    series("harness_cpu_share", Source::Harness, "processor share of the harness, 1 is one core"),
    series("acked_vectors_total", Source::Harness, "rows put and acknowledged"),
    series("ledger_live_vectors", Source::Harness, "rows that should be live"),
    series("in_flight", Source::Harness, "operations in flight"),
];

/// Whether a target can have this value of a series: a size, a number or a time is finite and not below 0. GOGC is -1 where it is off.
pub fn is_possible(name: &str, value: f64) -> bool {
    value.is_finite() && (value >= 0.0 || name == "gogc_percent")
}

/// The series of this name.
pub fn find(name: &str) -> Option<&'static SeriesSpec> {
    SERIES.iter().find(|spec| spec.name == name)
}
