// The Flight service with Longbow's contract: put, get, and the actions of the meta plane. Both planes serve all of it.

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// messageBytesMax is the largest message taken: what Longbow takes.
const messageBytesMax = 512 << 20

// getRows is the rows of a message of DoGet at most.
const getRows = 1024

// slowDownAnswer is what Longbow says when a client should send less.
const slowDownAnswer = `{"status":"slow_down","reason":"index_backlog"}`

// Planes is the service.
type Planes struct {
	flight.BaseFlightServer
	store *Store
}

// serveFlight serves one plane, for ever.
func serveFlight(store *Store, listener net.Listener) {
	server := grpc.NewServer(grpc.MaxRecvMsgSize(messageBytesMax), grpc.MaxSendMsgSize(messageBytesMax),
		grpc.ForceServerCodecV2(codec{}), experimental.BufferPool(mem.NopBufferPool{}))
	flight.RegisterFlightServiceServer(server, &Planes{store: store})
	fail(exitPlatform, server.Serve(listener))
}

// codec is protobuf without gRPC's buffer pools. They would hold messages as large as the largest for two collections, and the runtime
// would take them for memory that is worth keeping: floors of 50 MiB where 7 are in use.
type codec struct{}

func (codec) Name() string { return "proto" }

func (codec) Marshal(message any) (mem.BufferSlice, error) {
	data, err := proto.Marshal(message.(proto.Message))
	return mem.BufferSlice{mem.SliceBuffer(data)}, err
}

func (codec) Unmarshal(data mem.BufferSlice, message any) error {
	return proto.Unmarshal(data.Materialize(), message.(proto.Message))
}

// messages is the Arrow messages of a put. Unlike the library's own reader, it does not hold on to the last one while it waits for the next.
type messages struct {
	stream flight.FlightService_DoPutServer
	first  *flight.FlightData
}

func (m *messages) Message() (*ipc.Message, error) {
	data := m.first
	m.first = nil
	if data == nil {
		var err error
		if data, err = m.stream.Recv(); err != nil {
			return nil, err
		}
	}
	if len(data.DataHeader) == 0 {
		return nil, invalid("a message without an Arrow header")
	}
	return ipc.NewMessage(memory.NewBufferBytes(data.DataHeader), memory.NewBufferBytes(data.DataBody)), nil
}

func (m *messages) Retain()  {}
func (m *messages) Release() {}

