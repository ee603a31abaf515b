// Leaks are of the size that was asked for.

package main

import (
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const mib = 1 << 20

func leaking(t *testing.T, settings Misbehave) *Leaks {
	leaks, err := newLeaks(settings)
	if err != nil {
		t.Fatal(err)
	}
	return leaks
}

func near(t *testing.T, what string, found, asked int64) {
	t.Helper()
	if found > asked || asked-found > 2*pieceBytes {
		t.Errorf("%s: %d instead of %d", what, found, asked)
	}
}

// live is the heap that is reachable.
func live() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func TestLeaksByTimeAndByOperation(t *testing.T) {
	leaks := leaking(t, Misbehave{HeapLeak: ByteRate{PerSecond: 3 * mib}, OffheapLeak: ByteRate{PerOperation: 100 << 10}})
	before := live()
	for range 40 {
		leaks.pay(0.05)
		leaks.operation()
	}
	near(t, "heap", leaks.stats().heap, 6*mib)
	near(t, "beside the heap", leaks.stats().offheap, 4000<<10)
	if grown := live() - before; grown < 59*mib/10 || grown > 61*mib/10 {
		t.Errorf("the live heap has grown by %d", grown)
	}
	runtime.KeepAlive(leaks)
}

func TestBatchesAreRetainedAndACacheFillsUp(t *testing.T) {
	leaks := leaking(t, Misbehave{RetainBatches: 0.05, CacheFill: 3 * mib})
	batch := []byte(strings.Repeat("0123456789", mib/10))
	for range 20 {
		leaks.ingested(batch)
	}
	near(t, "retained", leaks.stats().heap, mib)
	near(t, "cached", leaks.stats().cache, 2*mib)
	for range 60 {
		leaks.ingested(batch)
	}
	near(t, "cached in the end", leaks.stats().cache, 3*mib)
	if kept := leaks.retained.pieces[0]; string(kept[:20]) != "01234567890123456789" {
		t.Error("not the batch's bytes")
	}
}

func TestAStepIsTakenOnce(t *testing.T) {
	leaks := leaking(t, Misbehave{Step: 5 * mib})
	for count, bytes := range []int64{0, 0, 0, 0, 5 * mib, 5 * mib} {
		if leaks.datasetCreated(count); leaks.stats().heap != bytes {
			t.Errorf("%d bytes after dataset %d", leaks.stats().heap, count)
		}
	}
}

func TestReleaseIsSlow(t *testing.T) {
	leaks := leaking(t, Misbehave{SlowRelease: ByteRate{PerSecond: mib}})
	rows := newRows(4, 8, 8)
	for rows.vectors.bytes() < 3*mib {
		rows.vectors.push(make([]float32, 4))
	}
	leaks.hold(rows)
	for _, held := range []int64{5 * mib / 2, 2 * mib, 3 * mib / 2, mib, mib / 2, 0} {
		if leaks.pay(0.5); leaks.stats().held != held {
			t.Errorf("%d held instead of %d", leaks.stats().held, held)
		}
	}
}

func TestEachLeakedTaskShowsOnceInADump(t *testing.T) {
	leaks := leaking(t, Misbehave{TaskLeakPerSecond: 20})
	leaks.pay(1)
	count := 0
	for began := time.Now(); count != 20 && time.Since(began) < 5*time.Second; time.Sleep(time.Millisecond) {
		dump := make([]byte, mib)
		count = strings.Count(string(dump[:runtime.Stack(dump, true)]), "repair.waitForPeer")
	}
	if count != 20 {
		t.Errorf("%d tasks", count)
	}
}

func TestALeakedGoroutineWaitsOnAChannelOfItsOwn(t *testing.T) {
	leaks := leaking(t, Misbehave{LeakedGoroutinesPerSecond: 20})
	leaks.pay(1)
	count := 0
	for began := time.Now(); count != 20 && time.Since(began) < 5*time.Second; time.Sleep(time.Millisecond) {
		dump := make([]byte, mib)
		count = strings.Count(string(dump[:runtime.Stack(dump, true)]), ".waitForAnswer(")
	}
	if count != 20 {
		t.Errorf("%d goroutines", count)
	}
}

func TestLeakedSeriesStayOnThePage(t *testing.T) {
	leaks := leaking(t, Misbehave{SeriesLeakPerSecond: 20})
	leaks.pay(1)
	series := make(chan prometheus.Metric, 100)
	leaks.clients.Collect(series)
	if len(series) != 21 {
		t.Errorf("%d series", len(series))
	}
}

func TestAShareOfTheClosedConnectionsIsKept(t *testing.T) {
	leaks := leaking(t, Misbehave{ConnectionLeak: 0.25})
	inner, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	listener := countedListener{inner, leaks}
	for range 8 {
		client, err := net.Dial("tcp4", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		client.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := client.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("a client is told that no more comes: %v", err)
		}
		client.Close()
		conn.Close()
	}
	if open := leaks.openConnections.Load(); open != 2 || len(leaks.kept) != 2 {
		t.Errorf("%d open, %d kept", open, len(leaks.kept))
	}
}

func TestAMappedFileIsReadable(t *testing.T) {
	leaks := leaking(t, Misbehave{MappedFile: 3*mib + 5})
	if len(leaks.mapped) != 3*mib+5 || leaks.mapped[3*mib+4] != 0xA5 {
		t.Error(len(leaks.mapped))
	}
}
