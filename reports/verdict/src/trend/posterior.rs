//! What is known of the slope, with nothing pretended to be known: the shapes of the mean that explain the series, each with every shape of noise, by how well they do.
//!
//! For one shape X and one noise V the model is y = B·b₀ + X·b + e, e ~ N(0, σ²V). Level and nuisances B (a period, the live data) have flat priors; the
//! coefficients b of line, step and filling-up have normal ones, with the scales of [`Scale`]; σ² has 1/σ². The integral over b₀, b and σ² is then
//! exact (the normal–gamma model): with A = X′X + Λ of the columns after V^(−½) and after B, c = X′y,
//!
//! ln m = −½ ln|V| − ½ ln|B′B| − ½ ln|A| + ½ ln|Λ| − ½ (n − p₀) ln(y′y − c′A⁻¹c),
//!
//! and the slope's posterior is Student's t with n − p₀ degrees of freedom around (A⁻¹c) (O'Hagan and Forster, “Bayesian Inference”, ch. 11). The answer is
//! the mixture of all of them by m and prior weight; a shape without a line puts its weight on a slope of exactly 0.

use super::basis::{Basis, dot};
use super::noise::Noise;
use super::shape::{self, Filling, Grid, Shape};
use crate::stats::student::t_cdf;

/// How large effects may be beforehand, in the units of the series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    /// Of a slope, per second.
    pub(crate) slope: f64,
    /// Of a step and of a filling-up.
    pub(crate) height: f64,
}

/// One shape with one noise, and what it says of the slope.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Component {
    pub(crate) shape: Shape,
    pub(crate) noise: Noise,
    /// Of all components together 1.
    pub(crate) weight: f64,
    /// Of the line, per second; exactly 0 without one.
    pub(crate) slope: Estimate,
    /// At which the series rises in the end, per second: the line's slope, and what a filling-up still adds.
    pub(crate) rate: Estimate,
}

/// Student's distribution around a mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) mean: f64,
    /// Its scale; 0 where there is no doubt.
    pub(crate) error: f64,
    pub(crate) df: f64,
}

impl Estimate {
    /// P(value ≤ `bound`).
    pub(crate) fn at_most(&self, bound: f64) -> f64 {
        if self.error > 0.0 {
            t_cdf((bound - self.mean) / self.error, self.df)
        } else {
            f64::from(u8::from(self.mean <= bound))
        }
    }
}

/// What is known of the slope.
#[derive(Debug, Clone)]
pub(crate) struct Posterior {
    /// The heaviest first.
    pub(crate) components: Vec<Component>,
    /// ln of the greatest likelihood over all components, up to a constant: what another set of nuisances is compared by.
    pub(crate) log_likelihood: f64,
}

/// Components of less weight than this are left out.
const NEGLIGIBLE: f64 = 1e-5;

/// What is left of a series by less than this part of its square is left by rounding: an exact fit.
const EXACT: f64 = 1e-12;

/// Shapes of the fine grid that are kept, with a line and without, under each of two noises.
const KEPT: usize = 40;

/// A series with its nuisances: the level, and whatever else is known to move it.
pub(crate) struct Design<'a> {
    /// Seconds since the start, ascending.
    pub(crate) times_s: &'a [f64],
    pub(crate) values: &'a [f64],
    /// Beside the level.
    pub(crate) nuisances: &'a [Vec<f64>],
}

impl Posterior {
    /// The posterior over these shapes, with their prior weights. `None` with too few samples.
    pub(crate) fn of(design: &Design<'_>, shapes: &[(Shape, f64)], scale: Scale) -> Option<Self> {
        let length_s = *design.times_s.last()?;
        let flat = 1 + design.nuisances.len();
        if design.values.len() < flat + 6 {
            return None;
        }
        let columns = Columns::of(design.times_s, shapes);
        let noises = Noise::grid(length_s);
        let mut weighed: Vec<(f64, Component)> = Vec::with_capacity(noises.len() * shapes.len());
        let mut log_likelihood = f64::NEG_INFINITY;
        for noise in &noises {
            let Some(gram) = Gram::of(design, &columns, *noise) else { continue };
            let (found, likelihood) = gram.components(shapes, &columns, scale);
            weighed.extend(found);
            log_likelihood = log_likelihood.max(likelihood);
        }
        let highest = weighed.iter().map(|(log, _)| *log).fold(f64::NEG_INFINITY, f64::max);
        if !highest.is_finite() {
            return None;
        }
        let total: f64 = weighed.iter().map(|(log, _)| (log - highest).exp()).sum();
        let mut components: Vec<Component> = weighed
            .into_iter()
            .map(|(log, component)| Component { weight: (log - highest).exp() / total, ..component })
            .filter(|component| component.weight > NEGLIGIBLE)
            .collect();
        let kept: f64 = components.iter().map(|one| one.weight).sum();
        for one in &mut components {
            one.weight /= kept;
        }
        components.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        Some(Self { components, log_likelihood })
    }

