//! Takes secrets out of texts before they are kept: values whose name says that they are one, passwords in addresses, headers that let somebody in,
//! tokens and private keys that can be told by their looks. Rather too much than too little.

/// What stands in a secret's place.
pub const REMOVED: &str = "[removed]";

/// What stands in the name of a secret.
const NAMES: [&str; 13] = [
    "token",
    "secret",
    "passw",
    "passphrase",
    "passwd",
    "pwd",
    "credential",
    "authorization",
    "cookie",
    "signature",
    "session",
    "key",
    "dsn",
];

/// Names that hold one of those and are none.
const NO_SECRETS: [&str; 4] = ["protectionkey", "keyspace", "monkey", "keyword"];

/// Names of sources, which stand before the number of a line: `token.go:12`.
const SOURCES: [&str; 6] = [".go", ".rs", ".c", ".h", ".s", ".py"];

/// Headers whose whole value is the secret.
const HEADERS: [&str; 3] = ["authorization", "cookie", "credential"];

/// Where a value without quotes ends.
const ENDS: [char; 12] = [',', ';', '&', '}', ')', ']', '"', '\'', '<', '>', '`', '|'];

/// Finds stretches of a line that are secrets: from where to where.
type Pass = fn(&str) -> Vec<(usize, usize)>;

/// The text without its secrets.
pub fn removed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_key = false;
    for line in text.split_inclusive('\n') {
        let (content, end) = line.strip_suffix('\n').map_or((line, ""), |content| (content, "\n"));
        let begins = content.contains("-----BEGIN ") && content.contains("PRIVATE KEY");
        if begins || in_key {
            in_key = !content.contains("-----END ");
            // The first line of a key stands for all of it.
            if begins {
                out.push_str(REMOVED);
                out.push_str(end);
            }
            continue;
        }
        out.push_str(&in_line(content));
        out.push_str(end);
    }
    out
}

/// A variable's value without secrets.
pub fn of_variable(name: &str, value: &str) -> String {
    if is_secret(name) { REMOVED.to_owned() } else { removed(value) }
}

/// Whether a name says that its value is nobody's business.
pub fn is_secret(name: &str) -> bool {
    let name: String = name.to_ascii_lowercase().chars().filter(|c| !matches!(c, '_' | '-')).collect();
    let name = NO_SECRETS.iter().fold(name, |name, harmless| name.replace(harmless, ""));
    NAMES.iter().any(|part| name.contains(part)) && !SOURCES.iter().any(|source| name.ends_with(source))
}

fn in_line(line: &str) -> String {
    let passes: [Pass; 4] = [in_addresses, in_pairs, in_flags, by_looks];
    passes.iter().fold(line.to_owned(), |line, pass| without(&line, pass(&line)))
}

/// The line with these stretches taken out.
fn without(line: &str, mut stretches: Vec<(usize, usize)>) -> String {
    stretches.sort_unstable();
    let mut out = String::with_capacity(line.len());
    let mut at = 0;
    for (start, end) in stretches {
        let start = start.max(at);
        if start >= end || line[start..].starts_with(REMOVED) {
            continue;
        }
        out.push_str(&line[at..start]);
        out.push_str(REMOVED);
        at = end;
    }
    out.push_str(&line[at..]);
    out
}

/// `scheme://user:password@host`.
fn in_addresses(line: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices("://") {
        let start = at + 3;
        let end = line[start..]
            .find(|c: char| c.is_whitespace() || "/?#\"'`<>".contains(c))
            .map_or(line.len(), |end| start + end);
        // A password may hold any of these unescaped; what comes before the last @ is none of the address.
        let wide = line[start..]
            .find(|c: char| c.is_whitespace() || "\"'`<>".contains(c))
            .map_or(line.len(), |end| start + end);
        let user = line[start..end]
            .rfind('@')
            .or_else(|| line[start..wide].find('@').filter(|at| line[start..start + at].contains(':')));
        found.extend(user.map(|user| (start, start + user)));
    }
    found
}

/// `name=value`, `name: value`, `"name": "value"`.
fn in_pairs(line: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (at, separator) in line.match_indices(['=', ':']) {
        let before = line[..at].trim_end_matches([' ', '\t']).trim_end_matches(['"', '\'', '\\', ']']);
        let start = before
            .rfind(|c: char| !(c.is_alphanumeric() || "_-.".contains(c)))
            .map_or(0, |last| last + before[last..].chars().next().map_or(1, char::len_utf8));
        let name = &before[start..];
        if name.is_empty() || !is_secret(name) || line[at..].starts_with("://") {
            continue;
        }
        let rest = &line[at + separator.len()..];
        // `:=` and `==` are one sign.
        let value = rest.trim_start_matches(['=', ' ', '\t']);
        let from = line.len() - value.len();
        let opening = line[..start].chars().next_back().filter(|c| "\"'`".contains(*c) && before.len() == at);
        let is_first = line[..start].trim_matches([' ', '\t', '-', '"', '\'']).is_empty();
        let whole = (separator == ":" && rest.starts_with([' ', '\t']) && is_first)
            || HEADERS.iter().any(|header| name.to_ascii_lowercase().contains(header));
        found.push((from, from + length(value, whole, opening)));
    }
    found
}

