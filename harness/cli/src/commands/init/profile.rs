//! The profile's text, from what was seen.

use std::fmt::Write as _;
use std::net::SocketAddr;

use soak_diagnosis::metrics_page::Line;
use soak_scenario::Protocol;

use super::costs::{self, Missing};
use super::look::Seen;
use super::product::Recognised;
use super::{FILL_IN, Scenarios, builtin, mapping, requests};

/// What a profile is written from.
pub(super) struct Case<'a> {
    pub(super) name: String,
    pub(super) seen: &'a Seen,
    pub(super) lines: &'a [Line<'a>],
    pub(super) recognised: &'a Recognised,
}

/// A profile that was written.
pub(super) struct Written {
    pub(super) text: String,
    pub(super) protocol: Protocol,
    /// What the server is, in a sentence.
    pub(super) recognised: String,
    pub(super) found: Vec<String>,
    pub(super) missing: Vec<Missing>,
    pub(super) notes: Vec<String>,
    open: Vec<usize>,
}

impl Written {
    /// Numbers of the lines that a person has to fill in.
    pub(super) fn open(&self) -> &[usize] {
        &self.open
    }
}

/// Writes the profile.
pub(super) fn write(case: &Case<'_>) -> Written {
    let known = case.recognised.product.and_then(|product| Some((product, builtin::text_of(product)?)));
    let mut notes = case.seen.notes.clone();
    let (body, protocol, recognised) = if let Some((product, text)) = known {
        let protocol = protocol_of(text);
        let compared = builtin::compare(text, case.seen, case.lines);
        if !compared.absent.is_empty() {
            notes.push(format!(
                "not on the page now, kept because a counter with labels appears with its first use: {}",
                compared.absent.join(", ")
            ));
        }
        let recognised = format!(
            "This is {} (by {}). The profile starts from the built-in `{}`, with {} changes.",
            product.name(),
            case.recognised.by,
            product.profile(),
            compared.changes
        );
        (compared.text, protocol, recognised)
    } else {
        let protocol = case.seen.protocol();
        (generic(case, protocol), protocol, unknown(case.recognised))
    };
    let body = body + &tls(case.seen);
    let read = as_read(&body);
    let missing = read.map_or_else(Vec::new, |profile| costs::of_profile(case.seen, &profile));
    let mut text = head(case, protocol, &recognised);
    text.push_str(&comments("Not found:", missing.iter().map(|one| format!("{}: {}", one.what, one.cost))));
    text.push_str(&comments("Notes:", notes.iter().cloned()));
    text.push('\n');
    text.push_str(&body);
    let open = text.lines().zip(1..).filter(|(line, _)| line.contains(FILL_IN) && !line.starts_with('#'));
    let open = open.map(|(_, number)| number).collect();
    Written { open, protocol, recognised, found: found(case.seen, case.lines), missing, notes, text }
}

/// The section for HTTPS; nothing where HTTP is spoken.
fn tls(seen: &Seen) -> String {
    let Some(tls) = &seen.tls else { return String::new() };
    let name = tls.server_name.as_ref().map_or_else(String::new, |name| format!("server_name = \"{name}\"\n"));
    format!("\n[tls]\nca_file = '{}'\n{name}", tls.ca_file)
}

fn unknown(recognised: &Recognised) -> String {
    match recognised.product {
        Some(product) => format!(
            "This is {} (by {}), for which there is no built-in profile. It has {}.",
            product.name(),
            recognised.by,
            recognised.runtime.told()
        ),
        None => format!("The server is not one that soak knows. It has {}.", recognised.runtime.told()),
    }
}

/// The comment at the top.
fn head(case: &Case<'_>, protocol: Protocol, recognised: &str) -> String {
    let attach = case.seen.attach(protocol);
    let (name, scenario) = (&case.name, Scenarios::of(case.recognised).smoke);
    format!(
        "# Profile of a running server, written by `soak init`.\n# {recognised}\n\
         # Use: soak run {scenario} --smoke --target {attach} --set target.profile={name}.toml\n"
    )
}

/// A list as comments; nothing where it is empty.
fn comments(title: &str, items: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    for item in items {
        if text.is_empty() {
            let _ = writeln!(text, "# {title}");
        }
        let _ = writeln!(text, "#   - {item}");
    }
    text
}

