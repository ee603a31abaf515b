//! Scenario files: TOML → checked scenario → [`Plan`].
//!
//! [`load`] does all of it: it finds a scenario by path or built-in name, lays the section of the chosen pace and then the command-line
//! edits over it, checks everything at once, and expands the matrix. What is wrong comes back as [`Diagnostic`]s with spans.
//!
//! ```
//! use soak_scenario::{Pace, Request, load};
//!
//! let edits = ["cycle.count=9".to_owned(), "target.misbehave.heap_leak=2MiB/min".to_owned()];
//! let request = Request { scenario: "scenario2", pace: Some(Pace::Quick), edits: &edits, ..Request::default() };
//! let plan = load(&request)?.plan;
//! assert_eq!(plan.cycle.count, 9);
//! # Ok::<(), soak_scenario::LoadError>(())
//! ```
//!
//! Sections and keys are declared once, in `scenario_shape` and `profile_shape`; from there come the checks, the defaults,
//! [`schema_json`] and [`reference_markdown`].

mod adapt;
mod applicable;
mod assemble;
mod builtin;
mod calibration;
mod check;
mod condition;
mod control;
pub mod criterion;
mod diagnostic;
mod dose;
mod edit;
mod fault;
mod fault_rules;
mod fault_shape;
mod glob;
mod launch;
mod load;
mod matrix;
mod merge;
mod misbehave;
mod plan;
mod profile;
mod profile_file;
mod profile_shape;
mod reference;
mod request_rules;
mod request_shape;
mod requests;
mod rules;
pub mod runbook;
mod scenario_shape;
mod schema;
pub mod series;
pub mod settings_file;
mod shape;
mod smoke;
mod source;
mod timetable;
mod tree;
pub mod units;

pub use adapt::Adapted;
pub use builtin::{Builtin, builtin_profiles, builtin_scenarios};
pub use calibration::{Calibrated, Calibration, Fitted, FittedFrom, Measured};
pub use condition::*;
pub use control::PositiveControl;
pub use diagnostic::{Diagnostic, Severity};
pub use dose::{CONTROL_TOLERANCES, Dose, FLOORS};
pub use fault::*;
pub use glob::matches as matches_glob;
pub use launch::{Attach, AttachTo, ContainerLaunch, Launch};
pub use load::{LoadError, Loaded, Request, load, load_text};
pub use matrix::data_seed;
pub use misbehave::*;
pub use plan::*;
pub use profile::*;
pub use profile_file::{load_profile, parse_profile};
pub use reference::reference_markdown;
pub use requests::{RequestTemplate, Requests, RowIds};
pub use scenario_shape::MEMORY_LIMIT_MIN;
pub use schema::schema_json;
