//! Record batches as clients send them: an id column, a vector column, anything else ignored.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, Float32Array, Int64Array, RecordBatch, StringArray, UInt64Array,
};
use arrow_schema::{ArrowError, DataType, Field, Schema};

use crate::config::Dialect;
use crate::dataset::RowId;

/// Components of a vector at most; what the wire format of other stores allows.
const DIM_MAX: usize = 65_536;

/// Rows of a batch. The vectors stay in the batch's own buffer.
pub(crate) struct BatchRows {
    pub ids: Vec<RowId>,
    pub vectors: Float32Array,
    pub dim: usize,
}

impl BatchRows {
    fn new(ids: Vec<RowId>, list: &FixedSizeListArray) -> Result<Self, BatchError> {
        let dim = list.value_length() as usize;
        if dim == 0 || dim > DIM_MAX {
            return Err(BatchError::Dim(dim));
        }
        let values = list.values().as_primitive_opt::<Float32Type>().ok_or(BatchError::VectorType)?;
        if list.null_count() > 0 || values.null_count() > 0 {
            return Err(BatchError::Nulls("vector"));
        }
        let start = list.value_offset_at(0);
        Ok(Self { ids, vectors: values.slice(start, list.len() * dim), dim })
    }
}

/// What is wrong with a batch.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BatchError {
    #[error("the batch has no column {0:?}; expected id: int64 or utf8, vector: fixed_size_list<float32>")]
    NoColumn(&'static str),
    #[error("column \"id\" is {0}; expected int64 or utf8")]
    IdType(DataType),
    #[error("column \"vector\" is not fixed_size_list<float32>")]
    VectorType,
    #[error("a vector has {0} components; expected 1 to {DIM_MAX}")]
    Dim(usize),
    #[error("column {0:?} has nulls")]
    Nulls(&'static str),
}

/// The rows of a batch.
pub(crate) fn rows(batch: &RecordBatch) -> Result<BatchRows, BatchError> {
    let column = |name| batch.column_by_name(name).ok_or(BatchError::NoColumn(name));
    let vector = column("vector")?;
    let list = vector.as_fixed_size_list_opt().ok_or(BatchError::VectorType)?;
    BatchRows::new(ids(column("id")?)?, list)
}

fn ids(column: &ArrayRef) -> Result<Vec<RowId>, BatchError> {
    if column.null_count() > 0 {
        return Err(BatchError::Nulls("id"));
    }
    match column.data_type() {
        DataType::Int64 => Ok(column.as_primitive::<Int64Type>().values().iter().map(|id| RowId::Int(*id)).collect()),
        DataType::Utf8 => Ok(column.as_string::<i32>().iter().flatten().map(|id| RowId::Text(id.into())).collect()),
        other => Err(BatchError::IdType(other.clone())),
    }
}

/// The column of these ids; all of one type, that of the first.
fn id_column(ids: &[RowId]) -> ArrayRef {
    let text = |id: &RowId| match id {
        RowId::Int(number) => number.to_string(),
        RowId::Text(text) => text.to_string(),
    };
    match ids.first() {
        Some(RowId::Text(_)) => Arc::new(StringArray::from_iter_values(ids.iter().map(text))),
        _ => Arc::new(Int64Array::from_iter_values(ids.iter().map(|id| match id {
            RowId::Int(number) => *number,
            RowId::Text(text) => text.parse().unwrap_or_default(),
        }))),
    }
}

/// A batch of `id` and `vector`.
pub(crate) fn of_rows(dim: usize, rows: Vec<(RowId, Vec<f32>)>) -> Result<RecordBatch, ArrowError> {
    let (ids, vectors): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    let item = Arc::new(Field::new("item", DataType::Float32, false));
    let values = Arc::new(Float32Array::from_iter_values(vectors.into_iter().flatten()));
    let vector: ArrayRef = Arc::new(FixedSizeListArray::try_new(item, dim as i32, values, None)?);
    with_ids(&ids, "vector", vector)
}

/// A batch of `id` and `score`, best first.
pub(crate) fn of_found(found: &[(RowId, f32)], dialect: Dialect) -> Result<RecordBatch, ArrowError> {
    let (ids, scores): (Vec<_>, Vec<_>) = found.iter().cloned().unzip();
    let ids = match dialect {
        Dialect::Own => id_column(&ids),
        Dialect::Longbow => cast_unsigned(&id_column(&ids)),
    };
    table(ids, "score", Arc::new(Float32Array::from(scores)))
}

/// Integer ids as `uint64`; others as they are.
fn cast_unsigned(ids: &ArrayRef) -> ArrayRef {
    match ids.as_primitive_opt::<Int64Type>() {
        Some(ids) => Arc::new(UInt64Array::from_iter_values(ids.values().iter().map(|id| id.cast_unsigned()))),
        None => Arc::clone(ids),
    }
}

fn with_ids(ids: &[RowId], name: &str, column: ArrayRef) -> Result<RecordBatch, ArrowError> {
    table(id_column(ids), name, column)
}

fn table(ids: ArrayRef, name: &str, column: ArrayRef) -> Result<RecordBatch, ArrowError> {
    let fields =
        vec![Field::new("id", ids.data_type().clone(), false), Field::new(name, column.data_type().clone(), false)];
    RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![ids, column])
}
