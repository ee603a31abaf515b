//! Every remedy of both runbooks.

use super::{Ask, Knob, Means, Remedy};
use crate::runbook::Case;

use Case::{FailedCompaction, Goroutines, Growth, GutsConnections, GutsLeak, GutsUndersized, HighRss, Spikes};

const SCENARIO_1: &str = "Scenario 1: Memory Usage Keeps Growing";
const SCENARIO_2: &str = "Scenario 2: Memory Spikes During Indexing";
const SCENARIO_4: &str = "Scenario 4: Goroutine Leaks";
const FIRST: &str = "First Response Actions";

const fn remedy(
    name: &'static str,
    cases: &'static [Case],
    section: &'static str,
    written: &'static str,
    means: Means,
) -> Remedy {
    Remedy { name, cases, section, written, means }
}

/// Every remedy, in the order of the runbooks: those for the cases first, then the first responses to any.
pub const REMEDIES: &[Remedy] = &[
    remedy(
        "compaction_enabled",
        &[Growth, FailedCompaction],
        SCENARIO_1,
        "compaction_enabled: true",
        Means::Variable { ending: "COMPACTION_ENABLED", value: "true" },
    ),
    remedy(
        "compaction_threshold",
        &[Growth, FailedCompaction],
        SCENARIO_1,
        "compaction_threshold: 0.3  # Compact when >30% fragmentation",
        Means::Variable { ending: "COMPACTION_THRESHOLD", value: "0.3" },
    ),
    remedy(
        "gogc_10",
        &[Growth, Spikes],
        SCENARIO_1,
        "GOGC_aggressive: 10  # Trigger GC more frequently",
        Means::Knob(Knob::Gogc(10)),
    ),
    remedy(
        "vacuum",
        &[Growth, Spikes, HighRss],
        SCENARIO_1,
        "curl -X POST localhost:8080/admin/vacuum",
        Means::Ask(Ask::Vacuum),
    ),
    remedy(
        "batch_500",
        &[Spikes],
        SCENARIO_2,
        "import_batch_size: 500  # Instead of 4096",
        Means::Knob(Knob::BatchRows(500)),
    ),
    remedy(
        "compaction_interval_30s",
        &[Growth, Spikes, FailedCompaction],
        SCENARIO_2,
        "compaction_interval: 30s  # Compact more frequently during import",
        Means::Knob(Knob::CompactionInterval(30)),
    ),
    remedy(
        "hnsw_m_32",
        &[Spikes],
        SCENARIO_2,
        "hnsw_max_connections: 32  # Limit neighbor connections",
        Means::Knob(Knob::HnswM(32)),
    ),
    remedy(
        "compact",
        &[HighRss, FailedCompaction],
        "Scenario 3: High RSS But Low Memory Usage",
        "curl -X POST localhost:8080/admin/compact",
        Means::Ask(Ask::Compact),
    ),
    remedy(
        "compaction_stop",
        &[Goroutines],
        SCENARIO_4,
        "curl -X POST localhost:8080/admin/compaction/stop",
        Means::Print {
            lines: "curl -X POST {http}/admin/compaction/stop",
            why: "a store that does not compact any more is not what the run is about; the runbook only looks whether its worker answers",
        },
    ),
    remedy(
        "restart",
        &[Goroutines, Growth, HighRss, FailedCompaction],
        SCENARIO_4,
        "kubectl rollout restart <deployment>",
        Means::Restart,
    ),
    remedy(
        "compact_all",
        &[HighRss, FailedCompaction],
        FIRST,
        "curl -X POST localhost:8080/admin/compact-all",
        Means::Ask(Ask::CompactAll),
    ),
    remedy(
        "raise_limit",
        &[Growth, Spikes, HighRss],
        FIRST,
        r#"kubectl patch deployment -p '{"spec":{"template":{"spec":{"containers":[{"name":"longbow","resources":{"limits":{"memory":"<new-limit>"}}}}}}'"#,
        Means::Limit,
    ),
    remedy("stop_ingestion", &[Growth, Spikes], FIRST, "kubectl scale deployment --replicas=0", Means::StopLoad),
    remedy(
        "guts_restart",
        &[GutsLeak, GutsConnections, GutsUndersized],
        "Option A: Restart Node (Quick Fix)",
        "sudo systemctl restart guts-node",
        Means::Restart,
    ),
    remedy(
        "guts_cache_size",
        &[GutsLeak, GutsUndersized],
        "Option B: Reduce Cache Size",
        "max_size: 134217728  # Reduce to 128MB from 256MB",
        Means::Settings(&[("storage.cache.max_size", "134217728")]),
    ),
    remedy(
        "guts_connections",
        &[GutsConnections, GutsUndersized],
        "Option C: Limit Concurrent Connections",
        "max_connections: 1000  # Reduce from unlimited\nmax_peers: 25  # Reduce from 50",
        Means::Settings(&[("api.max_connections", "1000"), ("p2p.max_peers", "25")]),
    ),
    remedy(
        "guts_rocksdb",
        &[GutsLeak, GutsUndersized],
        "Option D: Tune RocksDB Memory",
        "block_cache_size: 268435456  # 256MB\nwrite_buffer_size: 33554432  # 32MB\nmax_write_buffer_number: 2",
        Means::Settings(&[
            ("storage.rocksdb.block_cache_size", "268435456"),
            ("storage.rocksdb.write_buffer_size", "33554432"),
            ("storage.rocksdb.max_write_buffer_number", "2"),
        ]),
    ),
    remedy(
        "drop_caches",
        &[GutsLeak, GutsUndersized],
        "Option E: Clear Memory Caches",
        "sync; echo 3 > /proc/sys/vm/drop_caches",
        Means::Print {
            lines: "sync; echo 3 > /proc/sys/vm/drop_caches",
            why: "it empties the caches of the whole machine, and frees nothing that the node holds",
        },
    ),
    remedy(
        "guts_cache_clear",
        &[GutsLeak, GutsUndersized],
        "Option E: Clear Memory Caches",
        "guts-node cache clear",
        Means::Ask(Ask::ClearCache),
    ),
    remedy(
        "guts_add_memory",
        &[GutsUndersized],
        "Option F: Add Memory (If Undersized)",
        "sudo systemctl edit guts-node\n[Service]\nMemoryMax=64G",
        Means::Limit,
    ),
    remedy(
        "guts_oom_score",
        &[GutsUndersized],
        "Configure OOM Handling",
        "echo -500 > /proc/$(pgrep guts-node)/oom_score_adj",
        Means::OomScore(-500),
    ),
];