    /// The posterior over everything. What noise there is, is seen from a coarse grid of shapes; of a fine one those are then kept that explain the series best
    /// under it, or under one that forgets more quickly, as a misfit of the coarse grid looks like slow noise.
    pub(crate) fn refined(design: &Design<'_>, scale: Scale) -> Option<Self> {
        let coarse = Self::of(design, &Shape::all(design.times_s, Grid::Coarse), scale)?;
        let noise = coarse.components.first()?.noise;
        let quicker = Noise { tau_s: 0.25 * noise.tau_s, ..noise };
        let fine = Shape::all(design.times_s, Grid::Fine);
        let columns = Columns::of(design.times_s, &fine);
        let mut kept: Vec<(Shape, f64)> = Vec::new();
        for noise in [noise, quicker] {
            let Some(gram) = Gram::of(design, &columns, noise) else { continue };
            let (found, _) = gram.components(&fine, &columns, scale);
            let mut order: Vec<usize> = (0..found.len()).collect();
            order.sort_by(|a, b| found[*b].0.total_cmp(&found[*a].0));
            for line in [false, true] {
                let best = order.iter().filter(|i| fine[**i].0.line == line).take(KEPT);
                kept.extend(best.map(|i| fine[*i]));
                // The simplest is always among them.
                kept.extend(fine.iter().find(|(shape, _)| *shape == Shape { line, ..Shape::LEVEL }));
            }
        }
        let mut distinct: Vec<(Shape, f64)> = Vec::new();
        for one in kept {
            if !distinct.contains(&one) {
                distinct.push(one);
            }
        }
        Self::of(design, &distinct, scale)
    }

    /// P(value ≤ `bound`) of what is read off each component.
    pub(crate) fn at_most(&self, bound: f64, of: impl Fn(&Component) -> Estimate) -> f64 {
        self.components.iter().map(|one| one.weight * of(one).at_most(bound)).sum()
    }

    /// The slope below which the probability is `p`.
    pub(crate) fn quantile(&self, p: f64) -> f64 {
        let reach = |one: &Component| one.slope.mean.abs() + 60.0 * one.slope.error;
        let far = self.components.iter().map(reach).fold(f64::MIN_POSITIVE, f64::max);
        let (mut low, mut high) = (-far, far);
        // To a millionth of the reach: nobody reads more of it.
        for _ in 0..20 {
            let middle = 0.5 * (low + high);
            if self.at_most(middle, |one| one.slope) < p { low = middle } else { high = middle }
        }
        // The upper end: a mass at exactly 0 is then at or below it.
        high
    }

    /// The mean of a probability over the components for which `counts`; 1 where there are none.
    pub(crate) fn share(&self, of: impl Fn(&Component) -> f64, counts: impl Fn(&Component) -> bool) -> f64 {
        let weight = self.weight(&counts);
        let sum: f64 = self.components.iter().filter(|one| counts(one)).map(|one| one.weight * of(one)).sum();
        if weight > 0.0 { sum / weight } else { 1.0 }
    }

    /// The weight of the components for which `counts`.
    pub(crate) fn weight(&self, counts: impl Fn(&Component) -> bool) -> f64 {
        self.components.iter().filter(|one| counts(one)).map(|one| one.weight).sum()
    }
}

/// Every column that any shape has, once.
struct Columns {
    all: Vec<Vec<f64>>,
    /// For each shape the columns it has: the line first, where it has one.
    of_shape: Vec<Vec<usize>>,
}

impl Columns {
    fn of(times_s: &[f64], shapes: &[(Shape, f64)]) -> Self {
        let mut all = vec![times_s.to_vec()];
        let mut steps: Vec<(f64, usize)> = Vec::new();
        let mut fillings: Vec<(Filling, usize)> = Vec::new();
        let mut of_shape = Vec::new();
        for (shape, _) in shapes {
            let line = shape.line.then_some(0);
            let step = shape.step_at_s.map(|at_s| place(&mut all, &mut steps, at_s, || shape::step(times_s, at_s)));
            let filling = shape
                .filling
                .map(|filling| place(&mut all, &mut fillings, filling, || shape::filling(times_s, filling)));
            of_shape.push([line, step, filling].into_iter().flatten().collect());
        }
        Self { all, of_shape }
    }
}

