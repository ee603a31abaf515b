//! Levels that come and go: a batch of data that is held for a while, a pool that is taken and given back. One step is a shape of its own; where several explain the series far better
//! than noise does, and what they add is taken away again, they are nuisances. Steps that leave something behind are none: that is how some leaks look. What may be left is small against
//! what the tolerance allows over the whole series, the doubt about the heights included.

use super::basis::{Basis, dot};
use super::posterior::{Component, Design, Posterior, Scale};
use super::shape::{self, Filling, Shape};

/// More steps than this are no few levels. One that falls into the middle of a block of samples takes two.
const AT_MOST: usize = 6;
/// ln of likelihood, less its cost, by which another step must be better than none.
const BETTER_BY: f64 = 4.0;
/// What is left in the end is no more than this part of what the tolerance allows over the series, each way.
const GIVEN_BACK: f64 = 0.5;
/// Deviations of doubt about what is left.
const DOUBT: f64 = 1.64;

/// The columns of steps that come and go; none where there are none, or too many. `tolerance` is growth per second that is tolerated.
pub(crate) fn find(
    times_s: &[f64],
    values: &[f64],
    known: &[Vec<f64>],
    (scale, tolerance): (Scale, f64),
) -> Vec<Vec<f64>> {
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
        && best.components.first().is_some_and(|component| {
            let left = left_behind(times_s, values, (known, &steps), component);
            left.is_some_and(|left| left < GIVEN_BACK * tolerance * length_s)
        });
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

/// The most that the steps together leave behind, up or down, with the doubt about it. The first step is exchanged for the sum of all: in that basis the coefficient of the first column is what
/// is left.
fn left_behind(
    times_s: &[f64],
    values: &[f64],
    (known, steps): (&[Vec<f64>], &[Vec<f64>]),
    component: &Component,
) -> Option<f64> {
    let filter = component.noise.filter(times_s);
    let (first, others) = steps.split_first()?;
    let mut basis = Basis::default();
    basis.add(filter.whiten(&vec![1.0; times_s.len()]));
    for column in known.iter().chain(&shape_columns(times_s, &component.shape)) {
        basis.add(filter.whiten(column));
    }
    // Σ hᵢ·sᵢ = (Σ hᵢ)·s₁ + Σ hᵢ·(sᵢ − s₁).
    for other in others {
        let difference: Vec<f64> = other.iter().zip(first).map(|(other, first)| other - first).collect();
        basis.add(filter.whiten(&difference));
    }
    let values = filter.whiten(values);
    let column = basis.cleared(filter.whiten(first));
    let square = dot(&column, &column);
    if square <= 0.0 {
        return None;
    }
    let left = dot(&column, &values) / square;
    basis.add(column);
    let rest = basis.cleared(values);
    let df = (rest.len().saturating_sub(basis.len())).max(1) as f64;
    let error = (dot(&rest, &rest) / df / square).sqrt();
    Some(left.abs() + DOUBT * error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::draws::normal;

    /// How many columns are found of a series with these steps (moment in seconds, height) in noise of .05.
    fn found(steps: &[(f64, f64)]) -> usize {
        let times: Vec<f64> = (0..180).map(|i| f64::from(i) * 10.0).collect();
        let value = |(i, time): (usize, &f64)| {
            let level: f64 = steps.iter().filter(|(at_s, _)| time >= at_s).map(|(_, height)| height).sum();
            level + 0.05 * normal(3_000_000 + i as u64)
        };
        let values: Vec<f64> = times.iter().enumerate().map(value).collect();
        // Over the half hour .54 is tolerated.
        find(&times, &values, &[], (Scale { slope: 1e-3, height: 1.0 }, 3e-4)).len()
    }

    #[test]
    fn levels_that_come_and_go_are_found() {
        assert_eq!(found(&[(405.0, 1.0), (905.0, -1.0)]), 2);
        assert_eq!(found(&[(305.0, 0.6), (605.0, 0.6), (1205.0, -1.2)]), 3);
    }

    #[test]
    fn what_leaves_something_behind_is_no_nuisance() {
        assert_eq!(found(&[(405.0, 1.0), (905.0, -0.6)]), 0);
        assert_eq!(found(&[(305.0, 1.0), (605.0, -0.75), (1005.0, 1.0), (1405.0, -0.75)]), 0);
    }

    #[test]
    fn what_goes_up_alone_is_no_nuisance() {
        assert_eq!(found(&[]), 0);
        assert_eq!(found(&[(905.0, 1.0)]), 0, "one step is a shape of its own");
        assert_eq!(found(&[(405.0, 0.5), (905.0, 0.5)]), 0);
        let stairs: Vec<(f64, f64)> = (1..9).map(|i| (f64::from(i) * 195.0, 0.2)).collect();
        assert_eq!(found(&stairs), 0);
        let comb: Vec<(f64, f64)> =
            (1..9).map(|i| (f64::from(i) * 195.0, if i % 2 == 0 { -1.0 } else { 1.0 })).collect();
        assert_eq!(found(&comb), 0, "so many are no few levels");
    }
}
