//! `index.md` of a diagnosis, for a ticket.

use soak_diagnosis::{Block, Diagnosis, Item};
use soak_verdict::human;

use super::text::{code_block, escape, paragraph, table};
use crate::wording::{cell, utc};

/// The diagnosis as Markdown.
pub fn markdown(diagnosis: &Diagnosis) -> String {
    let mut out = format!("# {}\n\n", escape(&diagnosis.title));
    paragraph(&mut out, &format!("Collected {} · {}", utc(diagnosis.made_unix_s), escape(&diagnosis.id)));
    for told in &diagnosis.summary {
        paragraph(&mut out, &format!("> {}", escape(told)));
    }
    for section in &diagnosis.sections {
        paragraph(&mut out, &format!("## {}", escape(&section.title)));
        section.items.iter().for_each(|one| item(&mut out, one));
    }
    paragraph(&mut out, "## Files");
    let rows = diagnosis.files.iter().map(|file| {
        let size = file.bytes.map_or_else(|| "could not be had".to_owned(), |bytes| human::bytes(bytes as f64));
        vec![file.path.clone(), size, file.from.clone()]
    });
    table(&mut out, &["File", "Size", "From"], &rows.collect::<Vec<_>>());
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn item(out: &mut String, item: &Item) {
    paragraph(out, &format!("### {}", escape(&item.what)));
    for block in &item.blocks {
        match block {
            Block::Text(text) => paragraph(out, &escape(text)),
            Block::Lines(lines) => code_block(out, lines),
            Block::Table { heads, rows } => {
                let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
                table(out, heads, &rows);
            }
            Block::Missing(missing) => {
                let (why, next) = (escape(missing.why.trim_end_matches('.')), escape(&missing.next));
                paragraph(out, &format!("**Could not be had**: {why}. To do: {next}."));
            }
        }
    }
    if !item.from.is_empty() {
        paragraph(out, &format!("From: {}", escape(&item.from.join(" · "))));
    }
}
