//! Writes HTML and XML that is well-formed and escaped by construction: what is not an element is text.

/// Markup under construction.
#[derive(Debug, Default)]
pub(crate) struct Markup {
    out: String,
}

/// Attributes, written in this order.
pub(crate) type Attributes<'a> = &'a [(&'a str, &'a str)];

impl Markup {
    /// Starts with this preamble, taken as it is.
    pub(crate) fn new(preamble: &str) -> Self {
        Self { out: preamble.to_owned() }
    }

    /// An element with whatever `inside` writes.
    pub(crate) fn element(&mut self, name: &str, attributes: Attributes<'_>, inside: impl FnOnce(&mut Self)) {
        self.start(name, attributes);
        self.out.push('>');
        inside(self);
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    /// An element with nothing in it.
    pub(crate) fn empty(&mut self, name: &str, attributes: Attributes<'_>) {
        self.start(name, attributes);
        self.out.push_str("/>");
    }

    /// An element that holds text alone.
    pub(crate) fn leaf(&mut self, name: &str, attributes: Attributes<'_>, text: &str) {
        self.element(name, attributes, |m| m.text(text));
    }

    /// Text.
    pub(crate) fn text(&mut self, text: &str) {
        text.chars().filter(|c| is_allowed(*c)).for_each(|c| escape(&mut self.out, c));
    }

    /// A new line between elements, for those who read the source.
    pub(crate) fn line(&mut self) {
        self.out.push('\n');
    }

    /// What is markup already: our own charts and style sheet, never anything that was recorded.
    pub(crate) fn trusted(&mut self, markup: &str) {
        self.out.push_str(markup);
    }

    /// The markup.
    pub(crate) fn finish(self) -> String {
        self.out
    }

    fn start(&mut self, name: &str, attributes: Attributes<'_>) {
        self.out.push('<');
        self.out.push_str(name);
        for (key, value) in attributes {
            self.out.push(' ');
            self.out.push_str(key);
            self.out.push_str("=\"");
            for c in value.chars().filter(|c| is_allowed(*c)) {
                // A parser turns a bare line end in an attribute into a space.
                if c == '\n' { self.out.push_str("&#10;") } else { escape(&mut self.out, c) }
            }
            self.out.push('"');
        }
    }
}

/// Characters of XML 1.0, but for the carriage return and the controls that no viewer shows.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n') || (!c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}'))
}

fn escape(out: &mut String, c: char) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        c => out.push(c),
    }
}

/// Whether every element that begins also ends, in order, and no attribute is named twice. A check for tests: no full parser.
#[cfg(test)]
pub(crate) fn check_well_formed(markup: &str) -> Result<usize, String> {
    let mut open: Vec<&str> = Vec::new();
    let mut elements = 0;
    let mut rest = markup;
    while let Some(at) = rest.find('<') {
        let end = rest[at..].find('>').ok_or("a tag does not end")? + at;
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if tag.starts_with(['?', '!']) {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            let last = open.pop();
            if last != Some(name) {
                return Err(format!("</{name}> ends {last:?}"));
            }
            continue;
        }
        elements += 1;
        let name = tag.split([' ', '/', '\n']).next().unwrap_or_default();
        let mut names: Vec<&str> = tag.split('"').step_by(2).map(|part| part.trim_end_matches('=').trim()).collect();
        names[0] = names[0].rsplit(' ').next().unwrap_or_default();
        let count = names.iter().filter(|name| !name.is_empty() && **name != "/").count();
        names.sort_unstable();
        names.dedup();
        if names.iter().filter(|name| !name.is_empty() && **name != "/").count() != count {
            return Err(format!("an attribute is named twice: <{tag}>"));
        }
        if !tag.ends_with('/') {
            open.push(name);
        }
        // Style sheets are not markup.
        if name == "style" {
            rest = &rest[rest.find("</style>").ok_or("a style sheet does not end")?..];
        }
    }
    if open.is_empty() { Ok(elements) } else { Err(format!("never ended: {open:?}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_attributes_are_escaped() {
        let mut m = Markup::new("");
        m.leaf("p", &[("title", "a\"b\n<c>")], "<script>alert('x') & \u{1b}[31m\u{0}\u{ffff}é");
        let out = m.finish();
        assert_eq!(out, "<p title=\"a&quot;b&#10;&lt;c&gt;\">&lt;script&gt;alert(&#39;x&#39;) &amp; [31mé</p>");
        assert_eq!(check_well_formed(&out), Ok(1));
    }

    #[test]
    fn the_check_finds_mistakes() {
        assert!(check_well_formed("<a><b></a></b>").is_err());
        assert!(check_well_formed("<a>").is_err());
        assert!(check_well_formed("<a x=\"1\" x=\"2\"/>").is_err());
        assert_eq!(check_well_formed("<?xml?><a x=\"1\" y=\"2\"><b/></a>"), Ok(2));
    }
}
