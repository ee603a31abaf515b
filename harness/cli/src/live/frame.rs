//! One frame of the view: pure, from the board to the cells of a terminal.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Borders, Chart, Dataset, GraphType, Paragraph};
use soak_record::Phase;
use soak_verdict::{Finding, Verdict, human};

use super::board::{Asking, Board, Standing, clock, short};
use crate::summary::mark;

/// Less than this is no view.
const WIDTH_LEAST: u16 = 60;
const HEIGHT_LEAST: u16 = 16;

/// The phases of a cycle, as they are shown in a row.
const CYCLE: [(Phase, &str); 9] = [
    (Phase::Ingest, "ingest"),
    (Phase::Index, "index"),
    (Phase::Query, "query"),
    (Phase::Delete, "delete"),
    (Phase::BeforeCompact, "rest"),
    (Phase::Compact, "compact"),
    (Phase::AfterCompact, "rest"),
    (Phase::Clear, "clear"),
    (Phase::Settle, "settle"),
];

/// Of Okabe and Ito's palette: told apart by whoever does not see red from green, and each goes with a mark or a word.
const GOOD: Color = Color::Rgb(0, 158, 115);
const BAD: Color = Color::Rgb(213, 94, 0);
const OPEN: Color = Color::Rgb(230, 159, 0);
const FIRST: Color = Color::Rgb(86, 180, 233);
const SECOND: Color = Color::Rgb(204, 121, 167);

pub(super) fn draw(frame: &mut Frame<'_>, board: &Board) {
    let area = frame.area();
    if area.width < WIDTH_LEAST || area.height < HEIGHT_LEAST {
        let words = format!("{} × {} is too small: 80 × 24 shows all", area.width, area.height);
        return frame.render_widget(Paragraph::new(words), area);
    }
    // What is left above 24 lines goes to the picture and to the lines of what happened.
    let lines = (area.height - HEIGHT_LEAST) / 4;
    let parts = [
        Constraint::Length(2),
        Constraint::Min(6),
        Constraint::Length(8),
        Constraint::Length(lines.clamp(1, 8)),
        Constraint::Length(1),
    ];
    let [head, picture, middle, log, keys] = Layout::vertical(parts).areas(area);
    let pen = Pen { plain: board.without_colour };
    frame.render_widget(Paragraph::new(heading(board, pen, area.width)), head);
    memory(frame, board, pen, picture);
    let [now, said] = Layout::horizontal([Constraint::Length(38), Constraint::Min(20)]).areas(middle);
    frame.render_widget(Paragraph::new(figures(board)).block(titled("now", pen)), now);
    let title = if board.is_control() { "put in on purpose: ✗ is seen" } else { "verdict so far" };
    frame.render_widget(Paragraph::new(findings(board, pen, said)).block(titled(title, pen)), said);
    frame.render_widget(Paragraph::new(log_lines(board, log)), log);
    frame.render_widget(Paragraph::new(key_line(board, pen)), keys);
}

/// Colours, or none where none are wanted.
#[derive(Clone, Copy)]
struct Pen {
    plain: bool,
}

impl Pen {
    fn of(self, color: Color) -> Style {
        if self.plain { Style::default() } else { Style::default().fg(color) }
    }

    fn strong(self, color: Color) -> Style {
        self.of(color).add_modifier(Modifier::BOLD)
    }

    fn faint(self) -> Style {
        if self.plain { Style::default() } else { Style::default().add_modifier(Modifier::DIM) }
    }

    fn of_verdict(self, verdict: Option<Verdict>) -> Style {
        match verdict {
            Some(Verdict::Pass) => self.of(GOOD),
            Some(Verdict::Fail) => self.strong(BAD),
            Some(Verdict::Inconclusive) => self.of(OPEN),
            None => self.faint(),
        }
    }
}

fn titled(title: &str, pen: Pen) -> Block<'_> {
    Block::new().borders(Borders::TOP).border_style(pen.faint()).title(format!(" {title} "))
}

/// Two lines: which run and how it stands, and where in it we are.
fn heading(board: &Board, pen: Pen, width: u16) -> Vec<Line<'_>> {
    let plan = &board.plan;
    let name = format!("{} · {} · seed {}", plan.scenario, plan.pace.name(), plan.seed);
    let mut first = vec![Span::styled(name, pen.strong(FIRST)), Span::raw("  ")];
    // Sixty variants would not fit; those around the one that runs do.
    let room = usize::from(width).saturating_sub(60).max(8);
    let from = board.index.saturating_sub(room / 2);
    for (index, standing) in board.standing.iter().enumerate().skip(from).take(room) {
        first.push(match standing {
            Standing::Ahead => Span::styled("·", pen.faint()),
            Standing::Judged(None) if index == board.index => Span::styled("▸", pen.strong(FIRST)),
            Standing::Judged(verdict) => Span::styled(mark(*verdict).to_string(), pen.of_verdict(*verdict)),
            Standing::OnPurpose => Span::styled("◦", pen.faint()),
            Standing::Failed => Span::styled("✗", pen.strong(BAD)),
        });
    }
    first.push(Span::raw(format!("  {}", clock(board.started.elapsed().as_secs_f64()))));
    let mut second = vec![
        Span::styled(board.variant(), Style::default().add_modifier(Modifier::BOLD)),
        Span::raw(format!(" {} of {}  ", board.index + 1, plan.variants.len())),
    ];
    second.extend(place(board, pen));
    vec![Line::from(first), Line::from(second)]
}

