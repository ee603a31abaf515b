//! What the target and the kernel wrote.

use super::{ROWS_MAX, Told, lines, read};
use crate::artefact::name;
use crate::case::{Case, Subject};
use crate::logs::{self, LAST_LINES, Pattern};
use crate::page::{Block, Cell, Item};

pub(super) fn items(case: &Case<'_>, subject: &Subject) -> Told {
    let mut told = Vec::new();
    let (last, log) = read(Item::new("Recent error logs (last 100 lines)"), &subject.now, name::LOG);
    let last = match log {
        Some(log) if log.trim().is_empty() => last.say("It is empty."),
        Some(log) => last.with(Block::Lines(logs::tail(log, LAST_LINES))),
        None => last,
    };
    let items = vec![
        last,
        repeated(case, subject, &mut told),
        compaction(subject),
        lines(Item::new("What the kernel killed for memory"), subject, name::KERNEL),
    ];
    Told { items, told }
}

/// Errors by pattern, and those that are new.
fn repeated(case: &Case<'_>, subject: &Subject, told: &mut Vec<String>) -> Item {
    let (item, log) = read(Item::new("Suspicious patterns (repeated errors)"), &subject.now, name::LOG);
    let Some(log) = log else { return item };
    let good = case.good.and_then(|good| good.log.as_deref());
    let before = good.or_else(|| subject.before.as_ref()?.text(name::LOG));
    let errors = logs::errors(log, before);
    if let Some(most) = errors.first().filter(|most| most.count > 1) {
        told.push(format!("The log has the same error {} times.", most.count));
    }
    let row = |one: &Pattern| {
        let new = match one.known {
            Some(false) => "new",
            Some(true) => "as before",
            None => "",
        };
        vec![Cell::text(&one.pattern), Cell::Count(one.count as f64), Cell::text(new)]
    };
    if errors.is_empty() {
        return item.say("No line tells of an error.");
    }
    item.table(&["Line, with # for numbers", "Times", ""], errors.iter().take(ROWS_MAX).map(row).collect())
}

/// What the log says of compaction, and how much of that is errors.
fn compaction(subject: &Subject) -> Item {
    let (item, log) = read(Item::new("Compaction worker logs"), &subject.now, name::LOG);
    let Some(log) = log else { return item };
    let about = logs::about(log, "compact");
    if about.is_empty() {
        return item.say("No line of it speaks of compaction.");
    }
    let errors = about.iter().filter(|line| logs::is_error(line)).count();
    let share = errors as f64 / about.len() as f64;
    item.table(
        &["", ""],
        vec![
            vec![Cell::text("lines that speak of compaction"), Cell::Count(about.len() as f64)],
            vec![Cell::text("of them, errors"), Cell::Share(share)],
        ],
    )
    .with(Block::Lines(about[about.len().saturating_sub(ROWS_MAX)..].join("\n")))
}
