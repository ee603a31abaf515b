//! `report.html`: one page that opens from disk, loads nothing and runs nothing, in light and dark.

mod capacity;
mod diagnosis;
mod guidance;
mod indications;
#[cfg(test)]
mod palette;
mod sections;
pub(crate) mod tables;
pub(crate) mod variant;

use soak_record::Run;
use soak_scenario::Launch;
use soak_verdict::RunVerdict;

pub use capacity::html as capacity_html;
pub use diagnosis::html as diagnosis_html;

use crate::headline::{counts, headline};
use crate::markup::Markup;
use crate::picture::VariantPicture;
use crate::wording::Mark;

/// Forbids loading anything, from anywhere; the style sheet stands in the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

const STYLE: &str = include_str!("html/style.css");

/// The report as a page.
pub fn html(run: &Run, verdict: &RunVerdict, pictures: &[VariantPicture]) -> String {
    let mut m = Markup::new("<!doctype html>\n");
    let line = headline(verdict, run.plan.variants.len());
    m.element("html", &[("lang", "en")], |m| {
        m.element("head", &[], |m| head(m, &line));
        m.line();
        m.element("body", &[], |m| {
            m.element("header", &[], |m| masthead(m, run, verdict, &line));
            m.element("main", &[], |m| {
                sections::matrix(m, run, verdict);
                sections::batches(m, run, verdict, pictures);
                for found in &verdict.variants {
                    let picture = pictures.iter().find(|picture| picture.id == found.id);
                    let planned = run.plan.variants.iter().find(|variant| variant.id == found.id);
                    variant::section(m, found, planned, picture);
                }
                sections::run(m, run, verdict);
            });
        });
    });
    m.line();
    m.finish()
}

