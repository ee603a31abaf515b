//! What changed lately, as far as it can be seen from here: deployments, settings, schemas.

use super::{ROWS_MAX, lines, read};
use crate::artefact::{Artefact, name};
use crate::case::{Case, Subject};
use crate::figures::{matching, pairs, settings};
use crate::logs;
use crate::page::{Block, Cell, Item};

pub(super) fn items(case: &Case<'_>, subject: &Subject) -> Vec<Item> {
    let deployments = lines(Item::new("Deployments in last 24 hours"), subject, name::KUBERNETES_ROLLOUTS);
    let mut items = vec![deployments, commits(subject), configuration(case, subject)];
    items
        .extend(subject.now.named(name::CONFIG).filter(|one| !one.name.contains(BEFORE)).map(|one| file(subject, one)));
    items.push(schemas(subject));
    items
}

/// What the name of an earlier configuration file holds.
const BEFORE: &str = ".before.";

fn commits(subject: &Subject) -> Item {
    lines(Item::new("The last commits (git log --oneline -10)"), subject, name::COMMITS)
}

/// Settings now, beside those of the last good run.
fn configuration(case: &Case<'_>, subject: &Subject) -> Item {
    let (item, text) = read(Item::new("Configuration changes"), &subject.now, name::SETTINGS);
    let mut now = text.map(pairs).unwrap_or_default();
    if let Some(page) = subject.now.text(name::METRICS) {
        now.extend(settings(page, case.profile));
    }
    let before: Option<(String, Vec<(String, String)>)> = match (case.good, &subject.before) {
        (Some(good), _) => Some((good.name.clone(), good.settings.clone())),
        (None, Some(before)) if before.text(name::SETTINGS).is_some() => {
            let mut pairs = pairs(before.text(name::SETTINGS).unwrap_or_default());
            let page = before.text(name::METRICS).unwrap_or_default();
            pairs.extend(settings(page, case.profile));
            Some((subject.before_is.clone(), pairs))
        }
        _ => None,
    };
    let of = |name: &String| {
        before
            .as_ref()
            .and_then(|(_, pairs)| pairs.iter().find(|(other, _)| other == name))
            .map(|(_, value)| value.clone())
    };
    let row = |(name, value): &(String, String)| {
        let earlier = of(name);
        let word = match &earlier {
            Some(earlier) if earlier != value => "CHANGED",
            Some(_) => "as before",
            None => "",
        };
        vec![Cell::text(name), Cell::text(value), earlier.map_or(Cell::Nothing, Cell::Text), Cell::text(word)]
    };
    let item = item.table(&["Setting", "Now", "Before", ""], now.iter().map(row).collect());
    match before {
        Some((name, _)) => item.say(format!("Before is {name}.")),
        None => item.missing(
            "there is nothing to compare the settings with",
            "name the last good run with --since, or an earlier archive with --baseline",
        ),
    }
}

/// A configuration file, and what is different in it.
fn file(subject: &Subject, artefact: &Artefact) -> Item {
    let item = Item::new(format!("Configuration file {}", artefact.from)).from(&artefact.from);
    let (item, now) = read(item, &subject.now, &artefact.name);
    let Some(now) = now else { return item };
    let earlier_name = artefact.name.replacen(".txt", &format!("{BEFORE}txt"), 1);
    let earlier = subject.now.text(&earlier_name).map(|text| (text, "the copy beside it"));
    let earlier = earlier.or_else(|| Some((subject.before.as_ref()?.text(&artefact.name)?, "the archive from before")));
    let Some((before, whose)) = earlier else {
        return item.missing(
            "there is no earlier copy to compare with",
            "keep one beside it as FILE.bak, or name an earlier archive with --baseline",
        );
    };
    let only = |these: &str, others: &str, sign| -> Vec<String> {
        these
            .lines()
            .filter(|line| !others.lines().any(|other| other == *line))
            .map(|line| format!("{sign} {line}"))
            .collect()
    };
    let changed = [only(before, now, '-'), only(now, before, '+')].concat();
    if changed.is_empty() {
        item.say(format!("It is as in {whose}."))
    } else {
        item.say(format!("Against {whose}:")).with(Block::Lines(changed.join("\n")))
    }
}

fn schemas(subject: &Subject) -> Item {
    let (item, log) = read(Item::new("Schema evolution events"), &subject.now, name::LOG);
    let told: Vec<&str> = log.map(|log| logs::about(log, "schema")).unwrap_or_default();
    let counted = subject.now.text(name::METRICS).map(|page| matching(page, &["schema"])).unwrap_or_default();
    if told.is_empty() && counted.is_empty() {
        return item.missing(
            "neither the log nor the metrics page speaks of a schema",
            "nothing, where none changed; else ask those who write the data",
        );
    }
    let last = told[told.len().saturating_sub(ROWS_MAX)..].join("\n");
    let item = if last.is_empty() { item } else { item.with(Block::Lines(last)) };
    item.table(
        &["Metric", ""],
        counted.into_iter().map(|(name, value)| vec![Cell::text(name), Cell::text(value.to_string())]).collect(),
    )
}
