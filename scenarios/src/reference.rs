//! The reference table of the documentation: every section and key of scenarios and profiles, as declared.

use std::fmt::Write as _;

use crate::check::join;
use crate::fault::FAULTS;
use crate::shape::{Field, Keys, Kind, Presence};
use crate::{profile_shape, scenario_shape};

/// Markdown tables of every key: its values, default and meaning.
pub fn reference_markdown() -> String {
    let mut out = String::from(
        "# Keys of scenario and profile files\n\nGenerated from the declarations that check the files; `soak export reference` prints it.\n\n\
         Sections `[pace.quick]`, `[pace.gate]` and `[pace.soak]` take `matrix`, `workload`, `cycle`, `sampling`, `deadlines`, `faults`, `chaos` and `stop` with the\n\
         same keys: what such a section sets replaces the file's value at that pace. Criteria are the same at every pace.\n",
    );
    for (title, kind) in [("Scenario", scenario_shape::scenario()), ("Profile", profile_shape::profile())] {
        if let Kind::Section(fields) = kind {
            let _ = writeln!(out, "\n## {title}\n");
            table(&mut out, fields);
            sections(&mut out, fields, "");
        }
    }
    faults(&mut out);
    out
}

/// The catalogue of faults.
fn faults(out: &mut String) {
    out.push_str("\n## Faults\n\nWhat `inject` takes; `soak list faults` prints the same. Every fault is healed at the end of its hold, on every way out of a run, by the watchdog when the harness is\nkilled, and by `soak heal` after that.\n\n");
    out.push_str("| fault | level | what it does | shown by | needs |\n|---|---|---|---|---|\n");
    for kind in FAULTS {
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} | {} |",
            kind.name,
            kind.level.name(),
            kind.doc,
            kind.evidence,
            kind.needs
        );
    }
}

fn sections(out: &mut String, fields: &[Field], path: &str) {
    for field in fields {
        let here = join(path, field.name);
        match &field.kind {
            Kind::Section(inner) => {
                let _ = writeln!(out, "\n### `[{here}]`\n\n{}\n", sentence(field.doc));
                table(out, inner);
                sections(out, inner, &here);
            }
            Kind::Map { keys: Keys::Names, values } => {
                if let Kind::Section(inner) = values.as_ref() {
                    let here = format!("{here}.NAME");
                    let _ = writeln!(out, "\n### `[{here}]`\n\n{}. NAME is of your choice.\n", field.doc);
                    table(out, inner);
                    sections(out, inner, &here);
                }
            }
            Kind::Tagged { words, variants } => {
                let words: Vec<String> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
                let _ = writeln!(
                    out,
                    "\n### `{here}`\n\n{}, or a table with exactly one of these keys.\n",
                    words.join(", ")
                );
                table(out, variants);
                for variant in variants {
                    if let Kind::Section(inner) = &variant.kind {
                        let _ = writeln!(out, "\nWith `{}`:\n", variant.name);
                        table(out, inner);
                    }
                }
            }
            _ => {}
        }
    }
}

fn table(out: &mut String, fields: &[Field]) {
    out.push_str("| key | values | default | meaning |\n|---|---|---|---|\n");
    for field in fields {
        let default = match field.presence {
            Presence::Required => "required".to_owned(),
            Presence::Default("{}") | Presence::Optional => String::new(),
            Presence::Default(text) => format!("`{text}`"),
        };
        let _ =
            writeln!(out, "| `{}` | {} | {default} | {} |", field.name, cell(&values(&field.kind)), cell(field.doc));
    }
}

fn values(kind: &Kind) -> String {
    match kind {
        Kind::Section(_) => "section".to_owned(),
        Kind::List(of) if matches!(of.as_ref(), Kind::Section(_)) => "list of tables of axis = value".to_owned(),
        Kind::Map { keys: Keys::Any, .. } => "table of texts".to_owned(),
        Kind::Map { keys: Keys::Series, .. } => "table: canonical series = metric".to_owned(),
        Kind::Map { keys: Keys::Knobs, .. } => "table: axis of the matrix = metric".to_owned(),
        other => other.expected(),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['?', '.']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}
