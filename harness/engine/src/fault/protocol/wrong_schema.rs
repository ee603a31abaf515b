//! Batches whose schema is not the dataset's: other names, another type of component, no vector at all, in turn.

use std::net::SocketAddr;
use std::sync::Arc;

use arrow_array::{ArrayRef, FixedSizeListArray, Float32Array, Float64Array, Int64Array, RecordBatch};
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::utils::batches_to_flight_data;
use arrow_flight::{FlightData, FlightDescriptor};
use arrow_schema::{ArrowError, Field};
use futures::stream;
use soak_scenario::units::Rate;

use super::abuse::Abuse;
use super::site::Site;
use super::tally::Tally;
use super::wrong::{self, Wrong};
use crate::client::{FlightClient, call_error};
use crate::target::CallError;

pub(super) const WHAT: &str = "wrong-schema";

const ROWS: u32 = wrong::BATCH.rows;

pub(super) fn begin(site: &Site, tally: &Arc<Tally>, rate: Rate) -> Abuse {
    let (client, at, dim) = (Arc::new(site.own(WHAT)), site.at.data, site.spec.dim);
    wrong::begin(site, tally, Wrong { what: WHAT, how: "another schema", rate }, move |number| {
        let client = Arc::clone(&client);
        async move {
            let messages = messages(number, dim).map_err(|error| CallError::broken(error.to_string()))?;
            send(&client, at, messages).await
        }
    })
}

async fn send(client: &FlightClient, at: SocketAddr, messages: Vec<FlightData>) -> Result<(), CallError> {
    let mut service = FlightServiceClient::new(client.connect(at).await?);
    let answers = service.do_put(stream::iter(messages)).await.map_err(|status| call_error(&status))?;
    let mut answers = answers.into_inner();
    while answers.message().await.map_err(|status| call_error(&status))?.is_some() {}
    Ok(())
}

/// The stream of a wrong batch; which of three is wrong about it depends on its number.
fn messages(number: u64, dim: u32) -> Result<Vec<FlightData>, ArrowError> {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..i64::from(ROWS)));
    let components = (ROWS * dim) as usize;
    let floats: ArrayRef = Arc::new(Float32Array::from(vec![0.5; components]));
    let batch = match number % 3 {
        0 => RecordBatch::try_from_iter([("key", ids), ("embedding", list(floats, dim)?)])?,
        1 => {
            let doubles = Arc::new(Float64Array::from(vec![0.5; components]));
            RecordBatch::try_from_iter([("id", ids), ("vector", list(doubles, dim)?)])?
        }
        _ => {
            let scalars: ArrayRef = Arc::new(Float32Array::from(vec![0.5; ROWS as usize]));
            RecordBatch::try_from_iter([("id", ids), ("vector", scalars)])?
        }
    };
    let mut messages = batches_to_flight_data(&batch.schema(), [&batch])?;
    if let Some(first) = messages.first_mut() {
        first.flight_descriptor = Some(FlightDescriptor::new_path(vec![Site::name(WHAT)]));
    }
    Ok(messages)
}

fn list(values: ArrayRef, dim: u32) -> Result<ArrayRef, ArrowError> {
    let item = Arc::new(Field::new("item", values.data_type().clone(), true));
    Ok(Arc::new(FixedSizeListArray::try_new(item, dim.cast_signed(), values, None)?))
}
