//! The statistics that the criteria stand on. Each module gives the formula, its units and where it comes from; all are held against
//! scipy, numpy and pymannkendall (`reference/`).

pub mod alert;
pub mod binomial;
pub(crate) mod draws;
pub mod holm;
pub mod kendall;
pub mod limit;
pub mod location;
pub mod recovery;
pub mod rise;
pub mod student;
pub mod theil_sen;

#[cfg(test)]
pub(crate) mod reference;
