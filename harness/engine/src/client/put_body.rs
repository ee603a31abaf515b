//! The body of a put request: batches are turned into bytes a piece at a time, as fast as the connection takes them, so that the harness never holds a batch.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};
use soak_scenario::IdType;
use soak_workload::Vectors;
use tokio::sync::{mpsc, oneshot};

use super::wire::BatchMessage;
use crate::load::Progress;
use crate::target::Batch;

/// Bytes handed to the connection at once.
const PIECE_BYTES: usize = 256 << 10;

/// A batch to send, and whom to tell when it is taken.
pub(super) type Order = (Batch, oneshot::Sender<()>);

/// A put request's body.
pub(super) struct PutBody {
    vectors: Vectors,
    ids: IdType,
    orders: mpsc::Receiver<Order>,
    /// Bytes that go first: the descriptor and the schema.
    first: Option<Bytes>,
    sending: Option<Sending>,
    /// Bytes handed over last: taken when more are asked for.
    handed: usize,
    progress: Progress,
}

/// A batch that is half on its way.
struct Sending {
    batch: Batch,
    message: BatchMessage,
    /// Bytes of the message handed over so far.
    sent: usize,
    taken: oneshot::Sender<()>,
}

impl PutBody {
    pub(super) fn new(
        vectors: Vectors,
        ids: IdType,
        first: Vec<u8>,
        orders: mpsc::Receiver<Order>,
        progress: Progress,
    ) -> Self {
        Self { vectors, ids, orders, first: Some(first.into()), sending: None, handed: 0, progress }
    }
}

impl Body for PutBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        // Asked for more: what was handed over before has been taken.
        let handed = std::mem::take(&mut self.handed);
        self.progress.take(handed);
        if let Some(first) = self.first.take() {
            self.handed = first.len();
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        if self.sending.is_none() {
            let Some((batch, taken)) = ready!(self.orders.poll_recv(cx)) else { return Poll::Ready(None) };
            let message = BatchMessage::new(self.ids, self.vectors.dim() as u32, batch.first, batch.rows);
            self.sending = Some(Sending { batch, message, sent: 0, taken });
        }
        let vectors = self.vectors;
        let Some(mut sending) = self.sending.take() else { return Poll::Ready(None) };
        let piece = sending.piece(vectors);
        if sending.is_over() {
            // Whoever waited may have given up.
            let _ = sending.taken.send(());
        } else {
            self.sending = Some(sending);
        }
        self.handed = piece.len();
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

impl Sending {
    fn is_over(&self) -> bool {
        self.sent >= self.message.head.len() + self.message.vector_bytes + self.message.tail
    }

    /// The next piece of the message.
    fn piece(&mut self, vectors: Vectors) -> Bytes {
        let head = self.message.head.len();
        let in_all = head + self.message.vector_bytes + self.message.tail;
        let mut piece = BytesMut::with_capacity(PIECE_BYTES.min(in_all - self.sent));
        if self.sent < head {
            let end = head.min(self.sent + PIECE_BYTES);
            piece.extend_from_slice(&self.message.head[self.sent..end]);
            self.sent = end;
        }
        let vectors_end = head + self.message.vector_bytes;
        while self.sent >= head && self.sent < vectors_end && PIECE_BYTES - piece.len() >= 4 {
            let room = (PIECE_BYTES - piece.len()).min(vectors_end - self.sent) / 4;
            self.components(vectors, room, &mut piece);
        }
        if self.sent >= vectors_end && piece.len() + self.message.tail <= PIECE_BYTES {
            piece.extend_from_slice(&[0; 8][..self.message.tail.min(8)]);
            self.sent = in_all;
        }
        piece.freeze()
    }

    /// Appends up to `room` components of the row that is next.
    fn components(&mut self, vectors: Vectors, room: usize, piece: &mut BytesMut) {
        let at = (self.sent - self.message.head.len()) / 4;
        let (row, from) = (at / vectors.dim(), at % vectors.dim());
        let count = room.min(vectors.dim() - from);
        let mut components = [0.0_f32; 512];
        let row = vectors.row(self.batch.first + self.batch.version + row as u64);
        for start in (0..count).step_by(components.len()) {
            let part = &mut components[..(count - start).min(512)];
            vectors.fill(row, from + start, part);
            for component in part {
                piece.extend_from_slice(&component.to_le_bytes());
            }
        }
        self.sent += count * 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use soak_scenario::Distribution;
    use soak_workload::SECOND_VERSION;

    #[test]
    fn pieces_add_up_to_the_vectors() {
        for (dim, rows, version) in [(3, 5, 0), (1000, 700, 0), (3072, 500, SECOND_VERSION)] {
            let vectors = Vectors::new(Distribution::Uniform, dim, 1, "soak");
            let message = BatchMessage::new(IdType::Int64, dim, 7, rows);
            let mut expected = message.head.clone();
            for row in 7..7 + u64::from(rows) {
                expected.extend(vectors.vector(row + version).into_iter().flat_map(f32::to_le_bytes));
            }
            expected.resize(expected.len() + message.tail, 0);
            let (taken, _) = oneshot::channel();
            let mut sending = Sending { batch: Batch { first: 7, rows, version }, message, sent: 0, taken };
            let mut bytes = Vec::new();
            while !sending.is_over() {
                let piece = sending.piece(vectors);
                assert!(!piece.is_empty() && piece.len() <= PIECE_BYTES);
                bytes.extend_from_slice(&piece);
            }
            assert!(bytes == expected, "dim {dim}, {rows} rows");
        }
    }
}
