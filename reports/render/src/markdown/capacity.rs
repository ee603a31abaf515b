//! The answer of `soak capacity` as Markdown, for a ticket.

use super::text::{code_block, escape, paragraph, table};
use crate::capacity::{CapacityPage, Part};

/// The page as Markdown.
pub fn markdown(page: &CapacityPage) -> String {
    let mut out = format!("# {}\n\n", escape(&page.title));
    for part in &page.parts {
        match part {
            Part::Heading(text) => paragraph(&mut out, &format!("## {text}")),
            Part::Text(text) => paragraph(&mut out, &escape(text)),
            Part::Lines(lines) => code_block(&mut out, lines.trim_end()),
            Part::Table { heads, rows } => table(&mut out, heads, rows),
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}