/// Where a column is, made if it is not there yet.
fn place<K: PartialEq>(
    all: &mut Vec<Vec<f64>>,
    known: &mut Vec<(K, usize)>,
    key: K,
    make: impl FnOnce() -> Vec<f64>,
) -> usize {
    if let Some((_, place)) = known.iter().find(|(other, _)| *other == key) {
        return *place;
    }
    all.push(make());
    known.push((key, all.len() - 1));
    all.len() - 1
}

/// Inner products of columns, of those pairs that some shape has together: of all pairs they are few.
struct Products {
    columns: usize,
    /// Row by row; not a number where no shape has both.
    all: Vec<f64>,
}

impl Products {
    fn of(columns: &[Vec<f64>], of_shape: &[Vec<usize>]) -> Self {
        let mut products = Self { columns: columns.len(), all: vec![f64::NAN; columns.len() * columns.len()] };
        for chosen in of_shape {
            for (i, a) in chosen.iter().enumerate() {
                for b in &chosen[..=i] {
                    if products.at(*a, *b).is_nan() {
                        products.all[a * products.columns + b] = dot(&columns[*a], &columns[*b]);
                    }
                }
            }
        }
        products
    }

    /// Of the `a`-th column and the `b`-th, in the order in which a shape has them.
    fn at(&self, a: usize, b: usize) -> f64 {
        self.all[a * self.columns + b]
    }
}

/// Inner products of everything after one noise's filter and after the nuisances.
struct Gram {
    noise: Noise,
    products: Products,
    with_values: Vec<f64>,
    values: f64,
    /// −½ ln|V| − ½ ln|B′B|
    log_base: f64,
    /// n − p₀
    df: f64,
    /// n
    samples: f64,
    /// ln|V|
    log_determinant: f64,
    end_s: f64,
}

impl Gram {
    fn of(design: &Design<'_>, columns: &Columns, noise: Noise) -> Option<Self> {
        let filter = noise.filter(design.times_s);
        let ones = vec![1.0; design.times_s.len()];
        let mut basis = Basis::default();
        let mut log_base = -0.5 * filter.log_determinant;
        for nuisance in std::iter::once(&ones).chain(design.nuisances) {
            // One that is made of those before it takes nothing away.
            if let Some(left) = basis.add(filter.whiten(nuisance)) {
                log_base -= 0.5 * left.ln();
            }
        }
        let cleared = |column: &[f64]| basis.cleared(filter.whiten(column));
        let values = cleared(design.values);
        let whitened: Vec<Vec<f64>> = columns.all.iter().map(|column| cleared(column)).collect();
        let products = Products::of(&whitened, &columns.of_shape);
        let with_values = whitened.iter().map(|column| dot(column, &values)).collect();
        let df = design.values.len() as f64 - basis.len() as f64;
        let (samples, log_determinant) = (design.values.len() as f64, filter.log_determinant);
        Some(Self {
            noise,
            products,
            with_values,
            values: dot(&values, &values),
            log_base,
            df,
            samples,
            log_determinant,
            end_s: *design.times_s.last()?,
        })
    }

    /// ln of weight and component of every shape under this noise, and the greatest ln of likelihood.
    fn components(&self, shapes: &[(Shape, f64)], columns: &Columns, scale: Scale) -> (Vec<(f64, Component)>, f64) {
        // The size of the noise, for the priors' scale alone: by the shape that leaves least.
        let least =
            columns.of_shape.iter().map(|chosen| self.solve(chosen, &[0.0; 3]).left).fold(self.values, f64::min);
        let least = least.max(EXACT * self.values);
        let variance = least / (self.df - 3.0).max(1.0);
        let precision = |column: usize| variance / if column == 0 { scale.slope } else { scale.height }.powi(2);
        let each = shapes.iter().zip(&columns.of_shape).map(|((shape, prior), chosen)| {
            let mut precisions = [0.0; 3];
            chosen.iter().zip(&mut precisions).for_each(|(column, slot)| *slot = precision(*column));
            let solved = self.solve(chosen, &precisions);
            let log_priors: f64 = precisions[..chosen.len()].iter().map(|precision| 0.5 * precision.ln()).sum();
            let left = solved.left.max(EXACT * self.values);
            let log =
                prior.ln() + self.log_base - 0.5 * solved.log_determinant + log_priors - 0.5 * self.df * left.ln();
            let estimate = |of: [f64; 3]| {
                let (mean, variance) = solved.combination(of);
                Estimate { mean, error: (left / self.df * variance).sqrt(), df: self.df }
            };
            let slope = estimate([f64::from(u8::from(shape.line)), 0.0, 0.0]);
            let rate = estimate(shape.rate_at(self.end_s));
            (log, Component { shape: *shape, noise: self.noise, weight: 0.0, slope, rate })
        });
        let n = self.samples;
        (each.collect(), -0.5 * self.log_determinant - 0.5 * n * (least / n).ln())
    }

