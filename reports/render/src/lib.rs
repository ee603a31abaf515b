//! Reports of a run: one self-contained page, Markdown, JSON, `JUnit` and workflow annotations. Pure: the same record gives the same bytes.
//!
//! A record is large and a page is small, so [`picture`] draws one variant at a time and lets the caller drop its record; the formats then take the
//! run, its verdict and the pictures. Every text that came from a scenario or a target is escaped by the one writer of its format.

mod capacity;
mod compared;
mod comparison;
mod facts;
mod github;
mod headline;
mod history;
mod html;
mod incident;
mod json;
mod junit;
mod markdown;
mod markup;
mod picture;
mod wording;

#[cfg(test)]
mod synthetic;

pub use capacity::{CapacityPage, Part, to_paste};
pub use compared::{
    RowCells, headline as comparison_headline, html as comparison_html, markdown as comparison_markdown, row_cells,
};
pub use github::{comparison_github, github};
pub use history::history as history_html;
pub use html::{capacity_html, diagnosis_html, html};
pub use incident::{Aftermath, post_incident};
pub use json::verdict_json;
pub use junit::junit;
pub use markdown::{capacity_markdown, diagnosis_markdown, markdown};
pub use picture::{VariantPicture, picture};
pub use wording::utc;
