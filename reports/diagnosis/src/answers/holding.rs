//! What holds the memory: sites of the heap and their growth, kinds of holders, tasks by stack, mappings, open files, and where time goes.

use soak_record::TaskGroup;

use super::{ROWS_MAX, Told, lines, look, read};
use crate::artefact::{Artefacts, name};
use crate::case::Subject;
use crate::logs::LAST_LINES;
use crate::page::{Block, Cell, Item};
use crate::pprof::Pprof;
use crate::sites::{self, Growth, Site};
use crate::{smaps, tasks};

/// Sites of a profile that are told in words.
const LARGEST: usize = 5;

pub(super) fn items(subject: &Subject) -> Told {
    let Told { mut items, mut told } = of_heap(subject);
    items.push(tasks_by_stack(subject, &mut told));
    items.push(by_mapping(subject));
    items.push(descriptors(subject));
    items.push(processor(subject));
    items.push(trend(subject));
    items.extend(subject.now.named(name::DUMP).map(|dump| dumped(subject, &dump.name)));
    Told { items, told }
}

/// What a profile shows by itself; its largest sites are told, because nothing else is there to read.
pub(super) fn of_profile(subject: &Subject) -> Told {
    if let Some(sites) = sites_of(&subject.now) {
        let Told { items, mut told } = of_heap(subject);
        told.extend(largest(&sites, "holds", |bytes| format!("{:.1} MiB", bytes / 1_048_576.0)));
        return Told { items, told };
    }
    if let Some(dump) = subject.now.text(name::TASKS) {
        let all = tasks::count(dump).unwrap_or(0);
        let line = |group: &TaskGroup| {
            let innermost = group.signature.split(" < ").next().unwrap_or_default();
            format!("{} of {all} tasks are in {innermost}.", group.count)
        };
        let mut told: Vec<String> = tasks::groups(dump).iter().take(LARGEST).map(line).collect();
        return Told { items: vec![tasks_by_stack(subject, &mut told)], told };
    }
    let profile = subject.now.bytes(name::CPU).and_then(|bytes| Pprof::decode(bytes).ok());
    let sites = profile.and_then(|profile| sites::cpu_sites(&profile).ok()).unwrap_or_default();
    let told = largest(&sites, "takes", |nanoseconds| format!("{:.2} s", nanoseconds / 1e9));
    Told { items: vec![processor(subject)], told }
}

/// The first sites, in words.
fn largest(sites: &[Site], verb: &str, in_words: fn(f64) -> String) -> Vec<String> {
    let all: f64 = sites.iter().map(|site| site.amount).sum();
    let line = |site: &Site| {
        let (amount, share) = (in_words(site.amount), 100.0 * site.amount / all);
        format!("{} {verb} {amount} of {}, {share:.0} %.", site.function, in_words(all))
    };
    sites.iter().take(LARGEST).map(line).collect()
}

/// Whose the heap is, and whose its growth.
fn of_heap(subject: &Subject) -> Told {
    let mut told = Vec::new();
    let (now, before) = (sites_of(&subject.now), subject.before.as_ref().and_then(sites_of));
    let mut items = vec![growing(subject, now.as_deref(), before.as_deref(), &mut told)];
    items.push(heap_by_site(subject, now.as_deref()));
    items.extend(by_holder(now.as_deref(), before.as_deref()));
    Told { items, told }
}

fn sites_of(artefacts: &Artefacts) -> Option<Vec<Site>> {
    // It was decoded when it was collected; one that is no heap profile has no sites.
    sites::heap_sites(&Pprof::decode(artefacts.bytes(name::HEAP)?).ok()?).ok()
}