/// The cycle and its phases, or the phase outside of any.
fn place(board: &Board, pen: Pen) -> Vec<Span<'_>> {
    let Some(phase) = board.phase else { return Vec::new() };
    let in_phase = clock(board.in_phase().as_secs_f64());
    let Some(at) = CYCLE.iter().position(|(of_cycle, _)| *of_cycle == phase) else {
        return vec![Span::styled(format!("{} {in_phase}", phase.words()), pen.strong(OPEN))];
    };
    let cycle = board.cycle.unwrap_or(0);
    let of = if cycle < board.plan.cycle.warm_up { "warm-up".to_owned() } else { format!("cycle {cycle}") };
    let bar = format!("{}▣{}", "■".repeat(at), "□".repeat(CYCLE.len() - at - 1));
    vec![
        Span::raw(format!("{of} to {}  {bar}  ", board.cycles.saturating_sub(1))),
        Span::styled(format!("{} {in_phase}", CYCLE[at].1), pen.strong(OPEN)),
    ]
}

/// Memory of the running variant over time, with its limit where it has one.
fn memory(frame: &mut Frame<'_>, board: &Board, pen: Pen, area: Rect) {
    let [rss, heap] = [&board.rss, &board.heap].map(|trace| columns(trace.points(), area.width));
    let all = || rss.iter().chain(&heap);
    let from = all().map(|point| point.0).fold(f64::INFINITY, f64::min);
    let to = all().map(|point| point.0).fold(from + 1.0, f64::max);
    let highest = all().map(|point| point.1).fold(1024.0 * 1024.0, f64::max);
    // A limit far above would press everything else to the ground; its number stands in the title.
    let limit = board.limit().filter(|limit| *limit <= 3.0 * highest);
    let top = 1.08 * limit.unwrap_or(highest).max(highest);
    let line = limit.map(|limit| vec![(from, limit), (to, limit)]).unwrap_or_default();
    let of = |name: &'static str, points, style| {
        Dataset::default().name(name).marker(Marker::Braille).graph_type(GraphType::Line).style(style).data(points)
    };
    let sets =
        vec![of("limit", &line, pen.of(BAD)), of("heap", &heap, pen.of(SECOND)), of("resident", &rss, pen.of(FIRST))];
    let bytes = |value: f64| if from.is_finite() { human::bytes(value) } else { String::new() };
    let ends =
        if from.is_finite() { [from, to].map(|at| clock(at - board.began_s)) } else { [String::new(), String::new()] };
    let bounds = if from.is_finite() { [from, to] } else { [0.0, 1.0] };
    let chart = Chart::new(sets)
        .block(titled_line(memory_title(board, pen), pen))
        .x_axis(Axis::default().style(pen.faint()).bounds(bounds).labels(ends))
        .y_axis(Axis::default().style(pen.faint()).bounds([0.0, top]).labels([
            bytes(0.0),
            bytes(top / 2.0),
            bytes(top),
        ]))
        .legend_position(None);
    frame.render_widget(chart, area);
}

fn titled_line(title: Line<'_>, pen: Pen) -> Block<'_> {
    Block::new().borders(Borders::TOP).border_style(pen.faint()).title(title)
}

/// The numbers beside the picture's colours, which so need no legend.
fn memory_title(board: &Board, pen: Pen) -> Line<'_> {
    let mut spans = vec![Span::raw(" ")];
    let rss = board.latest("rss_bytes");
    spans.push(Span::styled("━ ", pen.of(FIRST)));
    spans.push(Span::raw(format!("resident {}", shown(rss, human::bytes))));
    if let Some(limit) = board.limit() {
        let share = rss.map_or_else(String::new, |rss| format!(", {}", human::percent(rss / limit)));
        spans.push(Span::styled(" ━", pen.of(BAD)));
        spans.push(Span::raw(format!(" of {}{share}", human::bytes(limit))));
    }
    spans.push(Span::styled("  ━ ", pen.of(SECOND)));
    spans.push(Span::raw(format!("heap {} ", shown(board.latest("heap_bytes"), human::bytes))));
    Line::from(spans)
}

fn shown(value: Option<f64>, words: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| "–".to_owned(), words)
}