/// A profile for a server that nobody knows.
fn generic(case: &Case<'_>, protocol: Protocol) -> String {
    let (seen, name) = (case.seen, &case.name);
    let mut out = format!("name = \"{name}\"\ntitle = \"{name}, by soak init: {}\"\n", case.recognised.runtime.told());
    let protocol_name = match protocol {
        Protocol::Flight => "flight",
        Protocol::Http => "http",
    };
    let _ = writeln!(out, "protocol = \"{protocol_name}\"\n");
    if let Some((_, container)) = &seen.container {
        out.push_str(&container_section(seen, container, protocol));
    }
    let health = seen.health.iter().map(|(addr, path)| format!("GET {path} of {addr}"));
    out.push_str(&comments("Health checks that answer:", health));
    out.push_str("[endpoints]\n");
    if let Some(page) = seen.metrics.as_ref() {
        let _ = writeln!(out, "metrics = \"GET {}\"", page.path);
    }
    for one in &seen.endpoints {
        let _ = writeln!(out, "{}", builtin::endpoint(one));
    }
    out.push_str(
        "# compact = \"POST /…\" # compacts and answers when it is done, where the server has such a call\n\n",
    );
    if protocol == Protocol::Http {
        out.push_str(&requests::section());
    }
    let series = mapping::series(case.lines);
    out.push_str("[series]\n");
    out.push_str(&entries(&series));
    let guesses = mapping::guesses(case.lines, &series);
    if !guesses.is_empty() {
        out.push_str("# Metrics of this server that may be more series. Remove the # where the meaning fits (`soak list series`):\n");
        for one in &guesses {
            let _ = writeln!(out, "# {}", builtin::entry(one));
        }
    }
    let knobs = mapping::knobs(case.lines);
    out.push_str("\n# Settings that are read back from the server.\n[attest]\n");
    out.push_str(&entries(&knobs));
    out
}

fn entries(all: &[mapping::Mapped]) -> String {
    let line = |one: &mapping::Mapped| {
        let remark = one.remark().map_or_else(String::new, |remark| format!(" # {remark}"));
        format!("{}{remark}\n", builtin::entry(one))
    };
    all.iter().map(line).collect()
}

/// `[container]`, with the image and ports that the running container has: with it, `--target container:IMAGE` starts the same.
fn container_section(seen: &Seen, container: &soak_engine::discovery::ContainerFound, protocol: Protocol) -> String {
    let inside = |addr: Option<SocketAddr>| {
        container.published.iter().find(|port| Some(port.addr) == addr).map(|port| port.inside)
    };
    let mut out = format!(
        "# For --target container:{image}, which starts the image afresh with [launch] args and env, where it needs any.\n\
         [container]\nimage = \"{image}\"\n",
        image = container.image
    );
    let ports = [("data_port", seen.data), ("meta_port", seen.meta), ("http_port", seen.http_side(protocol))];
    for (key, port) in ports.into_iter().filter_map(|(key, addr)| Some((key, inside(addr)?))) {
        let _ = writeln!(out, "{key} = {port}");
    }
    if !container.volumes.is_empty() {
        let volumes: Vec<String> = container.volumes.iter().map(|path| format!("\"{path}\"")).collect();
        let _ = writeln!(out, "volumes = [{}]", volumes.join(", "));
    }
    out.push('\n');
    out
}

/// What was found, for a person.
fn found(seen: &Seen, lines: &[Line<'_>]) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(page) = &seen.metrics {
        let mapped = mapping::series(lines).len();
        found.push(format!(
            "metrics page {}{}: {} samples, {mapped} runtime series",
            page.addr,
            page.path,
            lines.len()
        ));
    }
    match (seen.data, seen.meta) {
        (Some(data), Some(meta)) if data != meta => {
            found.push(format!("Arrow Flight: puts at {data}, searches and deletes at {meta}"));
        }
        (Some(data), _) => found.push(format!("Arrow Flight at {data}")),
        _ => {}
    }
    let health: Vec<String> = seen.health.iter().map(|(addr, path)| format!("{path} of {addr}")).collect();
    if !health.is_empty() {
        found.push(format!("health checks: {}", health.join(", ")));
    }
    if !seen.endpoints.is_empty() {
        let keys: Vec<&str> = seen.endpoints.iter().map(|one| one.key).collect();
        found.push(format!("pprof: {}", keys.join(", ")));
    }
    if let Some((name, container)) = &seen.container {
        found.push(format!("container {name} of image {}", container.image));
    }
    found
}

/// The protocol that a built-in profile names.
fn protocol_of(text: &str) -> Protocol {
    if text.lines().any(|line| line.starts_with("protocol = \"http\"")) { Protocol::Http } else { Protocol::Flight }
}

/// The profile as a run would read it, with anything in the lines that a person fills in.
fn as_read(body: &str) -> Option<soak_scenario::Profile> {
    let filled = body.replace("call = \"\"", "call = \"POST /\"").replace("body = ''", "body = '{}'");
    soak_scenario::parse_profile("the new profile", &filled).ok()
}
