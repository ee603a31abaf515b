//! `export alerts`: rules that Prometheus takes, and that fire when they should.

use std::path::Path;
use std::process::Command;

use soak_tests::{prometheus, soak};

/// What fires when, by the rules under a limit of 1000 bytes. Prometheus asks once a minute unless told otherwise.
const WITH_A_LIMIT: &str = r#"
rule_files: [rules.yml]
evaluation_interval: 15s
tests:
  - interval: 1m
    input_series:
      - {series: 'go_goroutines{job="store"}', values: '100x3 600x3 1200x60'}
      - {series: 'go_goroutines{job="another"}', values: '5000x60'}
      - {series: 'process_resident_memory_bytes{job="store"}', values: '500x3 850x60'}
      - {series: 'compaction_operations_total{job="store"}', values: '0+2x60'}
      - {series: 'compaction_events_total{job="store",event="error"}', values: '0x10 1+1x60'}
    promql_expr_test:
      - {expr: &firing 'count by (alertname) (ALERTS{alertstate="firing"})', eval_time: 3m, exp_samples: []}
      - expr: *firing
        eval_time: 5m
        exp_samples:
          - {labels: '{alertname="GoroutineRangeWarning"}', value: 1}
          - {labels: '{alertname="GoroutinesWarning"}', value: 1}
          - {labels: '{alertname="GoroutinesCritical"}', value: 1}
          - {labels: '{alertname="RssOfLimitWarning"}', value: 1}
      - expr: *firing
        eval_time: 20m
        exp_samples:
          - {labels: '{alertname="GoroutineRangeWarning"}', value: 1}
          - {labels: '{alertname="GoroutinesWarning"}', value: 1}
          - {labels: '{alertname="GoroutinesCritical"}', value: 1}
          - {labels: '{alertname="EscalateGoroutinesCritical"}', value: 1}
          - {labels: '{alertname="RssOfLimitWarning"}', value: 1}
          - {labels: '{alertname="MemoryAlertWarning"}', value: 1}
          - {labels: '{alertname="CompactionErrorsWarning"}', value: 1}
"#;

/// The same where the limit is what the target tells, with a prediction and with what is read only while there is data.
const WITHOUT_A_LIMIT: &str = r#"
rule_files: [rules.yml]
evaluation_interval: 15s
tests:
  - interval: 1m
    input_series:
      - {series: 'go_gc_gomemlimit_bytes{job="store"}', values: '1000x100'}
      - {series: 'process_resident_memory_bytes{job="store"}', values: '500+5x100'}
      - {series: 'go_memory_classes_heap_objects_bytes{job="store"}', values: '100x100'}
      - {series: 'slab_pool_bytes{job="store"}', values: '10x100'}
      - {series: 'longbow_live_vectors{job="store"}', values: '0x49 5x50'}
    promql_expr_test:
      - {expr: &firing 'count by (alertname) (ALERTS{alertstate="firing"})', eval_time: 25m, exp_samples: []}
      - {expr: *firing, eval_time: 40m, exp_samples: [{labels: '{alertname="GutsPredictionWarning"}', value: 1}]}
      - expr: *firing
        eval_time: 58m
        exp_samples:
          - {labels: '{alertname="GutsPredictionWarning"}', value: 1}
          - {labels: '{alertname="SlabShareWarning"}', value: 1}
          - {labels: '{alertname="RssAboveHeapWarning"}', value: 1}
"#;

/// Runs `promtool` on a file; what it says when it refuses.
fn promtool(action: &[&str], file: &Path) -> Option<String> {
    let program = Path::new(&prometheus()?).with_file_name("promtool");
    let output = Command::new(program).args(action).arg(file).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    Some(said)
}

fn rules(profile: &str, more: &[&str]) -> String {
    let ended = soak(&[&["export", "alerts", "--profile", profile], more].concat());
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{}", ended.stdout);
    ended.stdout
}

#[test]
fn prometheus_takes_the_rules_of_every_profile() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yml");
    for profile in ["reference", "go"] {
        for limit in [&[][..], &["--limit", "8GiB"]] {
            std::fs::write(&file, rules(profile, limit)).unwrap();
            let Some(said) = promtool(&["check", "rules"], &file) else { return };
            assert!(said.contains("SUCCESS"), "{said}");
        }
    }
}

#[test]
fn an_alert_fires_behind_its_bound_and_after_its_window() {
    let folder = tempfile::tempdir().unwrap();
    let limited = ["--limit", "1000B", "--match", "job=\"store\""];
    for (more, tests) in [(&limited[..], WITH_A_LIMIT), (&[], WITHOUT_A_LIMIT)] {
        std::fs::write(folder.path().join("rules.yml"), rules("go", more)).unwrap();
        let file = folder.path().join("tests.yml");
        std::fs::write(&file, tests).unwrap();
        let Some(said) = promtool(&["test", "rules"], &file) else { return };
        assert!(said.contains("SUCCESS"), "{said}");
    }
}

#[test]
fn a_profile_that_is_none_is_refused() {
    let ended = soak(&["export", "alerts", "--profile", "gp"]);
    assert_eq!(ended.code, 2, "{}", ended.stdout);
    assert!(ended.stderr.contains("unknown profile `gp`") && ended.stderr.contains("go"), "{}", ended.stderr);
    let nothing = soak(&["export", "alerts", "--profile", "go", "--limit", "0B"]);
    assert!(nothing.code == 2 && nothing.stderr.contains("--limit is 0"), "{}", nothing.stderr);
}
