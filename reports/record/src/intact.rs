//! How far an Arrow IPC stream can be believed. Its reader allocates as much as a compressed buffer says that it holds; of a damaged one that can be more than there is on
//! earth, and an allocation that fails ends the process. So those lengths are looked at first.
//!
//! A message is `ff ff ff ff`, the length of its metadata (i32), the metadata (a flatbuffer), and the body; each compressed buffer of a body begins with its length
//! uncompressed (i64): <https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format>.

use arrow_ipc::root_as_message;

const PREFIX: usize = 8;
/// What every message begins with.
pub(crate) const CONTINUATION: [u8; 4] = [0xff; 4];
/// More rows than any writer puts into one batch.
const ROWS_MAX: usize = 1 << 20;
/// Of the widest column, and what padding may add.
const ROW_BYTES: usize = 8;
const PADDING: usize = 64;

/// The length of the messages at the start of these bytes that are whole and say nothing impossible of themselves.
pub(crate) fn length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(next) = message_end(bytes, at) {
        at = next;
    }
    at
}

/// Where the message that begins at `at` ends; `None` where it is broken off, damaged, or the end of the stream.
fn message_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..).filter(|rest| rest.starts_with(&CONTINUATION))?;
    let metadata_bytes = usize::try_from(i32::from_le_bytes(rest.get(4..PREFIX)?.try_into().ok()?)).ok()?;
    if metadata_bytes == 0 {
        return None;
    }
    let metadata = rest.get(PREFIX..PREFIX.checked_add(metadata_bytes)?)?;
    let message = root_as_message(metadata).ok()?;
    let body = &rest[PREFIX + metadata_bytes..];
    let body = body.get(..usize::try_from(message.bodyLength()).ok()?)?;
    if let Some(batch) = message.header_as_record_batch() {
        let rows = usize::try_from(batch.length()).ok().filter(|rows| *rows <= ROWS_MAX)?;
        for buffer in batch.buffers().into_iter().flatten() {
            let (from, length) = (usize::try_from(buffer.offset()).ok()?, usize::try_from(buffer.length()).ok()?);
            let buffer = body.get(from..from.checked_add(length)?)?;
            let Some(prefix) = buffer.first_chunk::<PREFIX>() else { continue };
            let compressed = batch.compression().is_some();
            if compressed && i64::from_le_bytes(*prefix) > (rows * ROW_BYTES + PADDING) as i64 {
                return None;
            }
        }
    }
    Some(at + PREFIX + metadata_bytes + body.len())
}
