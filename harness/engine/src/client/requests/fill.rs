//! Fills templates in: names, numbers, ids, and vectors as JSON by the shortest text that reads back as the same number.

use std::io::Write as _;
use std::sync::{PoisonError, RwLock};

use soak_scenario::RowIds;
use soak_workload::{Row, Vectors};

use super::row_ids;
use super::template::{Piece, Template, Variable};
use crate::client::DataSpec;
use crate::target::Batch;

/// Components that are generated at once.
const COMPONENTS: usize = 256;

/// How the index of a collection is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexSpec {
    /// Links of a node.
    pub hnsw_m: u32,
    /// Candidates that are looked at for one insertion.
    pub ef_construction: u32,
}

/// What a request is about, beside the data.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Subject<'a> {
    /// Id of a row, and the row whose vector stands for it.
    pub(super) row: Option<(u64, u64)>,
    /// Many rows.
    pub(super) ids: &'a [u64],
    /// Neighbours asked for.
    pub(super) k: u32,
    /// A page of rows.
    pub(super) page: Option<Page<'a>>,
}

impl Subject<'_> {
    /// One row, with the vector of another.
    pub(super) fn row(id: u64, row: u64) -> Self {
        Self { row: Some((id, row)), ..Self::default() }
    }
}

/// A page of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page<'a> {
    pub(super) limit: u32,
    pub(super) offset: u64,
    pub(super) after: Option<u64>,
    pub(super) next: &'a str,
}

/// Fills in templates.
#[derive(Debug)]
pub(super) struct Filler {
    pub(super) spec: DataSpec,
    pub(super) vectors: Vectors,
    pub(super) ids: RowIds,
    index: IndexSpec,
    collection: String,
    collection_id: RwLock<String>,
}

impl Filler {
    pub(super) fn new(spec: DataSpec, ids: RowIds, index: IndexSpec) -> Self {
        let vectors = Vectors::new(spec.distribution, spec.dim, spec.seed, crate::VECTOR_STREAM);
        let collection = collection_name(&spec.dataset);
        Self { spec, vectors, ids, index, collection, collection_id: RwLock::default() }
    }

    /// The collection's name.
    pub(super) fn collection(&self) -> &str {
        &self.collection
    }

    /// What the server calls the collection.
    pub(super) fn set_collection_id(&self, id: String) {
        *self.collection_id.write().unwrap_or_else(PoisonError::into_inner) = id;
    }

    /// The text with names alone filled in, as pointers and endpoints have them; `None` where the collection has no id yet.
    pub(super) fn names(&self, text: &str) -> Option<String> {
        let id = self.collection_id.read().unwrap_or_else(PoisonError::into_inner);
        if id.is_empty() && text.contains("{collection_id}") {
            return None;
        }
        let text = text.replace("{collection_id}", &id).replace("{collection}", &self.collection);
        Some(text.replace("{dataset}", &self.spec.dataset))
    }

    /// The whole of a template that is about one row, or about none.
    pub(super) fn text(&self, template: &Template, about: &Subject<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        for piece in &template.0 {
            self.write(piece, about, &mut out);
        }
        out
    }

    fn write(&self, piece: &Piece, about: &Subject<'_>, out: &mut Vec<u8>) {
        let variable = match piece {
            Piece::Text(text) => return out.extend_from_slice(text.as_bytes()),
            Piece::Variable(variable) => variable,
        };
        let (id, row) = about.row.unwrap_or_default();
        let page = about.page.unwrap_or(Page { limit: 0, offset: 0, after: None, next: "null" });
        // Writing to a vector cannot fail.
        let _ = match variable {
            Variable::Id => return row_ids::write(self.ids, id, out),
            Variable::Name => write!(out, "{}-{id}", self.spec.dataset),
            Variable::Text => return write_words(&self.vectors.vector(row), out),
            Variable::Vector => return self.write_vector(row, out),
            Variable::Ids => return separated(about.ids, out, |id, out| row_ids::write_json(self.ids, *id, out)),
            Variable::Rows | Variable::Vectors => return,
            Variable::Dataset => write!(out, "{}", self.spec.dataset),
            Variable::Collection => write!(out, "{}", self.collection),
            Variable::CollectionId => {
                write!(out, "{}", self.collection_id.read().unwrap_or_else(PoisonError::into_inner))
            }
            Variable::Dim => write!(out, "{}", self.spec.dim),
            Variable::HnswM => write!(out, "{}", self.index.hnsw_m),
            Variable::EfConstruction => write!(out, "{}", self.index.ef_construction),
            Variable::K => write!(out, "{}", about.k),
            Variable::Limit => write!(out, "{}", page.limit),
            Variable::Offset => write!(out, "{}", page.offset),
            Variable::After => return page.after.into_iter().for_each(|id| row_ids::write(self.ids, id, out)),
            Variable::Next => write!(out, "{}", page.next),
        };
    }

