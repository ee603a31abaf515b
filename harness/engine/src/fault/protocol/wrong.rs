//! Batches that a target should refuse: of a dataset that is there and has another shape. What is wrong about them is up to who sends them.

use std::sync::Arc;
use std::time::Duration;

use soak_scenario::units::Rate;
use tokio::time::sleep;

use super::abuse::Abuse;
use super::pace::at_rate;
use super::site::{Site, put};
use super::tally::{Counts, Tally};
use crate::fault::Evidence;
use crate::load::Progress;
use crate::target::{Batch, CallError, within};

/// The batch that makes the dataset; a wrong one has as many rows.
pub(super) const BATCH: Batch = Batch { first: 0, rows: 4, version: 0 };

/// Batches under way at once.
const IN_FLIGHT: usize = 8;

/// Rest before a dataset that the target did not take is put again.
const REST: Duration = Duration::from_millis(100);

/// What is sent to which dataset.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wrong {
    /// The dataset.
    pub(super) what: &'static str,
    /// What is wrong about the batches, for people.
    pub(super) how: &'static str,
    pub(super) rate: Rate,
}

/// Makes the dataset and then sends wrong batches to it, each told its number.
pub(super) fn begin<C>(site: &Site, tally: &Arc<Tally>, wrong: Wrong, send: impl Fn(u64) -> C + Send + 'static) -> Abuse
where
    C: Future<Output = Result<(), CallError>> + Send + 'static,
{
    let Wrong { what, how, rate } = wrong;
    let (making, counted, deadline) = (make(site.clone(), Arc::clone(tally), what), Arc::clone(tally), site.deadline);
    let storm = async move {
        making.await;
        at_rate(rate, IN_FLIGHT, move |number| {
            let (sending, tally) = (send(number), Arc::clone(&counted));
            async move { tally.record(&within(deadline, sending).await) }
        })
        .await;
    };
    Abuse::new(site, tally, move |counts| tell(how, counts)).with_datasets([Site::name(what)]).with_task(storm)
}

/// Puts the dataset until the target has taken it. Without it the first wrong batch would make it, and all others would be right.
async fn make(site: Site, tally: Arc<Tally>, what: &'static str) {
    let client = site.own(what);
    while let Err(error) = put(&client, [BATCH], &Progress::default(), site.deadline).await {
        tally.note(&error);
        sleep(REST).await;
    }
}

fn tell(how: &str, counts: &Counts) -> Evidence {
    let sent = counts.acknowledged + counts.refused + counts.errors;
    let mut figures = vec![("sent_batches", sent as f64)];
    figures.extend(counts.figures());
    let words = if sent == 0 {
        format!(
            "no batch of {how} was sent, because the target did not take the dataset for them{}",
            counts.last_word()
        )
    } else {
        format!("batches of {how}: {} taken, {}", counts.acknowledged, counts.failures())
    };
    Evidence { took_place: counts.was_heard(), words, figures }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_shown_before_a_wrong_batch_was_heard() {
        let none = Counts { answers: true, last_word: "refused: full".to_owned(), ..Counts::default() };
        let evidence = tell("another schema", &none);
        assert!(!evidence.took_place && evidence.words.ends_with("the dataset for them, the last: refused: full"));
        assert!(!tell("another schema", &Counts { errors: 3, ..none.clone() }).took_place, "nobody said anything");
        for heard in [Counts { refused: 1, ..none.clone() }, Counts { acknowledged: 1, ..none }] {
            assert!(tell("another schema", &heard).took_place, "{heard:?}");
        }
    }
}