fn growing(subject: &Subject, now: Option<&[Site]>, before: Option<&[Site]>, told: &mut Vec<String>) -> Item {
    let (item, _) = look(Item::new("The sites of the heap that grow"), &subject.now, name::HEAP);
    let Some(earlier) = &subject.before else {
        return item.missing(
            "there is no heap profile from before to compare with",
            "make an archive of the healthy target first, and name it with --baseline",
        );
    };
    let Some(now) = now else { return item };
    let Some(before) = before else {
        let (item, _) = look(item, earlier, name::HEAP);
        return item.missing(&format!("{} has no heap profile", subject.before_is), "name another with --baseline");
    };
    let grown = sites::growth(before, now);
    if let Some(most) = grown.first().filter(|most| most.is_telling()) {
        told.push(format!(
            "{} holds {:.1} MiB more than at {}, {:.0} % of all growth of the heap.",
            most.function,
            most.more_bytes() / 1_048_576.0,
            subject.before_is,
            most.share * 100.0
        ));
    }
    if grown.is_empty() {
        return item.say(format!("No stack holds more than at {}.", subject.before_is));
    }
    let row = |one: &Growth| {
        vec![
            Cell::text(&one.function),
            Cell::Bytes(one.more_bytes()),
            Cell::Share(one.share),
            Cell::Bytes(one.before_bytes),
            Cell::Bytes(one.after_bytes),
            Cell::Count(one.more_objects),
            Cell::text(&one.stack),
        ]
    };
    let heads = ["Function", "More", "Of all growth", "Before", "Now", "More objects", "Stack, innermost first"];
    item.table(&heads, grown.iter().take(ROWS_MAX).map(row).collect()).say(format!(
        "Before is {}; a profile samples allocations, and is as of the last collection.",
        subject.before_is
    ))
}

fn heap_by_site(subject: &Subject, now: Option<&[Site]>) -> Item {
    let (item, _) = look(Item::new("The heap by site (pprof -top)"), &subject.now, name::HEAP);
    let Some(now) = now else { return item };
    let all: f64 = now.iter().map(|site| site.amount).sum();
    let row = |site: &Site| {
        vec![
            Cell::text(&site.function),
            Cell::Bytes(site.amount),
            Cell::Share(site.amount / all.max(1.0)),
            Cell::Count(site.count),
            Cell::text(&site.stack),
        ]
    };
    item.table(
        &["Function", "In use", "Of the heap", "Objects", "Stack, innermost first"],
        now.iter().take(ROWS_MAX).map(row).collect(),
    )
}

fn by_holder(now: Option<&[Site]>, before: Option<&[Site]>) -> Option<Item> {
    let rows = sites::holders(before, now?)
        .into_iter()
        .map(|one| vec![Cell::text(one.name), Cell::Bytes(one.bytes), Cell::maybe(one.before_bytes, Cell::Bytes)]);
    let item = Item::new("The heap by what holds it").from("the names of the functions in the heap profile");
    Some(item.table(&["Holder", "In use", "Before"], rows.collect()))
}

fn tasks_by_stack(subject: &Subject, told: &mut Vec<String>) -> Item {
    let (item, dump) = read(Item::new("Tasks (goroutines) by stack"), &subject.now, name::TASKS);
    let Some(dump) = dump else { return item };
    let now = tasks::groups(dump);
    let before: Option<Vec<TaskGroup>> =
        subject.before.as_ref().and_then(|before| before.text(name::TASKS)).map(tasks::groups);
    let changes = tasks::changes(before.as_deref(), &now);
    if let Some((most, before)) =
        changes.first().and_then(|one| Some((one, one.before?))).filter(|(one, before)| one.group.count > before + 2)
    {
        told.push(format!(
            "{} more tasks than at {} wait in {}.",
            most.group.count - before,
            subject.before_is,
            most.group.signature.split(" < ").next().unwrap_or_default()
        ));
    }
    let rows = changes.iter().take(ROWS_MAX).map(|one| {
        let before = one.before.map(|before| before as f64);
        vec![
            Cell::text(&one.group.signature),
            Cell::Count(one.group.count as f64),
            Cell::maybe(before, Cell::Count),
            Cell::Count(one.group.oldest_minutes as f64),
        ]
    });
    item.table(&["Stack, innermost first", "Now", "Before", "Oldest, minutes"], rows.collect())
}

fn by_mapping(subject: &Subject) -> Item {
    let (item, text) = read(Item::new("Resident memory by mapping (pmap)"), &subject.now, name::SMAPS);
    let Some(text) = text else { return item };
    let all = smaps::mappings(text);
    let kinds =
        smaps::totals(&all).into_iter().map(|(kind, bytes)| vec![Cell::text(kind.words()), Cell::Bytes(bytes as f64)]);
    let rows = all.iter().take(ROWS_MAX).map(|one| {
        let name = if one.name.is_empty() { "without a name" } else { &one.name };
        let bytes =
            [one.rss_bytes, one.anon_bytes, one.file_bytes, one.pss_bytes].map(|bytes| Cell::Bytes(bytes as f64));
        [Cell::text(name), Cell::text(one.kind.words())]
            .into_iter()
            .chain(bytes)
            .chain([Cell::Count(one.count as f64)])
            .collect()
    });
    let rows: Vec<Vec<Cell>> = rows.collect();
    item.table(&["Kind", "Resident"], kinds.collect())
        .table(&["Mapping", "Kind", "Resident", "Anonymous", "File", "Proportional", "Mappings"], rows)
}