/// How much of what follows is the value.
fn length(value: &str, whole: bool, opening: Option<char>) -> usize {
    let quote = value.trim_start_matches('\\').chars().next().filter(|c| "\"'`".contains(*c));
    if let Some(quote) = quote {
        let skipped = value.len() - value.trim_start_matches('\\').len() + 1;
        let mut escaped = false;
        for (at, c) in value[skipped..].char_indices() {
            if c == quote && !escaped {
                return skipped + at + 1;
            }
            // In a text that is quoted itself, quotes are escaped once more; those end the value too.
            escaped = c == '\\' && !escaped && skipped == 1;
        }
        return value.len();
    }
    if whole {
        return opening.and_then(|quote| value.find(quote)).unwrap_or(value.len());
    }
    value.find(|c: char| c.is_whitespace() || ENDS.contains(&c)).unwrap_or(value.len())
}

/// `--password value`.
fn in_flags(line: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut words = line.split_whitespace().peekable();
    let place = |word: &str| word.as_ptr().addr() - line.as_ptr().addr();
    while let Some(word) = words.next() {
        let is_flag = word.starts_with('-') && !word.contains(['=', ':']) && is_secret(word.trim_start_matches('-'));
        if let Some(value) = words.peek().filter(|value| is_flag && !value.starts_with('-')) {
            found.push((place(value), place(value) + value.len()));
        }
    }
    found
}

/// Tokens that can be told by their looks.
fn by_looks(line: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let lower = line.to_ascii_lowercase();
    for (at, scheme) in lower.match_indices("bearer ") {
        let start = at + scheme.len();
        let end =
            line[start..].find(|c: char| c.is_whitespace() || ENDS.contains(&c)).map_or(line.len(), |end| start + end);
        found.push((start, end));
    }
    let is_token = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    // JSON Web Tokens, keys of Amazon, tokens of GitHub and Slack.
    for (start, least) in
        [("eyJ", 20), ("AKIA", 20), ("ghp_", 20), ("gho_", 20), ("ghs_", 20), ("github_pat_", 20), ("xox", 15)]
    {
        for (at, _) in line.match_indices(start) {
            let end = line[at..].find(|c| !is_token(c)).map_or(line.len(), |end| at + end);
            let begins = !line[..at].ends_with(is_token);
            if begins && end - at >= least {
                found.push((at, end));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_secret_stays() {
        let harmless = "goroutine 7 [chan receive]:\n\t/app/token.go:33 +0x1\nProtectionKey:         0\nGOGC=75 dim=128\n\
            time=2026-01-02T03:04:05Z level=info msg=\"compacted 3\" took=1.5s\nbytes{dataset=\"a\"} 1.5e3\nhttp://127.0.0.1:9090/metrics?x=y\n";
        assert_eq!(removed(harmless), harmless);
    }

    #[test]
    fn what_stands_around_a_secret_stays() {
        let before = "curl -H \"Authorization: Basic dXNlcjpwYXNz\" http://u:p@h:1/x?api_key=abc&n=1\npassword: two words\nlevel=info token=abc n=3\n";
        let after = "curl -H \"Authorization: [removed]\" http://[removed]@h:1/x?api_key=[removed]&n=1\npassword: [removed]\nlevel=info token=[removed] n=3\n";
        assert_eq!(removed(before), after);
        assert_eq!(of_variable("AWS_SECRET_ACCESS_KEY", "x"), REMOVED);
        assert_eq!(of_variable("GOGC", "75"), "75");
        let key = "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----\nb\n";
        assert_eq!(removed(key), "a\n[removed]\nb\n");
    }

    /// Where a secret may stand.
    const PLACES: [&str; 22] = [
        "DB_PASSWORD=§",
        "export MY_TOKEN='§'",
        "{\"client_secret\":\"§\"}",
        "{\"client_secret\" : \"§\", \"a\": 1}",
        "apiKey: §",
        "  api-key: \"§\"",
        "Authorization: Bearer §",
        "authorization: Basic §",
        "GET /x HTTP/1.1 Authorization: §",
        "postgres://me:§@db/x?sslmode=off",
        "redis://:§@127.0.0.1:6379",
        "msg=\"calling https://bot:§@host/path\"",
        "store --auth-token §",
        "store --password=§ --dim 3",
        "Set-Cookie: sid=§; Path=/",
        "err=\"{\\\"password\\\":\\\"§\\\"}\"",
        "x?access_token=§&y=1",
        "private_key = \"§\"",
        "level=warn passwd=§",
        "with bearer § sent",
        "spec.env[TOKEN]=§",
        "token=eyJ§",
    ];

    proptest! {
        #[test]
        fn no_secret_survives_anywhere(secret in "[A-Za-z0-9+/_.-]{6,40}", place in 0..PLACES.len(), around in "[ -~é\n]{0,40}") {
            let line = PLACES[place].replace('§', &format!("Zq9{secret}"));
            let text = format!("{around}\n{line}\nnext=1\n");
            let clean = removed(&text);
            let quiet = !around.contains("-----");
            prop_assert!(!clean.contains(&format!("Zq9{secret}")), "{clean}");
            prop_assert!(!quiet || clean.ends_with("\nnext=1\n"), "{clean}");
            prop_assert_eq!(removed(&clean), clean);
        }

        #[test]
        fn any_text_is_survived(text in "\\PC{0,200}") {
            let clean = removed(&text);
            prop_assert_eq!(removed(&clean), clean);
        }
    }
}
