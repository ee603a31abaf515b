//! Commands, settings and checks of the runbook for Longbow.

use crate::runbook::{Case, Covered, Runbook, Step};

const fn step(section: &'static str, written: &'static str, covered: Covered) -> Step {
    Step { runbook: Runbook::Longbow, section, written, covered }
}

pub(in crate::runbook) const STEPS: &[Step] = &[
    step(
        "High Memory Usage Troubleshooting Runbook",
        "step-by-step guidance",
        Covered::HumanOnly("it says what the document is for"),
    ),
    step(
        "1. Verify Memory Pressure is Real",
        r#"kubectl top <pod-name> -c "echo 'Memory Usage:'""#,
        Covered::Command("soak diag"),
    ),
    step("1. Verify Memory Pressure is Real", "(check with `pmap`)", Covered::Command("soak diag")),
    step(
        "2. Check for Leaky Datasets",
        r#"curl -s localhost:8080/metrics | grep -E "longbow_dataset_memory_bytes|longbow_total_datasets""#,
        Covered::Command("soak diag"),
    ),
    step(
        "3. Check Goroutine Count",
        r#"curl -s localhost:8080/metrics | grep "go_goroutines""#,
        Covered::Criterion(&["goroutine_baseline"]),
    ),
    step("4. Review Recent Deployment Changes", "kubectl rollout history", Covered::Command("soak diag")),
    step(
        "Step 1: Identify Memory Hotspots",
        "Collect 30-second CPU and memory profile\ncurl -s localhost:8080/debug/pprof/profile?seconds=30 -o mem.pprof",
        Covered::Command("soak diag"),
    ),
    step(
        "Step 1: Identify Memory Hotspots",
        "go tool pprof -http :8080/ localhost:8080/debug/pprof/profile -top",
        Covered::Command("soak diag"),
    ),
    step(
        "Step 2: Check Compaction Status",
        r#"curl -s localhost:8080/metrics | grep -E "compaction_duration_seconds|compaction_operations_total""#,
        Covered::Command("soak diag"),
    ),
    step(
        "Step 3: Verify GC Behavior",
        r#"curl -s localhost:8080/metrics | grep -E "go_gc_duration_seconds|go_goroutines""#,
        Covered::Command("soak diag"),
    ),
    step(
        "Step 4: Examine HNSW Graph Health",
        r#"curl -s localhost:8080/metrics | grep -E "hnsw_|graph_""#,
        Covered::Command("soak diag"),
    ),
    step(
        "Scenario 1: Memory Usage Keeps Growing",
        "Check for goroutine leaks (see Goroutine Leaks scenario)",
        Covered::Criterion(&["goroutine_baseline"]),
    ),
    step(
        "Scenario 1: Memory Usage Keeps Growing",
        "Verify compaction is running",
        Covered::Guidance(Case::FailedCompaction),
    ),
    step(
        "Scenario 1: Memory Usage Keeps Growing",
        "Check if arena memory is being released",
        Covered::Criterion(&["compaction_reclaim", "time_to_baseline"]),
    ),
    step("Scenario 1: Memory Usage Keeps Growing", "compaction_enabled: true", Covered::Remedy("compaction_enabled")),
    step(
        "Scenario 1: Memory Usage Keeps Growing",
        "compaction_threshold: 0.3  # Compact when >30% fragmentation",
        Covered::Remedy("compaction_threshold"),
    ),
    step(
        "Scenario 1: Memory Usage Keeps Growing",
        "GOGC_aggressive: 10  # Trigger GC more frequently",
        Covered::Scenario("scenario2"),
    ),
    step(
        "Scenario 1: Memory Usage Keeps Growing",
        "curl -X POST localhost:8080/admin/vacuum",
        Covered::Remedy("vacuum"),
    ),
    step(
        "Scenario 2: Memory Spikes During Indexing",
        "Review batch size and dimensions",
        Covered::Scenario("scenario2"),
    ),
    step(
        "Scenario 2: Memory Spikes During Indexing",
        "Verify SlabArena is releasing unused memory",
        Covered::Criterion(&["time_to_baseline"]),
    ),
    step(
        "Scenario 2: Memory Spikes During Indexing",
        "import_batch_size: 500  # Instead of 4096",
        Covered::Scenario("scenario2"),
    ),
    step(
        "Scenario 2: Memory Spikes During Indexing",
        "compaction_interval: 30s  # Compact more frequently during import",
        Covered::Scenario("scenario2"),
    ),
    step(
        "Scenario 2: Memory Spikes During Indexing",
        "hnsw_max_connections: 32  # Limit neighbor connections",
        Covered::Scenario("scenario2"),
    ),
    step(
        "Scenario 3: High RSS But Low Memory Usage",
        "Check for memory-mapped file descriptors",
        Covered::Command("soak diag"),
    ),
    step(
        "Scenario 3: High RSS But Low Memory Usage",
        "Verify Arrow RecordBatches are properly released",
        Covered::Criterion(&["rss_floor", "heap_floor"]),
    ),
    step("Scenario 3: High RSS But Low Memory Usage", "Check for slab fragmentation", Covered::Guidance(Case::HighRss)),
    step(
        "Scenario 3: High RSS But Low Memory Usage",
        r#"ls -la /proc/<pid>/fd | grep "mem""#,
        Covered::Command("soak diag"),
    ),
    step(
        "Scenario 3: High RSS But Low Memory Usage",
        "curl -X POST localhost:8080/admin/compact",
        Covered::Fault("force_compaction"),
    ),
    step(
        "Scenario 3: High RSS But Low Memory Usage",
        r#"curl -s localhost:8080/metrics | grep "slab_pool""#,
        Covered::Command("soak diag"),
    ),
    step(
        "Scenario 4: Goroutine Leaks",
        "curl localhost:8080/debug/pprof/goroutine?debug=2",
        Covered::Criterion(&["goroutine_baseline"]),
    ),
    step(
        "Scenario 4: Goroutine Leaks",
        r#"grep -E "insert|index|repair" goroutine dump.txt"#,
        Covered::Criterion(&["goroutine_baseline"]),
    ),
    step(
        "Scenario 4: Goroutine Leaks",
        "curl -X POST localhost:8080/admin/compaction/stop",
        Covered::Printed("compaction_stop"),
    ),
    step("Scenario 4: Goroutine Leaks", "kubectl rollout restart <deployment>", Covered::Fault("restart")),
    step("Scenario 4: Goroutine Leaks", "curl -X POST localhost:8080/admin/test/leak", Covered::Fault("leak_tasks")),
    step("Scenario 5: Failed Compaction", "Check compaction worker logs", Covered::Command("soak diag")),
    step(
        "Scenario 5: Failed Compaction",
        "Verify arena compaction is triggered",
        Covered::Guidance(Case::FailedCompaction),
    ),
    step(
        "Scenario 5: Failed Compaction",
        "Check HNSW graph compaction status",
        Covered::Criterion(&["node_overhead", "compaction_reclaim"]),
    ),
    step(
        "Scenario 5: Failed Compaction",
        "curl -s localhost:8080/metrics | grep compaction_events_total",
        Covered::Command("soak diag"),
    ),
    step(
        "Scenario 5: Failed Compaction",
        "curl -X POST localhost:8080/admin/compact",
        Covered::Fault("force_compaction"),
    ),
    step(
        "Scenario 5: Failed Compaction",
        "kubectl logs <pod-name> --tail=100 | grep compaction",
        Covered::Command("soak diag"),
    ),
    step(
        "SlabArena Memory Management",
        "fixed-size chunks (1MB default, configurable)",
        Covered::HumanOnly("it explains how slabs work, and asks for nothing"),
    ),
    step(
        "SlabArena Memory Management",
        "appended sequentially to current slab",
        Covered::HumanOnly("it explains how slabs work, and asks for nothing"),
    ),
    step(
        "SlabArena Memory Management",
        "new slab is allocated",
        Covered::HumanOnly("it explains how slabs work, and asks for nothing"),
    ),
    step(
        "SlabArena Memory Management",
        "released back to OS via `madvise(MADV_DONTNEED)` (Linux)",
        Covered::HumanOnly("it explains how slabs work, and asks for nothing"),
    ),
    step(
        "SlabArena Memory Management",
        "Slabs are fragmented",
        Covered::HumanOnly(
            "it names what may keep a slab; `slab_fragmentation` and `slab_share` are what is measured of it",
        ),
    ),
    step(
        "SlabArena Memory Management",
        "Live data prevents slab",
        Covered::HumanOnly(
            "it names what may keep a slab; `slab_fragmentation` and `slab_share` are what is measured of it",
        ),
    ),
    step(
        "SlabArena Memory Management",
        "Global references",
        Covered::HumanOnly(
            "it names what may keep a slab; `slab_fragmentation` and `slab_share` are what is measured of it",
        ),
    ),
    step(
        "SlabArena Memory Management",
        "copies to new arena",
        Covered::HumanOnly("it explains how slabs work, and asks for nothing"),
    ),
    step(
        "SlabArena Memory Management",
        "tighter memory layout",
        Covered::HumanOnly("it explains how slabs work, and asks for nothing"),
    ),
    step(
        "SlabArena Memory Management",
        "Release old arenas",
        Covered::HumanOnly("it explains how slabs work, and asks for nothing"),
    ),
    step("2. Scheduled Maintenance", "Verify compaction is running", Covered::Command("soak export schedule")),
    step("2. Scheduled Maintenance", "Review memory growth trends", Covered::Command("soak judge --prometheus")),
    step("2. Scheduled Maintenance", "Analyze memory profiles for new hotspots", Covered::Command("soak diag")),
    step("2. Scheduled Maintenance", "Review and tune compaction thresholds", Covered::Command("soak export schedule")),
    step("2. Scheduled Maintenance", "Audit goroutine usage patterns", Covered::Criterion(&["goroutine_baseline"])),
    step("3. Capacity Planning", "Use smaller batches, more frequent compaction", Covered::Remedy("batch_500")),
    step("3. Capacity Planning", "Enable partitioning and distributed search", Covered::Command("soak capacity")),
    step("4. Testing Changes", "Run memory soak tests with production-like workload", Covered::Command("soak run")),
    step(
        "When to Escalate",
        "Immediate Escalation (<30 min)",
        Covered::HumanOnly("how soon somebody is called is agreed between people"),
    ),
    step(
        "When to Escalate",
        "Standard Escalation (<2 hours)",
        Covered::HumanOnly("how soon somebody is called is agreed between people"),
    ),
    step(
        "When to Escalate",
        "Cannot resolve with this runbook",
        Covered::HumanOnly("a person says when they are at the end of their means"),
    ),
    step("Information to Collect When Escalating", "Kubernetes version", Covered::Command("soak diag")),
    step("Information to Collect When Escalating", "Node type and resources", Covered::Command("soak diag")),
    step("Information to Collect When Escalating", "Container memory limit", Covered::Command("soak diag")),
    step("Information to Collect When Escalating", "Number of replicas", Covered::Command("soak diag")),
    step("Information to Collect When Escalating", "Current RSS and heap usage", Covered::Command("soak diag")),
    step("Information to Collect When Escalating", "Goroutine count", Covered::Command("soak diag")),
    step(
        "Information to Collect When Escalating",
        "Top 5 largest datasets by memory usage",
        Covered::Command("soak diag"),
    ),
    step(
        "Information to Collect When Escalating",
        "Recent compaction events and errors",
        Covered::Command("soak diag"),
    ),
    step("Information to Collect When Escalating", "GC statistics (pauses, duration)", Covered::Command("soak diag")),
    step("Information to Collect When Escalating", "Deployments in last 24 hours", Covered::Command("soak diag")),
    step("Information to Collect When Escalating", "Configuration changes", Covered::Command("soak diag")),
    step("Information to Collect When Escalating", "Schema evolution events", Covered::Command("soak diag")),
    step(
        "Information to Collect When Escalating",
        "Recent error logs (last 100 lines from longbow)",
        Covered::Command("soak diag"),
    ),
    step("Information to Collect When Escalating", "Compaction worker logs", Covered::Command("soak diag")),
    step("First Response Actions", "kubectl scale deployment --replicas=0", Covered::Fault("stop_load")),
    step(
        "First Response Actions",
        r#"kubectl patch deployment -p '{"spec":{"template":{"spec":{"containers":[{"name":"longbow","resources":{"limits":{"memory":"<new-limit>"}}}}}}'"#,
        Covered::Fault("raise_limit"),
    ),
    step("First Response Actions", "curl -X POST localhost:8080/admin/compact-all", Covered::Fault("force_compaction")),
    step(
        "First Response Actions",
        "curl -X POST localhost:8080/admin/compact -H <large-dataset>",
        Covered::Fault("force_compaction"),
    ),
    step(
        "First Response Actions",
        "log_level: debug",
        Covered::HumanOnly("what a deployment prints, its people decide; `soak diag` tells how it is set"),
    ),
    step(
        "First Response Actions",
        "enable_profiling: true",
        Covered::HumanOnly("whether a deployment may be profiled, its people decide; `soak diag` tells what answered"),
    ),
];
