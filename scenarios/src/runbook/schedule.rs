//! The checks of “2. Scheduled Maintenance”, daily and weekly, as somebody's scheduler takes them.

use std::fmt::Write as _;

/// For which scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheduler {
    /// Lines of a crontab.
    Cron,
    /// Jobs of Kubernetes, a `CronJob` each.
    CronJob,
    /// A workflow of GitHub Actions.
    Workflow,
}

/// What the checks are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checks<'a> {
    /// The scenario that is run: a built-in name, or a path where the scheduler runs it.
    pub scenario: &'a str,
    /// The profile of the deployment.
    pub profile: &'a str,
    /// What the scenario is run against, as `--target` takes it; the scenario's own where absent.
    pub target: Option<&'a str>,
    /// The Prometheus server that has the deployment's memory; without it growth is only looked for in the runs.
    pub prometheus: Option<&'a str>,
    /// Where the deployment's admin side answers.
    pub http: &'a str,
    /// The image with `soak` in it, for Kubernetes.
    pub image: &'a str,
}

/// One check.
struct Check {
    name: &'static str,
    /// When, in cron's five fields.
    at: &'static str,
    /// The lines of the runbook that it answers.
    answers: &'static str,
    commands: Vec<String>,
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_./:=@+,".contains(c);
    if !word.is_empty() && word.chars().all(safe) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn checks(of: Checks<'_>) -> Vec<Check> {
    let target = of.target.map_or_else(String::new, |target| format!(" --target {}", quoted(target)));
    let run = |rest: &str, out: &str| {
        format!("soak run {}{target} {rest} --out \"$SOAK_RUNS/{out}-$(date +%F)\"", quoted(of.scenario))
    };
    let mut daily = vec![run("--pace gate --try-remedies", "daily")];
    daily.extend(of.prometheus.map(|server| {
        let server = quoted(server);
        format!("soak judge --prometheus {server} --query process_resident_memory_bytes --start 24h --step 1min --tolerance 1MiB/min")
    }));
    let weekly = |rest: &str, out: &str| run(&format!("--pace gate --set control=false {rest}"), out);
    vec![
        Check {
            name: "daily",
            at: "0 3 * * *",
            answers: "Verify compaction is running; Check for dataset leaks; Review memory growth trends",
            commands: daily,
        },
        Check {
            name: "weekly-profiles",
            at: "0 4 * * 0",
            answers: "Analyze memory profiles for new hotspots",
            commands: vec![format!("soak diag --profile {} --http {}", quoted(of.profile), quoted(of.http))],
        },
        Check {
            name: "weekly-compaction",
            at: "0 5 * * 0",
            answers: "Review and tune compaction thresholds",
            commands: vec![weekly("--set 'matrix.compaction_interval=[\"off\",\"30s\",\"5min\"]'", "compaction")],
        },
        Check {
            name: "weekly-goroutines",
            at: "0 6 * * 0",
            answers: "Audit goroutine usage patterns",
            commands: vec![
                weekly("--set workload.query.duration=1min", "goroutines"),
                "soak report \"$SOAK_RUNS/goroutines-$(date +%F)\" --post-incident".to_owned(),
            ],
        },
    ]
}

/// The checks, for a scheduler. What fails does so by its exit code: 1 where the target failed, 3 where nothing could be told.
pub fn schedule(scheduler: Scheduler, of: Checks<'_>) -> String {
    match scheduler {
        Scheduler::Cron => cron(&checks(of)),
        Scheduler::CronJob => cron_jobs(&checks(of), of.image),
        Scheduler::Workflow => workflow(&checks(of)),
    }
}

fn cron(checks: &[Check]) -> String {
    let mut out = "# Daily and weekly checks: `soak export schedule --format cron`. cron mails what they print.\nSOAK_RUNS=/var/lib/soak\n".to_owned();
    for check in checks {
        let _ = writeln!(out, "\n# {}", check.answers);
        // A `%` ends a command of a crontab.
        let _ = writeln!(out, "{} {}", check.at, check.commands.join("; ").replace('%', "\\%"));
    }
    out
}

/// A script as a block of YAML, so far to the right. What fails does not keep the rest from running, and the last failure is the script's.
fn block(commands: &[String], indent: usize) -> String {
    let pad = " ".repeat(indent);
    let mut out = format!("{pad}status=0\n");
    for command in commands {
        let _ = writeln!(out, "{pad}{command} || status=$?");
    }
    let _ = writeln!(out, "{pad}exit $status");
    out
}

fn cron_jobs(checks: &[Check], image: &str) -> String {
    let mut out =
        "# Daily and weekly checks: `soak export schedule --format cronjob`. A volume at /runs keeps what they find.\n"
            .to_owned();
    for check in checks {
        let (name, at, script) = (check.name, check.at, block(&check.commands, 16));
        let answers = check.answers;
        let image = serde_json::Value::from(image);
        let _ = write!(
            out,
            "---\n# {answers}\napiVersion: batch/v1\nkind: CronJob\nmetadata:\n  name: soak-{name}\nspec:\n  schedule: \"{at}\"\n  concurrencyPolicy: Forbid\n  \
             jobTemplate:\n    spec:\n      backoffLimit: 0\n      template:\n        spec:\n          restartPolicy: Never\n          containers:\n            - name: soak\n              \
             image: {image}\n              env:\n                - {{ name: SOAK_RUNS, value: /runs }}\n              volumeMounts:\n                - {{ name: runs, mountPath: /runs }}\n              \
             command: [\"/bin/sh\", \"-c\"]\n              args:\n              - |\n{script}          volumes:\n            - name: runs\n              \
             persistentVolumeClaim: {{ claimName: soak-runs }}\n",
        );
    }
    out
}

fn workflow(checks: &[Check]) -> String {
    let mut out = "# Daily and weekly checks: `soak export schedule --format workflow`. The runner has soak, and the target, at hand.\nname: memory checks\non:\n  schedule:\n".to_owned();
    for check in checks {
        let _ = writeln!(out, "    - cron: \"{}\"", check.at);
    }
    out.push_str("  workflow_dispatch:\npermissions:\n  contents: read\njobs:\n");
    for check in checks {
        let (name, at, script) = (check.name, check.at, block(&check.commands, 10));
        let answers = check.answers;
        let _ = write!(
            out,
            "  {name}:\n    # {answers}\n    if: github.event_name == 'workflow_dispatch' || github.event.schedule == '{at}'\n    runs-on: [self-hosted]\n    \
             timeout-minutes: 180\n    env:\n      SOAK_RUNS: ${{{{ runner.temp }}}}/runs\n    steps:\n      - run: |\n{script}      - if: always()\n        \
             uses: actions/upload-artifact@v4\n        with:\n          name: {name}\n          path: ${{{{ runner.temp }}}}/runs\n          if-no-files-found: ignore\n",
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::steps;

    const OF: Checks<'_> = Checks {
        scenario: "scenario2",
        profile: "reference",
        target: Some("container:my store:1"),
        prometheus: Some("http://127.0.0.1:9090"),
        http: "127.0.0.1:9090",
        image: "soak:local",
    };

    #[test]
    fn every_check_of_the_runbook_is_scheduled() {
        let answered: Vec<&str> = checks(OF).iter().flat_map(|check| check.answers.split("; ")).collect();
        for step in steps().filter(|step| step.section == "2. Scheduled Maintenance") {
            assert!(answered.contains(&step.written), "{}", step.written);
        }
    }

    #[test]
    fn a_line_of_a_crontab_has_five_fields_and_no_bare_percent() {
        let text = schedule(Scheduler::Cron, OF);
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).collect();
        assert_eq!(lines.len(), 4, "{text}");
        for line in lines {
            assert_eq!(line.split(' ').nth(5), Some("soak"), "{line}");
            assert!(!line.replace("\\%", "").contains('%'), "{line}");
        }
        assert!(text.contains("--target 'container:my store:1'") && text.contains("--start 24h"), "{text}");
    }

    #[test]
    fn every_scheduler_has_every_command() {
        for scheduler in [Scheduler::Cron, Scheduler::CronJob, Scheduler::Workflow] {
            let text = schedule(scheduler, OF);
            for command in checks(OF).iter().flat_map(|check| &check.commands) {
                let command = if scheduler == Scheduler::Cron { command.replace('%', "\\%") } else { command.clone() };
                assert!(text.contains(&command), "{command} is not in\n{text}");
            }
            assert!(!text.contains('\t'));
        }
        let jobs = schedule(Scheduler::CronJob, OF);
        assert_eq!(jobs.matches("kind: CronJob").count(), 4);
    }
}
