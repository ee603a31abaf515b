//! A target's log: its last lines, the errors in it that come again and again, and what it says of compaction.

use std::collections::BTreeMap;

use serde::Serialize;

/// Lines that the runbook asks for.
pub const LAST_LINES: usize = 100;

/// Words of lines that tell of something that went wrong.
const ERRORS: [&str; 8] = ["error", "err=", "panic", "fatal", "failed", "failure", "exception", "out of memory"];

/// What looks like one of those and says that all is well.
const NO_ERRORS: [&str; 6] = ["error=nil", "err=nil", "error=<nil>", "err=<nil>", "errors=0", "0 errors"];

/// A line of the log by its pattern: digits are all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pattern {
    /// The line, with `#` for numbers.
    pub pattern: String,
    /// How often it stands there.
    pub count: u64,
    /// Whether the log from before has it too; absent where there is none.
    pub known: Option<bool>,
}

/// The last lines.
pub fn tail(log: &str, lines: usize) -> String {
    let all: Vec<&str> = log.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Levels of errors, and of everything else.
const ERROR_LEVELS: [&str; 8] = ["error", "err", "fatal", "panic", "dpanic", "critical", "crit", "alert"];
const OTHER_LEVELS: [&str; 7] = ["trace", "debug", "info", "information", "notice", "warn", "warning"];

/// Keys under which JSON and logfmt have the level.
const LEVEL_KEYS: [&str; 3] = ["level", "lvl", "severity"];

/// Words at the beginning of a line among which its level is looked for.
const HEAD_WORDS: usize = 5;

/// Whether the level that the line itself states is one of errors; `None` where it states none.
fn is_error_by_level(line: &str) -> Option<bool> {
    let known = |word: &str| {
        let word = word.to_ascii_lowercase();
        let is = |levels: &[&str]| levels.contains(&word.as_str());
        (is(&ERROR_LEVELS) || is(&OTHER_LEVELS)).then(|| is(&ERROR_LEVELS))
    };
    let end = |c: char| !c.is_ascii_alphabetic();
    for key in LEVEL_KEYS {
        let json = line.split_once(&format!("\"{key}\"")).and_then(|(_, rest)| {
            let value = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
            value.split(end).next()
        });
        let start = format!("{key}=");
        let logfmt = line.split_whitespace().find_map(|word| word.strip_prefix(&start));
        let value = json.or_else(|| logfmt.map(|value| value.trim_matches('"')));
        if let Some(is_error) = value.and_then(known) {
            return Some(is_error);
        }
    }
    // `2026-12-01T10:00:00Z  WARN store: …`, `[ERROR] …`. In small letters it may be a word of the sentence.
    let head = line.split_whitespace().take(HEAD_WORDS).map(|word| word.trim_matches(end));
    head.filter(|word| word.chars().all(|c| c.is_ascii_uppercase())).find_map(known)
}

/// Whether a line tells of something that went wrong: by the level that it states, otherwise by its words.
pub fn is_error(line: &str) -> bool {
    if let Some(is_error) = is_error_by_level(line) {
        return is_error;
    }
    let line = line.to_lowercase();
    let line = NO_ERRORS.iter().fold(line, |line, fine| line.replace(fine, ""));
    ERRORS.iter().any(|word| line.contains(word))
}

/// Lines that hold this word.
pub fn about<'a>(log: &'a str, word: &str) -> Vec<&'a str> {
    log.lines().filter(|line| line.to_lowercase().contains(word)).collect()
}

/// The errors of a log by pattern, the most frequent first, and whether an earlier log had them.
pub fn errors(log: &str, before: Option<&str>) -> Vec<Pattern> {
    let counted = |log: &str| {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for line in log.lines().filter(|line| is_error(line)) {
            *counts.entry(pattern(line)).or_default() += 1;
        }
        counts
    };
    let before = before.map(counted);
    let known = |pattern: &String| before.as_ref().map(|before| before.contains_key(pattern));
    let mut errors: Vec<Pattern> =
        counted(log).into_iter().map(|(pattern, count)| Pattern { known: known(&pattern), pattern, count }).collect();
    errors.sort_by_key(|one| std::cmp::Reverse(one.count));
    errors
}

/// The line with one `#` for each number.
pub fn pattern(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for c in line.trim().chars() {
        match c {
            c if c.is_ascii_digit() && out.ends_with('#') => {}
            c if c.is_ascii_digit() => out.push('#'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "10:00:01 started\n10:00:02 compaction 1 error: no space\n10:00:03 compaction 2 error: no space\n10:00:04 put err=nil\n10:00:05 disk failed\n";

    #[test]
    fn the_level_of_a_line_decides_before_its_words() {
        for fine in [
            r#"{"level":"warning","msg":"error while reading the old index, it is built anew"}"#,
            r#"{"severity": "INFO", "error": "none"}"#,
            "ts=1 level=warn msg=\"retry failed\"",
            "2026-12-01T10:00:00Z  WARN guts: peer failed",
            "[INFO] 0 of 3 failed",
            "10:00 ready",
        ] {
            assert!(!is_error(fine), "{fine}");
        }
        for bad in [
            r#"{"level":"error","msg":"no space"}"#,
            r#"{"msg":"stopped","lvl":"fatal"}"#,
            "ts=1 level=error msg=stopped",
            "E 2026 [ERROR] stopped",
            "panic: runtime error: index out of range",
            r#"{"level":30,"msg":"request failed"}"#,
            "the level of the error is high: failed",
        ] {
            assert!(is_error(bad), "{bad}");
        }
    }

    #[test]
    fn errors_are_counted_whatever_their_numbers() {
        let found = errors(LOG, Some("09:00:00 disk failed\n"));
        assert_eq!(
            (found[0].pattern.as_str(), found[0].count, found[0].known),
            ("#:#:# compaction # error: no space", 2, Some(false))
        );
        assert_eq!((found[1].count, found[1].known), (1, Some(true)));
        assert_eq!((found.len(), errors(LOG, None)[0].known), (2, None));
        assert_eq!((tail(LOG, 1).as_str(), about(LOG, "compaction").len()), ("10:00:05 disk failed", 2));
        assert_eq!(tail("", 3), "");
    }
}
