//! Sending requests of a profile, and what their answers mean.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hyper::{Request, StatusCode, header};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::ask::{Ask, Asks, Reads};
use super::fill::{Filler, Subject, Written};
use super::outgoing::{Outgoing, Rows};
use super::pointer::{Pointer, is_error};
use super::secrets::Headers;
use super::things::Things;
use crate::client::pool::{Answer, Pool};
use crate::load::Progress;
use crate::target::{Ack, Batch, CallError, Cause, Misfit, RefusedRows, within};

/// The first pause after an answer that asks for patience; it doubles with each further one.
const PAUSE_LEAST: Duration = Duration::from_millis(50);
const PAUSE_MOST: Duration = Duration::from_secs(1);

/// How much of an answer that refuses is told.
const REASON_CHARS_MAX: usize = 200;

/// What clients and streams share.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) asks: Asks,
    pub(super) filler: Arc<Filler>,
    pub(super) pool: Pool,
    pub(super) headers: Headers,
    pub(super) deadline: Duration,
    /// Bounds calls that wait for the index.
    pub(super) index_deadline: Duration,
    pub(super) things: Things,
    /// Whether the collection is there, and this run's.
    pub(super) ours: Mutex<bool>,
    /// Rows of the largest request that was acknowledged; 0 before the first.
    pub(super) acked_rows_max: AtomicU32,
}

impl Inner {
    fn request(&self, ask: &Ask, about: &Subject<'_>, body: Outgoing) -> Result<Request<Outgoing>, CallError> {
        let unfit = |error: &dyn std::fmt::Display| CallError::refused(format!("{}: {error}", ask.call));
        let path = String::from_utf8_lossy(&self.filler.text(&ask.path, about)).into_owned();
        let mut request = Request::builder().method(ask.method.clone()).uri(path);
        request = request.header(header::HOST, self.pool.side().addr().to_string());
        if ask.body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        self.headers.add_to(request).body(body).map_err(|error| unfit(&error))
    }

    /// Sends a request; an answer that is no success, or that holds errors, is an error.
    pub(super) async fn send(&self, ask: &Ask, about: &Subject<'_>) -> Result<Answer, CallError> {
        self.send_within(self.deadline, ask, about).await
    }

    async fn send_within(&self, deadline: Duration, ask: &Ask, about: &Subject<'_>) -> Result<Answer, CallError> {
        let body = ask.body.as_ref().map(|body| Bytes::from(self.filler.text(body, about)));
        let request = self.request(ask, about, Outgoing::Whole(body))?;
        let answer = within(deadline, self.pool.send(request, &ask.pointers)).await?;
        self.judge(ask, answer)
    }

    /// The same for an operation of which the profile may have no request.
    pub(super) async fn ask(&self, ask: Option<&Arc<Ask>>, about: &Subject<'_>) -> Result<Answer, CallError> {
        let ask = ask.ok_or_else(|| CallError::refused("the profile has no request for this operation"))?;
        self.send(ask, about).await
    }

    /// An answer that says yes.
    fn judge(&self, ask: &Ask, answer: Answer) -> Result<Answer, CallError> {
        if !answer.status.is_success() {
            return Err(self.refused(ask, &answer));
        }
        match &answer.found {
            Err(why) => {
                let told = self.told(ask, &answer, &format!(", but {why}"));
                Err(CallError::broken(told).because(Cause::Unfit(Misfit::NotJson)))
            }
            Ok(found) => match ask.found(Reads::Errors, found).iter().flatten().find(|error| is_error(error)) {
                Some(error) => Err(CallError::refused(self.in_words(ask, &answer, error))),
                None => Ok(answer),
            },
        }
    }

