//! Clients: how load speaks to a target. One file for each protocol.

mod flight;
mod pool;
mod put_body;
mod put_stream;
mod requests;
mod spread;
mod wire;

pub(crate) use flight::call_error;
pub use flight::{DataSpec, FlightClient, Planes};
pub use requests::{HeaderError, Headers, HttpAccess, HttpClient, IndexSpec};
pub(crate) use spread::{Member, SpreadClient};
pub(crate) use wire::frame;
