//! Flight messages as bytes: gRPC frame, protobuf envelope, Arrow IPC header. Vectors are not in it; they are generated while they are sent.
//!
//! Sources: gRPC over HTTP/2 (length-prefixed message), Flight.proto (`FlightData`), Arrow's columnar format (encapsulated message, record batch).

use arrow_flight::{FlightData, FlightDescriptor, SchemaAsIpc};
use arrow_ipc::writer::IpcWriteOptions;
use arrow_ipc::{
    Buffer, FieldNode, Message, MessageArgs, MessageHeader, MetadataVersion, RecordBatch, RecordBatchArgs,
};
use arrow_schema::{DataType, Field, Schema};
use flatbuffers::FlatBufferBuilder;
use prost::Message as _;
use prost::encoding::{encode_key, encode_varint};
use soak_scenario::IdType;
use std::sync::Arc;

/// Characters of a utf8 id.
const TEXT_ID_BYTES: usize = 16;

/// Bytes of the gRPC frame header.
const FRAME_BYTES: usize = 5;

/// Field numbers of `FlightData`.
const DATA_HEADER: u32 = 2;
const DATA_BODY: u32 = 1000;

/// The columns of the rows that are sent.
pub(super) fn schema(ids: IdType, dim: u32) -> Schema {
    let id = match ids {
        IdType::Int64 => DataType::Int64,
        IdType::Utf8 => DataType::Utf8,
    };
    let item = Arc::new(Field::new("item", DataType::Float32, true));
    let vector = DataType::FixedSizeList(item, dim.cast_signed());
    Schema::new(vec![Field::new("id", id, true), Field::new("vector", vector, true)])
}

/// A row's id as text.
pub(super) fn text_id(id: u64) -> String {
    format!("{id:0TEXT_ID_BYTES$}")
}

/// The first message of a stream, framed: descriptor and schema.
pub(super) fn first_message(dataset: &str, ids: IdType, dim: u32) -> Vec<u8> {
    let schema = schema(ids, dim);
    let message: FlightData = SchemaAsIpc::new(&schema, &IpcWriteOptions::default()).into();
    let message = message.with_descriptor(FlightDescriptor::new_path(vec![dataset.to_owned()]));
    let mut bytes = frame(message.encoded_len());
    // A vector grows: it cannot fail.
    let _ = message.encode(&mut bytes);
    bytes
}

/// A gRPC frame header for a message of this length.
pub(crate) fn frame(length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FRAME_BYTES + length.min(1 << 16));
    bytes.push(0);
    bytes.extend_from_slice(&(length as u32).to_be_bytes());
    bytes
}

/// A record batch on the wire: `head`, then `vector_bytes` of components, then `tail` zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BatchMessage {
    /// Frame, envelope, IPC header, the id column, padding.
    pub(super) head: Vec<u8>,
    /// Bytes of the vector column.
    pub(super) vector_bytes: usize,
    /// Padding.
    pub(super) tail: usize,
}

impl BatchMessage {
    /// The message of `rows` rows from `first` on.
    pub(super) fn new(ids: IdType, dim: u32, first: u64, rows: u32) -> Self {
        let (rows_in_all, dim) = (rows as usize, dim as usize);
        let vector_bytes = rows_in_all * dim * 4;
        let column = id_column(ids, first, rows);
        let mut body = Vec::new();
        let mut buffers = vec![Buffer::new(0, 0)];
        for part in column {
            buffers.push(Buffer::new(body.len() as i64, part.len() as i64));
            body.extend_from_slice(&part);
            body.resize(padded(body.len()), 0);
        }
        // No validity for the list and for its items, then the items.
        buffers.extend([Buffer::new(body.len() as i64, 0); 2]);
        buffers.push(Buffer::new(body.len() as i64, vector_bytes as i64));
        let tail = padded(vector_bytes) - vector_bytes;
        let body_length = body.len() + vector_bytes + tail;
        let rows = i64::from(rows);
        let nodes = [FieldNode::new(rows, 0), FieldNode::new(rows, 0), FieldNode::new(rows * dim as i64, 0)];
        let header = ipc_header(rows, &nodes, &buffers, body_length);
        let mut envelope = Vec::with_capacity(header.len() + 24);
        encode_key(DATA_HEADER, prost::encoding::WireType::LengthDelimited, &mut envelope);
        encode_varint(header.len() as u64, &mut envelope);
        envelope.extend_from_slice(&header);
        encode_key(DATA_BODY, prost::encoding::WireType::LengthDelimited, &mut envelope);
        encode_varint(body_length as u64, &mut envelope);
        let mut head = frame(envelope.len() + body_length);
        head.extend_from_slice(&envelope);
        head.extend_from_slice(&body);
        Self { head, vector_bytes, tail }
    }
}

