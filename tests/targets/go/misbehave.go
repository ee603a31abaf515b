// Leaks of a known size, on request: the ground truth that the harness's own tests are held against.

package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// pieceBytes is what leaks are gathered to: whole pages, which the runtime allocates without waste.
	pieceBytes = 64 << 10
	// leakTick is how often leaks by time are paid.
	leakTick = 50 * time.Millisecond
	// cacheShare of each batch is what cache_fill keeps.
	cacheShare = 0.1
	// stepAtDataset is the creation at which step is taken: in the middle of a run of cycles.
	stepAtDataset = 4
)

// A pile of memory that only grows. What is owed is paid in whole pieces.
type pile struct {
	pieces [][]byte
	bytes  int64
	owed   float64
}

func (p *pile) owe(bytes float64, allocate func(bytes int) []byte) {
	p.owed += bytes
	if whole := int(p.owed) / pieceBytes * pieceBytes; whole > 0 {
		p.owed -= float64(whole)
		p.add(allocate(whole))
	}
}

func (p *pile) add(piece []byte) {
	p.pieces = append(p.pieces, piece)
	p.bytes += int64(len(piece))
}

// touch writes every byte, so that all of it is resident.
func touch(memory []byte) []byte {
	for i := range memory {
		memory[i] = 0xA5
	}
	return memory
}

func onHeap(bytes int) []byte { return touch(make([]byte, bytes)) }

// offHeap is memory that the runtime does not know of.
func offHeap(bytes int) []byte {
	memory, err := syscall.Mmap(-1, 0, bytes, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(fmt.Sprintf("offheap_leak: %v", err))
	}
	return touch(memory)
}

// copyOf gives copies of a batch: a slice of it would hold all of it.
func copyOf(batch []byte) func(bytes int) []byte {
	return func(bytes int) []byte {
		memory := make([]byte, bytes)
		for at := 0; at < bytes; {
			at += copy(memory[at:], batch)
		}
		return memory
	}
}

// Leaks is what has been leaked, kept for ever.
type Leaks struct {
	settings Misbehave
	lock     heldLock

	mu                             sync.Mutex
	heap, offheap, retained, cache pile
	tasksOwed, seriesOwed          float64
	goroutinesOwed                 float64
	clients                        *prometheus.CounterVec
	clientCount                    int
	openConnections                atomic.Int64
	closed                         float64
	kept                           []keptConn
	peers                          repair
	mapped                         []byte
	held                           []heldPiece
	heldBytes                      int64
	releaseCredit                  float64
}

// A heldPiece is memory that slow_release keeps reachable: a slab, or a block of a graph.
type heldPiece struct {
	memory any
	bytes  int64
}

func newLeaks(settings Misbehave) (*Leaks, error) {
	leaks := &Leaks{settings: settings, peers: make(repair), clients: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "longbow_requests_by_client_total", Help: "Requests by client, of which series_leak makes up new ones.",
	}, []string{"client"})}
	leaks.lock.operation = settings.HeldLock
	leaks.newClient()
	var err error
	if settings.MappedFile > 0 {
		leaks.mapped, err = mapFile(int(settings.MappedFile))
	}
	return leaks, err
}

// repair stands for a subsystem whose goroutines wait for a peer that never answers.
type repair chan struct{}

func (r repair) start() { go r.waitForPeer() }

func (r repair) waitForPeer() { <-r }

// requestAnswer starts a goroutine whose caller forgets the only other end of its channel: the runtime can prove that it never runs again.
func requestAnswer() { go waitForAnswer(make(chan struct{})) }

func waitForAnswer(answer <-chan struct{}) { <-answer }

// newClient is one more series of the metrics page.
func (l *Leaks) newClient() {
	l.clients.WithLabelValues(fmt.Sprintf("c%d", l.clientCount)).Inc()
	l.clientCount++
}

// run pays what is owed by time, for ever.
func (l *Leaks) run() {
	s := l.settings
	if s.HeapLeak.PerSecond+s.OffheapLeak.PerSecond+s.SlowRelease.PerSecond+s.TaskLeakPerSecond+s.LeakedGoroutinesPerSecond+s.SeriesLeakPerSecond == 0 {
		return
	}
	last := time.Now()
	for range time.Tick(leakTick) {
		seconds := time.Since(last).Seconds()
		last = time.Now()
		if l.pay(seconds) {
			// What is let go of becomes free memory now, and not at some later collection.
			debug.FreeOSMemory()
		}
	}
}

