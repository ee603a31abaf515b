//! Patterns over variant ids: `*`, `?` and `{a,b}`.

/// Whether the whole of `text` fits the pattern.
pub fn matches(pattern: &str, text: &str) -> bool {
    alternatives(pattern).iter().any(|pattern| fits(pattern, text))
}

/// The pattern with each `{a,b}` written out. Braces do not nest; what is unbalanced, or would multiply without end, stays as it is.
fn alternatives(pattern: &str) -> Vec<String> {
    const AT_MOST: usize = 1000;
    let mut done: Vec<String> = vec![String::new()];
    let mut rest = pattern;
    while let Some((before, braced)) = rest.split_once('{') {
        let Some((inside, after)) = braced.split_once('}') else { break };
        let choices: Vec<&str> = inside.split(',').collect();
        if done.len() * choices.len() > AT_MOST {
            break;
        }
        let one = |start: &String| choices.iter().map(|choice| format!("{start}{before}{choice}")).collect::<Vec<_>>();
        done = done.iter().flat_map(one).collect();
        rest = after;
    }
    done.into_iter().map(|start| start + rest).collect()
}

/// Matching with a single point of return: on a mismatch only the last `*` need take one character more.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == '?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((star_p, star_t)) = star else { return false };
                star = Some((star_p, star_t + 1));
                p = star_p + 1;
                t = star_t + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_choose_variants() {
        let id = "dim1536-rows4096-gogc10";
        for pattern in ["*", id, "dim1536*", "*gogc10", "dim?536-*", "dim{128,1536}-rows{500,4096}*", "*-rows*-*"] {
            assert!(matches(pattern, id), "{pattern}");
        }
        for pattern in ["", "dim1536", "dim{128,3072}*", "*gogc1", "?", "{", "dim1536-{rows4096"] {
            assert!(!matches(pattern, id), "{pattern}");
        }
        assert!(!matches(&"{a,b}".repeat(40), id));
        assert!(!matches(&"*a".repeat(200), &"b".repeat(2000)));
    }
}
