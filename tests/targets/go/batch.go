// Record batches as clients send them (an id column, a vector column, anything else ignored) and as they are answered.

package main

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// dimMax is what the wire formats of other stores allow.
const dimMax = 65_536

// allocator is the plain Go heap: batches are garbage like everything else.
var allocator = memory.NewGoAllocator()

// Batch is the rows of a record batch; the vectors stay in its own buffer.
type Batch struct {
	ids     []RowID
	vectors []float32
	dim     int
}

func readBatch(record arrow.RecordBatch) (Batch, error) {
	column := func(name string) (arrow.Array, error) {
		found := record.Schema().FieldIndices(name)
		if len(found) == 0 {
			return nil, invalid("the batch has no column %q; expected id: int64 or utf8, vector: fixed_size_list<float32>", name)
		}
		return record.Column(found[0]), nil
	}
	vector, err := column("vector")
	if err != nil {
		return Batch{}, err
	}
	var values *array.Float32
	list, ok := vector.(*array.FixedSizeList)
	if ok {
		values, ok = list.ListValues().(*array.Float32)
	}
	if !ok {
		return Batch{}, invalid(`column "vector" is not fixed_size_list<float32>`)
	}
	dim := int(list.DataType().(*arrow.FixedSizeListType).Len())
	if dim == 0 || dim > dimMax {
		return Batch{}, invalid("a vector has %d components; expected 1 to %d", dim, dimMax)
	}
	if list.NullN() > 0 || values.NullN() > 0 {
		return Batch{}, invalid(`column "vector" has nulls`)
	}
	id, err := column("id")
	if err != nil {
		return Batch{}, err
	}
	ids, err := readIDs(id)
	if err != nil {
		return Batch{}, err
	}
	start := list.Data().Offset() * dim
	if len(ids) != list.Len() || start+list.Len()*dim > values.Len() {
		return Batch{}, invalid("the columns differ in length")
	}
	return Batch{ids, values.Float32Values()[start : start+list.Len()*dim], dim}, nil
}

func readIDs(column arrow.Array) ([]RowID, error) {
	if column.NullN() > 0 {
		return nil, invalid(`column "id" has nulls`)
	}
	ids := make([]RowID, column.Len())
	switch column := column.(type) {
	case *array.Int64:
		for i, number := range column.Int64Values() {
			ids[i].number = number
		}
	case *array.String:
		for i := range ids {
			// A copy, or the id would hold the whole batch.
			ids[i] = RowID{text: strings.Clone(column.Value(i)), isText: true}
		}
	default:
		return nil, invalid(`column "id" is %s; expected int64 or utf8`, column.DataType())
	}
	return ids, nil
}

// idColumn holds these ids; all of one type, that of the first.
func idColumn(ids []RowID) arrow.Array {
	if len(ids) > 0 && ids[0].isText {
		builder := array.NewStringBuilder(allocator)
		for _, id := range ids {
			builder.Append(id.String())
		}
		return builder.NewArray()
	}
	builder := array.NewInt64Builder(allocator)
	builder.Reserve(len(ids))
	for _, id := range ids {
		builder.Append(id.number)
	}
	return builder.NewArray()
}

// floats is an array over a slice, which is not copied.
func floats(values []float32) arrow.Array {
	buffer := memory.NewBufferBytes(arrow.Float32Traits.CastToBytes(values))
	return array.NewFloat32Data(array.NewData(arrow.PrimitiveTypes.Float32, len(values), []*memory.Buffer{nil, buffer}, nil, 0, 0))
}

// rowsRecord is a record batch of `id` and `vector`.
func rowsRecord(dim int, ids []RowID, vectors []float32) arrow.RecordBatch {
	item := arrow.Field{Name: "item", Type: arrow.PrimitiveTypes.Float32}
	list := arrow.FixedSizeListOfField(int32(dim), item)
	values := []arrow.ArrayData{floats(vectors).Data()}
	data := array.NewData(list, len(ids), []*memory.Buffer{nil}, values, 0, 0)
	return withIDs(ids, "vector", array.NewFixedSizeListData(data))
}

// hitsRecord is a record batch of `id` and `score`, best first.
func hitsRecord(hits []Hit) arrow.RecordBatch {
	ids, scores := make([]RowID, len(hits)), make([]float32, len(hits))
	for i, hit := range hits {
		ids[i], scores[i] = hit.id, hit.score
	}
	return withIDs(ids, "score", floats(scores))
}

func withIDs(ids []RowID, name string, column arrow.Array) arrow.RecordBatch {
	first := idColumn(ids)
	fields := []arrow.Field{{Name: "id", Type: first.DataType()}, {Name: name, Type: column.DataType()}}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), []arrow.Array{first, column}, int64(len(ids)))
}