    /// The regression on at most three columns, with precisions on the diagonal.
    fn solve(&self, chosen: &[usize], precisions: &[f64; 3]) -> Solved {
        let size = chosen.len();
        let mut lower = [[0.0; 3]; 3];
        let mut log_determinant = 0.0;
        for i in 0..size {
            for j in 0..=i {
                let own = if i == j { precisions[i] } else { 0.0 };
                let sum: f64 = (0..j).map(|k| lower[i][k] * lower[j][k]).sum();
                let rest = self.products.at(chosen[i], chosen[j]) + own - sum;
                lower[i][j] = if i == j {
                    rest.max(1e-12 * self.products.at(chosen[i], chosen[i]).max(f64::MIN_POSITIVE)).sqrt()
                } else {
                    rest / lower[j][j]
                };
            }
            log_determinant += 2.0 * lower[i][i].ln();
        }
        let forward = |right: [f64; 3]| {
            let mut found = [0.0; 3];
            for i in 0..size {
                let sum: f64 = (0..i).map(|k| lower[i][k] * found[k]).sum();
                found[i] = (right[i] - sum) / lower[i][i];
            }
            found
        };
        let mut right = [0.0; 3];
        chosen.iter().zip(&mut right).for_each(|(column, slot)| *slot = self.with_values[*column]);
        let along = forward(right);
        let roots = [0, 1, 2].map(|i| {
            let mut unit = [0.0; 3];
            unit[i] = 1.0;
            forward(unit)
        });
        Solved { left: self.values - square(&along), log_determinant, along, roots }
    }
}

/// A regression: what is left of the series, and how to read any combination of its coefficients.
struct Solved {
    left: f64,
    log_determinant: f64,
    /// L⁻¹·c of the factor A = L·L′.
    along: [f64; 3],
    /// L⁻¹, column by column.
    roots: [[f64; 3]; 3],
}

impl Solved {
    /// Mean of this combination of the coefficients, and its variance in units of σ².
    fn combination(&self, of: [f64; 3]) -> (f64, f64) {
        let mut root = [0.0; 3];
        for (share, column) in of.iter().zip(&self.roots) {
            root.iter_mut().zip(column).for_each(|(slot, value)| *slot += share * value);
        }
        (root.iter().zip(&self.along).map(|(a, b)| a * b).sum(), square(&root))
    }
}

fn square(values: &[f64; 3]) -> f64 {
    values.iter().map(|value| value * value).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::reference::{close, values};

    #[test]
    fn without_a_prior_it_is_generalised_least_squares() {
        for case in values()["gls"].as_array().unwrap() {
            let read = |name: &str| -> Vec<f64> { serde_json::from_value(case[name].clone()).unwrap() };
            let (times, series) = (read("times"), read("values"));
            let noise = Noise { tau_s: case["tau"].as_f64().unwrap(), white: case["white"].as_f64().unwrap() };
            let design = Design { times_s: &times, values: &series, nuisances: &[] };
            let shapes = [(Shape { line: true, ..Shape::LEVEL }, 1.0)];
            let columns = Columns::of(&times, &shapes);
            let gram = Gram::of(&design, &columns, noise).unwrap();
            close(gram.log_determinant, &case["log_determinant"]);
            let wide = Scale { slope: 1e9, height: 1e9 };
            let (found, _) = gram.components(&shapes, &columns, wide);
            close(found[0].1.slope.mean, &case["slope"]);
            close(found[0].1.slope.error, &case["error"]);
        }
    }

    #[test]
    fn weights_add_up_and_quantiles_are_in_order() {
        let (times, series) = crate::simulated::Family::Step.series(3, 1800.0, 10.0, 1.0);
        let design = Design { times_s: &times, values: &series, nuisances: &[] };
        let posterior = Posterior::refined(&design, Scale { slope: 0.2, height: 200.0 }).unwrap();
        assert!((posterior.weight(|_| true) - 1.0).abs() < 1e-9);
        let quantiles = [0.05, 0.5, 0.95].map(|p| posterior.quantile(p));
        assert!(quantiles.is_sorted(), "{quantiles:?}");
    }
}