// pay leaks what so many seconds owe, and tells whether held memory was let go of.
func (l *Leaks) pay(seconds float64) (released bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heap.owe(l.settings.HeapLeak.PerSecond*seconds, onHeap)
	l.offheap.owe(l.settings.OffheapLeak.PerSecond*seconds, offHeap)
	for l.tasksOwed += l.settings.TaskLeakPerSecond * seconds; l.tasksOwed >= 1; l.tasksOwed-- {
		l.peers.start()
	}
	for l.goroutinesOwed += l.settings.LeakedGoroutinesPerSecond * seconds; l.goroutinesOwed >= 1; l.goroutinesOwed-- {
		requestAnswer()
	}
	for l.seriesOwed += l.settings.SeriesLeakPerSecond * seconds; l.seriesOwed >= 1; l.seriesOwed-- {
		l.newClient()
	}
	if len(l.held) == 0 {
		l.releaseCredit, l.held = 0, nil
		return false
	}
	l.releaseCredit += l.settings.SlowRelease.PerSecond * seconds
	for len(l.held) > 0 && l.releaseCredit >= float64(l.held[0].bytes) {
		l.releaseCredit -= float64(l.held[0].bytes)
		l.heldBytes -= l.held[0].bytes
		l.held[0].memory = nil
		l.held = l.held[1:]
		released = true
	}
	return released
}

// operation leaks what one operation owes.
func (l *Leaks) operation() {
	if l.settings.HeapLeak.PerOperation+l.settings.OffheapLeak.PerOperation == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heap.owe(l.settings.HeapLeak.PerOperation, onHeap)
	l.offheap.owe(l.settings.OffheapLeak.PerOperation, offHeap)
}

// ingested keeps the share of a batch that is asked for.
func (l *Leaks) ingested(batch []byte) {
	if l.settings.RetainBatches == 0 && l.settings.CacheFill == 0 || len(batch) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.retained.owe(float64(len(batch))*l.settings.RetainBatches, copyOf(batch))
	room := float64(l.settings.CacheFill-l.cache.bytes) - l.cache.owed
	l.cache.owe(min(float64(len(batch))*cacheShare, room), copyOf(batch))
}

// datasetCreated takes the step, when it is time: once.
func (l *Leaks) datasetCreated(count int) {
	if l.settings.Step > 0 && count == stepAtDataset {
		l.atOnce(0, l.settings.Step)
	}
}

// atOnce leaks this much now.
func (l *Leaks) atOnce(tasks int, bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range tasks {
		l.peers.start()
	}
	l.heap.add(onHeap(int(bytes)))
}

// hold keeps retired memory reachable, to be let go of slowly. Other garbage goes at once, so that nothing else falls meanwhile.
func (l *Leaks) hold(old *Rows) {
	if l.settings.SlowRelease.PerSecond == 0 {
		return
	}
	debug.FreeOSMemory()
	l.mu.Lock()
	defer l.mu.Unlock()
	before := len(l.held)
	for _, slab := range old.vectors.slabs {
		l.held = append(l.held, heldPiece{slab, int64(len(slab)) * 4})
	}
	for _, block := range old.graph.blocks {
		l.held = append(l.held, heldPiece{block, int64(len(block)) * 4})
	}
	for _, piece := range l.held[before:] {
		l.heldBytes += piece.bytes
	}
}

// leakStats is how much has been leaked.
type leakStats struct{ heap, offheap, cache, held int64 }

func (l *Leaks) stats() leakStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return leakStats{l.heap.bytes + l.retained.bytes, l.offheap.bytes, l.cache.bytes, l.heldBytes}
}

// mapFile maps a file of this size without a name, and reads it from end to end.
func mapFile(bytes int) ([]byte, error) {
	file, err := os.CreateTemp("", "soak-mapped-*")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := os.Remove(file.Name()); err != nil {
		return nil, err
	}
	block := touch(make([]byte, 1<<20))
	for left := bytes; left > 0; left -= len(block) {
		if _, err := file.Write(block[:min(left, len(block))]); err != nil {
			return nil, err
		}
	}
	mapped, err := syscall.Mmap(int(file.Fd()), 0, bytes, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	var sum byte
	for at := 0; at < bytes; at += 4096 {
		sum += mapped[at]
	}
	touched = sum
	return mapped, nil
}

// touched keeps the compiler from dropping the reads.
var touched byte
