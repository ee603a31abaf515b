//! The matrix: lists of values, what is excluded, what is included, expanded into variants.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::plan::{IgnoredAxis, Knobs, Variant};
use crate::scenario_shape::AXES;
use crate::tree::{Node, Value};
use crate::units::{Bytes, Limit, Rate};

/// More variants than this is a slip of the keyboard.
pub(crate) const VARIANTS_MAX: usize = 500;

/// Canonical texts of one point's values, in the order of [`AXES`].
type Point = Vec<String>;

/// Values of every axis, in the order of [`AXES`].
struct Axes {
    values: Vec<Vec<String>>,
    /// Replaced on the command line, where it wins over what the file's points say about it.
    edited: Vec<bool>,
}

/// Expands the checked `[matrix]` of a document. Points that differ in knobs alone that the server `ignores` are one. Mistakes go to `mistakes`; the result is then empty.
pub(crate) fn expand(
    root: &Node,
    plan_seed: u64,
    ignores: &BTreeMap<String, String>,
    mistakes: &mut Vec<Diagnostic>,
) -> (Vec<Variant>, Vec<IgnoredAxis>) {
    let before = mistakes.len();
    let axes = axes(root, mistakes);
    let product = axes.values.iter().try_fold(1_usize, |product, values| product.checked_mul(values.len()));
    if mistakes.len() == before && product.is_none_or(|product| product > VARIANTS_MAX) {
        let size = product.map_or("far too many".to_owned(), |product| product.to_string());
        mistakes.push(too_many(root, &size));
    }
    if mistakes.len() > before {
        return (Vec::new(), Vec::new());
    }
    let mut points = combinations(&axes.values);
    exclude(root, &axes, &mut points, mistakes);
    include(root, &axes, &mut points, mistakes);
    if points.len() > VARIANTS_MAX {
        mistakes.push(too_many(root, &points.len().to_string()));
    }
    let ignored = merge(&mut points, ignores);
    if mistakes.len() > before { (Vec::new(), ignored) } else { (name(&points, plan_seed), ignored) }
}

/// Gives every point the same value of each axis that the server ignores, and keeps each point once.
fn merge(points: &mut Vec<Point>, ignores: &BTreeMap<String, String>) -> Vec<IgnoredAxis> {
    let mut ignored = Vec::new();
    for (index, knob) in AXES.into_iter().enumerate() {
        let (Some(reason), Some(kept)) = (ignores.get(knob), points.first().map(|point| point[index].clone())) else {
            continue;
        };
        let mut values: Vec<String> = Vec::new();
        for point in points.iter_mut() {
            if !values.contains(&point[index]) {
                values.push(point[index].clone());
            }
            point[index].clone_from(&kept);
        }
        ignored.push(IgnoredAxis { knob: knob.to_owned(), values, reason: reason.clone() });
    }
    let mut seen = BTreeSet::new();
    points.retain(|point| seen.insert(point.clone()));
    ignored
}

fn too_many(root: &Node, size: &str) -> Diagnostic {
    let origin = root.origin_of(&["matrix"]);
    Diagnostic::new(&origin, format!("the matrix has {size} variants"), format!("expected at most {VARIANTS_MAX}"))
}

fn axes(root: &Node, mistakes: &mut Vec<Diagnostic>) -> Axes {
    let mut axes = Axes { values: Vec::new(), edited: Vec::new() };
    for axis in AXES {
        let node = root.at(&["matrix", axis]);
        let items = node.map_or(&[][..], items);
        let mut values: Vec<String> = Vec::new();
        for item in items {
            let value = text(item);
            if values.contains(&value) {
                let message = format!("`{value}` stands twice in matrix.{axis}");
                mistakes.push(Diagnostic::new(&item.origin, message, "expected each value once"));
            }
            values.push(value);
        }
        if values.is_empty() {
            let origin = root.origin_of(&["matrix", axis]);
            let message = format!("matrix.{axis} is empty, so there is no variant");
            mistakes.push(Diagnostic::new(&origin, message, "expected at least one value"));
        }
        axes.edited.push(node.is_some_and(|node| node.origin.is_command_line()));
        axes.values.push(values);
    }
    axes
}

/// Every combination, the last axis varying fastest.
fn combinations(values: &[Vec<String>]) -> Vec<Point> {
    values.iter().fold(vec![Vec::new()], |points, axis| {
        let extend = |point: &Point| {
            let with = |value: &String| point.iter().cloned().chain([value.clone()]).collect();
            axis.iter().map(with).collect::<Vec<Point>>()
        };
        points.iter().flat_map(extend).collect()
    })
}

fn exclude(root: &Node, axes: &Axes, points: &mut Vec<Point>, mistakes: &mut Vec<Diagnostic>) {
    let Some(list) = root.at(&["matrix", "exclude"]) else { return };
    let before = mistakes.len();
    for entry in items(list) {
        let Some(table) = entry.table() else { continue };
        let mut wanted = Vec::new();
        for (index, axis) in AXES.into_iter().enumerate() {
            let Some(entry) = table.get(axis) else { continue };
            let value = text(&entry.node);
            if !axes.values[index].contains(&value) && !axes.edited[index] {
                let known = axes.values[index].iter().map(String::as_str);
                let message = format!("`{value}` is not a value of matrix.{axis}, so nothing is excluded");
                let help = did_you_mean(&value, known.clone());
                let expected = crate::diagnostic::one_of(known);
                mistakes.push(Diagnostic::new(&entry.node.origin, message, expected).with_help(help));
            }
            wanted.push((index, value));
        }
        if wanted.is_empty() {
            let message = "an entry without an axis excludes everything";
            mistakes.push(Diagnostic::new(&entry.origin, message, "expected at least one axis"));
            continue;
        }
        points.retain(|point| !wanted.iter().all(|(index, value)| point[*index] == *value));
    }
    let nothing_added = root.at(&["matrix", "include"]).is_none_or(|list| items(list).is_empty());
    if points.is_empty() && nothing_added && mistakes.len() == before {
        mistakes.push(Diagnostic::new(&list.origin, "`exclude` leaves no variant", "expected fewer exclusions"));
    }
}

