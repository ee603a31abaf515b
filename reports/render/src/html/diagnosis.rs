//! `index.html` of a diagnosis: what was asked, what the answer is and where it comes from, in the look of the report.

use soak_diagnosis::{Block, Cell, Diagnosis, Item, Section};
use soak_verdict::human;

use super::{head, tables};
use crate::markup::Markup;
use crate::wording::{cell, utc};

/// The diagnosis as a page.
pub fn html(diagnosis: &Diagnosis) -> String {
    let mut m = Markup::new("<!doctype html>\n");
    m.element("html", &[("lang", "en")], |m| {
        m.element("head", &[], |m| head(m, &diagnosis.title));
        m.line();
        m.element("body", &[], |m| {
            m.element("header", &[], |m| masthead(m, diagnosis));
            m.element("main", &[], |m| {
                diagnosis.sections.iter().for_each(|one| section(m, one));
                files(m, diagnosis);
            });
        });
    });
    m.line();
    m.finish()
}

fn masthead(m: &mut Markup, diagnosis: &Diagnosis) {
    m.leaf("h1", &[], &diagnosis.title);
    m.leaf("p", &[("class", "muted")], &format!("Collected {} · {}", utc(diagnosis.made_unix_s), diagnosis.id));
    tables::notes(m, &diagnosis.summary);
    m.element("nav", &[("aria-label", "On this page")], |m| {
        for one in &diagnosis.sections {
            m.leaf("a", &[("href", &format!("#{}", tables::anchor(&one.title)))], &one.title);
        }
        m.leaf("a", &[("href", "#files")], "Files");
    });
}

fn section(m: &mut Markup, section: &Section) {
    m.element("section", &[("id", &tables::anchor(&section.title))], |m| {
        m.leaf("h2", &[], &section.title);
        section.items.iter().for_each(|one| item(m, one));
    });
    m.line();
}

fn item(m: &mut Markup, item: &Item) {
    m.leaf("h3", &[], &item.what);
    for block in &item.blocks {
        match block {
            Block::Text(text) => m.leaf("p", &[], text),
            Block::Lines(lines) => m.leaf("pre", &[], lines),
            Block::Table { heads, rows } => {
                tables::table(m, &item.what, "faults", |m| {
                    tables::heads(m, heads);
                    m.element("tbody", &[], |m| rows.iter().for_each(|one| row(m, one)));
                });
            }
            Block::Missing(missing) => {
                let text = format!("Could not be had: {}. To do: {}.", missing.why.trim_end_matches('.'), missing.next);
                m.leaf("p", &[("class", "note")], &text);
            }
        }
    }
    if !item.from.is_empty() {
        m.leaf("p", &[("class", "muted")], &format!("From: {}", item.from.join(" · ")));
    }
}

fn row(m: &mut Markup, cells: &[Cell]) {
    m.element("tr", &[], |m| {
        for one in cells {
            let class = if matches!(one, Cell::Text(_)) { "words" } else { "" };
            m.leaf("td", &[("class", class)], &cell(one));
        }
    });
}

fn files(m: &mut Markup, diagnosis: &Diagnosis) {
    m.leaf("h2", &[("id", "files")], "Files");
    let text = "Secrets were removed from all of them, as far as they can be told.";
    m.leaf("p", &[("class", "muted")], text);
    tables::table(m, "Files", "faults", |m| {
        tables::heads(m, &["File", "Size", "From"]);
        m.element("tbody", &[], |m| {
            for file in &diagnosis.files {
                m.element("tr", &[], |m| {
                    m.element("td", &[("class", "words")], |m| match file.bytes {
                        Some(_) => m.leaf("a", &[("href", &file.path)], &file.path),
                        None => m.text(&file.path),
                    });
                    let size =
                        file.bytes.map_or_else(|| "could not be had".to_owned(), |bytes| human::bytes(bytes as f64));
                    m.leaf("td", &[], &size);
                    m.leaf("td", &[("class", "words")], &file.from);
                });
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use soak_diagnosis::{Artefact, Artefacts, Case, File, Missing, Subject, diagnose, name};

    use super::*;
    use crate::markdown::diagnosis_markdown;
    use crate::markup::check_well_formed;

    fn diagnosis() -> Diagnosis {
        let profile = soak_scenario::load_profile("go").unwrap();
        let evil = "<script>alert(1)</script>\" onload=\"x | `y`";
        let now = Artefacts(vec![
            Artefact::of(
                name::METRICS,
                evil,
                b"go_goroutines 12\nlongbow_dataset_memory_bytes{dataset=\"<script>\"} 9\n",
            ),
            Artefact::of(name::LOG, "store.log", evil.as_bytes()),
            Artefact::missing(name::HEAP, "GET /x", Missing::new(evil, "ask again")),
        ]);
        let subjects = [Subject { now, ..Subject::default() }];
        let case =
            Case { id: "diag-1", title: evil, made_unix_s: 0, profile: &profile, subjects: &subjects, good: None };
        let mut diagnosis = diagnose(&case);
        diagnosis.files = subjects[0].now.0.iter().map(|one| File::of(format!("raw/{}", one.name), one)).collect();
        diagnosis
    }

    #[test]
    fn the_page_is_whole_and_what_was_collected_is_text() {
        let page = html(&diagnosis());
        check_well_formed(&page).unwrap();
        assert!(!page.contains("<script") && !page.contains("\" onload") && page.contains("&lt;script&gt;"));
        for wanted in [
            "Kubernetes version",
            "Top 5 largest datasets",
            "Deployments in last 24 hours",
            "last 100 lines",
            "Could not be had",
        ] {
            assert!(page.contains(wanted), "{wanted}");
        }
    }

    #[test]
    fn markdown_says_the_same() {
        let text = diagnosis_markdown(&diagnosis());
        // Inside a fence everything is text already.
        let outside: String = text.split("```").step_by(2).collect();
        assert!(!outside.contains("<script") && outside.contains("&lt;script"), "{text}");
        for wanted in ["## Environment", "### Goroutine count", "**Could not be had**", "| by the metrics page | 12 |"]
        {
            assert!(text.contains(wanted), "{wanted}\n{text}");
        }
    }
}
