//! One mistake in what a person wrote: where it is, what was expected there, and which valid name is nearest.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use crate::source::Origin;

/// One mistake, with all that a renderer needs to underline it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{source_name}: {message}")]
pub struct Diagnostic {
    /// Whether the scenario can still be run.
    pub severity: Severity,
    /// A path, `built-in NAME`, `--set`, `--target` or `--only`.
    pub source_name: String,
    /// The whole text that `span` points into.
    pub source_text: Arc<str>,
    /// Bytes of `source_text`; empty when something is missing rather than wrong. Always within the text, on character boundaries.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What would have been right, for the underline; empty when the message says it all.
    pub expected: String,
    /// What to do: the nearest valid name, or the arithmetic behind a limit.
    pub help: Option<String>,
}

/// Whether a mistake stops the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The scenario cannot be run.
    Error,
    /// It can, but will not show what its author probably meant.
    Warning,
}

impl Severity {
    /// The word before the message.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl Diagnostic {
    /// An error at `origin`.
    pub(crate) fn new(origin: &Origin, message: impl Into<String>, expected: impl Into<String>) -> Self {
        let text = Arc::clone(&origin.source.text);
        Self {
            severity: Severity::Error,
            source_name: origin.source.name.clone(),
            span: clamp(&text, &origin.span),
            source_text: text,
            message: message.into(),
            expected: expected.into(),
            help: None,
        }
    }

    /// The same as a warning.
    pub(crate) fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// The same with a line of help.
    pub(crate) fn with_help(mut self, help: impl Into<Option<String>>) -> Self {
        self.help = help.into();
        self
    }

    /// Line and column where the span starts, both from 1; columns count characters.
    pub fn position(&self) -> (usize, usize) {
        let before = self.source_text.get(..self.span.start).unwrap_or("");
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// Source line, underline and words without colour: for logs and snapshots.
    pub fn to_plain_string(&self) -> String {
        let (line, column) = self.position();
        let line_start = self.source_text[..self.span.start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = self.source_text[line_start..].find('\n').map_or(self.source_text.len(), |at| line_start + at);
        let shown = self.source_text[line_start..line_end].trim_end_matches('\r').replace('\t', " ");
        let underlined_end = self.span.end.clamp(self.span.start, line_end.max(self.span.start));
        let carets = self.source_text[self.span.start..underlined_end].trim_end().chars().count().max(1);
        let gutter = " ".repeat(line.to_string().len());
        let mut out = format!("{}: {}\n", self.severity.name(), self.message);
        let _ = writeln!(out, "{gutter}--> {}:{line}:{column}", self.source_name);
        let _ = writeln!(out, "{gutter} |");
        let _ = writeln!(out, "{}", format!("{line} | {shown}").trim_end());
        let underline = format!("{gutter} | {}{} {}", " ".repeat(column - 1), "^".repeat(carets), self.expected);
        let _ = writeln!(out, "{}", underline.trim_end());
        if let Some(help) = &self.help {
            let _ = writeln!(out, "{gutter} = help: {help}");
        }
        out
    }
}

/// A span that is safe to slice with, whatever a parser said.
fn clamp(text: &str, span: &Range<usize>) -> Range<usize> {
    let floor = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = floor(span.start);
    start..floor(span.end).max(start)
}

/// The valid name nearest to what was written, if any is near enough to be what was meant.
pub(crate) fn nearest<'a>(written: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase();
    let close = |name: &str| (written.chars().count().max(name.len()) / 3).clamp(1, 4);
    valid
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&written, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= close(name))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// "did you mean `x`?", when something is near.
pub(crate) fn did_you_mean<'a>(written: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(written, valid).map(|name| format!("did you mean `{name}`?"))
}

/// `a`, `b` and `c`, for "expected one of".
pub(crate) fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    match names.as_slice() {
        [only] => format!("expected {only}"),
        names => format!("expected one of: {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Source, SourceKind};

    #[test]
    fn a_span_is_underlined_on_its_own_line() {
        let source = Source::new("a.toml", SourceKind::File, "x = 1\nyé = 22 # no\n");
        let origin = Origin { span: 12..14, source };
        let plain = Diagnostic::new(&origin, "too much", "expected 1").with_help("less".to_owned()).to_plain_string();
        let expected = [
            "error: too much",
            " --> a.toml:2:6",
            "  |",
            "2 | yé = 22 # no",
            "  |      ^^ expected 1",
            "  = help: less",
            "",
        ];
        assert_eq!(plain, expected.join("\n"));
    }

    #[test]
    fn only_a_near_name_is_offered() {
        assert_eq!(nearest("windw", ["count", "window"]), Some("window"));
        assert_eq!(nearest("batch-rows", ["batch_rows", "dim"]), Some("batch_rows"));
        assert_eq!(nearest("colour", ["count", "window"]), None);
    }
}