/// `ls -la /proc/PID/fd`: how many, and those of memory.
fn descriptors(subject: &Subject) -> Item {
    let (item, text) = read(Item::new("Open files, and those of memory"), &subject.now, name::DESCRIPTORS);
    let Some(text) = text else { return item };
    let of_memory =
        text.lines().filter(|line| ["memfd", "/dev/shm", "mem", "(deleted)"].iter().any(|part| line.contains(part)));
    let of_memory: Vec<&str> = of_memory.take(ROWS_MAX).collect();
    let item = item.say(format!("{} are open.", text.lines().count()));
    if of_memory.is_empty() {
        item.say("None of them is of memory or deleted.")
    } else {
        item.with(Block::Lines(of_memory.join("\n")))
    }
}

fn processor(subject: &Subject) -> Item {
    let (item, artefact) = look(Item::new("Where the processor's time goes"), &subject.now, name::CPU);
    let Some(profile) = artefact.and_then(|artefact| Pprof::decode(artefact.got.as_ref().ok()?).ok()) else {
        return item;
    };
    let seconds = profile.duration_s;
    let sites = sites::cpu_sites(&profile).unwrap_or_default();
    let all: f64 = sites.iter().map(|site| site.amount).sum();
    let row = |site: &Site| {
        vec![
            Cell::text(&site.function),
            Cell::Seconds(site.amount / 1e9),
            Cell::Share(site.amount / all.max(1.0)),
            Cell::text(&site.stack),
        ]
    };
    item.table(
        &["Function", "Time", "Of all", "Stack, innermost first"],
        sites.iter().take(ROWS_MAX).map(row).collect(),
    )
    .say(format!("Over {seconds:.0} s, in which the processor worked for {:.1} s.", all / 1e9))
}

/// Resident memory while all this was collected.
fn trend(subject: &Subject) -> Item {
    let (item, text) = read(Item::new("Memory while this was collected"), &subject.now, name::TREND);
    let Some(text) = text else { return item };
    let rows: Vec<Vec<Option<f64>>> =
        text.lines().skip(1).map(|line| line.split(',').map(|cell| cell.parse().ok()).collect()).collect();
    let step = rows.len().div_ceil(12).max(1);
    let shown = rows.iter().enumerate().filter(|(at, _)| at % step == 0 || at + 1 == rows.len());
    let shown = shown.map(|(_, row)| {
        let cell = |at: usize| row.get(at).copied().flatten();
        vec![Cell::maybe(cell(0), Cell::Seconds), Cell::maybe(cell(1), Cell::Bytes), Cell::maybe(cell(2), Cell::Bytes)]
    });
    item.table(&["After", "Resident", "Available on the machine"], shown.collect())
}

/// A dump that a signal asked for.
fn dumped(subject: &Subject, file: &str) -> Item {
    let (item, artefact) = look(Item::new("The heap dump that was asked for by a signal"), &subject.now, file);
    let Some(bytes) = artefact.and_then(|artefact| artefact.got.as_ref().ok()) else { return item };
    match Pprof::decode(bytes).ok().and_then(|profile| sites::heap_sites(&profile).ok()) {
        Some(sites) => {
            let row = |site: &Site| vec![Cell::text(&site.function), Cell::Bytes(site.amount), Cell::text(&site.stack)];
            item.table(
                &["Function", "In use", "Stack, innermost first"],
                sites.iter().take(ROWS_MAX).map(row).collect(),
            )
        }
        None if std::path::Path::new(file).extension().is_some_and(|extension| extension == "txt") => {
            let item = item.say("It is no pprof; its beginning:");
            let text = std::str::from_utf8(bytes).unwrap_or_default();
            item.with(Block::Lines(text.lines().take(LAST_LINES / 5).collect::<Vec<_>>().join("\n")))
        }
        None => lines(item, subject, file),
    }
}