    /// An answer that is no success. After an error of the server's own, what was asked may have happened.
    fn refused(&self, ask: &Ask, answer: &Answer) -> CallError {
        let told = self.told(ask, answer, "");
        let no_work_done = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::NOT_IMPLEMENTED].contains(&answer.status);
        if ask.is_batch && answer.status.is_server_error() && !no_work_done {
            CallError::broken(told)
        } else {
            CallError::refused(told)
        }
        .because(Cause::Status(answer.status.as_u16()))
    }

    fn told(&self, ask: &Ask, answer: &Answer, why: &str) -> String {
        let text: String = answer.text.chars().take(REASON_CHARS_MAX).collect();
        self.headers.redact(format!("{} answered {}{why}: {text}", ask.call, answer.status))
    }

    fn in_words(&self, ask: &Ask, answer: &Answer, error: &Value) -> String {
        let text: String = message(error).chars().take(REASON_CHARS_MAX).collect();
        self.headers.redact(format!("{} answered {} with an error: {text}", ask.call, answer.status))
    }

    /// Sends a batch. Where the target asks for patience it is asked again, and the answer says so.
    pub(super) async fn put(&self, ask: &Arc<Ask>, batch: Batch, progress: &Progress) -> Result<Ack, CallError> {
        let send = || async {
            let rows = Rows {
                filler: Arc::clone(&self.filler),
                ask: Arc::clone(ask),
                batch,
                progress: progress.clone(),
                written: Written::default(),
                is_over: false,
                handed: 0,
            };
            let request = self.request(ask, &Subject::default(), Outgoing::Rows(Box::new(rows)))?;
            within(self.index_deadline, self.pool.send(request, &ask.pointers)).await
        };
        let (answer, slow_down) = self.patiently(send).await?;
        let answer = self.judge(ask, answer)?;
        let refused = self.refused_rows(ask, &answer, batch)?;
        self.acked_rows_max.fetch_max(batch.rows, Ordering::Relaxed);
        Ok(Ack { slow_down, refused })
    }

    /// The rows that an answer refuses; an error where it is all of them, or where it does not tell of each.
    fn refused_rows(&self, ask: &Ask, answer: &Answer, batch: Batch) -> Result<Option<RefusedRows>, CallError> {
        if !ask.reads(Reads::RowErrors) {
            return Ok(None);
        }
        let found = answer.found.as_deref().unwrap_or_default();
        let rows = ask.found(Reads::RowErrors, found);
        if rows.len() != batch.rows as usize {
            let why = format!(", but told of {} rows where {} were sent", rows.len(), batch.rows);
            return Err(CallError::broken(self.told(ask, answer, &why)));
        }
        let failed = |(id, error): (u64, &Option<Value>)| Some((id, error.clone().filter(is_error)?));
        let failed: Vec<(u64, Value)> = batch.ids().zip(rows).filter_map(failed).collect();
        let Some((_, first)) = failed.first() else { return Ok(None) };
        let why = self.in_words(ask, answer, first);
        if failed.len() == rows.len() {
            return Err(CallError::refused(why));
        }
        let why = format!("{} of {} rows of a batch were refused; {why}", failed.len(), rows.len());
        Ok(Some(RefusedRows { ids: failed.into_iter().map(|(id, _)| id).collect(), why }))
    }

    /// Makes one thing, with the same patience.
    pub(super) async fn make(&self, ask: &Ask, id: u64, row: u64) -> Result<bool, CallError> {
        let about = Subject::row(id, row);
        let send = || async {
            let body = ask.body.as_ref().map(|body| Bytes::from(self.filler.text(body, &about)));
            let request = self.request(ask, &about, Outgoing::Whole(body))?;
            let answer = within(self.deadline, self.pool.send(request, &ask.pointers)).await;
            if !answer.as_ref().is_err_and(|error| matches!(error, CallError::Refused(_))) {
                self.things.add(id);
            }
            answer
        };
        let (answer, asked_for_patience) = self.patiently(send).await?;
        let answer = self.judge(ask, answer);
        if answer.as_ref().is_err_and(|error| matches!(error, CallError::Refused(_))) {
            self.things.remove(id);
        }
        if answer.is_ok() {
            self.acked_rows_max.fetch_max(1, Ordering::Relaxed);
        }
        answer.map(|_| asked_for_patience)
    }

    /// Sends again while the target asks for patience, within the deadline; whether it did.
    async fn patiently<F: Future<Output = Result<Answer, CallError>>>(
        &self,
        send: impl Fn() -> F,
    ) -> Result<(Answer, bool), CallError> {
        let began = Instant::now();
        let (mut asked, mut pause) = (false, PAUSE_LEAST);
        loop {
            let answer = send().await?;
            let busy = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&answer.status);
            if !busy || began.elapsed() + pause > self.deadline {
                return Ok((answer, asked));
            }
            asked = true;
            tokio::time::sleep(answer.retry_after.unwrap_or(pause).min(PAUSE_MOST)).await;
            pause = (pause * 2).min(PAUSE_MOST);
        }
    }

    /// Creates the collection, unless this run has done so already. One that somebody else made is refused by the target.
    pub(super) async fn ensure_collection(&self) -> Result<(), CallError> {
        let Some(create) = &self.asks.create_collection else { return Ok(()) };
        let mut ours = self.ours.lock().await;
        if *ours {
            return Ok(());
        }
        let created = self.send_within(self.index_deadline, create, &Subject::default()).await;
        let told = |why| format!("the collection {} could not be created: {why}", self.filler.collection());
        let answer = created.map_err(|error| match error {
            CallError::Refused(_) => error.told(told),
            other => other,
        })?;
        if create.reads(Reads::Value) {
            let found = answer.found.as_deref().unwrap_or_default();
            let id = ask_value(create, found).map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned));
            let missing = || self.told(create, &answer, ", but without the collection's id");
            self.filler.set_collection_id(id.ok_or_else(|| CallError::broken(missing()))?);
        }
        *ours = true;
        Ok(())
    }

    /// Drops the collection that this run created.
    pub(super) async fn drop_collection(&self) -> Result<(), CallError> {
        let mut ours = self.ours.lock().await;
        if !*ours {
            return Err(CallError::not_found("there is no such dataset: this run has created no collection"));
        }
        let Some(drop) = &self.asks.drop_collection else {
            return Err(CallError::refused("the profile has no request that drops a collection"));
        };
        let dropped = self.send_within(self.index_deadline, drop, &Subject::default()).await;
        // One that is not there any more is created again by the next cycle.
        *ours = !dropped.as_ref().map_or_else(CallError::is_not_found, |_| true);
        dropped.map(|_| ())
    }

    /// A number or a text at a place in an answer in JSON: `GET /path /pointer`, with the names of the run.
    pub(super) async fn read_json(&self, endpoint: &str) -> Result<Option<Value>, CallError> {
        let unfit = |error: &dyn std::fmt::Display| CallError::refused(format!("{endpoint}: {error}"));
        let filled = self.filler.names(endpoint);
        let filled = filled.ok_or_else(|| CallError::not_found("there is no such dataset yet"))?;
        let (call, pointer) = filled.rsplit_once(' ').ok_or_else(|| unfit(&"it names no place in the answer"))?;
        let path = call.split_once(' ').map_or(call, |(_, path)| path);
        let request = Request::get(path).header(header::HOST, self.pool.side().addr().to_string());
        let request = self.headers.add_to(request).body(Outgoing::Whole(None)).map_err(|error| unfit(&error))?;
        let pointers = [Pointer::parse(pointer)];
        let answer = within(self.deadline, self.pool.send(request, &pointers)).await?;
        if !answer.status.is_success() {
            let text: String = answer.text.chars().take(REASON_CHARS_MAX).collect();
            let told = format!("{endpoint} answered {}: {text}", answer.status);
            let refused = CallError::refused(self.headers.redact(told));
            return Err(refused.because(Cause::Status(answer.status.as_u16())));
        }
        let found = answer.found.map_err(|why| CallError::refused(format!("{endpoint} answered, but {why}")))?;
        Ok(found.into_iter().flatten().next().flatten())
    }
}

/// The value that an answer holds where the profile says.
pub(super) fn ask_value<'a>(ask: &Ask, found: &'a [Vec<Option<Value>>]) -> Option<&'a Value> {
    ask.found(Reads::Value, found).first().and_then(Option::as_ref)
}

/// What an error says: the first text in it that is called a message, else all of it.
fn message(error: &Value) -> String {
    fn find(value: &Value) -> Option<&str> {
        match value {
            Value::Object(table) => {
                table.get("message").and_then(Value::as_str).or_else(|| table.values().find_map(find))
            }
            Value::Array(list) => list.iter().find_map(find),
            _ => None,
        }
    }
    match error {
        Value::String(text) => text.clone(),
        other => find(other).map_or_else(|| other.to_string(), str::to_owned),
    }
}
