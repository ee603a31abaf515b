//! What the requests of a profile contradict each other in. Single keys are checked before, by their shape.

use crate::diagnostic::Diagnostic;
use crate::profile::{Profile, Protocol};
use crate::requests::{RequestTemplate, Requests, RowIds};
use crate::tree::Node;

/// Reports every contradiction between requests, and between requests and addresses.
pub(crate) fn contradictions(profile: &Profile, root: &Node, mistakes: &mut Vec<Diagnostic>) {
    let mut rules = Rules { requests: &profile.requests, root, mistakes };
    if profile.protocol == Protocol::Http {
        rules.needed();
        rules.collection();
        rules.batches();
        rules.pages();
    } else if profile.requests != Requests::default() {
        let expected = "expected protocol = \"http\", or no [requests]";
        rules.report(&["requests"], "requests are only sent where the protocol is http", expected);
    }
    rules.addresses(profile);
}

struct Rules<'a> {
    requests: &'a Requests,
    root: &'a Node,
    mistakes: &'a mut Vec<Diagnostic>,
}

impl<'a> Rules<'a> {
    fn report(&mut self, at: &[&str], message: impl Into<String>, expected: impl Into<String>) {
        self.mistakes.push(Diagnostic::new(&self.root.origin_of(at), message, expected));
    }

    /// Every request that is there, with its key.
    fn all(&self) -> Vec<(&'static str, &'a RequestTemplate)> {
        let requests = self.requests;
        let all = [
            ("create_collection", &requests.create_collection),
            ("drop_collection", &requests.drop_collection),
            ("create", &requests.create),
            ("read", &requests.read),
            ("search", &requests.search),
            ("update", &requests.update),
            ("delete", &requests.delete),
            ("delete_many", &requests.delete_many),
            ("count", &requests.count),
            ("list", &requests.list),
            ("indexed", &requests.indexed),
        ];
        all.into_iter().filter_map(|(key, request)| Some((key, request.as_ref()?))).collect()
    }

    fn needed(&mut self) {
        if self.requests.create.is_none() {
            let expected = "expected [requests] with create = { call = \"POST /…\" }";
            self.report(&["protocol"], "the protocol is http, but no request makes anything", expected);
        }
        if let Some(search) = &self.requests.search
            && !search.holds("vector")
        {
            let expected = "expected `{vector}` in its body";
            self.report(&["requests", "search"], "a search has no vector to search for", expected);
        }
        for (key, request, one, many) in [
            ("delete", &self.requests.delete, ["id", "name", "ids"], "which row"),
            ("delete_many", &self.requests.delete_many, ["ids", "ids", "ids"], "which rows"),
        ] {
            if request.as_ref().is_some_and(|request| !one.iter().any(|variable| request.holds(variable))) {
                let expected = format!("expected `{{{}}}` in its path or body", one[0]);
                self.report(&["requests", key], format!("a delete does not say {many} it deletes"), expected);
            }
        }
    }

    /// A collection is created and dropped by the run, or neither.
    fn collection(&mut self) {
        let (creates, drops) = (self.requests.create_collection.as_ref(), self.requests.drop_collection.as_ref());
        match (creates, drops) {
            (Some(_), None) => {
                let message = "a collection is created that no request drops again";
                self.report(&["requests", "create_collection"], message, "expected requests.drop_collection as well");
            }
            (None, Some(_)) => {
                let message = "a collection is dropped that no request creates: a run drops only what it created";
                self.report(&["requests", "drop_collection"], message, "expected requests.create_collection as well");
            }
            _ => {}
        }
        if creates.is_none_or(|create| create.value.is_none()) {
            for (key, request) in self.all() {
                if request.holds("collection_id") {
                    let message = "nothing fills in `{collection_id}`";
                    let expected = "expected requests.create_collection with value, the JSON pointer to the id";
                    self.report(&["requests", key], message, expected);
                }
            }
        }
    }

    fn batches(&mut self) {
        for (key, request) in self.all().into_iter().filter(|(key, _)| ["create", "update"].contains(key)) {
            let body = request.body.as_deref().unwrap_or_default();
            let (by_row, by_column) = (body.contains("{rows}"), body.contains("{ids}") || body.contains("{vectors}"));
            if by_row && by_column {
                let expected = "expected `{rows}` with row, or `{ids}` and `{vectors}`";
                self.report(&["requests", key, "body"], "the batch is written by row and by column", expected);
            } else if by_row && request.row.is_none() {
                let expected = "expected row, such as '{\"id\":\"{id}\",\"vector\":{vector}}'";
                self.report(&["requests", key, "body"], "nothing says what each of the `{rows}` is", expected);
            } else if by_column && !(body.contains("{ids}") && body.contains("{vectors}")) {
                let expected = "expected `{ids}` and `{vectors}`";
                self.report(&["requests", key, "body"], "a batch by column has only one of its columns", expected);
            }
            if request.row.is_some() && !by_row {
                let expected = "expected `{rows}` in the body";
                self.report(&["requests", key, "row"], "the body has no place for rows", expected);
            }
            let single = ["{id}", "{name}", "{vector}", "{text}"].into_iter().find(|one| body.contains(one));
            if let Some(single) = single.filter(|_| by_row || by_column) {
                let message = format!("`{single}` is of one row, and the body is of a whole batch");
                self.report(&["requests", key, "body"], message, "expected it in row, or the variables of a batch");
            }
            if let Some(pointer) = &request.row_errors {
                if !request.is_batch() {
                    let expected = "expected errors, for a request of one row";
                    self.report(
                        &["requests", key, "row_errors"],
                        "a request of one row has no errors by row",
                        expected,
                    );
                } else if pointer.split('/').filter(|part| *part == "*").count() != 1 {
                    let expected = "expected one `*`, which stands for the rows in their order";
                    self.report(&["requests", key, "row_errors"], "errors by row need the place of the rows", expected);
                }
            }
        }
    }

    fn pages(&mut self) {
        if let Some(list) = &self.requests.list {
            let pages = ["offset", "after", "next"].into_iter().filter(|one| list.holds(one)).count();
            if pages > 1 {
                let expected = "expected one of `{offset}`, `{after}` and `{next}`";
                self.report(&["requests", "list"], "the next page is asked for in two ways", expected);
            }
            if list.holds("next") != list.next.is_some() {
                let expected = "expected `{next}` in the request, and next = the JSON pointer to it in the answer";
                self.report(&["requests", "list"], "what asks for the next page is not read, or not sent", expected);
            }
        }
        if self.requests.ids == RowIds::Integer {
            return;
        }
        // The id of a thing is no row's own when only its name is sent.
        if self.requests.create.as_ref().is_some_and(|create| !create.is_batch() && !create.holds("id")) {
            let message =
                format!("ids are of the form \"{}\", but no request that creates sends one", self.requests.ids.name());
            self.report(&["requests", "ids"], message, "expected `{id}` in requests.create, or no requests.ids");
        }
    }

    /// A launch that is told of a port has that port in a container as well.
    fn addresses(&mut self, profile: &Profile) {
        let Some(container) = &profile.container else { return };
        for (side, port) in [("metrics", container.ports.metrics), ("profile", container.ports.profile)] {
            let key = format!("{side}_port");
            if port.is_none() && profile.has_own(side) {
                let message =
                    format!("the launch gives {side} an address of its own, which a container does not publish");
                self.report(&["container"], message, format!("expected container.{key}"));
            } else if port.is_some() && port == Some(container.ports.http) {
                let message = format!("{key} is the port of http as well");
                self.report(&["container", &key], message, "expected another port, or none");
            }
        }
    }
}
