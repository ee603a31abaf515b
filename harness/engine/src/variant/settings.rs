//! Verifies settings: what the target and the kernel report, and what the load itself shows, against what the variant asks for.

use std::collections::BTreeMap;
use std::time::Duration;

use soak_record::EventKind;
use soak_scenario::Protocol;
use tokio::time::{Instant, sleep};

use super::{Performer, StepError};
use crate::attest::{self, Acknowledged, When};
use crate::load::Ingested;
use crate::target::{Knob, within};

/// Some servers apply a setting a moment after they answer: a tuner that looks twice a second, say.
const APPLIED_WITHIN: Duration = Duration::from_secs(3);

/// How often settings that do not hold yet are read again.
const READ_EVERY: Duration = Duration::from_millis(250);

impl Performer<'_> {
    /// Reads back what is set before any data.
    pub(super) async fn verify_at_boot(&self) -> Result<(), StepError> {
        let began = Instant::now();
        loop {
            let events = self.verified(&self.knobs().await?, When::Boot);
            if !any_wrong(&events) || began.elapsed() >= APPLIED_WITHIN {
                for event in events {
                    self.journal.event(event);
                }
                return Ok(());
            }
            sleep(READ_EVERY).await;
        }
    }

    /// Reads back what is known once the first data is there.
    pub(super) async fn verify_with_data(&self, account: &Ingested) -> Result<(), StepError> {
        let began = Instant::now();
        loop {
            let mut read = self.knobs().await?;
            self.acknowledged(account).await.add_to(&mut read);
            let events = self.verified(&read, When::Data);
            // Some servers count what they have acknowledged a moment later.
            if !any_wrong(&events) || began.elapsed() >= APPLIED_WITHIN {
                for event in events {
                    self.journal.event(event);
                }
                return Ok(());
            }
            sleep(READ_EVERY).await;
        }
    }

    async fn knobs(&self) -> Result<BTreeMap<String, Knob>, StepError> {
        let read = self.target.probe().knobs().await;
        read.map_err(|error| StepError::Failed(format!("the settings could not be read back: {error}")))
    }

    fn verified(&self, read: &BTreeMap<String, Knob>, when: When) -> Vec<EventKind> {
        attest::verified(&self.plan.target.profile, &self.variant.knobs, read, when)
    }

    /// What the first ingest shows of the settings of the load.
    async fn acknowledged(&self, account: &Ingested) -> Acknowledged {
        if self.plan.target.profile.protocol != Protocol::Flight || account.acked_rows == 0 {
            return Acknowledged::default();
        }
        let read_back = within(self.call(), self.target.client().dim_read_back()).await;
        let whole = account.refused_rows == 0 && account.indeterminate_rows == 0;
        let page = self.target.probe().metrics().await.unwrap_or_default();
        let counted = page.into_iter().find(|(name, count)| *name == "put_messages_total" && *count > 0.0);
        Acknowledged {
            dim_read_back: read_back.ok().flatten(),
            rows_of_message: (account.largest_acked > 0).then_some(account.largest_acked),
            messages: counted.filter(|_| whole).map(|(_, counted)| (counted, account.acked_batches)),
        }
    }
}

fn any_wrong(events: &[EventKind]) -> bool {
    events.iter().any(|event| matches!(event, EventKind::Attested { holds: Some(false), .. }))
}
