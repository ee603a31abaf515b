//! The answer of `soak capacity` as a page, in the look of the report.

use super::{head, tables};
use crate::capacity::{CapacityPage, Part};
use crate::markup::Markup;

/// The page.
pub fn html(page: &CapacityPage) -> String {
    let mut m = Markup::new("<!doctype html>\n");
    m.element("html", &[("lang", "en")], |m| {
        m.element("head", &[], |m| head(m, &page.title));
        m.line();
        m.element("body", &[], |m| {
            m.element("header", &[], |m| m.leaf("h1", &[], &page.title));
            m.element("main", &[], |m| {
                let mut heading = "Memory";
                for part in &page.parts {
                    if let Part::Heading(text) = part {
                        heading = text;
                    }
                    one(m, part, heading);
                }
            });
        });
    });
    m.line();
    m.finish()
}

fn one(m: &mut Markup, part: &Part, heading: &str) {
    match part {
        Part::Heading(text) => m.leaf("h2", &[], text),
        Part::Text(text) => m.leaf("p", &[], text),
        Part::Lines(lines) => m.leaf("pre", &[], lines),
        Part::Table { heads, rows } => tables::table(m, heading, "faults", |m| {
            let class = |column: usize| if column > 0 && is_of_numbers(rows, column) { "" } else { "words" };
            m.element("thead", &[], |m| {
                m.element("tr", &[], |m| {
                    for (column, head) in heads.iter().enumerate() {
                        m.leaf("th", &[("scope", "col"), ("class", class(column))], head);
                    }
                });
            });
            m.element("tbody", &[], |m| {
                for row in rows {
                    m.element("tr", &[], |m| {
                        for (column, cell) in row.iter().enumerate() {
                            m.leaf("td", &[("class", class(column))], cell);
                        }
                    });
                }
            });
        }),
    }
    m.line();
}

/// Whether a column holds numbers, each of which may be absent: those stand to the right.
fn is_of_numbers(rows: &[Vec<String>], column: usize) -> bool {
    let is_number = |cell: &String| cell == "-" || cell.starts_with(|first: char| first.is_ascii_digit());
    rows.iter().filter_map(|row| row.get(column)).all(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::markdown::capacity_markdown;
    use crate::markup::check_well_formed;

    #[test]
    fn what_was_recorded_stays_text() {
        let evil = "<script>alert(1)</script> | `x`".to_owned();
        let table = Part::Table { heads: vec!["a", "b"], rows: vec![vec![evil.clone(), "1".to_owned()]] };
        let page = CapacityPage { title: evil.clone(), parts: vec![Part::Heading("H"), Part::Text(evil), table] };
        let html = html(&page);
        check_well_formed(&html).unwrap();
        assert!(!html.contains("<script") && html.contains("&lt;script&gt;"));
        let markdown = capacity_markdown(&page);
        assert!(!markdown.contains("<script") && markdown.contains("## H"), "{markdown}");
    }
}
