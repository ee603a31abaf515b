// The folder of logs: one file a dataset, named after it, and one process at a time.

package main

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unicode/utf8"
)

const (
	// logEnding is what a log's name ends with.
	logEnding = ".log"
	// rewrittenEnding comes behind it while the log is being rewritten.
	rewrittenEnding = ".new"
)

// A logFolder is the folder of logs.
type logFolder struct {
	path   string
	totals *logTotals
	// lock is held as long as it is open: two processes would write over each other's records.
	lock *os.File
}

// openLogFolder makes the folder where it is missing, and takes it.
func openLogFolder(path string, totals *logTotals) (*logFolder, error) {
	err := os.MkdirAll(path, 0o755)
	var lock *os.File
	if err == nil {
		lock, err = os.Open(path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot write %s: %w; nothing was applied", path, cause(err))
	}
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		lock.Close()
		return nil, fmt.Errorf("%s is used by another process; stop that one, or choose another folder with --data-path", path)
	}
	return &logFolder{path, totals, lock}, nil
}

// create makes a log for a new dataset.
func (f *logFolder) create(dataset string, dim int) (*Log, error) {
	return createLog(filepath.Join(f.path, logName(dataset)), dim, f.totals)
}

// A namedLog is a dataset and its log.
type namedLog struct{ dataset, path string }

// logs are all of them, by name. What a rewriting left behind is removed.
func (f *logFolder) logs() ([]namedLog, error) {
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return nil, unreadable(f.path, err)
	}
	var logs []namedLog
	for _, entry := range entries {
		path := filepath.Join(f.path, entry.Name())
		if entry.IsDir() { // a file system of its own has a folder lost+found
			continue
		}
		if strings.HasSuffix(entry.Name(), logEnding+rewrittenEnding) {
			if err := os.Remove(path); err != nil {
				return nil, fmt.Errorf("cannot write %s: %w; nothing was applied", path, cause(err))
			}
			continue
		}
		dataset, ok := datasetOf(entry.Name())
		if !ok {
			return nil, foreign(path, "its name is not that of a dataset with .log behind it")
		}
		logs = append(logs, namedLog{dataset, path})
	}
	return logs, nil
}

func unreadable(path string, err error) error {
	return fmt.Errorf("cannot read %s: %w; make it readable, or choose another folder with --data-path", path, cause(err))
}

func foreign(path, problem string) error {
	return fmt.Errorf("%s is not a log of this store: %s; move it away, or choose another folder with --data-path", path, problem)
}

// logName is the name of a dataset's log: whatever is no letter, digit, `-` or `_` is written as `%xx`.
func logName(dataset string) string {
	var name strings.Builder
	for _, b := range []byte(dataset) {
		plain := 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '-' || b == '_'
		if plain {
			name.WriteByte(b)
		} else {
			fmt.Fprintf(&name, "%%%02x", b)
		}
	}
	return name.String() + logEnding
}

// datasetOf is the dataset of a log with this name; not ok for a name that no dataset's log has.
func datasetOf(name string) (dataset string, ok bool) {
	rest, ok := strings.CutSuffix(name, logEnding)
	var bytes []byte
	for ok && rest != "" {
		if rest[0] != '%' {
			bytes, rest = append(bytes, rest[0]), rest[1:]
			continue
		}
		decoded, err := hex.DecodeString(rest[1:min(3, len(rest))])
		if err != nil || len(decoded) == 0 {
			return "", false
		}
		bytes, rest = append(bytes, decoded...), rest[3:]
	}
	dataset = string(bytes)
	return dataset, ok && dataset != "" && utf8.Valid(bytes) && logName(dataset) == name
}
