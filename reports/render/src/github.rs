//! Workflow annotations: one line a finding that needs a person, and one for the whole run.

use soak_verdict::compare::{Answer, Comparison, Role};
use soak_verdict::{RunVerdict, Verdict};

use crate::compared;
use crate::headline::{counts, headline};

/// Workflow commands for GitHub: an error for each fail, a warning for each inconclusive finding, and the run's own line first.
pub fn github(verdict: &RunVerdict) -> String {
    let level = match (verdict.verdict, &verdict.platform) {
        (Verdict::Fail, _) | (_, Some(_)) => "error",
        (Verdict::Inconclusive, None) => "warning",
        (Verdict::Pass, None) => "notice",
    };
    let mut out = line(level, "soak", &format!("{} ({})", headline(verdict, verdict.variants.len()), counts(verdict)));
    for (variant, finding) in verdict.findings() {
        let (level, what) = match finding.verdict {
            Some(Verdict::Fail) => ("error", "fails"),
            Some(Verdict::Inconclusive) => ("warning", "is inconclusive"),
            _ => continue,
        };
        let next = finding.next.as_ref().map(|next| format!("Next: {next}"));
        let reproduce = finding.reproduce.as_ref().map(|command| format!("Reproduce: {command}"));
        let lines: Vec<String> = std::iter::once(finding.reason.clone()).chain(next).chain(reproduce).collect();
        out.push_str(&line(level, &format!("{} {what} in {}", finding.criterion, variant.id), &lines.join("\n")));
    }
    out
}

/// The same of a comparison: an error for each quantity that is worse, a warning for each that had to be shown and cannot be told.
pub fn comparison_github(comparison: &Comparison) -> String {
    let level = match comparison.verdict {
        Verdict::Fail => "error",
        Verdict::Inconclusive => "warning",
        Verdict::Pass => "notice",
    };
    let mut out = line(level, "soak", &compared::headline(comparison));
    if !comparison.left_out.is_empty() {
        out.push_str(&line(
            "warning",
            "not compared",
            &format!("only one side has {}", comparison.left_out.join(", ")),
        ));
    }
    for row in &comparison.rows {
        let level = match (row.answer, row.role) {
            (Answer::Worse, Role::Required | Role::Watched) => "error",
            (Answer::CannotTell, Role::Required) => "warning",
            _ => continue,
        };
        let cells = compared::row_cells(row);
        let words = row
            .reason
            .clone()
            .unwrap_or_else(|| format!("{} → {}, {} ({})", cells.base, cells.candidate, cells.change, cells.interval));
        out.push_str(&line(level, &format!("{} in {}: {}", row.quantity, row.variant, row.answer.word()), &words));
    }
    out
}

fn line(level: &str, title: &str, message: &str) -> String {
    format!("::{level} title={}::{}\n", property(title), data(message))
}

/// A message: after `escapeData` of GitHub's own toolkit.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property's value: after `escapeProperty`.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{finding, variant, verdict_of};

    #[test]
    fn each_finding_is_one_escaped_line() {
        let mut bad = finding("rss_floor", Some(Verdict::Fail));
        bad.reason = "10 % over\r\n::error::forged".to_owned();
        bad.next = Some("look, then: act".to_owned());
        let open = finding("heap_floor", Some(Verdict::Inconclusive));
        let verdict =
            verdict_of(&[variant("a:b,c", vec![bad, open, finding("unverified_settings", Some(Verdict::Pass))])]);
        let out = github(&verdict);
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("::error title=soak::FAIL — scenario2 at quick pace"), "{}", lines[0]);
        assert_eq!(
            lines[1],
            "::error title=rss_floor fails in a%3Ab%2Cc::10 %25 over%0D%0A::error::forged%0ANext: look, then: act"
        );
        assert!(lines[2].starts_with("::warning title=heap_floor is inconclusive in a%3Ab%2Cc::"));
    }

    #[test]
    fn a_pass_is_a_notice() {
        let verdict = verdict_of(&[variant("a", vec![finding("rss_floor", Some(Verdict::Pass))])]);
        assert_eq!(
            github(&verdict),
            "::notice title=soak::PASS — scenario2 at quick pace: 1 variant, 1 finding holds (1 pass)\n"
        );
    }
}
