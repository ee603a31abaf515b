//! One quantity from run to run, a line a variant.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::Drawing;
use super::chart::tick;
use super::recolour::{ink, recolour};

const SIZE: (u32, u32) = (960, 230);

/// Style classes of lines, which come again where there are more variants.
const CLASSES: [&str; 5] = ["anon", "heap", "rss", "dataset", "live"];

/// A variant's values: number of the run, and the value in the unit of the axis.
#[derive(Debug, Clone)]
pub(crate) struct Course {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// The chart, unless there is nothing to draw. `runs` is the number of the last run; `unit` stands at the axis.
pub(crate) fn trend(title: &str, unit: &str, runs: usize, courses: &[Course]) -> Option<Drawing> {
    let points = || courses.iter().flat_map(|course| &course.points);
    let highest = points().map(|point| point.1).reduce(f64::max).filter(|highest| *highest > 0.0)?;
    let mut svg = String::new();
    draw(&mut svg, unit, courses, (runs as f64, highest * 1.08)).ok()?;
    let lines =
        courses.iter().enumerate().map(|(at, course)| (CLASSES[at % CLASSES.len()], course.name.clone())).collect();
    let svg = recolour(&svg, title, &describe(unit, courses));
    Some(Drawing { svg, lines, phases: Vec::new(), missing: Vec::new() })
}

fn draw(
    svg: &mut String,
    unit: &str,
    courses: &[Course],
    (to_x, to_y): (f64, f64),
) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
    let root: DrawingArea<SVGBackend<'_>, Shift> = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let mut builder = ChartBuilder::on(&root);
    builder.margin(8).margin_right(16).x_label_area_size(40).y_label_area_size(72);
    let mut chart = builder.build_cartesian_2d(0.7..to_x + 0.3, 0.0..to_y)?;
    let text = ("sans-serif", 15).into_font().color(&ink("ink"));
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(ink("grid"))
        .axis_style(ink("grid"))
        .label_style(text)
        .x_labels((2.0 * to_x).clamp(2.0, 24.0) as usize)
        .y_labels(5)
        .x_label_formatter(&|x| if (x - x.round()).abs() < 1e-6 { format!("{x:.0}") } else { String::new() })
        .y_label_formatter(&tick)
        .x_desc("run")
        .y_desc(unit)
        .draw()?;
    for (at, course) in courses.iter().enumerate() {
        let class = CLASSES[at % CLASSES.len()];
        chart.draw_series(LineSeries::new(course.points.iter().copied(), ink(class).stroke_width(2)))?;
        let dots = course.points.iter().map(|point| Circle::new(*point, 3, ink(class).stroke_width(2)));
        chart.draw_series(dots)?;
    }
    root.present()
}

fn describe(unit: &str, courses: &[Course]) -> String {
    let sentences = courses.iter().filter_map(|course| {
        let (first, last) = (course.points.first()?, course.points.last()?);
        Some(format!(
            "{}: {:.1} {unit} in run {:.0}, {:.1} in run {:.0}.",
            course.name, first.1, first.0, last.1, last.0
        ))
    });
    sentences.collect::<Vec<_>>().join(" ")
}
