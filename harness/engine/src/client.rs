//! Clients: how load speaks to a target. One file for each protocol.

mod flight;
mod put_body;
mod put_stream;
mod spread;
mod wire;

pub(crate) use flight::call_error;
pub use flight::{DataSpec, FlightClient, Planes};
pub(crate) use spread::{Member, SpreadClient};
pub(crate) use wire::frame;
