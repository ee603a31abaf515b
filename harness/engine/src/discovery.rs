//! Reads a server that runs already, for a profile that nobody has written yet: its pages, its ports, its container, what its gRPC side speaks.
//!
//! Every call has a deadline, every answer has a bound, and nothing in the server is changed.

mod flight;
mod page;
mod ports;

pub use flight::{GrpcError, GrpcFound, grpc};
pub use page::{Limits, Page, PageError, get};
pub use ports::{ContainerError, ContainerFound, PublishedPort, container, is_running, listening};