    /// A vector as a list in JSON, generated a few components at a time.
    fn write_vector(&self, row: u64, out: &mut Vec<u8>) {
        let row = self.vectors.row(row);
        out.push(b'[');
        for from in (0..self.vectors.dim()).step_by(COMPONENTS) {
            self.write_components(row, from, out);
        }
        out.push(b']');
    }

    fn write_components(&self, row: Row, from: usize, out: &mut Vec<u8>) {
        let mut components = [0.0_f32; COMPONENTS];
        let count = COMPONENTS.min(self.vectors.dim() - from);
        let components = &mut components[..count];
        self.vectors.fill(row, from, components);
        let mut text = zmij::Buffer::new();
        for (at, component) in components.iter().enumerate() {
            if from + at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(text.format_finite(*component).as_bytes());
        }
    }
}

/// How far a batch has been written.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Pieces of the body that are whole.
    pieces: usize,
    /// Rows of the piece that is under way.
    rows: u32,
    /// Vectors in all.
    pub(super) vectors: u64,
}

impl Filler {
    /// Writes on in a batch's body until there are so many bytes, or nothing is left, which it says.
    pub(super) fn write_batch(
        &self,
        (body, row): (&Template, Option<&Template>),
        batch: Batch,
        written: &mut Written,
        (out, enough): (&mut Vec<u8>, usize),
    ) -> bool {
        while let Some(piece) = body.0.get(written.pieces) {
            if out.len() >= enough {
                return false;
            }
            let by_row = match piece {
                Piece::Variable(variable @ (Variable::Rows | Variable::Ids | Variable::Vectors)) => Some(*variable),
                _ => None,
            };
            let Some(variable) = by_row.filter(|_| written.rows < batch.rows) else {
                if by_row.is_none() {
                    self.write(piece, &Subject::default(), out);
                }
                (written.pieces, written.rows) = (written.pieces + 1, 0);
                continue;
            };
            if written.rows > 0 {
                out.push(b',');
            }
            let id = batch.first + u64::from(written.rows);
            let vector = id + batch.version;
            match (variable, row) {
                (Variable::Ids, _) => row_ids::write_json(self.ids, id, out),
                (Variable::Rows, Some(row)) => {
                    row.0.iter().for_each(|piece| self.write(piece, &Subject::row(id, vector), out));
                    written.vectors += 1;
                }
                _ => {
                    self.write_vector(vector, out);
                    written.vectors += 1;
                }
            }
            written.rows += 1;
        }
        true
    }
}

fn separated<T>(all: &[T], out: &mut Vec<u8>, mut write: impl FnMut(&T, &mut Vec<u8>)) {
    for (at, one) in all.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(one, out);
    }
}

/// Text that goes with a vector: four characters for each component.
fn write_words(vector: &[f32], out: &mut Vec<u8>) {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz012345";
    out.extend(vector.iter().flat_map(|component| {
        let bits = component.to_bits();
        (0..4).map(move |part| LETTERS[(bits >> (3 + 5 * part)) as usize & 31])
    }));
}

