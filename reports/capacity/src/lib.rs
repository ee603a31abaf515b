//! Capacity: memory = base + what each vector takes + what batches and garbage add, fitted to recorded runs of many sizes, and asked of another size.
//!
//! Runs → [`Recorded`] → [`Model`] → [`Answer`]. Pure: nothing here reads, writes or prints, and nothing is answered that the runs do not tell apart.

mod answer;
mod bisection;
mod fit;
mod held_out;
mod least_squares;
mod model;
mod point;
mod recorded;
mod rules;
mod settings;
mod spread;
mod terms;

#[cfg(test)]
mod made_up;

pub use answer::{Answer, Estimate, FitFigures, Question, TradeOff};
pub use bisection::{Bisection, Mib, Next};
pub use held_out::{HeldOut, Prediction, Tally};
pub use model::Model;
pub use point::Point;
pub use recorded::{Identity, LeftOut, Observation, Recorded, differences};
pub use rules::{Holds, Rule};
pub use settings::Settings;
pub use spread::Missing;
