//! What a diagnosis says, section by section; render makes pages of it, and as JSON it is `diagnosis.json`.

use serde::Serialize;

use crate::artefact::{Artefact, Missing};

/// Version of `diagnosis.json`.
pub const DIAGNOSIS_SCHEMA: u32 = 1;

/// A diagnosis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnosis {
    /// [`DIAGNOSIS_SCHEMA`].
    pub schema: u32,
    /// Its id, which is the archive's.
    pub id: String,
    /// What it is about, in one line.
    pub title: String,
    /// When it was collected.
    pub made_unix_s: u64,
    /// What stands out, in a sentence each.
    pub summary: Vec<String>,
    /// The sections, in the order of the runbook.
    pub sections: Vec<Section>,
    /// The files of the archive.
    pub files: Vec<File>,
}

/// A section.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Section {
    /// Its heading.
    pub title: String,
    /// What it answers.
    pub items: Vec<Item>,
}

/// A question and its answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Item {
    /// The question, as the runbook puts it where it does.
    pub what: String,
    /// Where the answer comes from.
    pub from: Vec<String>,
    /// The answer.
    pub blocks: Vec<Block>,
}

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// A sentence or two.
    Text(String),
    /// A table.
    Table {
        /// Heads of its columns.
        heads: Vec<&'static str>,
        /// Rows, of as many cells.
        rows: Vec<Vec<Cell>>,
    },
    /// Lines as they are.
    Lines(String),
    /// What could not be had.
    Missing(Missing),
}

/// A cell: numbers with their unit.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cell {
    /// Words.
    Text(String),
    /// Bytes.
    Bytes(f64),
    /// A number.
    Count(f64),
    /// A share of 1.
    Share(f64),
    /// Seconds.
    Seconds(f64),
    /// Nothing is known.
    Nothing,
}

impl Cell {
    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Something, where it is known.
    pub fn maybe(value: Option<f64>, of: fn(f64) -> Self) -> Self {
        value.map_or(Self::Nothing, of)
    }
}

/// A file of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct File {
    /// Its path in there.
    pub path: String,
    /// Where it comes from.
    pub from: String,
    /// How long it is; absent where it could not be had.
    pub bytes: Option<u64>,
    /// Why it could not be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
}

impl File {
    /// The file of an artefact, under this path.
    pub fn of(path: String, artefact: &Artefact) -> Self {
        let bytes = artefact.got.as_ref().ok().map(|bytes| bytes.len() as u64);
        Self { path, from: artefact.from.clone(), bytes, missing: artefact.got.as_ref().err().cloned() }
    }
}

impl Item {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), from: Vec::new(), blocks: Vec::new() }
    }

    pub(crate) fn from(mut self, from: impl Into<String>) -> Self {
        let from = from.into();
        if !self.from.contains(&from) {
            self.from.push(from);
        }
        self
    }

    pub(crate) fn with(mut self, block: Block) -> Self {
        // A reason that holds for several pieces is told once.
        if !self.blocks.contains(&block) {
            self.blocks.push(block);
        }
        self
    }

    pub(crate) fn say(self, text: impl Into<String>) -> Self {
        self.with(Block::Text(text.into()))
    }

    pub(crate) fn missing(self, why: &str, next: &str) -> Self {
        self.with(Block::Missing(Missing::new(why, next)))
    }

    /// A table; nothing where it has no rows.
    pub(crate) fn table(self, heads: &[&'static str], rows: Vec<Vec<Cell>>) -> Self {
        if rows.is_empty() { self } else { self.with(Block::Table { heads: heads.to_vec(), rows }) }
    }
}