/// The dataset's name such that every server takes it: letters, digits and `_`, a capital first, three characters at least. Weaviate's classes begin with a
/// capital letter; Chroma wants 3 to 512 characters, of which the last is a letter or a digit.
fn collection_name(dataset: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = dataset.chars().map(fits).collect();
    let name = name.trim_matches('_');
    let mut chars = name.chars();
    let name = match chars.next() {
        Some(first) if first.is_ascii_alphabetic() => format!("{}{}", first.to_ascii_uppercase(), chars.as_str()),
        _ => format!("Soak_{name}"),
    };
    let name = name.trim_end_matches('_');
    if name.len() < 3 { format!("{name}_soak") } else { name.chars().take(200).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use soak_scenario::{Distribution, IdType};

    fn filler(dim: u32, ids: RowIds) -> Filler {
        let spec = DataSpec {
            dataset: "soak_1a".to_owned(),
            distribution: Distribution::Clustered,
            dim,
            seed: 7,
            ids: IdType::Int64,
        };
        Filler::new(spec, ids, IndexSpec { hnsw_m: 16, ef_construction: 64 })
    }

    /// A batch's body, written in pieces of some bytes.
    fn body(filler: &Filler, body: &str, row: Option<&str>, batch: Batch, piece: usize) -> Value {
        let (body, row) = (Template::parse(body), row.map(Template::parse));
        let (mut written, mut all, mut over) = (Written::default(), Vec::new(), false);
        while !over {
            let mut out = Vec::new();
            over = filler.write_batch((&body, row.as_ref()), batch, &mut written, (&mut out, piece));
            all.extend(out);
        }
        assert_eq!(written.vectors, u64::from(batch.rows));
        serde_json::from_slice(&all).unwrap()
    }

    proptest! {
        #[test]
        fn rows_and_columns_hold_the_same_batch(rows in 1_u32..9, dim in 1_u32..600, first in 0_u64..1 << 40, piece in 1_usize..5000) {
            let filler = filler(dim, RowIds::String);
            let batch = Batch { first, rows, version: 0 };
            let by_row = body(&filler, "{\"objects\":[{rows}]}", Some("{\"id\":\"{id}\",\"v\":{vector}}"), batch, piece);
            let by_column = body(&filler, "{\"ids\":[{ids}],\"embeddings\":[{vectors}]}", None, batch, piece);
            let objects = by_row["objects"].as_array().unwrap();
            prop_assert_eq!(objects.len(), rows as usize);
            for (at, object) in objects.iter().enumerate() {
                prop_assert_eq!(&object["id"], &json!(format!("{:016}", first + at as u64)));
                prop_assert_eq!(&object["id"], &by_column["ids"][at]);
                prop_assert_eq!(&object["v"], &by_column["embeddings"][at]);
            }
        }

        #[test]
        fn every_component_reads_back_as_it_was(row in 0_u64..1 << 40) {
            let filler = filler(300, RowIds::Integer);
            let text = filler.text(&Template::parse("{vector}"), &Subject::row(1, row));
            let read: Vec<f32> = serde_json::from_slice(&text).unwrap();
            prop_assert_eq!(read, filler.vectors.vector(row));
        }
    }

    #[test]
    fn a_second_version_has_the_id_of_the_first() {
        let filler = filler(4, RowIds::Integer);
        let batch = Batch { first: 5, rows: 2, version: soak_workload::SECOND_VERSION };
        let written = body(&filler, "{\"ids\":[{ids}],\"v\":[{vectors}],\"n\":\"{collection}\"}", None, batch, 10);
        assert_eq!((&written["ids"], &written["n"]), (&json!([5, 6]), &json!("Soak_1a")));
        let sent: Vec<Vec<f32>> = serde_json::from_value(written["v"].clone()).unwrap();
        let second = [5, 6].map(|row| filler.vectors.vector(row + soak_workload::SECOND_VERSION));
        assert_eq!(sent, second);
    }

    #[test]
    fn a_collection_has_a_name_that_every_server_takes() {
        let named = ["soak", "soak_0f3a", "9lives", "a-b.c", "", "_x_", "é"].map(collection_name);
        assert_eq!(named, ["Soak", "Soak_0f3a", "Soak_9lives", "A_b_c", "Soak", "X_soak", "Soak"]);
    }

    #[test]
    fn names_wait_for_the_id_of_a_collection() {
        let filler = filler(4, RowIds::Integer);
        assert_eq!(filler.names("GET /c/{collection_id} /a"), None);
        filler.set_collection_id("77".to_owned());
        assert_eq!(filler.names("GET /c/{collection_id}/{collection} /a").as_deref(), Some("GET /c/77/Soak_1a /a"));
    }
}
