//! Whether the page's colours can be told apart by everybody, and seen on the paper, by day and by night.

use std::collections::BTreeMap;

use super::STYLE;

/// Linear red, green and blue, each from 0 to 1.
type Rgb = [f64; 3];

/// What somebody sees of a colour: nothing missing, or without the long, the middle or the short cones.
/// The matrices are those of Machado, Oliveira and Fernandes, “A physiologically-based model for simulation of color vision deficiency” (2009), at full severity.
const EYES: [(&str, [Rgb; 3]); 4] = [
    ("all cones", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    (
        "protanopia",
        [[0.152_286, 1.052_583, -0.204_868], [0.114_503, 0.786_281, 0.099_216], [-0.003_882, -0.048_116, 1.051_998]],
    ),
    (
        "deuteranopia",
        [[0.367_322, 0.860_646, -0.227_968], [0.280_085, 0.672_501, 0.047_413], [-0.011_820, 0.042_940, 0.968_881]],
    ),
    (
        "tritanopia",
        [[1.255_528, -0.076_749, -0.178_779], [-0.078_411, 0.930_809, 0.147_602], [0.004_733, 0.691_367, 0.303_900]],
    ),
];

/// Colours that stand beside one another with nothing else to tell them apart at a glance, and the contrast that each needs on the paper:
/// WCAG 2.2 asks for 4.5 of text (1.4.3) and 3 of graphics (1.4.11). Bands lie behind the lines, and say nothing that the cycles' table does not.
const TOGETHER: [(&[&str], f64); 3] = [
    (&["anon", "rss", "heap", "dataset", "live"], 3.0),
    (&["pass", "fail", "open"], 4.5),
    (&["load", "query", "delete", "compact"], 1.5),
];

/// Closer than this in `OKLab` two colours are easily taken for one another: some four times the difference that is just seen.
const APART: f64 = 0.085;

/// The colours by day and by night, by their names.
fn palettes() -> [BTreeMap<&'static str, Rgb>; 2] {
    let (day, night) = STYLE.split_once("@media (prefers-color-scheme: dark)").unwrap();
    [day, night].map(|text| {
        let root = text.split_once(":root {").unwrap().1.split_once('}').unwrap().0;
        let declared = root.split(';').filter_map(|one| one.trim().strip_prefix("--")?.split_once(": #"));
        declared.map(|(name, digits)| (name, rgb(digits))).collect()
    })
}

fn rgb(digits: &str) -> Rgb {
    [0, 2, 4].map(|at| {
        let share = f64::from(u8::from_str_radix(&digits[at..at + 2], 16).unwrap()) / 255.0;
        if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    })
}

fn product(matrix: &[Rgb; 3], v: Rgb) -> Rgb {
    [0, 1, 2].map(|row: usize| matrix[row].iter().zip(v).map(|(a, b)| a * b).sum())
}

/// `OKLab` (Ottosson 2020): equal distances look equally far apart.
fn oklab(colour: Rgb) -> Rgb {
    let cones = [
        [0.412_221_470_8, 0.536_332_536_3, 0.051_445_992_9],
        [0.211_903_498_2, 0.680_699_545_1, 0.107_396_956_6],
        [0.088_302_461_9, 0.281_718_837_6, 0.629_978_700_5],
    ];
    let lab = [
        [0.210_454_255_3, 0.793_617_785_0, -0.004_072_046_8],
        [1.977_998_495_1, -2.428_592_205_0, 0.450_593_709_9],
        [0.025_904_037_1, 0.782_771_766_2, -0.808_675_766_0],
    ];
    product(&lab, product(&cones, colour).map(f64::cbrt))
}

fn distance(one: Rgb, other: Rgb, eyes: &[Rgb; 3]) -> f64 {
    let seen = |colour: Rgb| oklab(product(eyes, colour).map(|part| part.clamp(0.0, 1.0)));
    seen(one).iter().zip(seen(other)).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

/// WCAG's contrast of two colours.
fn contrast(one: Rgb, other: Rgb) -> f64 {
    let luminance = |colour: Rgb| 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2] + 0.05;
    let (one, other) = (luminance(one), luminance(other));
    one.max(other) / one.min(other)
}

#[test]
fn the_arithmetic_is_the_published_one() {
    assert!((contrast(rgb("000000"), rgb("ffffff")) - 21.0).abs() < 1e-9);
    // Ottosson's own example: red.
    for (found, wanted) in oklab(rgb("ff0000")).iter().zip([0.627_955, 0.224_863, 0.125_846]) {
        assert!((found - wanted).abs() < 1e-4, "{found}, not {wanted}");
    }
    // A red and a green of one lightness, which without middle cones are nearly one.
    let (red, green) = (rgb("c05a4a"), rgb("848424"));
    assert!(distance(red, green, &EYES[2].1) < 0.5 * distance(red, green, &EYES[0].1));
}

#[test]
fn colours_are_told_apart_by_everybody() {
    for (palette, when) in palettes().into_iter().zip(["by day", "by night"]) {
        for (names, least) in TOGETHER {
            for (at, name) in names.iter().enumerate() {
                let on_paper = contrast(palette[name], palette["paper"]);
                assert!(on_paper >= least, "{name} {when}: {on_paper:.2} on the paper, not {least}");
                for other in &names[at + 1..] {
                    for (who, eyes) in &EYES {
                        let apart = distance(palette[name], palette[other], eyes);
                        assert!(apart >= APART, "{name} and {other} {when}, {who}: {apart:.3}");
                    }
                }
            }
        }
    }
}
