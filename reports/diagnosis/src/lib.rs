//! What somebody who escalates has to know, out of raw dumps: a heap profile before and after, the tasks, the mappings, the metrics page, the log.
//!
//! Pure: bytes come in as [`Artefact`]s, each checked and without secrets, or with the reason why it could not be had; [`diagnose`] makes one
//! [`Diagnosis`] of them, whose sections are those of the runbook. Who collects them is the engine's business, who writes the page render's.

mod answers;
mod artefact;
mod case;
mod figures;
pub mod knobs;
pub mod logs;
pub mod metrics_page;
mod page;
pub mod pprof;
pub mod secrets;
pub mod sites;
pub mod smaps;
pub mod tasks;

pub use answers::{diagnose, diagnose_profile};
pub use artefact::{Artefact, Artefacts, Missing, name};
pub use case::{Case, Good, Subject};
pub use page::{Block, Cell, DIAGNOSIS_SCHEMA, Diagnosis, File, Item, Section};
