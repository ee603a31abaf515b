//! The sections and keys of the requests of a profile that speaks HTTP.

use crate::requests::RowIds;
use crate::shape::{Field, Keys, Kind, TextRule, optional, required, section, with_default};

const ERRORS: &str = "JSON pointer to errors in an answer with a status of success, such as \"/errors\"; null, \"\", [], {} and false are none";

/// A request of this name: method, path and body, and then the keys that only it has.
fn request(name: &'static str, doc: &'static str, more: Vec<Field>) -> Field {
    let call = "method and path, such as \"POST /api/things\", with the request's variables";
    let mut fields = vec![
        required("call", Kind::Text(TextRule::Request(name)), call),
        optional("body", Kind::Text(TextRule::Body(name)), "the body, sent as JSON, with the request's variables"),
        optional("errors", pointer(), ERRORS),
    ];
    fields.extend(more);
    optional(name, Kind::Section(fields), doc)
}

fn pointer() -> Kind {
    Kind::Text(TextRule::Pointer)
}

/// What a request that writes rows has beside the rest.
fn writes() -> Vec<Field> {
    let row = "one row, where the body holds `{rows}`: `{id}`, `{name}`, `{vector}` and `{text}` are filled in";
    let row_errors =
        "JSON pointer to the errors of each row, with `*` for the rows in their order, such as \"/*/result/errors\"";
    vec![optional("row", Kind::Text(TextRule::Body("row")), row), optional("row_errors", pointer(), row_errors)]
}

fn limit(default: &'static str, doc: &'static str) -> Field {
    with_default("limit", Kind::Integer { min: 1, max: 100_000 }, default, doc)
}

/// The keys of `[requests]`.
pub(crate) fn requests() -> Vec<Field> {
    let ids = RowIds::ALL.map(RowIds::name).to_vec();
    let headers = Kind::Map { keys: Keys::Names, values: Box::new(Kind::Text(TextRule::Header)) };
    let found = "JSON pointer to the ids, with `*` for each of them, such as \"/ids/0/*\"";
    let replaces =
        "whether a row under an id that is there replaces the one before, so that an upsert is the same request";
    let create = [writes(), vec![with_default("replaces", Kind::Flag, "false", replaces)]].concat();
    vec![
        with_default(
            "ids",
            Kind::Choice(ids),
            "\"integer\"",
            "how the target writes the id of a row; a uuid is derived from the row's number",
        ),
        with_default(
            "headers",
            headers,
            "{}",
            "headers of every request to the target; `{env:NAME}` and `{file:PATH}` stand for a secret, which is recorded nowhere",
        ),
        request(
            "create_collection",
            "creates the collection that the rows are put into; `{collection}`, `{dim}`, `{hnsw_m}` and `{ef_construction}` are filled in",
            vec![optional(
                "value",
                pointer(),
                "JSON pointer to the id in the answer, which later requests have as `{collection_id}`",
            )],
        ),
        request("drop_collection", "drops the collection that the run created", vec![]),
        request(
            "create",
            "creates one row (`{id}`, `{name}`, `{vector}`, `{text}`), or a batch of them: `{rows}`, or `{ids}` and `{vectors}`",
            create,
        ),
        request("read", "reads one row that is there; stands for a search where there is none", vec![]),
        request(
            "search",
            "finds the `{k}` nearest neighbours of `{vector}`, by Euclidean distance",
            vec![
                required("found_ids", pointer(), found),
                optional(
                    "distances",
                    pointer(),
                    "JSON pointer to the distances of those ids, the nearest being the smallest",
                ),
            ],
        ),
        request("update", "writes rows again under ids that are there: an upsert of the load", writes()),
        request("delete", "deletes one row: `{id}` or `{name}`", vec![]),
        request(
            "delete_many",
            "deletes many rows at once: `{ids}`",
            vec![limit("100", "rows of one request, at most")],
        ),
        request(
            "count",
            "counts the rows of the collection",
            vec![required("value", pointer(), "JSON pointer to the number")],
        ),
        request(
            "list",
            "lists the ids of the collection's rows, a page at a time, until a page is empty: `{limit}`, `{offset}`, `{after}` (the last id), `{next}` (JSON of the page before)",
            vec![
                required("found_ids", pointer(), found),
                optional(
                    "next",
                    pointer(),
                    "JSON pointer to what stands for `{next}` in the request for the next page; null ends the list",
                ),
                limit("1000", "rows of one page"),
            ],
        ),
        request(
            "indexed",
            "tells whether every acknowledged row is indexed; without it, a row counts as indexed when it is acknowledged",
            vec![
                required("value", pointer(), "JSON pointer to the state"),
                required(
                    "is",
                    Kind::Text(TextRule::NotEmpty),
                    "what the state is when all is indexed, such as \"green\" or \"0\"",
                ),
            ],
        ),
    ]
}

/// The section `[requests]`.
pub(crate) fn field() -> Field {
    let doc = "what the load sends where the protocol is http; an operation without a request cannot be asked";
    section("requests", requests(), doc)
}
