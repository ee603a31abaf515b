//! The catalogue against the runbooks themselves: what it says is written there stands there, and no line of theirs is left out of it.
//!
//! The runbooks are no part of this repository. Where their folder is not found (`SOAK_RUNBOOKS` names it), that half is left out, and says so.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as a test does")]

use std::io::Write as _;
use std::path::{Path, PathBuf};

use soak_scenario::runbook::{Runbook, indicators, steps};

/// Lines that ask for nothing, each with the reason why no row of the catalogue covers it.
const EXEMPT: [(&str, &str); 1] = [("| Metric | Normal | Warning | Critical |", "names the columns of a table")];

/// Kinds of lines that ask for nothing, each with the reason. Those with a number are exempt only where the last column says so.
const EXEMPT_KINDS: [Exemption; 5] = [
    ("rules off a part, or the head of a table", |line| line.text.chars().all(|c| "-|: ".contains(c)), Digits::None),
    ("introduces the lines after it, which are looked at", |line| !line.fenced && introduces(&line.text), Digits::None),
    ("opens a section of settings, which are looked at", |line| line.fenced && opens_settings(&line.text), Digits::Any),
    (
        "is a comment on the command after it, which is looked at",
        |line| line.fenced && line.text.starts_with('#'),
        Digits::None,
    ),
    (
        "is a link to another document",
        |line| !line.fenced && line.text.starts_with('[') && line.text.contains("]("),
        Digits::None,
    ),
];

/// Why a kind of line asks for nothing, what it looks like, and which digits it may have.
type Exemption = (&'static str, fn(&Line) -> bool, Digits);

/// Which digits a kind of exempt line may have.
#[derive(Clone, Copy, PartialEq)]
enum Digits {
    None,
    Any,
}

/// A line of a runbook that is no heading.
struct Line {
    number: usize,
    /// The heading above it.
    section: String,
    /// Whether it stands in a fenced block, of commands or settings.
    fenced: bool,
    /// Without the marker of a list.
    text: String,
}

/// What the catalogue says is written somewhere.
#[derive(Clone, Copy)]
struct Claim<'a> {
    what: &'a str,
    section: &'a str,
    written: &'a str,
}

impl Claim<'_> {
    /// The places in this line that it covers, in bytes.
    fn places(&self, line: &Line) -> Vec<std::ops::Range<usize>> {
        if self.section != line.section {
            return Vec::new();
        }
        let places =
            |part: &str| line.text.match_indices(part).map(|(at, part)| at..at + part.len()).collect::<Vec<_>>();
        self.written.lines().flat_map(|part| places(unmarked(part))).collect()
    }
}

fn introduces(text: &str) -> bool {
    text.trim_end_matches('*').ends_with(':')
}

fn opens_settings(text: &str) -> bool {
    let key = text.trim_end_matches('|').trim_end().strip_suffix(':');
    key.is_some_and(|key| key.chars().all(|c| c.is_alphanumeric() || "_-".contains(c)))
}

/// A text without the marker of a list item: `- `, `- [ ] ` or `1. `. Its number counts items and nothing else.
fn unmarked(text: &str) -> &str {
    let text = text.trim();
    let item = text.strip_prefix("- ").map(|item| item.strip_prefix("[ ] ").unwrap_or(item));
    let numbered = || text.split_once(". ").filter(|(number, _)| number.parse::<u32>().is_ok()).map(|(_, item)| item);
    item.or_else(numbered).unwrap_or(text)
}

fn lines(text: &str) -> Vec<Line> {
    let (mut section, mut fenced) = (String::new(), false);
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        let heading = trimmed.trim_start_matches('#');
        if trimmed.starts_with("```") {
            fenced = !fenced;
        } else if !fenced && heading.len() < trimmed.len() && heading.starts_with(' ') {
            heading.trim().clone_into(&mut section);
        } else if !trimmed.is_empty() {
            let text = unmarked(trimmed).to_owned();
            lines.push(Line { number: index + 1, section: section.clone(), fenced, text });
        }
    }
    lines
}

