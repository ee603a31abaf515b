//! The floors from cycle to cycle, against the first counted one: at this scale one sees what is judged.

use plotters::coord::Shift;
use plotters::prelude::*;
use soak_record::{EventKind, VariantRecord};
use soak_scenario::Plan;
use soak_verdict::stats::location::median;
use soak_verdict::{Floor, floor_model, floors};

use super::Drawing;
use super::chart::{labelled, tick};
use super::recolour::{ink, recolour};

const SIZE: (u32, u32) = (960, 230);
const MIB: f64 = 1_048_576.0;

/// The two series whose floors are judged: series, style class, name.
const JUDGED: [(&str, &str, &str); 2] =
    [("rss_anon_bytes", "anon", "RssAnon floor"), ("heap_bytes", "heap", "heap floor")];

/// Floors of one series, in MiB above the first counted one.
struct Track {
    class: &'static str,
    name: &'static str,
    series: &'static str,
    points: Vec<(f64, f64, bool)>,
    /// The model of the counted ones.
    model: Vec<(f64, f64)>,
}

/// The chart, unless fewer than two counted floors were recorded.
pub(super) fn chart(plan: &Plan, record: &VariantRecord) -> Option<Drawing> {
    let tracks: Vec<Track> = JUDGED
        .iter()
        .filter_map(|(series, class, name)| {
            let floors = floors(plan, record, series);
            let points = above_first(&floors)?;
            let first = floors.iter().find(|floor| floor.counted)?.value;
            let model = floor_model(plan, record, series).into_iter();
            let model = model.map(|(cycle, value)| (f64::from(cycle), (value - first) / MIB)).collect();
            Some(Track { class, name, series, points, model })
        })
        .collect();
    let cycles = || tracks.iter().flat_map(|track| track.points.iter());
    let first = cycles().filter(|point| point.2).map(|point| point.0).reduce(f64::min)?;
    let last = cycles().map(|point| point.0).reduce(f64::max)?;
    let allowed = tolerance(plan, record).map(|per_cycle| [(first, 0.0), (last, per_cycle / MIB * (last - first))]);
    let modelled = || tracks.iter().flat_map(|track| track.model.iter().map(|point| point.1));
    let heights =
        || cycles().map(|point| point.1).chain(allowed.iter().flatten().map(|point| point.1)).chain(modelled());
    let (low, high) = (heights().fold(0.0, f64::min), heights().fold(0.0, f64::max));
    let pad = f64::max(0.08 * (high - low), 0.02);
    let mut svg = String::new();
    let start = cycles().map(|point| point.0).reduce(f64::min)?;
    draw(&mut svg, &tracks, allowed, [(start - 0.3, last + 0.3), (low - pad, high + pad)]).ok()?;
    let mut lines: Vec<(&str, String)> =
        tracks.iter().map(|track| (track.class, labelled(plan, track.name, track.series))).collect();
    lines
        .extend(allowed.map(|_| ("tolerance", "growth that is tolerated (RssAnon), from none to the most".to_owned())));
    lines.push(("model", "the model that is judged".to_owned()));
    let title = format!("Floors of {} by cycle, above the first counted one", record.variant.id);
    let svg = recolour(&svg, &title, &describe(&tracks, allowed));
    Some(Drawing { svg, lines, phases: Vec::new(), missing: Vec::new() })
}

fn above_first(floors: &[Floor]) -> Option<Vec<(f64, f64, bool)>> {
    let first = floors.iter().find(|floor| floor.counted)?.value;
    let points: Vec<_> =
        floors.iter().map(|floor| (f64::from(floor.cycle), (floor.value - first) / MIB, floor.counted)).collect();
    (points.iter().filter(|point| point.2).count() > 1).then_some(points)
}

/// The tolerance of `rss_floor` in bytes a cycle, where the plan sets one.
fn tolerance(plan: &Plan, record: &VariantRecord) -> Option<f64> {
    let threshold = plan.criteria.get("rss_floor")?;
    let ingested = record.events.iter().filter_map(|event| match event.kind {
        EventKind::Ingested { cycle, bytes, .. } if cycle >= plan.cycle.warm_up => Some(bytes as f64),
        _ => None,
    });
    Some(threshold.floor_tolerance(median(&ingested.collect::<Vec<f64>>()).unwrap_or(0.0)))
}

type Failure = DrawingAreaErrorKind<std::io::Error>;

fn draw(
    svg: &mut String,
    tracks: &[Track],
    allowed: Option<[(f64, f64); 2]>,
    [(from_x, to_x), (from_y, to_y)]: [(f64, f64); 2],
) -> Result<(), Failure> {
    let root: DrawingArea<SVGBackend<'_>, Shift> = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let mut builder = ChartBuilder::on(&root);
    builder.margin(8).margin_right(16).x_label_area_size(40).y_label_area_size(64);
    let mut chart = builder.build_cartesian_2d(from_x..to_x, from_y..to_y)?;
    let text = ("sans-serif", 15).into_font().color(&ink("ink"));
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(ink("grid"))
        .axis_style(ink("grid"))
        .label_style(text)
        // More than there are cycles, so that each of a few gets its number; the formatter drops the halves.
        .x_labels((2.0 * (to_x - from_x)).clamp(2.0, 24.0) as usize)
        .y_labels(5)
        .x_label_formatter(&|x| if (x - x.round()).abs() < 1e-6 { format!("{x:.0}") } else { String::new() })
        .y_label_formatter(&tick)
        .x_desc("cycle")
        .y_desc("MiB above the first")
        .draw()?;
    if let Some(ends) = allowed {
        let [first, last] = ends;
        let cone = vec![first, last, (last.0, 0.0)];
        chart.draw_series(std::iter::once(Polygon::new(cone, ink("cone").filled())))?;
        chart.draw_series(LineSeries::new(ends, ink("tolerance").stroke_width(2)))?;
    }
    // From back to front, and larger behind: two series that leak alike both stay in sight.
    for (behind, track) in (0u8..).zip(tracks).collect::<Vec<_>>().into_iter().rev() {
        let line = track.points.iter().map(|(x, y, _)| (*x, *y));
        chart.draw_series(LineSeries::new(line, ink(track.class).stroke_width(2 + 2 * u32::from(behind))))?;
        let dots = track.points.iter().map(|(x, y, counted)| {
            let style = if *counted { ink(track.class).filled() } else { ink("warm").stroke_width(2) };
            Circle::new((*x, *y), 4 + 2 * i32::from(behind), style)
        });
        chart.draw_series(dots)?;
        let model = track.model.iter().copied();
        chart.draw_series(LineSeries::new(model, ink("model").stroke_width(1)))?;
    }
    root.present()
}

fn describe(tracks: &[Track], allowed: Option<[(f64, f64); 2]>) -> String {
    let mut sentences: Vec<String> = Vec::new();
    for track in tracks {
        let counted: Vec<String> =
            track.points.iter().filter(|point| point.2).map(|point| format!("{:+.2}", point.1)).collect();
        sentences.push(format!("{}, counted cycles in MiB: {}.", track.name, counted.join(", ")));
    }
    if let Some([_, (_, most)]) = allowed {
        sentences.push(format!("Tolerated at the end: {most:.2} MiB."));
    }
    sentences.join(" ")
}
