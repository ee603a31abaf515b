//! Where a value was written: a file, a command-line edit, or nowhere (a default).

use std::ops::Range;
use std::sync::Arc;

/// A text that values come from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// What a diagnostic calls it.
    pub(crate) name: String,
    /// What kind of text it is.
    pub(crate) kind: SourceKind,
    /// All of it.
    pub(crate) text: Arc<str>,
}

/// What kind of text a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SourceKind {
    /// A scenario or a profile.
    File,
    /// `--set`, `--target` or `--only`.
    CommandLine,
    /// The table of defaults.
    Default,
}

impl Source {
    /// A shared source: every value keeps one.
    pub(crate) fn new(name: impl Into<String>, kind: SourceKind, text: impl Into<Arc<str>>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), kind, text: text.into() })
    }
}

/// A piece of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Which text.
    pub(crate) source: Arc<Source>,
    /// Which bytes of it.
    pub(crate) span: Range<usize>,
}

impl Origin {
    /// The whole of a one-line source.
    pub(crate) fn whole(source: &Arc<Source>) -> Self {
        Self { source: Arc::clone(source), span: 0..source.text.len() }
    }

    /// The very beginning of a file, for what is missing from it.
    pub(crate) fn top(source: &Arc<Source>) -> Self {
        Self { source: Arc::clone(source), span: 0..0 }
    }

    /// Whether nobody wrote this.
    pub(crate) fn is_default(&self) -> bool {
        self.source.kind == SourceKind::Default
    }

    /// Whether this was typed on the command line.
    pub(crate) fn is_command_line(&self) -> bool {
        self.source.kind == SourceKind::CommandLine
    }
}
