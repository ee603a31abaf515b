//! The section of one variant: charts, findings, latencies, settings, and whatever else its record told.

use soak_scenario::Variant;
use soak_verdict::{Finding, VariantVerdict, Verdict, human};

use super::guidance::guidance;
use super::indications::indications;
use super::tables::{anchor, heads, mark, notes, table};
use crate::markup::Markup;
use crate::picture::{CYCLE_HEADS, Drawing, FAULT_HEADS, GROWING_HEADS, OperationLatency, Spread, VariantPicture};
use crate::wording::{Mark, grouped, interval, measured, milliseconds, threshold};

/// One variant.
pub(super) fn section(
    m: &mut Markup,
    found: &VariantVerdict,
    planned: Option<&Variant>,
    picture: Option<&VariantPicture>,
) {
    let id = anchor(&found.id);
    m.element("section", &[("id", &id), ("class", "variant")], |m| {
        m.element("h2", &[], |m| {
            m.text(&found.id);
            m.text(" ");
            mark(m, Mark::of_verdict(found.verdict));
        });
        if let Some(planned) = planned {
            let settings = planned.knobs.settings().map(|(name, text)| format!("{name} {text}"));
            m.leaf("p", &[("class", "muted")], &settings.join(" · "));
        }
        if let Some(ending) = picture.and_then(|picture| picture.ending) {
            m.leaf("p", &[("class", "note")], ending);
        }
        notes(m, &found.notes);
        if let Some(picture) = picture {
            charts(m, picture);
        }
        findings(m, &id, found);
        guidance(m, found);
        indications(m, found);
        if let Some(picture) = picture {
            if found.verdict == Verdict::Fail {
                growing(m, picture);
            }
            if found.finding("goroutine_baseline").is_some_and(|finding| finding.verdict == Some(Verdict::Fail)) {
                tasks(m, picture);
            }
            faults(m, picture);
            latencies(m, picture);
            load(m, picture);
        }
        attested(m, found);
    });
    m.line();
}

fn charts(m: &mut Markup, picture: &VariantPicture) {
    match &picture.memory {
        Some(drawing) => figure(m, drawing, "Memory over time. Dots: the floor of each cycle, hollow in the warm-up."),
        None => m.leaf("p", &[("class", "note")], "No memory was recorded: there is nothing to draw."),
    }
    if let Some(drawing) = &picture.floors {
        figure(m, drawing, "Floors by cycle, above the first counted one. Hollow: warm-up, not judged.");
    }
    numbers(m, picture);
}

/// What the charts show, for those who do not see them, and for programs.
fn numbers(m: &mut Markup, picture: &VariantPicture) {
    if picture.cycles.is_empty() {
        return;
    }
    m.element("details", &[], |m| {
        m.leaf("summary", &[], "The charts' numbers");
        table(m, "The charts' numbers, by cycle", "cycles", |m| {
            heads(m, &CYCLE_HEADS);
            m.element("tbody", &[], |m| {
                for [cycle, rest @ ..] in &picture.cycles {
                    m.element("tr", &[], |m| {
                        m.leaf("th", &[("scope", "row")], cycle);
                        for cell in rest {
                            m.leaf("td", &[], cell);
                        }
                    });
                }
            });
        });
        m.leaf("p", &[("class", "muted")], "Every sample, as CSV:");
        let command = format!("soak export samples FOLDER --variant {}", picture.id);
        m.element("pre", &[], |m| m.leaf("code", &[], &command));
    });
}

pub(crate) fn figure(m: &mut Markup, drawing: &Drawing, caption: &str) {
    m.element("figure", &[], |m| {
        m.element("div", &[("class", "scroll"), ("tabindex", "0"), ("role", "region"), ("aria-label", "Chart")], |m| {
            m.trusted(&drawing.svg);
        });
        m.element("figcaption", &[], |m| {
            m.element("span", &[("class", "legend")], |m| {
                for (class, name) in &drawing.lines {
                    m.element("span", &[], |m| {
                        m.element("svg", &[("class", "key"), ("viewBox", "0 0 28 10"), ("aria-hidden", "true")], |m| {
                            m.empty(
                                "path",
                                &[("class", &format!("s-{class}")), ("stroke-width", "3"), ("d", "M0 5H28")],
                            );
                        });
                        m.text(name);
                    });
                }
                for group in &drawing.phases {
                    m.element("span", &[], |m| {
                        m.element("svg", &[("class", "key"), ("viewBox", "0 0 28 10"), ("aria-hidden", "true")], |m| {
                            let class = format!("f-{}", group.class());
                            m.empty("rect", &[("class", &class), ("width", "28"), ("height", "10")]);
                        });
                        m.text(group.name());
                    });
                }
            });
            m.text(caption);
            if !drawing.missing.is_empty() {
                m.text(&format!(" Not recorded: {}.", drawing.missing.join(", ")));
            }
        });
    });
    m.line();
}

