//! The end of a cycle: the store is emptied, so that every cycle ends in the state that it began in.

use soak_scenario::Clear;
use soak_workload::Ledger;
use tokio::net::TcpStream;

use super::{Performer, StepError};
use crate::load;
use crate::target::{CallError, within};

impl Performer<'_> {
    pub(super) async fn clear(&mut self, cycle: u32) -> Result<(), StepError> {
        if self.conductor.take_unchecked() {
            self.check_rows(cycle).await?;
        }
        match self.plan.workload.clear {
            Clear::Dataset => self.drop_dataset().await?,
            Clear::Rows => self.delete_all().await?,
        }
        let (first, rows) = {
            let ledger = self.books.ledger();
            (ledger.first(), ledger.len())
        };
        *self.books.ledger() = Ledger::new(first + rows, 0);
        self.leave_connections().await
    }

    /// In a variant that leaks by them, opens connections that are never spoken on.
    async fn leave_connections(&mut self) -> Result<(), StepError> {
        let count = self.variant.control.as_ref().and_then(|control| control.leave_connections).unwrap_or(0);
        let Some(addr) = self.target.addr().filter(|_| count > 0) else { return Ok(()) };
        for _ in 0..count {
            let opened = within(self.call(), async { TcpStream::connect(addr).await.map_err(|e| broken(&e)) }).await;
            let failed = |error| StepError::Failed(format!("a connection to {addr} could not be opened: {error}"));
            self.left_open.push(opened.map_err(failed)?);
        }
        Ok(())
    }

    async fn drop_dataset(&self) -> Result<(), StepError> {
        let dropped = self.target.client().drop_dataset().await;
        let nothing_there = self.books.ledger().live() == 0 && self.conductor.was_disturbed();
        match dropped {
            // A fault may have left nothing that could be dropped.
            Err(error) if error.is_not_found() && nothing_there => Ok(()),
            dropped => dropped.map_err(|error| StepError::Failed(format!("the dataset could not be dropped: {error}"))),
        }
    }

    /// Deletes every row that is or may be there, and has what is left of them compacted away.
    async fn delete_all(&self) -> Result<(), StepError> {
        let (mut ids, rows) = {
            let ledger = self.books.ledger();
            (ledger.perhaps_there(), ledger.len())
        };
        // In a variant that leaks by them, some of the cycle's rows are forgotten on purpose.
        let share = self.variant.control.as_ref().and_then(|control| control.leave_rows);
        let forgotten = share.map_or(0, |share| (share.0 * rows as f64).round() as usize).min(ids.len());
        ids.truncate(ids.len() - forgotten);
        let in_flight = self.plan.workload.query.in_flight;
        let client = self.target.client();
        let calls = (in_flight, client.deletes_at_once());
        let deleted = load::delete(&client, ids, calls, self.call(), &self.books).await;
        let left = self.books.ledger().live().saturating_sub(forgotten as u64);
        if left > 0 && !self.conductor.was_disturbed() {
            let why = deleted.last_error.unwrap_or_else(|| "it gave no reason".to_owned());
            return Err(StepError::Failed(format!("{left} rows could not be deleted at the end of a cycle: {why}")));
        }
        if self.plan.target.profile.endpoints.compacts() {
            // One that fails leaves its rows in memory, which the floor shows.
            let _ = within(self.plan.deadlines.index.0, self.target.control().compact()).await;
        }
        Ok(())
    }
}

fn broken(error: &std::io::Error) -> CallError {
    CallError::broken(error.to_string())
}
