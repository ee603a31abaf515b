//! The body of a request: whole where it is small, and generated while it is sent where it carries a batch.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};

use super::ask::Ask;
use super::fill::{Filler, Written};
use crate::load::Progress;
use crate::target::Batch;

/// Bytes handed to the connection at once; a vector that does not fit any more is longer.
const PIECE_BYTES: usize = 64 << 10;

/// A request's body.
#[derive(Debug)]
pub(in crate::client) enum Outgoing {
    /// All of it.
    Whole(Option<Bytes>),
    /// A batch of rows.
    Rows(Box<Rows>),
}

/// A batch that is half on its way.
#[derive(Debug)]
pub(in crate::client) struct Rows {
    pub(super) filler: Arc<Filler>,
    pub(super) ask: Arc<Ask>,
    pub(super) batch: Batch,
    pub(super) progress: Progress,
    pub(super) written: Written,
    pub(super) is_over: bool,
    /// Payload of the piece that was handed over last: it is taken when the next one is asked for.
    pub(super) handed: usize,
}

impl Rows {
    fn piece(&mut self) -> Option<Bytes> {
        self.progress.take(std::mem::take(&mut self.handed));
        if self.is_over {
            return None;
        }
        let mut out = Vec::with_capacity(PIECE_BYTES + 16 * self.filler.vectors.dim());
        let body = self.ask.body.as_ref()?;
        let before = self.written.vectors;
        let row = self.ask.row.as_ref();
        self.is_over = self.filler.write_batch((body, row), self.batch, &mut self.written, (&mut out, PIECE_BYTES));
        self.handed = (self.written.vectors - before) as usize * self.filler.vectors.dim() * 4;
        Some(out.into())
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let next = match &mut *self {
            Self::Whole(bytes) => bytes.take().filter(|bytes| !bytes.is_empty()),
            Self::Rows(rows) => rows.piece(),
        };
        Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            // Once more after the last piece, so that the payload of that one is counted as taken.
            Self::Rows(_) => false,
        }
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match self {
            Self::Whole(bytes) => http_body::SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Rows(_) => http_body::SizeHint::default(),
        }
    }
}