// DoPut takes record batches and answers each.
func (p *Planes) DoPut(stream flight.FlightService_DoPutServer) error {
	first, err := stream.Recv()
	if errors.Is(err, io.EOF) {
		return invalid("an empty stream")
	}
	if err != nil {
		return err
	}
	path := first.GetFlightDescriptor().GetPath()
	if len(path) == 0 || path[0] == "" {
		return invalid("the first message needs a descriptor whose path names the dataset")
	}
	reader, err := ipc.NewReaderFromMessageReader(&messages{stream, first}, ipc.WithAllocator(allocator))
	if err != nil {
		return putError(err)
	}
	for reader.Next() {
		p.store.leaks.lock.pass("put")
		slowDown, err := p.store.put(path[0], reader.RecordBatch())
		if err != nil {
			return err
		}
		answer := &flight.PutResult{}
		if slowDown {
			answer.AppMetadata = []byte(slowDownAnswer)
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
	return putError(reader.Err())
}

// putError passes on what went wrong in transport; the rest is the client's mistake.
func putError(err error) error {
	if _, isStatus := status.FromError(err); err == nil || isStatus {
		return err
	}
	return invalid("%v", err)
}

// A request is the body of any action, or a ticket. What is nil was not given.
type request struct {
	Dataset  *string
	Vector   []float32
	K        *uint32
	ID       *string
	VectorID *uint32 `json:"vector_id"`

	Name   *string
	Limit  *uint32
	Search *request
}

func readRequest(body []byte, what string) (*request, error) {
	var read request
	if err := json.Unmarshal(body, &read); err != nil {
		return nil, invalid("%s: %v", what, err)
	}
	return &read, nil
}

// DoGet gives the rows of a dataset, or of a search.
func (p *Planes) DoGet(ticket *flight.Ticket, stream flight.FlightService_DoGetServer) error {
	record, err := p.get(ticket.GetTicket())
	if err != nil {
		return err
	}
	writer := flight.NewRecordWriter(stream, ipc.WithSchema(record.Schema()), ipc.WithAllocator(allocator))
	for row := int64(0); row < record.NumRows(); row += getRows {
		if err := writer.Write(record.NewSlice(row, min(row+getRows, record.NumRows()))); err != nil {
			return err
		}
	}
	return writer.Close()
}

func (p *Planes) get(ticket []byte) (arrow.RecordBatch, error) {
	wanted, err := readRequest(ticket, "ticket")
	if err != nil {
		return nil, err
	}
	if wanted.Search != nil {
		return p.search(wanted.Search)
	}
	if wanted.Name == nil {
		return nil, invalid("ticket: expected name or search")
	}
	dataset, err := p.store.dataset(*wanted.Name)
	if err != nil {
		return nil, err
	}
	limit := math.MaxInt
	if wanted.Limit != nil {
		limit = int(*wanted.Limit)
	}
	ids, vectors := dataset.scan(limit)
	return rowsRecord(dataset.dim, ids, vectors), nil
}

func (p *Planes) search(wanted *request) (arrow.RecordBatch, error) {
	if wanted.Dataset == nil || wanted.Vector == nil || wanted.K == nil {
		return nil, invalid("a search needs dataset, vector and k")
	}
	p.store.leaks.lock.pass("search")
	hits, err := p.store.search(*wanted.Dataset, wanted.Vector, int(*wanted.K))
	if err != nil {
		return nil, err
	}
	return hitsRecord(hits), nil
}

// DoAction does one of the meta plane's actions.
func (p *Planes) DoAction(action *flight.Action, stream flight.FlightService_DoActionServer) error {
	answer, err := p.act(action.GetType(), action.GetBody())
	if err != nil {
		return err
	}
	return stream.Send(&flight.Result{Body: answer})
}

func (p *Planes) act(kind string, body []byte) ([]byte, error) {
	switch kind {
	case "cluster-status":
		return nil, status.Error(codes.Unavailable, "gossip is not enabled")
	case "VectorSearch", "check_readiness", "delete", "delete-vector", "delete-dataset":
	default:
		return nil, invalid("unknown action %q", kind)
	}
	wanted, err := readRequest(body, kind)
	if err != nil {
		return nil, err
	}
	if wanted.Dataset == nil {
		return nil, invalid("%s: expected dataset", kind)
	}
	switch kind {
	case "VectorSearch":
		record, err := p.search(wanted)
		if err != nil {
			return nil, err
		}
		return ipcStream(record)
	case "check_readiness":
		return p.readiness(*wanted.Dataset), nil
	case "delete-dataset":
		err = p.store.deleteDataset(*wanted.Dataset)
	default:
		err = p.delete(kind, wanted)
	}
	return []byte("deleted"), err
}

func (p *Planes) readiness(name string) []byte {
	dataset, err := p.store.dataset(name)
	if err != nil {
		return []byte(`{"status":"NOT_FOUND","reason":"no such dataset","index_len":0}`)
	}
	stats := dataset.stats()
	if stats.waiting == 0 {
		return fmt.Appendf(nil, `{"status":"READY","reason":"","index_len":%d}`, stats.nodes)
	}
	return fmt.Appendf(nil, `{"status":"BUSY","reason":"%d rows wait for the index","index_len":%d}`, stats.waiting, stats.nodes)
}

// delete removes a row: by its id, or by its number.
func (p *Planes) delete(kind string, wanted *request) error {
	name := *wanted.Dataset
	if kind == "delete" {
		if wanted.ID == nil {
			return invalid("delete: expected id")
		}
		p.store.leaks.lock.pass("delete")
		found, err := p.store.delete(name, *wanted.ID)
		if err == nil && !found {
			err = status.Errorf(codes.NotFound, "dataset %q has no row with id %q", name, *wanted.ID)
		}
		return err
	}
	if wanted.VectorID == nil {
		return invalid("delete-vector: expected vector_id")
	}
	dataset, err := p.store.dataset(name)
	if err != nil {
		return err
	}
	found, err := dataset.deleteRow(int(*wanted.VectorID))
	if err == nil && !found {
		err = status.Errorf(codes.NotFound, "dataset %q has no live row %d", name, *wanted.VectorID)
	}
	return err
}

// ListActions tells what DoAction does.
func (p *Planes) ListActions(_ *flight.Empty, stream flight.FlightService_ListActionsServer) error {
	for _, action := range [][2]string{
		{"VectorSearch", "nearest neighbours: {dataset, vector, k}"},
		{"check_readiness", "whether all rows are indexed: {dataset}"},
		{"delete", "delete a row by id: {dataset, id}"},
		{"delete-vector", "delete a row by number: {dataset, vector_id}"},
		{"delete-dataset", "drop a dataset: {dataset}"},
	} {
		if err := stream.Send(&flight.ActionType{Type: action[0], Description: action[1]}); err != nil {
			return err
		}
	}
	return nil
}

// ipcStream is a record batch as a complete Arrow IPC stream.
func ipcStream(record arrow.RecordBatch) ([]byte, error) {
	var stream bytes.Buffer
	writer := ipc.NewWriter(&stream, ipc.WithSchema(record.Schema()), ipc.WithAllocator(allocator))
	if err := writer.Write(record); err != nil {
		return nil, err
	}
	err := writer.Close()
	return stream.Bytes(), err
}
