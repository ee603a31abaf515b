//! Columns that line up.

/// Rows under a heading, two spaces between columns, none at the end of a line. Columns of numbers are set to the right.
pub(crate) fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = heading.map(width);
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(width(cell));
        }
    }
    let mut numbers = [!rows.is_empty(); N];
    for row in rows {
        for (number, cell) in numbers.iter_mut().zip(row) {
            *number &= cell.starts_with(|first: char| first.is_ascii_digit());
        }
    }
    let mut out = line(&heading.map(str::to_owned), widths, numbers);
    for row in rows {
        out.push_str(&line(row, widths, numbers));
    }
    out
}

/// The same for any number of columns, no wider than `width`: a last column of words is broken between them, under its own heading.
pub(crate) fn columns(heads: &[&str], rows: &[Vec<String>], width: usize) -> String {
    let all: Vec<Vec<String>> =
        [heads.iter().map(|head| (*head).to_owned()).collect()].into_iter().chain(rows.iter().cloned()).collect();
    let last = heads.len().saturating_sub(1);
    let widest = |column: usize| all.iter().filter_map(|row| row.get(column)).map(|cell| self::width(cell)).max();
    let widths: Vec<usize> = (0..last).map(|column| widest(column).unwrap_or(0)).collect();
    let indent: usize = widths.iter().map(|wide| wide + 2).sum();
    let is_number = |column: usize| {
        !rows.is_empty()
            && rows.iter().all(|row| row.get(column).is_some_and(|cell| cell.starts_with(|c: char| c.is_ascii_digit())))
    };
    let mut out = String::new();
    for row in &all {
        for (column, (cell, wide)) in row.iter().zip(&widths).enumerate() {
            let wide = *wide;
            let padded = if is_number(column) { format!("{cell:>wide$}  ") } else { format!("{cell:<wide$}  ") };
            out.push_str(&padded);
        }
        // A column that is left little room would be one word a line.
        let room = width.max(indent + 30);
        let text = wrapped(row.get(last).map_or("", String::as_str), indent, room);
        out.push_str(text.trim_start());
        out.truncate(out.trim_end().len());
        out.push('\n');
    }
    out
}

fn line<const N: usize>(cells: &[String; N], widths: [usize; N], right: [bool; N]) -> String {
    let padded: Vec<String> = cells
        .iter()
        .zip(widths.iter().zip(right))
        .map(|(cell, (&width, right))| if right { format!("{cell:>width$}") } else { format!("{cell:<width$}") })
        .collect();
    format!("{}\n", padded.join("  ").trim_end())
}

/// Columns of the terminal that a text takes; nothing printed here is wider than one a character.
pub(crate) fn width(text: &str) -> usize {
    text.chars().count()
}

/// Breaks a text between words into lines of at most `width`, each after `indent` spaces. A longer word stands alone.
pub(crate) fn wrapped(text: &str, indent: usize, width: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    for word in text.split_whitespace() {
        let long = self::width(word);
        if used > 0 && indent + used + 1 + long > width {
            out.push('\n');
            used = 0;
        }
        if used == 0 {
            out.push_str(&" ".repeat(indent));
        } else {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += long;
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [["a".to_owned(), "1".to_owned()], ["bcd".to_owned(), "1000".to_owned()]];
        assert_eq!(table(["id", "rows"], &rows), "id   rows\na       1\nbcd  1000\n");
    }

    #[test]
    fn the_last_column_is_broken_under_its_heading() {
        let rows = [vec!["a".to_owned(), "10".to_owned(), "one two three four five six seven".to_owned()]];
        let wide = columns(&["id", "n", "words"], &rows, 20);
        assert_eq!(wide, "id   n  words\na   10  one two three four five six\n        seven\n");
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two three", 2, 9), "  one two\n  three\n");
        assert_eq!(wrapped("unbreakable", 2, 5), "  unbreakable\n");
    }
}
