// Logs that are written, cut off, damaged and rewritten.

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// logged is a log of three records, and where each ends.
func logged(t *testing.T) (path string, ends []int64) {
	folder := opened(t, t.TempDir())
	log, err := folder.create("d", 2)
	ends = append(ends, log.len)
	for _, write := range []func() error{
		func() error {
			return log.put([]RowID{{number: -7}, {text: "é", isText: true}}, []float32{1, 2, 3, 4.5})
		},
		func() error { return log.delete(RowID{text: "é", isText: true}) },
		func() error { return log.put([]RowID{{number: 9}}, []float32{5, 6}) },
	} {
		if err == nil {
			err = write()
		}
		ends = append(ends, log.len)
	}
	if err != nil {
		t.Fatal(err)
	}
	return log.path, ends
}

func opened(t *testing.T, path string) *logFolder {
	t.Helper()
	folder, err := openLogFolder(path, new(logTotals))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { folder.lock.Close() })
	return folder
}

// said is what a log says, as text: its live rows.
func said(path string) (string, *Log, error) {
	replay, err := openReplay(path)
	if err != nil || replay == nil {
		return "", nil, err
	}
	dataset := newDataset("d", replay.dim, 4, 4)
	for more := true; more; {
		if more, err = replay.next(dataset); err != nil {
			return "", nil, err
		}
	}
	log, err := replay.log(new(logTotals))
	ids, vectors := dataset.scan(1000)
	return fmt.Sprint(ids, vectors), log, err
}

func TestALogCutOffAnywhereKeepsWhatIsWholeAndGoesOn(t *testing.T) {
	path, ends := logged(t)
	whole, _ := os.ReadFile(path)
	states := []string{"[] []", "[-7 é] [1 2 3 4.5]", "[-7] [1 2]", "[-7 9] [1 2 5 6]"}
	for cut := range len(whole) + 1 {
		os.WriteFile(path, whole[:cut], 0o644)
		text, log, err := said(path)
		if int64(cut) < ends[0] {
			if _, gone := os.Stat(path); log != nil || err != nil || gone == nil {
				t.Fatalf("%d: a torn head: %v %v", cut, log, err)
			}
			continue
		}
		kept := -1
		for _, end := range ends {
			if end <= int64(cut) {
				kept++
			}
		}
		if info, _ := os.Stat(path); err != nil || text != states[kept] || info.Size() != ends[kept] {
			t.Fatalf("%d: %q %v", cut, text, err)
		}
		if err := log.put([]RowID{{number: 11}}, []float32{7, 8}); err != nil {
			t.Fatal(err)
		}
		if text, _, err = said(path); err != nil || !strings.Contains(text, "11]") || !strings.HasSuffix(text, "7 8]") {
			t.Fatalf("%d: %q %v", cut, text, err)
		}
	}
}

func TestAByteThatHasChangedIsAnErrorThatNamesTheFile(t *testing.T) {
	path, ends := logged(t)
	whole, _ := os.ReadFile(path)
	for at := range whole {
		changed := slices.Clone(whole)
		changed[at] ^= 0x10
		os.WriteFile(path, changed, 0o644)
		words := " is damaged at byte "
		if int64(at) < ends[0] {
			words = " is not a log of this store: it does not begin as one"
		}
		if _, _, err := said(path); err == nil || !strings.HasPrefix(err.Error(), path+words) {
			t.Errorf("%d: %v", at, err)
		}
		if left, _ := os.ReadFile(path); !slices.Equal(left, changed) {
			t.Errorf("%d: it is not left as it was found", at)
		}
	}
}

func TestARewrittenLogHasWhatCameMeanwhile(t *testing.T) {
	folder := opened(t, t.TempDir())
	log, _ := folder.create("d", 2)
	for range 50 {
		log.put([]RowID{{number: 1}}, []float32{1, 1})
	}
	fresh, _ := log.beginRewrite(2)
	fresh.giveUp()
	fresh, _ = log.beginRewrite(2)
	fresh.put([]RowID{{number: 1}}, []float32{1, 1})
	log.delete(RowID{number: 1})
	log.put([]RowID{{number: 2}}, []float32{2, 2})
	if err := log.finishRewrite(fresh); err != nil {
		t.Fatal(err)
	}
	log.put([]RowID{{number: 3}}, []float32{3, 3})
	info, _ := os.Stat(log.path)
	if text, _, err := said(log.path); text != "[2 3] [2 2 3 3]" || err != nil || info.Size() != folder.totals.bytes.Load() || info.Size() > 200 {
		t.Errorf("%q %v: %d bytes, %d counted", text, err, info.Size(), folder.totals.bytes.Load())
	}
	late, _ := log.beginRewrite(2)
	log.remove()
	if err := log.finishRewrite(late); err != nil || log.put([]RowID{{number: 3}}, []float32{3, 3}) != nil {
		t.Error("a log that is removed takes everything", err)
	}
	if left, _ := os.ReadDir(folder.path); len(left) != 0 || folder.totals.bytes.Load() != 0 {
		t.Errorf("%v is left, %d bytes", left, folder.totals.bytes.Load())
	}
}

func TestAFullDiskIsSaidAndCounted(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	totals := new(logTotals)
	log := openedLog("/dev/full", full, 0, totals)
	err = log.delete(RowID{number: 1})
	if err == nil || !strings.Contains(err.Error(), "the disk is full: 22 bytes more do not fit into /dev/full") || log.len != 0 || totals.errors.Load() != 1 {
		t.Error(err, log.len, totals.errors.Load())
	}
}

func TestAFolderIsOneProcesssAndHoldsLogsAlone(t *testing.T) {
	folder := opened(t, t.TempDir())
	if _, err := openLogFolder(folder.path, new(logTotals)); err == nil || !strings.Contains(err.Error(), "is used by another process") {
		t.Error(err)
	}
	folder.create("a/b", 2)
	os.WriteFile(filepath.Join(folder.path, "d.log.new"), nil, 0o644)
	if logs, err := folder.logs(); err != nil || len(logs) != 1 || logs[0].dataset != "a/b" {
		t.Error(logs, err)
	}
	if left, _ := os.ReadDir(folder.path); len(left) != 1 || left[0].Name() != "a%2fb.log" {
		t.Error(left)
	}
	os.WriteFile(filepath.Join(folder.path, "notes.txt"), nil, 0o644)
	if _, err := folder.logs(); err == nil || !strings.Contains(err.Error(), "notes.txt is not a log of this store") {
		t.Error(err)
	}
}

func TestEveryDatasetHasAFileNameThatLeadsBack(t *testing.T) {
	for _, dataset := range []string{"test", "a/b", "..", "é ü", "50%", "x.log", "UPPER_-9"} {
		name := logName(dataset)
		if back, ok := datasetOf(name); !ok || back != dataset || strings.Contains(name, "/") {
			t.Errorf("%q: %q, %q", dataset, name, back)
		}
	}
	for _, foreign := range []string{"notes.txt", ".log", "a b.log", "%zz.log", "%2F.log", "%6.log"} {
		if dataset, ok := datasetOf(foreign); ok {
			t.Errorf("%q: %q", foreign, dataset)
		}
	}
}
