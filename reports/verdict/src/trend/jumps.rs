//! Levels that come and go: a batch of data that is held for a while, a pool that is taken and given back. One step is a shape of its own; where several explain the series far better
//! than noise does, and what they add is taken away again, they are nuisances. Steps that all go up are none: that is how some leaks look.

use super::basis::{Basis, dot};
use super::posterior::{Component, Design, Posterior, Scale};
use super::shape::{self, Filling, Shape};

/// More steps than this are no few levels.
const AT_MOST: usize = 4;
/// ln of likelihood, less its cost, by which another step must be better than none.
const BETTER_BY: f64 = 4.0;
/// What is left in the end is no more than this part of the highest of the steps.
const GIVEN_BACK: f64 = 0.5;

/// The columns of steps that come and go; none where there are none, or too many.
pub(crate) fn find(times_s: &[f64], values: &[f64], known: &[Vec<f64>], scale: Scale) -> Vec<Vec<f64>> {
    let Some(length_s) = times_s.last().copied() else { return Vec::new() };
    let shapes = shapes(length_s);
    let posterior = |nuisances: &[Vec<f64>]| Posterior::of(&Design { times_s, values, nuisances }, &shapes, scale);
    let mut nuisances = known.to_vec();
    let Some(mut best) = posterior(&nuisances) else { return Vec::new() };
    // The step's height and its moment.
    let cost = (values.len() as f64).ln() + BETTER_BY;
    while nuisances.len() - known.len() <= AT_MOST {
        let Some(component) = best.components.first() else { break };
        let design = Design { times_s, values, nuisances: &nuisances };
        let tried = candidates(&design, component).into_iter().filter_map(|column| {
            let with: Vec<Vec<f64>> = nuisances.iter().cloned().chain([column]).collect();
            posterior(&with).map(|found| (with, found))
        });
        let better = tried.max_by(|a, b| a.1.log_likelihood.total_cmp(&b.1.log_likelihood));
        match better.filter(|(_, found)| found.log_likelihood > best.log_likelihood + cost) {
            Some((with, found)) => (nuisances, best) = (with, found),
            None => break,
        }
    }
    let steps = nuisances.split_off(known.len());
    let come_and_go = (2..=AT_MOST).contains(&steps.len())
        && best.components.first().is_some_and(|component| is_given_back(times_s, values, (known, &steps), component));
    if come_and_go { steps } else { Vec::new() }
}

/// Few shapes are enough to tell whether there are steps.
fn shapes(length_s: f64) -> Vec<(Shape, f64)> {
    let level = Shape::LEVEL;
    let filling = Some(Filling::Slowing(0.08 * length_s));
    let some =
        [level, Shape { line: true, ..level }, Shape { filling, ..level }, Shape { line: true, filling, ..level }];
    some.map(|shape| (shape, 0.25)).to_vec()
}

/// The step that takes most off the series, under the noise of a component and under one that forgets more quickly: a step that is not known looks like slow noise.
fn candidates(design: &Design<'_>, component: &Component) -> Vec<Vec<f64>> {
    let quicker = super::noise::Noise { tau_s: 0.1 * component.noise.tau_s, ..component.noise };
    let best = |noise: super::noise::Noise| {
        let filter = noise.filter(design.times_s);
        let mut basis = Basis::default();
        basis.add(filter.whiten(&vec![1.0; design.times_s.len()]));
        for column in design.nuisances.iter().chain(&shape_columns(design.times_s, &component.shape)) {
            basis.add(filter.whiten(column));
        }
        let values = basis.cleared(filter.whiten(design.values));
        let taken_off = |column: &Vec<f64>| {
            let column = basis.cleared(filter.whiten(column));
            let square = dot(&column, &column);
            if square > 1e-6 { dot(&column, &values).powi(2) / square } else { 0.0 }
        };
        let between = design.times_s.windows(2).skip(2).map(|pair| 0.5 * (pair[0] + pair[1]));
        let steps = between.map(|at_s| shape::step(design.times_s, at_s));
        steps.map(|column| (taken_off(&column), column)).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, column)| column)
    };
    [component.noise, quicker].into_iter().filter_map(best).collect()
}

fn shape_columns(times_s: &[f64], shape: &Shape) -> Vec<Vec<f64>> {
    let line = shape.line.then(|| times_s.to_vec());
    let filling = shape.filling.map(|filling| shape::filling(times_s, filling));
    [line, filling].into_iter().flatten().collect()
}

/// Whether what the steps add is taken away again by the last.
fn is_given_back(
    times_s: &[f64],
    values: &[f64],
    (known, steps): (&[Vec<f64>], &[Vec<f64>]),
    component: &Component,
) -> bool {
    let filter = component.noise.filter(times_s);
    let columns: Vec<Vec<f64>> = known.iter().cloned().chain(shape_columns(times_s, &component.shape)).collect();
    let height = |i: usize| {
        let mut basis = Basis::default();
        basis.add(filter.whiten(&vec![1.0; times_s.len()]));
        let others = steps.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, step)| step);
        for column in columns.iter().chain(others) {
            basis.add(filter.whiten(column));
        }
        let step = basis.cleared(filter.whiten(&steps[i]));
        let square = dot(&step, &step);
        if square > 0.0 { dot(&step, &filter.whiten(values)) / square } else { 0.0 }
    };
    let heights: Vec<f64> = (0..steps.len()).map(height).collect();
    let highest = heights.iter().copied().fold(0.0, f64::max);
    heights.iter().sum::<f64>() <= GIVEN_BACK * highest
}
