// Reading a log back: record by record, in small pieces, so that no batch is held.

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
)

const (
	// pieceRows are read in one go.
	pieceRows = 128
	// replayBufferBytes is the buffer of a file that is read.
	replayBufferBytes = 256 << 10
)

// A replay is a log that is read back.
type replay struct {
	path    string
	file    *os.File
	input   *bufio.Reader
	fileLen int64
	// at is where the next record begins.
	at  int64
	dim int
}

// openReplay opens a log. One that was killed while it was made has no whole head, and nothing was acknowledged in it: it is removed, and
// nil.
func openReplay(path string) (*replay, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, unreadable(path, err)
	}
	r := &replay{path: path, file: file, input: bufio.NewReaderSize(file, replayBufferBytes), at: fileHeadBytes}
	if err := r.readHead(); err != nil || r.dim > 0 {
		if err != nil {
			file.Close()
			return nil, err
		}
		return r, nil
	}
	file.Close()
	if err := os.Remove(path); err != nil {
		return nil, fmt.Errorf("cannot write %s: %w; nothing was applied", path, cause(err))
	}
	return nil, nil
}

// readHead sets dim; to 0 where the head is torn.
func (r *replay) readHead() error {
	info, err := r.file.Stat()
	if err != nil {
		return unreadable(r.path, err)
	}
	r.fileLen = info.Size()
	head, there := make([]byte, fileHeadBytes), int(min(fileHeadBytes, r.fileLen))
	if _, err := io.ReadFull(r.input, head[:there]); err != nil {
		return unreadable(r.path, err)
	}
	dim := little.Uint32(head[8:])
	// Of a head that is cut off inside its checksum or before it, as much as is there has to be right.
	if !bytes.Equal(head[:there], fileHead(dim)[:there]) || there == fileHeadBytes && dim == 0 {
		return foreign(r.path, "it does not begin as one")
	}
	if there == fileHeadBytes {
		r.dim = int(dim)
	}
	return nil
}

// next hands over what the next record says, in pieces; false when there is none. A record that does not end within the file was never
// acknowledged.
func (r *replay) next(dataset *Dataset) (bool, error) {
	left := r.fileLen - r.at
	if left < recordHeadBytes {
		return false, nil
	}
	head := make([]byte, recordHeadBytes)
	if _, err := io.ReadFull(r.input, head); err != nil {
		return false, unreadable(r.path, err)
	}
	if crc32.ChecksumIEEE(head[:8]) != little.Uint32(head[8:]) {
		return false, r.damaged("the head of a record is not what was written")
	}
	length := int64(little.Uint32(head))
	if left-recordHeadBytes < length {
		return false, nil
	}
	sum := crc32.NewIEEE()
	limited := &io.LimitedReader{R: r.input, N: length}
	body := logBody{input: limited, left: &limited.N, sum: sum}
	var shape shapeError
	switch err := body.read(r.dim, dataset); {
	case errors.As(err, &shape):
		return false, r.damaged(string(shape))
	case err != nil:
		return false, unreadable(r.path, err)
	case limited.N > 0:
		return false, r.damaged("a record says less than it holds")
	case sum.Sum32() != little.Uint32(head[4:]):
		return false, r.damaged("a record is not what was written")
	}
	r.at += recordHeadBytes + length
	return true, nil
}

func (r *replay) damaged(problem string) error {
	const text = "%s is damaged at byte %d: %s; put back a good copy, or move it away to start without its rows"
	return fmt.Errorf(text, r.path, r.at, problem)
}

// log opens it for appending; what does not belong to a whole record is cut off.
func (r *replay) log(totals *logTotals) (*Log, error) {
	if r.fileLen > r.at {
		if err := r.file.Truncate(r.at); err != nil {
			return nil, fmt.Errorf("cannot write %s: %w; nothing was applied", r.path, cause(err))
		}
	}
	return openedLog(r.path, r.file, r.at, totals), nil
}

// A shapeError tells how a body does not say what a body says.
type shapeError string

func (e shapeError) Error() string { return string(e) }

// A logBody is the body of a record, summed while it is read.
type logBody struct {
	input io.Reader
	left  *int64
	sum   hash.Hash32
}

func (b logBody) read(dim int, dataset *Dataset) error {
	kind, err := b.bytes(1)
	if err != nil {
		return err
	}
	switch kind[0] {
	case bodyPut:
		return b.readPut(dim, dataset)
	case bodyDelete:
		id, err := b.id()
		if err == nil {
			_, err = dataset.delete(id)
		}
		return err
	}
	return shapeError("a record is of no kind that is known")
}

func (b logBody) readPut(dim int, dataset *Dataset) error {
	count, err := b.bytes(4)
	if err != nil {
		return err
	}
	// As many as are there: a count alone is no reason to allocate.
	var ids []RowID
	for range little.Uint32(count) {
		id, err := b.id()
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	vectors := make([]float32, pieceRows*dim)
	for len(ids) > 0 {
		piece := ids[:min(pieceRows, len(ids))]
		ids = ids[len(piece):]
		components := vectors[:len(piece)*dim]
		if err := b.fill(arrow.Float32Traits.CastToBytes(components)); err != nil {
			return err
		}
		if err := dataset.put(piece, components); err != nil {
			return err
		}
	}
	return nil
}

func (b logBody) id() (RowID, error) {
	kind, err := b.bytes(1)
	if err != nil {
		return RowID{}, err
	}
	switch kind[0] {
	case idNumber:
		number, err := b.bytes(8)
		if err != nil {
			return RowID{}, err
		}
		return RowID{number: int64(little.Uint64(number))}, nil
	case idText:
		length, err := b.bytes(4)
		if err != nil {
			return RowID{}, err
		}
		text, err := b.bytes(int64(little.Uint32(length)))
		if err == nil && !utf8.Valid(text) {
			err = shapeError("an id is no text")
		}
		return RowID{text: string(text), isText: true}, err
	}
	return RowID{}, shapeError("an id is of no kind that is known")
}

func (b logBody) bytes(count int64) ([]byte, error) {
	if count > *b.left {
		return nil, shapeError("a record ends too early")
	}
	read := make([]byte, count)
	return read, b.fill(read)
}

func (b logBody) fill(into []byte) error {
	if int64(len(into)) > *b.left {
		return shapeError("a record ends too early")
	}
	if _, err := io.ReadFull(b.input, into); err != nil {
		return err
	}
	_, err := b.sum.Write(into)
	return err
}
