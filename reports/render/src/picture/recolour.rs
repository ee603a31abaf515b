//! Charts are drawn in stand-in colours and then given style classes, so that they follow the page into the dark.

use plotters::style::RGBColor;

/// A stand-in colour: its place in [`INKS`] is its blue part.
const fn stand_in(place: u8) -> RGBColor {
    RGBColor(1, 2, place)
}

/// Style classes, each with the colour that stands in for it.
pub(super) const INKS: &[(&str, RGBColor)] = &[
    ("ink", stand_in(0)),
    ("grid", stand_in(1)),
    ("anon", stand_in(2)),
    ("rss", stand_in(3)),
    ("heap", stand_in(4)),
    ("dataset", stand_in(5)),
    ("live", stand_in(6)),
    ("tolerance", stand_in(7)),
    ("load", stand_in(8)),
    ("query", stand_in(9)),
    ("delete", stand_in(10)),
    ("compact", stand_in(11)),
    ("warm", stand_in(12)),
    ("cone", stand_in(13)),
    ("model", stand_in(14)),
];

/// The stand-in of a class.
pub(super) fn ink(class: &str) -> RGBColor {
    INKS.iter().find(|(name, _)| *name == class).map_or(stand_in(0), |(_, colour)| *colour)
}

/// Replaces stand-ins by classes (`s-…` strokes, `f-…` fills), drops what the page decides (fonts, opacity) and names the chart.
pub(super) fn recolour(svg: &str, title: &str, describe: &str) -> String {
    let mut out = svg.replace(" opacity=\"1\"", "").replace(" font-family=\"sans-serif\"", "").replace(">\n<", "><");
    for (class, RGBColor(red, green, blue)) in INKS {
        let hex = format!("#{red:02X}{green:02X}{blue:02X}");
        out = out.replace(&format!("fill=\"{hex}\""), &format!("class=\"f-{class}\""));
        out = out.replace(&format!("stroke=\"{hex}\""), &format!("class=\"s-{class}\""));
    }
    let inside = out.find('>').map_or(0, |end| end + 1);
    let view = out.find("viewBox=\"").map_or("", |start| &out[start..inside]);
    let view = view.split('"').nth(1).unwrap_or("0 0 1 1");
    let mut named = crate::markup::Markup::new("");
    named.element("svg", &[("class", "chart"), ("role", "img"), ("aria-label", title), ("viewBox", view)], |m| {
        m.leaf("title", &[], title);
        m.leaf("desc", &[], describe);
        m.trusted(out[inside..].trim().trim_end_matches("</svg>"));
    });
    named.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_colour_is_left_and_the_chart_has_a_name() {
        let svg = "<svg width=\"9\" height=\"9\" viewBox=\"0 0 9 9\" xmlns=\"x\">\n<polyline fill=\"none\" opacity=\"1\" stroke=\"#010202\" points=\"1,1 \"/>\n</svg>\n";
        let out = recolour(svg, "a & b", "c");
        assert_eq!(
            out,
            "<svg class=\"chart\" role=\"img\" aria-label=\"a &amp; b\" viewBox=\"0 0 9 9\"><title>a &amp; b</title><desc>c</desc>\
             <polyline fill=\"none\" class=\"s-anon\" points=\"1,1 \"/></svg>"
        );
    }
}
