//! Command-line edits: `--set path.to.key=value`, each a small document of its own.

use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::source::{Origin, Source, SourceKind};
use crate::tree::{Entry, Node, Table, Value, parse_value};

/// Reads one edit into a document that holds only its path. `None` when it is not an edit; `mistakes` says why.
pub(crate) fn parse_edit(edit: &str, mistakes: &mut Vec<Diagnostic>) -> Option<Node> {
    let source = Source::new("--set", SourceKind::CommandLine, edit);
    let Some((path, _)) = edit.split_once('=') else {
        let expected = "expected path.to.key=value, such as cycle.count=9";
        mistakes.push(Diagnostic::new(&Origin::whole(&source), "an edit needs a `=`", expected));
        return None;
    };
    let node = value(&source, path.len() + 1, mistakes)?;
    wrap(&source, path, node, mistakes)
}

/// TOML where it is TOML, else a bare text: `2MiB/min` and `weak` need no quotes inside the shell's.
fn value(source: &Arc<Source>, offset: usize, mistakes: &mut Vec<Diagnostic>) -> Option<Node> {
    let raw = &source.text[offset..];
    let text = raw.trim();
    let start = offset + (raw.len() - raw.trim_start().len());
    let origin = Origin { source: Arc::clone(source), span: start..start + text.len() };
    if text.is_empty() {
        let origin = Origin::whole(source);
        mistakes.push(Diagnostic::new(&origin, "an edit needs a value after the `=`", "expected path.to.key=value"));
        return None;
    }
    let mut errors = Vec::new();
    if let Some(node) = parse_value(&origin, &mut errors) {
        mistakes.append(&mut errors);
        return Some(node);
    }
    if text.starts_with(['[', '{', '"', '\'']) {
        // Somebody meant TOML here; a bare text would only hide which bracket or quote is missing.
        let help = "quote texts inside a list or table: 'matrix.memory_limit=[\"1536MiB\"]'".to_owned();
        mistakes.extend(errors.into_iter().map(|error| error.with_help(help.clone())));
        return None;
    }
    Some(Node { origin, value: Value::Text(text.to_owned()) })
}

/// Puts a value under its dotted path.
fn wrap(source: &Arc<Source>, path: &str, value: Node, mistakes: &mut Vec<Diagnostic>) -> Option<Node> {
    let mut keys = Vec::new();
    let mut start = 0;
    for part in path.split('.') {
        let key = part.trim();
        let at = start + (part.len() - part.trim_start().len());
        let origin = Origin { source: Arc::clone(source), span: at..at + key.len() };
        start += part.len() + 1;
        if key.is_empty() {
            let origin = Origin { source: Arc::clone(source), span: 0..path.len() };
            mistakes.push(Diagnostic::new(&origin, "an empty name in the path", "expected path.to.key=value"));
            return None;
        }
        keys.push((key.to_owned(), origin));
    }
    let top = |value| Node { origin: Origin::top(source), value };
    if keys.len() > 8 {
        let origin = Origin { source: Arc::clone(source), span: 0..path.len() };
        mistakes.push(Diagnostic::new(&origin, "no key lies this deep", "expected path.to.key=value"));
        return None;
    }
    Some(
        keys.into_iter()
            .rev()
            .fold(value, |node, (name, key)| top(Value::Table(Table::from([(name, Entry { key, node })])))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_texts_and_toml_are_both_values() {
        let mut mistakes = Vec::new();
        let node = parse_edit("target.misbehave.heap_leak=2MiB/min", &mut mistakes).unwrap();
        assert_eq!(node.at(&["target", "misbehave", "heap_leak"]).unwrap().text(), Some("2MiB/min"));
        let node = parse_edit("cycle.count = 9", &mut mistakes).unwrap();
        assert!(matches!(node.at(&["cycle", "count"]).unwrap().value, Value::Integer(9)));
        let node = parse_edit(r#"matrix.memory_limit=["1536MiB"]"#, &mut mistakes).unwrap();
        assert!(matches!(node.at(&["matrix", "memory_limit"]).unwrap().value, Value::List(_)));
        assert!(mistakes.is_empty(), "{mistakes:?}");
    }

    #[test]
    fn what_is_no_edit_is_explained() {
        for edit in
            ["", "cycle.count", "=3", "cycle..count=3", "cycle.count=", "matrix.dim=[128", "a.b.c.d.e.f.g.h.i=1"]
        {
            let mut mistakes = Vec::new();
            assert!(parse_edit(edit, &mut mistakes).is_none(), "{edit}");
            assert!(!mistakes.is_empty(), "{edit}");
        }
    }
}
