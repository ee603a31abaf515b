//! Scenario files: TOML → checked scenario → [`Plan`].

pub mod criterion;
mod plan;
mod profile;
pub mod series;
pub mod units;

pub use plan::*;
pub use profile::*;
