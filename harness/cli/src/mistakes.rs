//! The mistakes of a scenario, for a person: drawn on a terminal, plain anywhere else.

use std::fmt::{self, Display};
use std::io::IsTerminal as _;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use soak_scenario::{Diagnostic, LoadError, Severity};

use crate::failure::error_line;
use crate::output;

/// All that is wrong, and a last line that counts it.
pub(crate) fn words(error: &LoadError) -> String {
    match error {
        LoadError::Invalid { diagnostics } => format!("{}\n{}", draw(diagnostics), error_line(error)),
        LoadError::NotFound { nearest: Some(nearest), .. } => {
            format!("{}  help: did you mean `{nearest}`?\n", error_line(error))
        }
        LoadError::Unreadable { source, .. } => error_line(format!("{error}: {source}")),
        LoadError::NotFound { nearest: None, .. } => error_line(error),
    }
}

/// Diagnostics as the standard error at hand can show them.
pub(crate) fn draw(diagnostics: &[Diagnostic]) -> String {
    if std::io::stderr().is_terminal() {
        let theme =
            if output::colour_on_stderr() { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        diagnostics.iter().map(|one| drawn(one, theme.clone())).collect::<Vec<_>>().join("\n")
    } else {
        diagnostics.iter().map(Diagnostic::to_plain_string).collect::<Vec<_>>().join("\n")
    }
}

fn drawn(diagnostic: &Diagnostic, theme: GraphicalTheme) -> String {
    let handler = GraphicalReportHandler::new_themed(theme).with_width(output::WIDTH);
    let mut text = String::new();
    match handler.render_report(&mut text, &Underlined::new(diagnostic)) {
        Ok(()) => text,
        Err(_) => diagnostic.to_plain_string(),
    }
}

/// A diagnostic as `miette` wants it.
#[derive(Debug)]
struct Underlined<'a> {
    diagnostic: &'a Diagnostic,
    source: NamedSource<String>,
}

impl<'a> Underlined<'a> {
    fn new(diagnostic: &'a Diagnostic) -> Self {
        Self { diagnostic, source: NamedSource::new(&diagnostic.source_name, diagnostic.source_text.to_string()) }
    }
}

impl Display for Underlined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.diagnostic.message)
    }
}

impl std::error::Error for Underlined<'_> {}

impl miette::Diagnostic for Underlined<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help(&self) -> Option<Box<dyn Display + '_>> {
        self.diagnostic.help.as_ref().map(|help| Box::new(help) as Box<dyn Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = Some(self.diagnostic.expected.clone()).filter(|label| !label.is_empty());
        let span = self.diagnostic.span.clone();
        Some(Box::new(std::iter::once(LabeledSpan::new(label, span.start, span.len()))))
    }
}

#[cfg(test)]
mod tests {
    use soak_scenario::{Request, load_text};

    use super::*;

    #[test]
    fn a_drawing_has_file_line_underline_expectation_and_help() {
        let text = "name = \"x\"\ntitle = \"t\"\n\n[cycle]\nwindw = \"12s\"\n";
        let Err(LoadError::Invalid { diagnostics }) = load_text("mine.toml", text, &Request::default()) else {
            panic!("accepted");
        };
        let mistake = diagnostics.iter().find(|one| one.message.contains("windw")).unwrap();
        let drawing = drawn(mistake, GraphicalTheme::unicode_nocolor());
        for part in [
            "unknown key `windw`",
            "mine.toml:5:1",
            "windw = \"12s\"",
            "──┬──",
            "expected one of",
            "did you mean `window`?",
        ] {
            assert!(drawing.contains(part), "{part} is not in\n{drawing}");
        }
        assert!(!drawing.contains('\u{1b}'), "{drawing}");
        assert!(drawn(mistake, GraphicalTheme::unicode()).contains('\u{1b}'));
    }

    #[test]
    fn an_empty_file_and_an_end_of_file_can_be_drawn() {
        for text in ["", "name = "] {
            let Err(LoadError::Invalid { diagnostics }) = load_text("mine.toml", text, &Request::default()) else {
                panic!("accepted");
            };
            let drawings: Vec<String> =
                diagnostics.iter().map(|one| drawn(one, GraphicalTheme::unicode_nocolor())).collect();
            assert!(drawings.iter().all(|drawing| drawing.contains("mine.toml")), "{drawings:?}");
        }
    }
}