fn findings(m: &mut Markup, id: &str, found: &VariantVerdict) {
    m.leaf("h3", &[], "What was found");
    // What needs a person comes first; the rest is folded away.
    let (pressing, rest): (Vec<&Finding>, Vec<&Finding>) = found
        .findings
        .iter()
        .partition(|finding| matches!(finding.verdict, Some(Verdict::Fail | Verdict::Inconclusive)));
    for finding in pressing {
        one(m, id, finding);
    }
    if !rest.is_empty() {
        let passing = rest.iter().filter(|finding| finding.verdict.is_some()).count();
        m.element("details", &[], |m| {
            let information = rest.len() - passing;
            let also = if information > 0 { format!(", {information} for information") } else { String::new() };
            m.leaf("summary", &[], &format!("{passing} pass{also}"));
            for finding in rest {
                one(m, id, finding);
            }
        });
    }
}

fn one(m: &mut Markup, id: &str, finding: &Finding) {
    let own = format!("{id}.{}", anchor(&finding.criterion));
    let class = format!("finding {}", Mark::of(finding).class());
    m.element("article", &[("id", &own), ("class", &class)], |m| {
        m.element("h4", &[], |m| {
            mark(m, Mark::of(finding));
            m.text(" ");
            m.leaf("code", &[], &finding.criterion);
        });
        m.leaf("p", &[], &finding.reason);
        let detectable = finding.detectable.map(|least| human::in_unit(least, &finding.unit));
        let facts = [
            ("measured", measured(finding)),
            ("interval", interval(finding)),
            ("threshold", threshold(finding)),
            ("smallest detectable", detectable),
        ];
        if facts.iter().any(|(_, text)| text.is_some()) {
            m.element("p", &[("class", "facts")], |m| {
                for (name, text) in &facts {
                    if let Some(text) = text {
                        m.element("span", &[], |m| {
                            m.leaf("small", &[], name);
                            m.text(text);
                        });
                    }
                }
            });
        }
        if let Some(next) = &finding.next {
            m.element("p", &[], |m| {
                m.leaf("strong", &[], "Next: ");
                m.text(next);
            });
        }
        if let Some(command) = &finding.reproduce {
            m.element("pre", &[], |m| m.leaf("code", &[], command));
        }
    });
    m.line();
}

fn tasks(m: &mut Markup, picture: &VariantPicture) {
    if picture.tasks.is_empty() {
        return;
    }
    m.leaf("h3", &[], "Tasks by stack");
    table(m, "Tasks by stack", "tasks", |m| {
        heads(m, &["Stack, innermost first", "After the warm-up", "After the drain", "Oldest, minutes"]);
        m.element("tbody", &[], |m| {
            for (group, before) in &picture.tasks {
                m.element("tr", &[], |m| {
                    m.element("th", &[("scope", "row")], |m| m.leaf("code", &[], &group.signature));
                    m.leaf("td", &[], &grouped(*before));
                    m.leaf("td", &[], &grouped(group.count));
                    m.leaf("td", &[], &grouped(group.oldest_minutes));
                });
            }
        });
    });
}

fn latencies(m: &mut Markup, picture: &VariantPicture) {
    if picture.latencies.is_empty() {
        return;
    }
    m.element("details", &[], |m| {
        m.leaf("summary", &[], "Latencies");
        table(m, "Latencies in milliseconds", "latency", |m| {
            heads(m, &["ms", "p50", "p90", "p99", "p99.9", "max"]);
            picture.latencies.iter().for_each(|latency| operation(m, latency));
        });
        m.leaf(
            "p",
            &[("class", "muted")],
            "Corrected: from when the operation was due. Uncorrected: from when it started. Percentiles of cycles are not averaged: the worst counted \
             cycle and the median one are shown.",
        );
    });
    m.line();
}

fn operation(m: &mut Markup, latency: &OperationLatency) {
    m.element("tbody", &[], |m| {
        m.element("tr", &[], |m| {
            m.element("th", &[("scope", "rowgroup"), ("colspan", "6")], |m| {
                m.leaf("strong", &[], &latency.operation);
                m.text(&format!(" in {}: {}", latency.phase, account(latency)));
            });
        });
        for (name, spread) in [("corrected", &latency.corrected), ("uncorrected", &latency.uncorrected)] {
            let Spread { worst, median } = spread;
            for (over, p) in [("worst cycle", worst), ("median cycle", median)] {
                m.element("tr", &[], |m| {
                    m.leaf("th", &[("scope", "row")], &format!("{name}, {over}"));
                    for value in [p.p50_ms, p.p90_ms, p.p99_ms, p.p999_ms, p.max_ms] {
                        m.leaf("td", &[], &milliseconds(value));
                    }
                });
            }
        }
    });
    m.line();
}

