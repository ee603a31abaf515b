//! What memory is made of: each term has a physical meaning, and a coefficient that says how many bytes one of its units takes.

use crate::point::Point;

/// A part of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Term {
    /// The process without any data.
    Base,
    /// Bytes of the vectors.
    Vectors,
    /// Links of the graph: vectors × M × 4 bytes.
    Links,
    /// The vectors themselves, whatever their dimension: ids, keys, nodes.
    Rows,
    /// Bytes of the batches on their way.
    Batches,
    /// Searches a second.
    Queries,
    /// What is held at rest beyond the base, by the fit of memory at rest.
    Held,
    /// What the collector allows beside that: held × GOGC/100.
    Garbage,
}

impl Term {
    /// The unit in words: bytes of memory for each …
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Base => "the process without data",
            Self::Vectors => "a byte of vectors",
            Self::Links => "a byte of links (4 for each of M, a vector)",
            Self::Rows => "a vector, whatever its dimension",
            Self::Batches => "a byte of batches on their way",
            Self::Queries => "a search a second",
            Self::Held => "a byte held at rest",
            Self::Garbage => "a byte of garbage that GOGC allows",
        }
    }

    /// How much of it there is at a point that holds so much at rest beyond the base.
    pub(crate) fn amount(self, point: &Point, held: f64) -> f64 {
        match self {
            Self::Base => 1.0,
            Self::Vectors => point.data_bytes(),
            Self::Links => point.vectors * point.m * 4.0,
            Self::Rows => point.vectors,
            Self::Batches => point.batch_bytes(),
            Self::Queries => point.qps,
            Self::Held => held,
            Self::Garbage => held * point.garbage_share(),
        }
    }
}