/// The buffers of the id column, without its validity.
fn id_column(ids: IdType, first: u64, rows: u32) -> Vec<Vec<u8>> {
    let all = first..first + u64::from(rows);
    match ids {
        IdType::Int64 => vec![all.flat_map(|id| id.cast_signed().to_le_bytes()).collect()],
        IdType::Utf8 => {
            let offsets = (0..=rows).flat_map(|row| (row * TEXT_ID_BYTES as u32).to_le_bytes()).collect();
            vec![offsets, all.flat_map(|id| text_id(id).into_bytes()).collect()]
        }
    }
}

/// Arrow pads buffers to eight bytes at least.
fn padded(length: usize) -> usize {
    length.next_multiple_of(8)
}

fn ipc_header(rows: i64, nodes: &[FieldNode], buffers: &[Buffer], body_length: usize) -> Vec<u8> {
    let mut builder = FlatBufferBuilder::new();
    let nodes = builder.create_vector(nodes);
    let buffers = builder.create_vector(buffers);
    let batch =
        RecordBatchArgs { length: rows, nodes: Some(nodes), buffers: Some(buffers), ..RecordBatchArgs::default() };
    let batch = RecordBatch::create(&mut builder, &batch);
    let message = Message::create(
        &mut builder,
        &MessageArgs {
            version: MetadataVersion::V5,
            header_type: MessageHeader::RecordBatch,
            header: Some(batch.as_union_value()),
            bodyLength: body_length as i64,
            custom_metadata: None,
        },
    );
    builder.finish(message, None);
    builder.finished_data().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Array as _;
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::{Float32Type, Int64Type};
    use arrow_flight::utils::flight_data_to_batches;

    /// What a server would decode from the framed bytes.
    fn decode(frames: &[Vec<u8>]) -> arrow_array::RecordBatch {
        let messages: Vec<FlightData> = frames
            .iter()
            .map(|frame| {
                assert_eq!(frame[0], 0);
                let length = u32::from_be_bytes(frame[1..5].try_into().unwrap()) as usize;
                assert_eq!(length, frame.len() - 5, "the frame says how long the message is");
                FlightData::decode(&frame[5..]).unwrap()
            })
            .collect();
        assert_eq!(messages[0].flight_descriptor.as_ref().unwrap().path, ["soak"]);
        flight_data_to_batches(&messages).unwrap().remove(0)
    }

    fn whole(ids: IdType, dim: u32, first: u64, rows: u32) -> arrow_array::RecordBatch {
        let message = BatchMessage::new(ids, dim, first, rows);
        let components = (0..message.vector_bytes / 4).flat_map(|at| (at as f32).to_le_bytes());
        let mut bytes = message.head.clone();
        bytes.extend(components);
        bytes.resize(bytes.len() + message.tail, 0);
        decode(&[first_message("soak", ids, dim), bytes])
    }

    #[test]
    fn arrow_reads_what_was_written_by_hand() {
        for (dim, rows) in [(3, 5), (128, 1), (1, 7), (1536, 20)] {
            let batch = whole(IdType::Int64, dim, 40, rows);
            assert_eq!(batch.num_rows(), rows as usize);
            assert_eq!(batch.column(0).as_primitive::<Int64Type>().value(rows as usize - 1), 39 + i64::from(rows));
            let list = batch.column(1).as_fixed_size_list();
            let items = list.values().as_primitive::<Float32Type>();
            assert_eq!((list.value_length() as u32, items.len() as u32), (dim, dim * rows));
            assert!((items.value(items.len() - 1) - (items.len() - 1) as f32).abs() < 0.1);
            assert_eq!(items.null_count(), 0);
        }
    }

    #[test]
    fn text_ids_are_sixteen_digits() {
        let batch = whole(IdType::Utf8, 3, 98, 3);
        let ids: Vec<_> = batch.column(0).as_string::<i32>().iter().flatten().collect();
        assert_eq!(ids, ["0000000000000098", "0000000000000099", "0000000000000100"]);
    }
}