/// `294 done in 6 cycles, 0 errors, 12 late, 0 never started`.
fn account(latency: &OperationLatency) -> String {
    format!(
        "{} done in {}, {} errors, {} started late, {} never started",
        grouped(latency.count),
        human::plural(latency.cycles, "cycle"),
        grouped(latency.errors),
        grouped(latency.late_starts),
        grouped(latency.never_started)
    )
}

/// What was done to the target, and how it answered.
fn growing(m: &mut Markup, picture: &VariantPicture) {
    let Some(growing) = &picture.growing else { return };
    m.leaf("h3", &[], "What grew on the heap");
    let caption = format!("By heap profiles, {}; soak diag of the run has every site", growing.when);
    table(m, &caption, "sites", |m| {
        heads(m, &GROWING_HEADS);
        m.element("tbody", &[], |m| {
            for [function, more, share, stack] in &growing.rows {
                m.element("tr", &[], |m| {
                    m.leaf("th", &[("scope", "row")], function);
                    for cell in [more, share] {
                        m.leaf("td", &[], cell);
                    }
                    m.leaf("td", &[("class", "words")], stack);
                });
            }
        });
    });
}

fn faults(m: &mut Markup, picture: &VariantPicture) {
    if picture.faults.is_empty() {
        return;
    }
    m.leaf("h3", &[], "Pressure and response");
    table(m, "Each fault, and the load before, during and after it", "faults", |m| {
        heads(m, &FAULT_HEADS);
        m.element("tbody", &[], |m| {
            for line in &picture.faults {
                m.element("tr", &[], |m| {
                    for (at, cell) in line.cells.iter().enumerate() {
                        let class = if at == 1 && !line.took_place && !cell.is_empty() {
                            "words open"
                        } else if at < 2 {
                            "words"
                        } else {
                            ""
                        };
                        m.leaf("td", &[("class", class)], cell);
                    }
                });
                m.line();
            }
        });
    });
    m.line();
}

/// Recall and the account of the ingest phases.
fn load(m: &mut Markup, picture: &VariantPicture) {
    let ingest = &picture.ingest;
    m.element("details", &[], |m| {
        m.leaf("summary", &[], "Ingest and recall");
        let rate = ingest
            .rows_per_s
            .map_or_else(String::new, |rate| format!(" at {} rows/s (median cycle)", grouped(rate as u64)));
        let rows = format!(
            "{} rows acknowledged{rate}; {} indeterminate, {} refused, {} requests to slow down. The variant took {}.",
            grouped(ingest.acked_rows),
            grouped(ingest.indeterminate_rows),
            grouped(ingest.refused_rows),
            grouped(ingest.back_pressure),
            human::seconds(picture.seconds)
        );
        m.leaf("p", &[], &rows);
        if picture.recall.is_empty() {
            m.leaf("p", &[("class", "muted")], "Recall was not measured.");
        } else {
            table(m, "Recall by cycle", "recall", |m| {
                heads(m, &["Cycle", "Searches compared", "Recall"]);
                m.element("tbody", &[], |m| {
                    for (cycle, searches, recall) in &picture.recall {
                        m.element("tr", &[], |m| {
                            m.leaf("th", &[("scope", "row")], &cycle.to_string());
                            m.leaf("td", &[], &searches.to_string());
                            m.leaf("td", &[], &human::percent(*recall));
                        });
                    }
                });
            });
        }
    });
    m.line();
}

fn attested(m: &mut Markup, found: &VariantVerdict) {
    if found.attested.is_empty() {
        return;
    }
    m.element("details", &[], |m| {
        m.leaf("summary", &[], "Settings as they were read back");
        table(m, "Settings as they were read back", "attested", |m| {
            heads(m, &["Knob", "Requested", "Effective", "Read from", "Holds"]);
            m.element("tbody", &[], |m| {
                for (name, knob) in &found.attested {
                    m.element("tr", &[], |m| {
                        m.element("th", &[("scope", "row")], |m| m.leaf("code", &[], name));
                        m.leaf("td", &[], &knob.requested);
                        m.leaf("td", &[], knob.effective.as_deref().unwrap_or("not told"));
                        m.leaf("td", &[], &knob.source);
                        let (class, word) = match knob.holds {
                            Some(true) => ("", "yes"),
                            Some(false) => ("fail", "NO"),
                            None => ("open", "not known"),
                        };
                        m.leaf("td", &[("class", class)], word);
                    });
                }
            });
        });
    });
    m.line();
}
