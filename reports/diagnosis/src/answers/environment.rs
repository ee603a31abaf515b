//! Where it runs: Kubernetes, node, limit, replicas, the process and its neighbours.

use super::{lines, read};
use crate::artefact::name;
use crate::case::Subject;
use crate::figures::{kernel_bytes, plain};
use crate::page::{Cell, Item};

pub(super) fn items(subject: &Subject) -> Vec<Item> {
    let nodes = lines(Item::new("Node type and resources"), subject, name::HOST);
    let nodes = machine(nodes, subject);
    let nodes = if subject.now.find(name::KUBERNETES_NODES).is_some_and(|one| one.got.is_ok()) {
        lines(nodes, subject, name::KUBERNETES_NODES)
    } else {
        nodes
    };
    vec![
        lines(Item::new("Kubernetes version"), subject, name::KUBERNETES_VERSION),
        nodes,
        limit(subject),
        lines(Item::new("Number of replicas"), subject, name::KUBERNETES_DEPLOYMENT),
        processes(subject),
        lines(Item::new("What the pods use"), subject, name::KUBERNETES_USAGE),
    ]
}

/// `free -h`, and the share that is not available.
fn machine(item: Item, subject: &Subject) -> Item {
    let (item, text) = read(item, &subject.now, name::MACHINE);
    let Some(text) = text else { return item };
    let of = |name| kernel_bytes(text, name);
    let rows = [
        ("total", "MemTotal"),
        ("free", "MemFree"),
        ("available", "MemAvailable"),
        ("page cache", "Cached"),
        ("swap, total", "SwapTotal"),
        ("swap, free", "SwapFree"),
    ];
    let rows = rows.into_iter().filter_map(|(words, name)| Some(vec![Cell::text(words), Cell::Bytes(of(name)?)]));
    let mut rows: Vec<_> = rows.collect();
    if let (Some(total), Some(available)) = (of("MemTotal"), of("MemAvailable")) {
        rows.push(vec![Cell::text("not available"), Cell::Share((total - available) / total.max(1.0))]);
    }
    item.table(&["Memory of the machine", ""], rows)
}

/// The limit, and how near resident memory is to it.
fn limit(subject: &Subject) -> Item {
    let (item, text) = read(Item::new("Container memory limit"), &subject.now, name::CGROUP);
    let Some(text) = text else { return item };
    let Some(limit) = plain(text, "cgroup_limit_bytes") else {
        return item.say("The kernel holds the process to no limit of its own.");
    };
    let row = |words: &str, name| {
        Some(vec![Cell::text(words), Cell::Bytes(plain(text, name)?), Cell::Share(plain(text, name)? / limit)])
    };
    let mut rows = vec![vec![Cell::text("limit"), Cell::Bytes(limit), Cell::Nothing]];
    rows.extend(
        [
            row("charged", "cgroup_usage_bytes"),
            row("working set, which eviction goes by", "cgroup_working_set_bytes"),
            row("of files, which can be given up", "cgroup_file_bytes"),
        ]
        .into_iter()
        .flatten(),
    );
    let kills = plain(text, "cgroup_oom_kills_total");
    let item = item.table(&["", "Bytes", "Of the limit"], rows);
    match kills {
        Some(kills) => item.say(format!("The kernel has killed {kills} of its processes for memory.")),
        None => item,
    }
}

/// `ps aux --sort=-%mem | head -10`.
fn processes(subject: &Subject) -> Item {
    let (item, text) = read(Item::new("The processes of the machine that hold most"), &subject.now, name::PROCESSES);
    let Some(text) = text else { return item };
    let rows = text.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ' ');
        let (bytes, pid, name) = (fields.next()?.parse().ok()?, fields.next()?, fields.next()?);
        Some(vec![Cell::text(name), Cell::text(pid), Cell::Bytes(bytes)])
    });
    item.table(&["Process", "Pid", "Resident"], rows.collect())
}
