//! What the load sends to a target that speaks HTTP: one request template for each operation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The request templates of a profile. An operation without a template cannot be asked of the target.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Requests {
    /// How the target writes the id of a row.
    pub ids: RowIds,
    /// Headers of every request, by name. Secrets stand in them as `{env:NAME}` or `{file:PATH}` and are never recorded.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Creates the collection that a run's rows are put into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_collection: Option<RequestTemplate>,
    /// Drops that collection, with all its rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop_collection: Option<RequestTemplate>,
    /// Creates one row, or a whole batch of them.
    pub create: Option<RequestTemplate>,
    /// Reads one row.
    pub read: Option<RequestTemplate>,
    /// Finds the nearest neighbours of a vector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<RequestTemplate>,
    /// Writes rows again under ids that are there.
    pub update: Option<RequestTemplate>,
    /// Deletes one row.
    pub delete: Option<RequestTemplate>,
    /// Deletes many rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_many: Option<RequestTemplate>,
    /// Counts the rows of the collection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<RequestTemplate>,
    /// Lists the ids of the collection's rows, a page at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<RequestTemplate>,
    /// Tells whether every acknowledged row is indexed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub indexed: Option<RequestTemplate>,
}

/// How a target writes the id of a row. Each form can be turned back into the row's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RowIds {
    /// The row's number.
    #[default]
    Integer,
    /// The row's number as a text of 16 digits.
    String,
    /// A UUID that is derived from the row's number.
    Uuid,
}

impl RowIds {
    /// Every form.
    pub const ALL: [Self; 3] = [Self::Integer, Self::String, Self::Uuid];

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::String => "string",
            Self::Uuid => "uuid",
        }
    }
}

/// A request with its variables, and where the answer holds what the load needs of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RequestTemplate {
    /// Method and path: `"POST /api/orgs"`.
    pub call: String,
    /// The body, sent as JSON.
    pub body: Option<String>,
    /// One row, where the body holds `{rows}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
    /// JSON pointer to errors in an answer with a status of success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<String>,
    /// JSON pointer, with `*` for the rows of the batch, to the errors of single rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_errors: Option<String>,
    /// JSON pointer, with `*` for each of them, to ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found_ids: Option<String>,
    /// JSON pointer, with `*` for each of them, to the distances of those ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distances: Option<String>,
    /// JSON pointer to the value that is asked for: a count, a state, the id of a collection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What that value must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<String>,
    /// JSON pointer to what asks for the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Rows of one request at most, where the load and not a batch decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Whether a row under an id that is there replaces the one before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replaces: bool,
}

impl RequestTemplate {
    /// Whether its call, body or row holds this variable.
    pub fn holds(&self, variable: &str) -> bool {
        let variable = format!("{{{variable}}}");
        let texts = [Some(&self.call), self.body.as_ref(), self.row.as_ref()];
        texts.into_iter().flatten().any(|text| text.contains(&variable))
    }

    /// Whether one request carries a batch of rows.
    pub fn is_batch(&self) -> bool {
        ["rows", "ids", "vectors"].into_iter().any(|variable| self.holds(variable))
    }
}

impl Requests {
    /// Variables of the data: they stand in every request that may be sent once a collection is there.
    const NAMES: [&'static str; 3] = ["dataset", "collection", "collection_id"];

    /// What each request fills in, by its key in the file.
    pub fn variables(request: &str) -> Vec<&'static str> {
        let own: &[&str] = match request {
            "create_collection" => &["dim", "hnsw_m", "ef_construction"],
            "create" | "update" => &["id", "name", "text", "vector", "rows", "ids", "vectors"],
            "read" | "delete" => &["id", "name", "ids", "text", "vector"],
            "row" => &["id", "name", "text", "vector"],
            "search" => &["vector", "k"],
            "delete_many" => &["ids"],
            "list" => &["limit", "offset", "after", "next"],
            _ => &[],
        };
        let names = Self::NAMES.into_iter().filter(|name| request != "create_collection" || *name != "collection_id");
        own.iter().copied().chain(names).collect()
    }

    /// The request that writes rows again: one of its own, or the one that creates where that replaces.
    pub fn rewrite(&self) -> Option<&RequestTemplate> {
        self.update.as_ref().or_else(|| self.create.as_ref().filter(|create| create.replaces))
    }

    /// Whether this knob of a variant reaches the target in a request.
    pub fn tell(&self, knob: &str) -> bool {
        let create = self.create.as_ref();
        match knob {
            "dim" => self.carry_payload(),
            "batch_rows" => create.is_some_and(RequestTemplate::is_batch),
            knob => self.create_collection.as_ref().is_some_and(|create| create.holds(knob)),
        }
    }

    /// Whether any carries a payload that goes with the dimension.
    fn carry_payload(&self) -> bool {
        let all = [&self.create, &self.read, &self.update, &self.delete, &self.search];
        let payload = ["text", "vector", "vectors"];
        all.into_iter().flatten().any(|request| payload.into_iter().any(|variable| request.holds(variable)))
    }
}