pub(crate) fn head(m: &mut Markup, line: &str) {
    m.empty("meta", &[("charset", "utf-8")]);
    m.empty("meta", &[("http-equiv", "Content-Security-Policy"), ("content", POLICY)]);
    m.empty("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]);
    m.empty("meta", &[("name", "color-scheme"), ("content", "light dark")]);
    m.empty("meta", &[("name", "referrer"), ("content", "no-referrer")]);
    m.line();
    m.leaf("title", &[], line);
    m.line();
    m.element("style", &[], |m| m.trusted(STYLE));
}

fn masthead(m: &mut Markup, run: &Run, verdict: &RunVerdict, line: &str) {
    let class = match &verdict.platform {
        Some(_) if verdict.exit_code() == 4 => "fail",
        _ => Mark::of_verdict(verdict.verdict).class(),
    };
    m.element("h1", &[("class", class)], |m| {
        // The word carries the colour; the rest of the line is read.
        let (word, rest) = line.split_once(" — ").unwrap_or((line, ""));
        m.leaf("strong", &[], word);
        m.text(" — ");
        m.text(rest);
    });
    m.element("p", &[("class", "lede")], |m| {
        m.text(&verdict.title);
        if !verdict.title.is_empty() {
            m.text(" · ");
        }
        m.text(&counts(verdict));
        m.text(&format!(" · exit code {}", verdict.exit_code()));
    });
    if let Some(section) = &run.plan.runbook {
        m.leaf("p", &[("class", "muted")], &format!("Rehearses “{}” of the {}.", section.section, section.runbook));
    }
    let target = match &run.plan.target.launch {
        Launch::Embedded => "the embedded vector store".to_owned(),
        Launch::Process(path) => path.clone(),
        Launch::Container(container) => format!("the image {}", container.image),
        Launch::Attach(attach) => format!("what runs already ({attach})"),
    };
    let profile = &run.plan.target.profile.name;
    m.leaf("p", &[("class", "muted")], &format!("Tested: {target}, by the profile {profile}."));
    // Where nothing failed, the first line has told it.
    if let Some(platform) = verdict.platform.as_ref().filter(|_| verdict.exit_code() != 4) {
        m.leaf("p", &[("class", "note")], &format!("The harness or the machine failed: {platform}"));
    }
    tables::notes(m, &verdict.notes);
    m.element("nav", &[("aria-label", "On this page")], |m| {
        m.leaf("a", &[("href", "#findings")], "Findings");
        m.leaf("a", &[("href", "#batches")], "Batch sizes");
        if let Some(first) = verdict.variants.first() {
            m.leaf("a", &[("href", &format!("#{}", tables::anchor(&first.id)))], "Variants");
        }
        m.leaf("a", &[("href", "#run")], "Run");
    });
}

#[cfg(test)]
mod tests {
    use soak_record::{Event, EventKind, OomScope, Outcome, Phase};
    use soak_verdict::{Verdict, judge};

    use super::*;
    use crate::markup::check_well_formed;
    use crate::picture::picture;
    use crate::synthetic::{self, Target};

    fn page(targets: &[Target]) -> String {
        let (run, verdict, pictures) = synthetic::judged(targets);
        html(&run, &verdict, &pictures)
    }

    #[test]
    fn the_page_is_whole_and_loads_nothing() {
        let page = page(&[Target::HEALTHY; 6]);
        check_well_formed(&page).unwrap();
        let (run, verdict, pictures) = synthetic::judged(&[Target::HEALTHY; 6]);
        assert_eq!(page, html(&run, &verdict, &pictures), "the same record gives the same bytes");
        assert!(page.contains("<strong>PASS</strong>"));
        assert!(page.contains("Content-Security-Policy"));
        for loads in
            ["<script", "src=", "url(", "@import", "http://", "https://", " style=\"", " fill=\"#", "stroke=\"#"]
        {
            assert!(!page.contains(loads), "{loads}");
        }
    }

    #[test]
    fn what_was_recorded_is_text() {
        let (mut run, mut verdict, pictures) = synthetic::judged(&[Target::HEALTHY; 1]);
        let evil = "<script>alert(1)</script>\" onload=\"x";
        run.plan.title = evil.to_owned();
        run.plan.edits = vec![evil.to_owned()];
        verdict.title = evil.to_owned();
        verdict.notes = vec![evil.to_owned()];
        verdict.variants[0].id = evil.to_owned();
        verdict.variants[0].notes = vec![evil.to_owned()];
        verdict.variants[0].findings[0].reason = evil.to_owned();
        verdict.variants[0].findings[0].criterion = evil.to_owned();
        verdict.variants[0].findings[0].verdict = Some(Verdict::Fail);
        verdict.variants[0].findings[0].reproduce = Some(evil.to_owned());
        let page = html(&run, &verdict, &pictures);
        check_well_formed(&page).unwrap();
        assert!(!page.contains("<script"));
        assert!(!page.contains("\" onload"));
        assert!(page.contains("&lt;script&gt;"));
    }

    #[test]
    fn a_run_in_which_nothing_ran_still_has_a_page() {
        let run = synthetic::run();
        let page = html(&run, &synthetic::verdict_of(&[]), &[]);
        check_well_formed(&page).unwrap();
        assert!(page.contains("did not run"));
    }

    #[test]
    fn what_a_chart_shows_is_there_as_numbers() {
        let mut targets = [Target::HEALTHY; 1];
        targets[0].leak_per_cycle = 3.0;
        let (run, verdict, pictures) = synthetic::judged(&targets);
        let page = html(&run, &verdict, &pictures);
        let cycles = verdict.variants[0].findings.iter().find(|finding| finding.criterion == "rss_floor").unwrap();
        assert!(cycles.value.is_some_and(|grows| grows > 1e6), "{cycles:?}");
        let rows = &pictures[0].cycles;
        assert_eq!(rows.len() as u32, run.plan.cycle.count);
        assert!(rows.iter().any(|row| row[5] == "warm-up") && rows.iter().any(|row| row[5] == "yes"), "{rows:?}");
        for row in rows {
            assert!(row[2].contains("iB") && row[4].contains("iB"), "{row:?}");
            assert!(page.contains(&format!("<td>{}</td>", row[2])), "{row:?}");
        }
        assert!(page.contains("soak export samples FOLDER --variant"));
    }

    #[test]
    fn sixty_variants_are_one_page_that_opens_at_once() {
        let (mut run, mut verdict, mut pictures) = synthetic::judged(&[Target::HEALTHY; 6]);
        for copy in 1..10 {
            for index in 0..6 {
                let id = format!("{}-{copy}", run.plan.variants[index].id);
                let (mut variant, mut found, mut picture) =
                    (run.plan.variants[index].clone(), verdict.variants[index].clone(), pictures[index].clone());
                (variant.id, found.id, picture.id) = (id.clone(), id.clone(), id);
                run.plan.variants.push(variant);
                verdict.variants.push(found);
                pictures.push(picture);
            }
        }
        let page = html(&run, &verdict, &pictures);
        check_well_formed(&page).unwrap();
        assert_eq!(page.matches("class=\"variant\"").count(), 60);
        // What is not on the screen is not laid out, and all of it is no more than a photograph.
        assert!(STYLE.contains("content-visibility: auto"));
        assert!(page.len() < 6 << 20, "{} bytes", page.len());
        synthetic::show("sixty.html", &page);
    }

    #[test]
    fn a_leak_is_told_with_what_to_do() {
        let mut targets = [Target::HEALTHY; 6];
        targets[0].leak_per_cycle = 3.0;
        targets[3].tasks_per_s = 2.0;
        let page = page(&targets);
        assert!(page.contains("<strong>FAIL</strong>"));
        assert!(page.contains("rss_floor and heap_floor fail in dim128-rows500"));
        assert!(page.contains("soak run scenario2"));
        assert!(page.contains("wait &lt; worker"));
        assert!(page.contains("Looks like Scenario 1: Memory Usage Keeps Growing"));
        assert!(page.contains("Looks like Scenario 4: Goroutine Leaks"));
        assert!(page.contains("kubectl rollout restart deployment/reference"));
        check_well_formed(&page).unwrap();
        synthetic::show("leak.html", &page);
    }

    #[test]
    fn a_run_in_which_everything_goes_wrong_is_told_plainly() {
        let mut run = synthetic::run();
        run.plan.target.profile.modelled.push("heap_bytes".to_owned());
        run.plan.edits.push("target.misbehave.heap_leak=2MiB/min".to_owned());
        let mut records: Vec<_> = (0..4).map(|index| synthetic::record(index, Target::HEALTHY)).collect();
        let last = records[0].events.len() - 1;
        let killed = EventKind::Oom {
            scope: OomScope::Target,
            limit_bytes: Some(64 << 20),
            usage_bytes: Some(64 << 20),
            victim: None,
            cgroup: None,
            phase: Some(Phase::Index),
            evidence: Vec::new(),
        };
        records[0].events[last].kind = killed;
        records[1].series.remove("goroutines");
        records[1].series.remove("ledger_live_vectors");
        records[2].events[last].kind = EventKind::VariantEnded { outcome: Outcome::Interrupted };
        let full = Outcome::PlatformFailed { reason: "the disk is full".to_owned() };
        records[3].events.truncate(60);
        records[3].events.push(Event { at_s: 180.0, variant: None, kind: EventKind::VariantEnded { outcome: full } });
        let pictures: Vec<_> = records.iter().map(|record| picture(&run.plan, record)).collect();
        let verdict = judge("run-1", &run.plan, records);
        let page = html(&run, &verdict, &pictures);
        check_well_formed(&page).unwrap();
        assert!(page.contains("<strong>FAIL</strong> — scenario2 at quick pace: target fails in dim128-rows500"));
        assert!(page.contains("heap in use (a model)"));
        assert!(page.contains("Not recorded: live data."));
        assert!(page.contains("A person ended the run of this variant."));
        assert!(page.contains("the disk is full"));
        assert_eq!(page.matches("</span> did not run</td>").count(), 2);
        synthetic::show("wrong.html", &page);
    }
}
