//! Text, tables and code as GitHub's Markdown takes them: nothing recorded becomes markup, a link or a new row.

/// Text on one line.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            c if c.is_control() => out.push(' '),
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '|' | '`' | '*' | '[' | ']' | '~' => {
                out.push('\\');
                out.push(c);
            }
            // Inside a word an underscore is one; at its edge it would be emphasis.
            '_' if !(before.is_alphanumeric() && chars.peek().is_some_and(|next| next.is_alphanumeric())) => {
                out.push_str("\\_");
            }
            c => out.push(c),
        }
        before = c;
    }
    out.trim().to_owned()
}

/// Markdown as it is, and an empty line.
pub(crate) fn paragraph(out: &mut String, markdown: &str) {
    out.push_str(markdown);
    out.push_str("\n\n");
}

/// A table; nothing without rows.
pub(crate) fn table(out: &mut String, heads: &[&str], rows: &[Vec<String>]) {
    if rows.is_empty() {
        return;
    }
    let mut line = |cells: Vec<String>| {
        out.push_str("| ");
        out.push_str(&cells.join(" | "));
        out.push_str(" |\n");
    };
    line(heads.iter().map(|head| escape(head)).collect());
    line(heads.iter().map(|_| "---".to_owned()).collect());
    for row in rows {
        line(row.iter().map(|cell| escape(cell)).collect());
    }
    out.push('\n');
}

/// A block of code, in a fence longer than any inside it.
pub(crate) fn code_block(out: &mut String, code: &str) {
    let longest = code.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    paragraph(out, &format!("{fence}\n{code}\n{fence}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(escape("rss_floor _x_ a|b\r\n*c*"), "rss_floor \\_x\\_ a\\|b \\*c\\*");
        assert_eq!(escape("[a](b) <i>"), "\\[a\\](b) &lt;i>");
    }

    #[test]
    fn a_table_without_rows_is_nothing() {
        let mut out = String::new();
        table(&mut out, &["a"], &[]);
        assert_eq!(out, "");
    }
}
