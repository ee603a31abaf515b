//! A built-in profile as the start of a server's own: the file as it is, with marked changes for what this server does otherwise.

use std::fmt::Write as _;

use soak_diagnosis::metrics_page::{Line, Selector};

use super::look::{Endpoint, Seen};
use super::mapping::{self, Mapped};
use super::product::Product;
use soak_scenario::builtin_profiles;

/// The built-in profile of a server; `None` where there is none.
pub(super) fn text_of(product: Product) -> Option<&'static str> {
    builtin_profiles().into_iter().find(|profile| profile.name == product.profile()).map(|profile| profile.text)
}

/// A built-in profile, held against the server.
pub(super) struct Compared {
    pub(super) text: String,
    /// Lines that were added or changed.
    pub(super) changes: usize,
    /// Metrics that the profile names and the page does not have now.
    pub(super) absent: Vec<String>,
}

/// Copies the profile line by line. What the server has besides is added to its section, marked `+`; what it answers otherwise is commented
/// out, marked `-`. A metric that is not on the page now stays: counters with labels appear with their first use.
pub(super) fn compare(text: &str, seen: &Seen, lines: &[Line<'_>]) -> Compared {
    let mut compared = Compared { text: String::new(), changes: 0, absent: Vec::new() };
    let mut section = String::new();
    let (mut keys, mut told) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            compared.end_section(&section, &keys, seen, lines);
            told.push(section.clone());
            name.clone_into(&mut section);
            keys.clear();
        }
        let key = line.split_once('=').filter(|_| !line.starts_with('#')).map(|(key, _)| key.trim().to_owned());
        compared.line(line, &section, key.as_deref(), seen, lines);
        keys.extend(key);
    }
    compared.end_section(&section, &keys, seen, lines);
    told.push(section);
    for missing in ["endpoints", "series", "attest"].iter().filter(|name| !told.iter().any(|one| one == *name)) {
        let mut added = Compared { text: String::new(), changes: 0, absent: Vec::new() };
        added.end_section(missing, &[], seen, lines);
        if added.changes > 0 {
            let _ = write!(compared.text, "\n[{missing}]\n{}", added.text.trim_start());
            compared.changes += added.changes;
        }
    }
    compared
}

impl Compared {
    fn line(&mut self, line: &str, section: &str, key: Option<&str>, seen: &Seen, lines: &[Line<'_>]) {
        let metrics = seen.metrics.as_ref();
        let is_metrics = section == "endpoints" && key == Some("metrics");
        if let (true, Some(page)) = (is_metrics, metrics)
            && !line.contains(&format!("\"GET {}\"", page.path))
        {
            self.changes += 1;
            let _ = writeln!(self.text, "# - {line}\nmetrics = \"GET {}\" # + answers here", page.path);
            return;
        }
        let _ = write!(self.text, "{line}");
        let selector = key.filter(|_| ["series", "attest"].contains(&section)).and_then(|_| metric(line));
        if let (Some(key), Some(selector)) = (key, selector)
            && seen.metrics.is_some()
            && Selector::parse(selector).is_some_and(|selector| selector.read(lines).is_none())
        {
            let _ = write!(self.text, "{}not on the page now", if line.contains(" # ") { "; " } else { " # " });
            self.absent.push(format!("{key} ({selector})"));
        }
        self.text.push('\n');
    }

    /// Adds to a section what the server has and the profile does not name, before the blank lines and comments that lead to the next one.
    fn end_section(&mut self, section: &str, keys: &[String], seen: &Seen, lines: &[Line<'_>]) {
        let added = match section {
            "endpoints" => endpoints(keys, seen),
            "series" => mapped(&mapping::series(lines), keys),
            "attest" => mapped(&mapping::knobs(lines), keys),
            _ => Vec::new(),
        };
        if added.is_empty() {
            return;
        }
        self.changes += added.len();
        let mut block = String::new();
        for line in &added {
            let _ = writeln!(block, "{line} # + found");
        }
        // Comments above a section's head belong to that section.
        let mut at = self.text.len();
        for line in self.text.clone().lines().rev() {
            if !(line.is_empty() || line.starts_with('#')) {
                break;
            }
            at -= line.len() + 1;
        }
        self.text.insert_str(at, &block);
    }
}

/// The metric of a line such as `key = "metric" # why` or `key = 'metric{label="x"}'`.
fn metric(line: &str) -> Option<&str> {
    let value = line.split_once('=')?.1.trim();
    let quote = value.chars().next().filter(|quote| ['"', '\''].contains(quote))?;
    value[1..].split_once(quote).map(|(metric, _)| metric)
}

fn endpoints(keys: &[String], seen: &Seen) -> Vec<String> {
    let new = |one: &&Endpoint| !keys.iter().any(|key| key == one.key);
    let mut added: Vec<String> = seen.endpoints.iter().filter(new).map(endpoint).collect();
    let page = seen.metrics.as_ref();
    if let (Some(page), false) = (page, keys.iter().any(|key| key == "metrics")) {
        added.insert(0, format!("metrics = \"GET {}\"", page.path));
    }
    added
}

/// An endpoint as a line of `[endpoints]`.
pub(super) fn endpoint(one: &Endpoint) -> String {
    format!("{} = \"{}\"", one.key, one.call)
}

fn mapped(found: &[Mapped], keys: &[String]) -> Vec<String> {
    found.iter().filter(|one| !keys.iter().any(|key| key == one.name)).map(entry).collect()
}

/// A series or a knob as a line of `[series]` or `[attest]`.
pub(super) fn entry(one: &Mapped) -> String {
    let quote = if one.metric.contains('"') { '\'' } else { '"' };
    format!("{} = {quote}{}{quote}", one.name, one.metric)
}
