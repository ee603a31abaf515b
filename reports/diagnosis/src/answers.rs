//! The answers, in the order in which the runbook asks: environment, metrics, recent changes, logs; and what holds the memory, which is why anybody asks.

mod changes;
mod environment;
mod holding;
mod logging;
mod metrics;

use crate::artefact::{Artefact, Artefacts, Missing};
use crate::case::{Case, Subject};
use crate::page::{Block, DIAGNOSIS_SCHEMA, Diagnosis, Item, Section};

/// Rows of a table, at most: the artefact itself has the rest.
const ROWS_MAX: usize = 25;

/// Makes a diagnosis of what was collected. The files of the archive are its writer's to name.
pub fn diagnose(case: &Case<'_>) -> Diagnosis {
    let mut summary = Vec::new();
    let mut sections = Vec::new();
    for subject in case.subjects {
        let title = |title: &str| match subject.name.as_str() {
            "" => title.to_owned(),
            name => format!("{title}: {name}"),
        };
        let holding = holding::items(subject);
        summary.extend(holding.told.into_iter().map(|told| title(&told)));
        let mut add = |name: &str, items| sections.push(Section { title: title(name), items });
        add("Environment", environment::items(subject));
        add("Metrics", metrics::items(case, subject));
        add("What holds the memory", holding.items);
        add("Recent changes", changes::items(case, subject));
        let logs = logging::items(case, subject);
        summary.extend(logs.told.into_iter().map(|told| match subject.name.as_str() {
            "" => told,
            name => format!("{told}: {name}"),
        }));
        sections.push(Section {
            title: if subject.name.is_empty() { "Logs".to_owned() } else { format!("Logs: {}", subject.name) },
            items: logs.items,
        });
    }
    let asked = case.subjects.iter().flat_map(|subject| &subject.now.0);
    let missing = asked.filter(|one| one.got.is_err()).count();
    if missing > 0 {
        summary.push(format!("{missing} of what was asked for could not be had; each says why, and what to do."));
    }
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
    match artefacts.find(name) {
        Some(artefact) => {
            let item = item.from(&artefact.from);
            match &artefact.got {
                Ok(_) => (item, Some(artefact)),
                Err(missing) => (item.with(Block::Missing(missing.clone())), None),
            }
        }
        None => {
            let missing = Missing::new(
                format!("nothing was collected that tells it ({name})"),
                "ask a running target with `soak diag --profile P --http ADDR --pid N`",
            );
            (item.with(Block::Missing(missing)), None)
        }
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
