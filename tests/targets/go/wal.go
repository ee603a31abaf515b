// The log of a dataset: what is acknowledged is appended to a file before the answer, and read back at boot.
//
// Records are handed to the kernel and not synced: they outlive the process however it ends, and not a power cut.
//
// A file is a head and records. The head is logMagic, the components of a vector and a checksum; a record is the length of its body, the
// body's checksum, a checksum of these two, and the body: rows that were put, or an id that was deleted. All numbers are 32 bits, least
// significant byte first. The embedded target writes the same.

package main

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/apache/arrow-go/v18/arrow"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// logMagic is the first bytes of a log; the digit is the version of the format.
	logMagic = "SOAKLOG1"
	// fileHeadBytes are for magic, components and checksum.
	fileHeadBytes = 16
	// recordHeadBytes are for length and checksum of the body, and a checksum of these.
	recordHeadBytes = 12
)

// The first byte of a body, and of an id.
const (
	bodyPut    = 1
	bodyDelete = 2
	idNumber   = 0
	idText     = 1
)

var little = binary.LittleEndian

// logTotals is what all logs hold and what went wrong with them.
type logTotals struct{ bytes, errors atomic.Int64 }

// A Log is the log of one dataset, open for appending. A nil log takes everything and keeps nothing.
type Log struct {
	path string
	file *os.File
	// len is where the whole records end.
	len int64
	// torn tells that there may be part of a record behind len, which could not be cut off.
	torn bool
	// removed: a dataset that is dropped has no log, whatever is still under way in it.
	removed bool
	totals  *logTotals
}

// createLog makes a log without records, in place of whatever was there.
func createLog(path string, dim int, totals *logTotals) (*Log, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, totals.failed(path, err, fileHeadBytes)
	}
	if _, err := file.WriteAt(fileHead(uint32(dim)), 0); err != nil {
		file.Close()
		_ = os.Remove(path) // what cannot be removed either is a torn head, and no harm at the next boot
		return nil, totals.failed(path, err, fileHeadBytes)
	}
	return openedLog(path, file, fileHeadBytes, totals), nil
}

func openedLog(path string, file *os.File, length int64, totals *logTotals) *Log {
	totals.bytes.Add(length)
	return &Log{path: path, file: file, len: length, totals: totals}
}

// put appends rows; vectors holds the components of all of them.
func (l *Log) put(ids []RowID, vectors []float32) error {
	if l == nil {
		return nil
	}
	front := little.AppendUint32([]byte{bodyPut}, uint32(len(ids)))
	for _, id := range ids {
		front = id.appendTo(front)
	}
	return l.append(front, arrow.Float32Traits.CastToBytes(vectors))
}

// delete appends an id.
func (l *Log) delete(id RowID) error {
	if l == nil {
		return nil
	}
	return l.append(id.appendTo([]byte{bodyDelete}))
}

// append appends a record whose body has these parts. Either all of it is there afterwards, or nothing.
func (l *Log) append(body ...[]byte) error {
	if l.removed {
		return nil
	}
	at, err := l.len, l.cut()
	for _, part := range append([][]byte{recordHead(body)}, body...) {
		if err == nil {
			_, err = l.file.WriteAt(part, at)
		}
		at += int64(len(part))
	}
	if err != nil {
		l.torn = true
		_ = l.cut() // tried again before the next record
		return l.totals.failed(l.path, err, at-l.len)
	}
	l.totals.bytes.Add(at - l.len)
	l.len = at
	return nil
}

// cut cuts off what is left of a record that could not be written.
func (l *Log) cut() error {
	if l.torn {
		if err := l.file.Truncate(l.len); err != nil {
			return err
		}
		l.torn = false
	}
	return nil
}

// remove removes the file. What is appended later is nobody's.
func (l *Log) remove() error {
	if l == nil {
		return nil
	}
	if err := os.Remove(l.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return l.totals.failed(l.path, err, 0)
	}
	l.removed = true
	l.close()
	return nil
}

func (l *Log) close() {
	l.file.Close()
	l.totals.bytes.Add(-l.len)
	l.len = 0
}

// A rewrite is a log that is to take another's place.
type rewrite struct {
	*Log
	// from here on, records of the old log came after this one began.
	from int64
}

// beginRewrite begins one. Whoever calls puts the rows that live at this moment into it, and finishes it or gives it up.
func (l *Log) beginRewrite(dim int) (rewrite, error) {
	log, err := createLog(l.path+rewrittenEnding, dim, l.totals)
	return rewrite{log, l.len}, err
}

// giveUp leaves no file.
func (r rewrite) giveUp() {
	r.close()
	_ = os.Remove(r.path) // what stays is removed at the next boot
}

// finishRewrite appends what was logged since it began, and puts it in this one's place.
func (l *Log) finishRewrite(fresh rewrite) error {
	if l.removed {
		fresh.giveUp()
		return nil
	}
	since := l.len - fresh.from
	_, err := io.Copy(io.NewOffsetWriter(fresh.file, fresh.len), io.NewSectionReader(l.file, fresh.from, since))
	if err == nil {
		err = os.Rename(fresh.path, l.path)
	}
	if err != nil {
		fresh.giveUp()
		return l.totals.failed(l.path, err, since)
	}
	l.close()
	l.totals.bytes.Add(since)
	l.file, l.len, l.torn = fresh.file, fresh.len+since, false
	return nil
}

// failed counts an error of writing, and says what it means.
func (t *logTotals) failed(path string, err error, bytes int64) error {
	t.errors.Add(1)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		const text = "the disk is full: %d bytes more do not fit into %s; nothing was applied, send it again when there is room"
		return status.Errorf(codes.ResourceExhausted, text, bytes, path)
	}
	return status.Errorf(codes.Internal, "cannot write %s: %v; nothing was applied", path, cause(err))
}

// cause is an error without the operation and the path that the library puts before it.
func cause(err error) error {
	var onPath *fs.PathError
	if errors.As(err, &onPath) {
		return onPath.Err
	}
	return err
}

func fileHead(dim uint32) []byte {
	head := little.AppendUint32([]byte(logMagic), dim)
	return little.AppendUint32(head, crc32.ChecksumIEEE(head))
}

func recordHead(body [][]byte) []byte {
	length, sum := 0, uint32(0)
	for _, part := range body {
		length += len(part)
		sum = crc32.Update(sum, crc32.IEEETable, part)
	}
	// A message has 512 MiB at most.
	head := little.AppendUint32(nil, uint32(length))
	head = little.AppendUint32(head, sum)
	// A length that is damaged would make the rest of the file look like a torn record.
	return little.AppendUint32(head, crc32.ChecksumIEEE(head))
}

// appendTo appends the id as a log has it.
func (id RowID) appendTo(bytes []byte) []byte {
	if !id.isText {
		return little.AppendUint64(append(bytes, idNumber), uint64(id.number))
	}
	bytes = little.AppendUint32(append(bytes, idText), uint32(len(id.text)))
	return append(bytes, id.text...)
}
