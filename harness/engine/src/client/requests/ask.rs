//! A request of the profile, taken apart once, with the places in its answer that the load reads.

use std::sync::Arc;

use hyper::Method;
use serde_json::Value;
use soak_scenario::{RequestTemplate, Requests};

use super::fill::Filler;
use super::pointer::Pointer;
use super::template::{Template, Variable};

/// A request.
#[derive(Debug)]
pub(in crate::client) struct Ask {
    /// As the profile has it, for people.
    pub(super) call: String,
    pub(super) method: Method,
    pub(super) path: Template,
    pub(super) body: Option<Template>,
    /// One row of a batch.
    pub(super) row: Option<Template>,
    /// Whether one request carries a batch.
    pub(super) is_batch: bool,
    /// Rows of one request, at most.
    pub(super) limit: u32,
    /// What the value has to be.
    pub(super) is: Option<String>,
    /// What is read of an answer, and what each pointer is for.
    pub(super) pointers: Vec<Pointer>,
    reads: Vec<Reads>,
}

/// What a pointer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    Errors,
    RowErrors,
    Ids,
    Distances,
    Value,
    Next,
}

impl Ask {
    fn new(template: &RequestTemplate, filler: &Filler) -> Self {
        let (method, path) = template.call.split_once(' ').unwrap_or(("GET", &template.call));
        let body = template.body.as_deref().map(Template::parse);
        let read = [
            (Reads::Errors, &template.errors),
            (Reads::RowErrors, &template.row_errors),
            (Reads::Ids, &template.found_ids),
            (Reads::Distances, &template.distances),
            (Reads::Value, &template.value),
            (Reads::Next, &template.next),
        ];
        let (reads, pointers) = read
            .into_iter()
            .filter_map(|(reads, pointer)| {
                let pointer = pointer.as_ref()?;
                // The names of a run do not change, and a pointer has no id of a collection.
                Some((reads, Pointer::parse(&filler.names(pointer).unwrap_or_else(|| pointer.clone()))))
            })
            .unzip();
        let lists = [Variable::Rows, Variable::Ids, Variable::Vectors];
        Self {
            call: template.call.clone(),
            // The check of the profile lets no other method through.
            method: Method::from_bytes(method.as_bytes()).unwrap_or(Method::GET),
            path: Template::parse(path),
            is_batch: body.as_ref().is_some_and(|body| lists.into_iter().any(|list| body.holds(list))),
            body,
            row: template.row.as_deref().map(Template::parse),
            limit: template.limit.unwrap_or(1),
            is: template.is.clone(),
            pointers,
            reads,
        }
    }

    /// Whether path or body hold this variable.
    pub(super) fn holds(&self, variable: Variable) -> bool {
        self.path.holds(variable) || self.body.as_ref().is_some_and(|body| body.holds(variable))
    }

    /// Whether an answer is read for this.
    pub(super) fn reads(&self, what: Reads) -> bool {
        self.reads.contains(&what)
    }

    /// What an answer holds for this; nothing where the profile does not say where it stands.
    pub(super) fn found<'a>(&self, what: Reads, found: &'a [Vec<Option<Value>>]) -> &'a [Option<Value>] {
        let at = self.reads.iter().position(|reads| *reads == what);
        at.and_then(|at| found.get(at)).map_or(&[], Vec::as_slice)
    }
}

/// Every request of a profile.
#[derive(Debug, Default)]
pub(super) struct Asks {
    pub(super) create_collection: Option<Arc<Ask>>,
    pub(super) drop_collection: Option<Arc<Ask>>,
    pub(super) create: Option<Arc<Ask>>,
    pub(super) read: Option<Arc<Ask>>,
    pub(super) search: Option<Arc<Ask>>,
    /// Writes rows again, be it with the request that creates them.
    pub(super) rewrite: Option<Arc<Ask>>,
    pub(super) delete: Option<Arc<Ask>>,
    pub(super) delete_many: Option<Arc<Ask>>,
    pub(super) count: Option<Arc<Ask>>,
    pub(super) list: Option<Arc<Ask>>,
    pub(super) indexed: Option<Arc<Ask>>,
}

impl Asks {
    pub(super) fn new(requests: &Requests, filler: &Filler) -> Self {
        let ask = |template: Option<&RequestTemplate>| template.map(|template| Arc::new(Ask::new(template, filler)));
        Self {
            create_collection: ask(requests.create_collection.as_ref()),
            drop_collection: ask(requests.drop_collection.as_ref()),
            create: ask(requests.create.as_ref()),
            read: ask(requests.read.as_ref()),
            search: ask(requests.search.as_ref()),
            rewrite: ask(requests.rewrite()),
            delete: ask(requests.delete.as_ref()),
            delete_many: ask(requests.delete_many.as_ref()),
            count: ask(requests.count.as_ref()),
            list: ask(requests.list.as_ref()),
            indexed: ask(requests.indexed.as_ref()),
        }
    }
}
