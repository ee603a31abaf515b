//! Pieces that several sections share: anchors, tables in their own scroller, marks, notes.

use crate::markup::Markup;
use crate::wording::Mark;

/// The id of a variant's section. Ids come from a scenario's own words, so anything else than those letters is replaced.
pub(crate) fn anchor(variant: &str) -> String {
    let letters = variant.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' });
    letters.collect::<String>()
}

/// A table that scrolls inside itself where the screen is narrow. The scroller takes the focus, so that keys scroll it too.
pub(crate) fn table(m: &mut Markup, label: &str, class: &str, inside: impl FnOnce(&mut Markup)) {
    let attributes = [("class", "scroll"), ("tabindex", "0"), ("role", "region"), ("aria-label", label)];
    m.element("div", &attributes, |m| m.element("table", &[("class", class)], inside));
    m.line();
}

/// A row of column heads.
pub(crate) fn heads(m: &mut Markup, heads: &[&str]) {
    m.element("thead", &[], |m| {
        m.element("tr", &[], |m| heads.iter().for_each(|head| m.leaf("th", &[("scope", "col")], head)));
    });
}

/// A mark: a word in a frame.
pub(crate) fn mark(m: &mut Markup, mark: Mark) {
    m.leaf("span", &[("class", &format!("mark {}", mark.class()))], mark.word());
}

/// What a reader should know besides.
pub(crate) fn notes(m: &mut Markup, notes: &[String]) {
    for note in notes {
        m.leaf("p", &[("class", "note")], note);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn anchors_hold_safe_letters_only() {
        assert_eq!(super::anchor("dim128-rows500-m0.5"), "dim128-rows500-m0.5");
        assert_eq!(super::anchor("a b\"c"), "a-b-c");
    }
}