/// What the catalogue claims and the text does not have.
fn not_written(lines: &[Line], claims: &[Claim<'_>]) -> Vec<String> {
    let mut complaints = Vec::new();
    for claim in claims {
        for part in claim.written.lines() {
            let here = Claim { written: part, ..*claim };
            if lines.iter().all(|line| here.places(line).is_empty()) {
                complaints.push(format!("{}: under “{}” there is no “{part}”", claim.what, claim.section));
            }
        }
    }
    complaints
}

/// The part of a line that no claim covers.
fn uncovered(line: &Line, claims: &[Claim<'_>]) -> Option<String> {
    let places: Vec<_> = claims.iter().flat_map(|claim| claim.places(line)).collect();
    let free = |(at, c): (usize, char)| (!places.iter().any(|place| place.contains(&at))).then_some(c);
    let rest: String = line.text.char_indices().filter_map(free).collect();
    let number = rest.contains(|c: char| c.is_ascii_digit());
    let kind = || EXEMPT_KINDS.iter().any(|(_, is, digits)| is(line) && (*digits == Digits::Any || !number));
    let exempt = || EXEMPT.iter().any(|(text, _)| *text == line.text);
    ((places.is_empty() || number) && !kind() && !exempt()).then_some(rest)
}

/// Lines of the text that the catalogue does not cover, whole or in a number.
fn left_out(lines: &[Line], claims: &[Claim<'_>]) -> Vec<String> {
    let missing = lines.iter().filter_map(|line| uncovered(line, claims).map(|rest| (line, rest)));
    let words = missing.map(|(line, rest)| {
        format!("line {}, under “{}”: nothing covers “{}”", line.number, line.section, rest.trim())
    });
    words.collect()
}

fn claims(runbook: Runbook) -> Vec<Claim<'static>> {
    let thresholds = indicators().filter(|one| one.runbook == runbook);
    let thresholds = thresholds.map(|one| Claim { what: one.id, section: one.section, written: one.written });
    let steps = steps().filter(|one| one.runbook == runbook);
    thresholds.chain(steps.map(|one| Claim { what: "a step", section: one.section, written: one.written })).collect()
}

/// The folder of the runbooks, and each that is in it, by its first heading. `None` where there is no such folder, which is said past the capture of a test's output.
fn runbooks() -> Option<Vec<(Runbook, String)>> {
    let named = std::env::var_os("SOAK_RUNBOOKS").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = named.clone().unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/runbooks"));
    if named.is_none() && !folder.is_dir() {
        let words = "SKIPPED for want of the runbooks: SOAK_RUNBOOKS does not name their folder";
        let _ = writeln!(std::io::stderr(), "{words}");
        return None;
    }
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let texts: Vec<String> =
        files.map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()).collect();
    let text_of = |runbook: Runbook| {
        let heading = format!("# {}", runbook.title());
        let text = texts.iter().find(|text| text.lines().next() == Some(heading.as_str()));
        text.unwrap_or_else(|| panic!("no file in {} begins with “{heading}”", folder.display())).clone()
    };
    Some([Runbook::Longbow, Runbook::Guts].map(|runbook| (runbook, text_of(runbook))).into())
}

/// Fails with every complaint at once.
fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "{} complaints:\n  {}", complaints.len(), complaints.join("\n  "));
}

#[test]
fn what_the_catalogue_quotes_stands_under_its_heading() {
    for (runbook, text) in runbooks().unwrap_or_default() {
        none(&not_written(&lines(&text), &claims(runbook)));
    }
}

#[test]
fn no_line_of_the_runbooks_is_left_out() {
    let texts = runbooks().unwrap_or_default();
    for (runbook, text) in &texts {
        let lines = lines(text);
        assert!(lines.len() > 100, "{}: the walk found too little: {}", runbook.title(), lines.len());
        none(&left_out(&lines, &claims(*runbook)));
    }
    let used = |line: &str| texts.iter().any(|(_, text)| text.lines().any(|one| one.trim() == line));
    if !texts.is_empty() {
        assert_eq!(EXEMPT.iter().find(|(line, _)| !used(line)), None, "exempt, and not there");
    }
}

const SAMPLE: &str = "# Runbook\n\n## 1. Alerts\n\nTell somebody when:\n- Memory >80% (for 5m)\n- It is slow\n\n---\n\n```bash\n# Look at it\n\
                      free -h\np2p:\n  peers: 25\n```\n1. [Elsewhere](x9.md)\n";

fn alert<'a>(section: &'a str, written: &'a str) -> Claim<'a> {
    Claim { what: "x", section, written }
}

#[test]
fn a_quote_that_is_not_there_is_told() {
    let lines = lines(SAMPLE);
    none(&not_written(&lines, &[alert("1. Alerts", "Memory >80%\npeers: 25")]));
    let wrong = [alert("1. Alerts", "Memory >80%\nMemory >90%"), alert("Runbook", "It is slow")];
    let complaints = not_written(&lines, &wrong);
    assert_eq!(
        complaints,
        ["x: under “1. Alerts” there is no “Memory >90%”", "x: under “Runbook” there is no “It is slow”"]
    );
}

#[test]
fn a_line_that_is_not_covered_is_told_and_so_is_half_a_line() {
    let lines = lines(SAMPLE);
    let all = ["Memory >80%", "(for 5m)", "It is slow", "free -h", "peers: 25", "x9"];
    let all = all.map(|written| alert("1. Alerts", written));
    none(&left_out(&lines, &all));
    for (left, rest) in [(0, "Memory >80%"), (1, "(for 5m)"), (2, "It is slow"), (3, "free -h"), (4, "peers: 25")] {
        let others: Vec<_> = all.iter().enumerate().filter(|(index, _)| *index != left).map(|(_, one)| *one).collect();
        let complaints = left_out(&lines, &others);
        assert!(complaints.len() == 1 && complaints[0].ends_with(&format!("“{rest}”")), "{complaints:?}");
    }
    assert_eq!(left_out(&lines, &all[..5]).len(), 1, "a number in a link is a number");
    let elsewhere = all.map(|one| Claim { section: "Runbook", ..one });
    assert_eq!(left_out(&lines, &elsewhere).len(), 5, "under another heading it covers nothing");
}
