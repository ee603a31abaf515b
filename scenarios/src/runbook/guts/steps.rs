//! Commands, settings and checks of the runbook for Guts.

use crate::runbook::{Covered, Runbook, Step};

const fn step(section: &'static str, written: &'static str, covered: Covered) -> Step {
    Step { runbook: Runbook::Guts, section, written, covered }
}

pub(in crate::runbook) const STEPS: &[Step] = &[
    step("Runbook: High Memory Usage", "P3", Covered::HumanOnly("how severe an incident is, its own people decide")),
    step(
        "Runbook: High Memory Usage",
        "Degraded performance, potential OOM kills",
        Covered::HumanOnly("it says why the document matters; the symptoms are rows of their own"),
    ),
    step(
        "Runbook: High Memory Usage",
        "Investigate within 4 hours",
        Covered::HumanOnly("how soon somebody looks is agreed between people"),
    ),
    step("Detection", "Node Exporter", Covered::HumanOnly("it is the page that somebody on call looks at")),
    step("Step 1: Check Current Memory Usage", "ps aux --sort=-%mem | head -10", Covered::Command("soak diag")),
    step(
        "Step 1: Check Current Memory Usage",
        r#"cat /proc/$(pgrep guts-node)/status | grep -E "VmRSS|VmHWM|VmSize""#,
        Covered::Command("soak diag"),
    ),
    step("Step 1: Check Current Memory Usage", "free -h", Covered::Command("soak diag")),
    step("Step 2: Check Memory Trends", "sar -r 1 10", Covered::Command("soak diag")),
    step(
        "Step 2: Check Memory Trends",
        "curl -s http://localhost:9090/metrics | grep guts_process_resident_memory_bytes",
        Covered::Command("soak judge --prometheus"),
    ),
    step(
        "Step 3: Identify Memory Consumers",
        "curl -s http://localhost:8080/api/debug/cache | jq",
        Covered::Command("soak diag"),
    ),
    step(
        "Step 3: Identify Memory Consumers",
        "curl -s http://localhost:8080/api/debug/connections | jq",
        Covered::Command("soak diag"),
    ),
    step(
        "Step 3: Identify Memory Consumers",
        "curl -s http://localhost:8080/api/consensus/mempool | jq",
        Covered::Command("soak diag"),
    ),
    step(
        "Step 4: Check for Memory Leaks",
        "while true; do\necho \"$(date): $(cat /proc/$(pgrep guts-node)/status | grep VmRSS)\"\nsleep 60\ndone",
        Covered::Command("soak run"),
    ),
    step("Step 5: Check Recent Changes", "git log --oneline -10", Covered::Command("soak diag")),
    step(
        "Step 5: Check Recent Changes",
        "diff /etc/guts/config.yaml /etc/guts/config.yaml.bak",
        Covered::Command("soak diag"),
    ),
    step("Option A: Restart Node (Quick Fix)", "sudo systemctl restart guts-node", Covered::Remedy("guts_restart")),
    step("Option A: Restart Node (Quick Fix)", "watch -n 5 'free -h | grep Mem'", Covered::Fault("restart")),
    step(
        "Option B: Reduce Cache Size",
        "cat >> /etc/guts/config.yaml << 'EOF'\nmax_size: 134217728  # Reduce to 128MB from 256MB\nEOF",
        Covered::Remedy("guts_cache_size"),
    ),
    step("Option B: Reduce Cache Size", "sudo systemctl restart guts-node", Covered::Remedy("guts_restart")),
    step(
        "Option C: Limit Concurrent Connections",
        "cat >> /etc/guts/config.yaml << 'EOF'\nmax_connections: 1000  # Reduce from unlimited\nmax_peers: 25  # Reduce from 50\nEOF",
        Covered::Remedy("guts_connections"),
    ),
    step("Option C: Limit Concurrent Connections", "sudo systemctl restart guts-node", Covered::Remedy("guts_restart")),
    step(
        "Option D: Tune RocksDB Memory",
        "cat >> /etc/guts/config.yaml << 'EOF'\nblock_cache_size: 268435456  # 256MB\nwrite_buffer_size: 33554432  # 32MB\nmax_write_buffer_number: 2\nEOF",
        Covered::Remedy("guts_rocksdb"),
    ),
    step("Option D: Tune RocksDB Memory", "sudo systemctl restart guts-node", Covered::Remedy("guts_restart")),
    step(
        "Option E: Clear Memory Caches",
        "sync; echo 3 > /proc/sys/vm/drop_caches",
        Covered::HumanOnly("it empties the caches of the whole machine, and frees nothing that the node holds"),
    ),
    step("Option E: Clear Memory Caches", "guts-node cache clear", Covered::Remedy("guts_cache_clear")),
    step(
        "Option F: Add Memory (If Undersized)",
        "sudo systemctl edit guts-node\n[Service]\nMemoryMax=64G",
        Covered::Remedy("guts_add_memory"),
    ),
    step(
        "Option F: Add Memory (If Undersized)",
        "sudo systemctl daemon-reload\nsudo systemctl restart guts-node",
        Covered::Remedy("guts_add_memory"),
    ),
    step(
        "Option F: Add Memory (If Undersized)",
        "kubectl patch statefulset guts-node -n guts --type='json' \\\n-p='[{\"op\": \"replace\", \"path\": \"/spec/template/spec/containers/0/resources/limits/memory\", \"value\": \"64Gi\"}]'",
        Covered::Remedy("guts_add_memory"),
    ),
    step("Step 1: Enable Memory Profiling", "guts-node --heap-profile /tmp/heap.prof", Covered::Command("soak diag")),
    step("Step 1: Enable Memory Profiling", "go tool pprof /tmp/heap.prof", Covered::Command("soak diag")),
    step("Step 2: Collect Heap Dump", "kill -USR1 $(pgrep guts-node)", Covered::Command("soak diag")),
    step("Step 3: Analyze", "go tool pprof -top /var/lib/guts/heap-*.prof", Covered::Command("soak diag")),
    step("Step 3: Analyze", "go tool pprof -http=:8081 /var/lib/guts/heap-*.prof", Covered::Command("soak diag")),
    step(
        "Set Memory Limits",
        "[Service]\nMemoryMax=32G\nMemoryHigh=28G  # Soft limit, triggers reclaim",
        Covered::Remedy("guts_add_memory"),
    ),
    step("Set Memory Limits", "memory: 32Gi\nmemory: 8Gi", Covered::Remedy("guts_add_memory")),
    step(
        "Configure OOM Handling",
        "echo -500 > /proc/$(pgrep guts-node)/oom_score_adj",
        Covered::Remedy("guts_oom_score"),
    ),
    step(
        "Monitor Memory Trends",
        "Set up alerting for gradual growth\n- name: memory",
        Covered::Command("soak export alerts"),
    ),
    step(
        "Escalation",
        "guts-node diagnostics --include-heap --output /tmp/mem-diag.tar.gz",
        Covered::Command("soak diag"),
    ),
    step("Escalation", "Include: Memory profile, configuration, workload description", Covered::Command("soak diag")),
    step(
        "Escalation",
        "Tag: `memory-leak` if growth is unbounded",
        Covered::HumanOnly("an issue is filed and labelled by who describes it"),
    ),
    step("Post-Incident", "Verify memory usage stabilized", Covered::Command("soak judge --prometheus")),
    step("Post-Incident", "Document optimal configuration", Covered::Command("soak report --post-incident")),
    step("Post-Incident", "Update resource allocations if undersized", Covered::Command("soak report --post-incident")),
    step("Post-Incident", "Set up trend-based alerting", Covered::Command("soak export alerts")),
    step("Post-Incident", "Review capacity planning", Covered::Command("soak capacity")),
];
