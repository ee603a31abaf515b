//! Memory over time: resident, heap in use, dataset and live data, with the phases shaded and the floors marked.

use plotters::coord::Shift;
use plotters::prelude::*;
use soak_record::{Series, VariantRecord};
use soak_scenario::Plan;
use soak_verdict::floors;

use super::Drawing;
use super::phases::{Group, shaded};
use super::recolour::{ink, recolour};
use super::thin::thin;

/// Size in the chart's own units; the page scales it.
const SIZE: (u32, u32) = (960, 330);

/// Columns of pixels are this wide: two points each keep a chart of five lines well under 60 KB.
const BUCKETS: usize = 400;

/// Spans shaded at most; what comes after is left plain.
const SHADES: usize = 150;

const MIB: f64 = 1_048_576.0;

/// A line of the chart: style class, name, canonical series, and how it is drawn.
struct Line {
    class: &'static str,
    name: &'static str,
    series: &'static str,
    width: u32,
}

/// From back to front.
const LINES: [Line; 5] = [
    Line { class: "live", name: "live data", series: "ledger_live_vectors", width: 1 },
    Line { class: "dataset", name: "dataset memory", series: "dataset_bytes", width: 2 },
    Line { class: "heap", name: "heap in use", series: "heap_bytes", width: 2 },
    Line { class: "rss", name: "RSS", series: "rss_bytes", width: 1 },
    Line { class: "anon", name: "RssAnon", series: "rss_anon_bytes", width: 2 },
];

/// Runs of points, seconds since the variant began and MiB.
type Runs = Vec<Vec<(f64, f64)>>;

/// The chart, unless nothing of it was recorded.
pub(super) fn memory(plan: &Plan, record: &VariantRecord, [from_s, to_s]: [f64; 2]) -> Option<Drawing> {
    let mut drawn: Vec<(&Line, Runs)> = Vec::new();
    let mut missing = Vec::new();
    for line in &LINES {
        match record.series.get(line.series).filter(|series| !series.is_empty()) {
            Some(series) => drawn.push((line, runs(record, line, series, from_s, to_s))),
            None => missing.insert(0, line.name),
        }
    }
    let highest = drawn.iter().flat_map(|(_, runs)| runs.iter().flatten()).map(|(_, y)| *y).fold(0.0, f64::max);
    if drawn.is_empty() || to_s <= from_s || highest <= 0.0 {
        return None;
    }
    let floors: Vec<_> = floors(plan, record, "rss_anon_bytes")
        .into_iter()
        .map(|floor| (floor.at_s - from_s, floor.value / MIB, floor.counted))
        .collect();
    let shades: Vec<_> = shaded(record, to_s)
        .into_iter()
        .take(SHADES)
        .map(|(group, start, end)| (group, start - from_s, end - from_s))
        .collect();
    let mut svg = String::new();
    draw(&mut svg, &drawn, &floors, &shades, (to_s - from_s, highest * 1.06)).ok()?;
    let lines: Vec<_> =
        drawn.iter().rev().map(|(line, _)| (line.class, labelled(plan, line.name, line.series))).collect();
    let groups = Group::ALL.into_iter().filter(|group| shades.iter().any(|shade| shade.0 == *group)).collect();
    let title = format!("Memory of {} over {:.0} seconds", record.variant.id, to_s - from_s);
    let svg = recolour(&svg, &title, &describe(&drawn, &floors));
    Some(Drawing { svg, lines, phases: groups, missing })
}

/// The name in the legend; a series that stands for something the target does not have says so.
pub(super) fn labelled(plan: &Plan, name: &str, series: &str) -> String {
    let modelled = plan.target.profile.modelled.iter().any(|modelled| modelled == series);
    if modelled { format!("{name} (a model)") } else { name.to_owned() }
}

fn runs(record: &VariantRecord, line: &Line, series: &Series, from_s: f64, to_s: f64) -> Runs {
    // The ledger counts rows; what they hold is their vectors.
    let factor = if line.series == "ledger_live_vectors" { f64::from(record.variant.knobs.dim) * 4.0 } else { 1.0 };
    let mut runs = thin(series, [from_s, to_s], BUCKETS);
    for (x, y) in runs.iter_mut().flatten() {
        *x -= from_s;
        *y *= factor / MIB;
    }
    runs
}

type Failure = DrawingAreaErrorKind<std::io::Error>;

fn draw(
    svg: &mut String,
    lines: &[(&Line, Runs)],
    floors: &[(f64, f64, bool)],
    shades: &[(Group, f64, f64)],
    (to_x, to_y): (f64, f64),
) -> Result<(), Failure> {
    let root: DrawingArea<SVGBackend<'_>, Shift> = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let mut builder = ChartBuilder::on(&root);
    builder.margin(8).margin_right(16).x_label_area_size(40).y_label_area_size(64);
    let mut chart = builder.build_cartesian_2d(0.0..to_x, 0.0..to_y)?;
    chart.draw_series(shades.iter().map(|(group, start, end)| {
        Rectangle::new([(*start, 0.0), (end.min(to_x), to_y)], ink(group.class()).filled())
    }))?;
    let text = ("sans-serif", 15).into_font().color(&ink("ink"));
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(ink("grid"))
        .axis_style(ink("grid"))
        .label_style(text)
        .x_labels(10)
        .y_labels(6)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&tick)
        .x_desc("seconds since the variant began")
        .y_desc("MiB")
        .draw()?;
    for (line, runs) in lines {
        for run in runs {
            chart.draw_series(LineSeries::new(run.iter().copied(), ink(line.class).stroke_width(line.width)))?;
        }
    }
    // A halo in the page's own colour would need another element: a ring keeps the warm-up's dots apart instead.
    let dots = floors.iter().map(|(x, y, counted)| {
        let style = if *counted { ink("anon").filled() } else { ink("warm").stroke_width(2) };
        Circle::new((*x, *y), 4, style)
    });
    chart.draw_series(dots)?;
    root.present()
}

/// A number at an axis: no more decimals than it has.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "plotters' formatters take references")]
pub(super) fn tick(value: &f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// The numbers of the chart in a sentence each.
fn describe(drawn: &[(&Line, Runs)], floors: &[(f64, f64, bool)]) -> String {
    let mut sentences: Vec<String> = Vec::new();
    for (line, runs) in drawn.iter().rev() {
        let values = || runs.iter().flatten().map(|(_, y)| *y);
        let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
        sentences.push(format!("{}: between {least:.1} and {most:.1} MiB.", line.name));
    }
    let counted: Vec<f64> = floors.iter().filter(|floor| floor.2).map(|floor| floor.1).collect();
    if let (Some(first), Some(last)) = (counted.first(), counted.last()) {
        sentences.push(format!(
            "RssAnon floors: {first:.2} MiB in the first counted cycle, {last:.2} MiB in the last of {}.",
            counted.len()
        ));
    }
    sentences.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_have_no_needless_decimals() {
        assert_eq!([tick(&100.0), tick(&2.5), tick(&0.0), tick(&-0.001)], ["100", "2.5", "0", "0"]);
    }
}