/// No more points than a line of that width can show: of each column's the highest, because a peak is what a limit kills by.
fn columns(points: &[(f64, f64)], width: u16) -> Vec<(f64, f64)> {
    let columns = usize::from(width).max(1) * 2;
    let a_column = points.len().div_ceil(columns).max(1);
    let highest = |some: &[(f64, f64)]| some.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
    points.chunks(a_column).filter_map(highest).collect()
}

/// Numbers that a person looks for.
fn figures(board: &Board) -> Vec<Line<'_>> {
    let count = |value: f64| human::number(value.round());
    let series = |name: &str| shown(board.latest(name), count);
    let floors = floors(board);
    let load = board.latency.as_ref().map_or_else(
        || "–".to_owned(),
        |(_, operation, summary)| {
            let ms = |value: f64| human::seconds(value / 1000.0);
            format!("{operation} {} / {}", ms(summary.corrected.p50_ms), ms(summary.corrected.p99_ms))
        },
    );
    let faults = if board.faults.is_empty() {
        "none on".to_owned()
    } else {
        board.faults.values().cloned().collect::<Vec<_>>().join(", ")
    };
    let harness = format!(
        "{} cores, {}",
        shown(board.latest("harness_cpu_share"), human::number),
        shown(board.latest("harness_rss_bytes"), human::bytes)
    );
    let rows = [
        ("floors", floors),
        ("goroutines", format!("{}, connections {}", series("goroutines"), series("connections"))),
        ("ingest", format!("{}/s, {} in flight", shown(board.rows_per_s(), count), series("in_flight"))),
        ("p50 / p99", load),
        ("rows there", series("ledger_live_vectors")),
        ("faults", faults),
        ("harness", harness),
    ];
    rows.into_iter().map(|(name, value)| Line::from(format!("{name:<11}{value}"))).collect()
}

/// The last floor, and how the floors went.
fn floors(board: &Board) -> String {
    let Some(last) = board.floors.last() else { return "none yet".to_owned() };
    let first = board.floors.first().unwrap_or(last);
    let cycles = board.floors.len().saturating_sub(1);
    let went = if cycles == 0 {
        String::new()
    } else {
        let a_cycle = (last - first) / cycles as f64;
        format!(", {}{}/cycle", if a_cycle >= 0.0 { "+" } else { "−" }, human::bytes(a_cycle.abs()))
    };
    format!("{}{went}", human::bytes(*last))
}

/// What the criteria say, as many as there is room for.
fn findings<'a>(board: &'a Board, pen: Pen, area: Rect) -> Vec<Line<'a>> {
    if board.findings.is_empty() {
        return vec![Line::styled("not yet: after a cycle, from the record", pen.faint())];
    }
    let room = usize::from(area.height.saturating_sub(1));
    let fit = if board.findings.len() > room { room.saturating_sub(1) } else { room };
    let line = |finding: &'a Finding| {
        let style = pen.of_verdict(finding.verdict);
        let name = format!("{} {:<19} ", mark(finding.verdict), finding.criterion);
        Line::from(vec![Span::styled(name, style), Span::raw(short(finding))])
    };
    let mut lines: Vec<Line<'a>> = board.findings.iter().take(fit).map(line).collect();
    let rest = &board.findings[fit.min(board.findings.len())..];
    if !rest.is_empty() {
        let of = |wanted| rest.iter().filter(|finding| finding.verdict == Some(wanted)).count();
        let counts = [(Verdict::Fail, "fail"), (Verdict::Inconclusive, "open"), (Verdict::Pass, "pass")];
        let counted = counts.into_iter().filter(|(verdict, _)| of(*verdict) > 0);
        let words: Vec<String> = counted.map(|(verdict, word)| format!("{} {word}", of(verdict))).collect();
        lines.push(Line::styled(format!("and {}", words.join(", ")), pen.faint()));
    }
    lines
}

/// The last of what a person should know.
fn log_lines(board: &Board, area: Rect) -> Vec<Line<'_>> {
    let from = board.lines.len().saturating_sub(usize::from(area.height));
    board.lines.iter().skip(from).map(|line| Line::raw(line.as_str())).collect()
}

fn key_line(board: &Board, pen: Pen) -> Line<'_> {
    if board.is_stopping {
        return Line::styled("stopping: what was recorded is kept (Ctrl-C: at once)", pen.strong(OPEN));
    }
    if board.asking == Some(Asking::Stop) {
        return Line::styled("end the run now, and judge what there is?  y  any other key: no", pen.strong(OPEN));
    }
    match board.paused_for {
        Some(since) => {
            let since = clock(since.as_secs_f64());
            Line::styled(format!("p go on (the load rests since {since})  c compact  q stop early"), pen.strong(OPEN))
        }
        None => {
            Line::styled("p pause  c compact  q stop early   a hand in it is recorded, and costs passes", pen.faint())
        }
    }
}
