//! A target's file of settings: dotted paths and their values, as YAML.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The file's text. A path such as `storage.cache.max_size` becomes three nested keys; values stand as they are written.
pub fn yaml<'a>(settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    // In order, so that what shares a section stands together.
    let settings: BTreeMap<Vec<&str>, &str> =
        settings.into_iter().map(|(path, value)| (path.split('.').collect(), value)).collect();
    let mut text = String::new();
    let mut open: &[&str] = &[];
    for (path, value) in &settings {
        let Some((key, sections)) = path.split_last() else { continue };
        let shared = sections.iter().zip(open).take_while(|(a, b)| a == b).count();
        for (depth, section) in sections.iter().enumerate().skip(shared) {
            let _ = writeln!(text, "{}{section}:", "  ".repeat(depth));
        }
        let _ = writeln!(text, "{}{key}: {value}", "  ".repeat(sections.len()));
        open = sections;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shares_a_section_stands_in_one() {
        let settings =
            [("storage.rocksdb.block_cache_size", "268435456"), ("storage.cache.max_size", "1"), ("api.limit", "7")];
        let text =
            "api:\n  limit: 7\nstorage:\n  cache:\n    max_size: 1\n  rocksdb:\n    block_cache_size: 268435456\n";
        assert_eq!(yaml(settings), text);
        assert_eq!(yaml([("a.b.c", "1"), ("a.b.d", "2"), ("a.e", "3")]), "a:\n  b:\n    c: 1\n    d: 2\n  e: 3\n");
        assert_eq!(yaml([]), "");
    }
}