fn include(root: &Node, axes: &Axes, points: &mut Vec<Point>, mistakes: &mut Vec<Diagnostic>) {
    let Some(list) = root.at(&["matrix", "include"]) else { return };
    let by_hand = list.origin.is_command_line();
    let any_edited = axes.edited.contains(&true);
    for entry in items(list) {
        let Some(table) = entry.table() else { continue };
        let values = |index: usize| {
            let all = &axes.values[index];
            match table.get(AXES[index]) {
                _ if axes.edited[index] && !by_hand => all.clone(),
                Some(entry) => vec![text(&entry.node)],
                None => all[..1].to_vec(),
            }
        };
        let choices: Vec<Vec<String>> = (0..AXES.len()).map(values).collect();
        // An edited axis multiplies the entry; so many that the limit is passed anyway need not be written out.
        if choices.iter().map(Vec::len).product::<usize>() > VARIANTS_MAX || points.len() > VARIANTS_MAX {
            mistakes.push(too_many(root, &format!("more than {VARIANTS_MAX}")));
            return;
        }
        for point in combinations(&choices) {
            if !points.contains(&point) {
                points.push(point);
            } else if !any_edited {
                let message = "this point is in the matrix already";
                mistakes.push(Diagnostic::new(&entry.origin, message, "expected a point of its own"));
            }
        }
    }
}

/// Gives points their ids: dimension and rows always, every other axis where it takes more than one value.
fn name(points: &[Point], plan_seed: u64) -> Vec<Variant> {
    let varies = |index: usize| points.iter().any(|point| point[index] != points[0][index]);
    let shown: Vec<bool> = (0..AXES.len()).map(|index| index < 2 || varies(index)).collect();
    let tags = ["dim", "rows", "gogc", "memlimit", "limit", "m", "ef", "every", "qps"];
    let variant = |point: &Point| {
        let part = |index: usize| format!("{}{}", tags[index], in_an_id(&point[index]));
        // The usual rate is not said: `qps200` among variants without one.
        let said = |index: &usize| shown[*index] && (tags[*index] != "qps" || point[*index] != "planned");
        let parts = (0..AXES.len()).filter(said).map(part);
        let knobs = knobs(point)?;
        Some(Variant {
            id: parts.collect::<Vec<_>>().join("-"),
            seed: data_seed(plan_seed, knobs.dim),
            knobs,
            dose: None,
            control: None,
        })
    };
    points.iter().filter_map(variant).collect()
}

/// A size without a fraction: `1536MiB` rather than `1.50GiB`, so that an id has no dot in it and reads as it was typed; a rate without its slash, which a path has no place for.
fn in_an_id(text: &str) -> String {
    if let Ok(rate) = text.parse::<Rate>() {
        return rate.to_string().trim_end_matches("/s").replace('/', "per").replace('.', "_");
    }
    if let Ok(Limit::OfPeak(percent)) = text.parse() {
        return format!("{percent}pc");
    }
    let Ok(size) = text.parse::<Bytes>() else { return text.to_owned() };
    let units = [("TiB", 1_u64 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
    let unit = units.into_iter().find(|(_, factor)| size.0 >= *factor && size.0.is_multiple_of(*factor));
    unit.map_or_else(|| text.to_owned(), |(name, factor)| format!("{}{name}", size.0 / factor))
}

fn knobs(point: &[String]) -> Option<Knobs> {
    let [dim, batch_rows, gogc, gomemlimit, memory_limit, hnsw_m, ef_construction, compaction_interval, query_rate] =
        point
    else {
        return None;
    };
    Some(Knobs {
        dim: dim.parse().ok()?,
        batch_rows: batch_rows.parse().ok()?,
        gogc: gogc.parse().ok()?,
        gomemlimit: gomemlimit.parse().ok()?,
        memory_limit: memory_limit.parse().ok()?,
        hnsw_m: hnsw_m.parse().ok()?,
        ef_construction: ef_construction.parse().ok()?,
        compaction_interval: compaction_interval.parse().ok()?,
        query_rate: query_rate.parse().ok()?,
    })
}

/// The seed of a variant's data: a hash of the plan's seed and the dimension alone, so that variants which differ only in how the data is
/// sent or collected (batch rows, GOGC, limits) get the same vectors. Two rounds of the `SplitMix64` finaliser; it never changes.
pub fn data_seed(plan_seed: u64, dim: u32) -> u64 {
    mix(plan_seed ^ mix(u64::from(dim)))
}

/// The finaliser of `SplitMix64` (Steele, Lea and Flood 2014) after one step of its counter.
fn mix(state: u64) -> u64 {
    let state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}

fn items(node: &Node) -> &[Node] {
    match &node.value {
        Value::List(items) => items,
        _ => &[],
    }
}

/// The canonical text of a checked value.
fn text(node: &Node) -> String {
    match &node.value {
        Value::Text(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_seed_is_pinned() {
        // First output of SplitMix64 from state 0, as published with the generator.
        assert_eq!(mix(0), 0xE220_A839_7B1D_CDAF);
        assert_eq!(data_seed(1, 128), data_seed(1, 128));
        assert_ne!(data_seed(1, 128), data_seed(1, 1536));
        assert_ne!(data_seed(1, 128), data_seed(2, 128));
    }
}
