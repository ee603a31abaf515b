//! The answers, in the order in which the runbook asks: environment, metrics, recent changes, logs; and what holds the memory, which is why anybody asks.

mod changes;
mod environment;
mod holding;
mod logging;
mod metrics;

use crate::artefact::{Artefact, Artefacts, Missing, name};
use crate::case::{Case, Subject};
use crate::metrics_page;
use crate::page::{Block, DIAGNOSIS_SCHEMA, Diagnosis, Item, Section};

/// Rows of a table, at most: the artefact itself has the rest.
const ROWS_MAX: usize = 25;

/// Makes a diagnosis of what was collected. The files of the archive are its writer's to name.
pub fn diagnose(case: &Case<'_>) -> Diagnosis {
    let mut summary = Vec::new();
    let mut sections = Vec::new();
    for subject in case.subjects {
        let of =
            |text: &str| if subject.name.is_empty() { text.to_owned() } else { format!("{text}: {}", subject.name) };
        let (holding, logs) = (holding::items(subject), logging::items(case, subject));
        let page = subject.now.text(name::METRICS).map(|page| metrics_page::faults(&metrics_page::parse(page)));
        for told in page.into_iter().flatten().chain(holding.told).chain(logs.told) {
            summary.push(if subject.name.is_empty() { told } else { format!("{}: {told}", subject.name) });
        }
        let all = [
            ("Environment", environment::items(subject)),
            ("Metrics", metrics::items(case, subject)),
            ("What holds the memory", holding.items),
            ("Recent changes", changes::items(case, subject)),
            ("Logs", logs.items),
        ];
        sections.extend(all.map(|(title, items)| Section { title: of(title), items }));
    }
    let asked = case.subjects.iter().flat_map(|subject| &subject.now.0);
    let missing = asked.filter(|one| one.got.is_err()).count();
    if missing > 0 {
        summary.push(format!("{missing} of what was asked for could not be had; each says why, and what to do."));
    }
    whole(case, summary, sections)
}

/// Makes one of a profile alone, of the heap or of the processor, that was written to a file: it answers nothing else.
pub fn diagnose_profile(case: &Case<'_>) -> Diagnosis {
    let all = case.subjects.iter().map(holding::of_profile);
    let (told, items): (Vec<_>, Vec<_>) = all.map(|one| (one.told, one.items)).unzip();
    let section = Section { title: "What the profile shows".to_owned(), items: items.concat() };
    whole(case, told.concat(), vec![section])
}

fn whole(case: &Case<'_>, summary: Vec<String>, sections: Vec<Section>) -> Diagnosis {
    Diagnosis {
        schema: DIAGNOSIS_SCHEMA,
        id: case.id.to_owned(),
        title: case.title.to_owned(),
        made_unix_s: case.made_unix_s,
        summary,
        sections,
        files: Vec::new(),
    }
}

/// A section, and what of it stands out.
struct Told {
    items: Vec<Item>,
    told: Vec<String>,
}

/// An item that is read from one artefact, or says why it is not there.
fn read<'a>(item: Item, artefacts: &'a Artefacts, name: &str) -> (Item, Option<&'a str>) {
    let (item, artefact) = look(item, artefacts, name);
    let text = artefact.and_then(|artefact| std::str::from_utf8(artefact.got.as_ref().ok()?).ok());
    (item, text)
}

/// The same with its bytes.
fn look<'a>(item: Item, artefacts: &'a Artefacts, name: &str) -> (Item, Option<&'a Artefact>) {
    let Some(artefact) = artefacts.find(name) else {
        let missing = Missing::new(
            format!("nothing was collected that tells it ({name})"),
            "ask a running target with `soak diag --profile P --http ADDR --pid N`",
        );
        return (item.with(Block::Missing(missing)), None);
    };
    let item = item.from(&artefact.from);
    match &artefact.got {
        Ok(_) => (item, Some(artefact)),
        Err(missing) => (item.with(Block::Missing(missing.clone())), None),
    }
}

/// The lines of an artefact as they are.
fn lines(item: Item, subject: &Subject, name: &str) -> Item {
    let (item, text) = read(item, &subject.now, name);
    match text {
        Some(text) if text.trim().is_empty() => item.say("It is empty."),
        Some(text) => item.with(Block::Lines(text.trim_end().to_owned())),
        None => item,
    }
}
