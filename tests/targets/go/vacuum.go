// The vacuum: all memory that is free goes back to the system.
//
// FreeOSMemory alone leaves up to a few MiB, now and then: where the background scavenger began in the middle of a chunk of 4 MiB, it takes
// the chunk for empty when it has come to its beginning, and what is free above is passed over until something in the chunk is freed
// again. Floors of resident memory wander by as much. So all free memory is first allocated, without touching it, and let go of.

package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync"
)

const (
	vacuumBlockBytes = 256 << 10
	// heapChunkBytes is what the runtime's heap grows by.
	heapChunkBytes = 4 << 20
)

// vacuum gives free memory back. The zero value is ready.
type vacuum struct {
	mu sync.Mutex
	// margin of free memory is not allocated, because it is too scattered to hold blocks: the heap would grow instead, a little each time.
	margin uint64
}

func (v *vacuum) run() {
	v.mu.Lock()
	defer v.mu.Unlock()
	runtime.GC() // what a sync.Pool keeps outlives one collection
	v.reveal()
	debug.FreeOSMemory()
}

// reveal allocates what is free; that is garbage when it returns.
func (v *vacuum) reveal() {
	free, total := heapSizes()
	blocks := make([]strings.Builder, (free-min(free, v.margin))/vacuumBlockBytes)
	for i := range blocks {
		blocks[i].Grow(vacuumBlockBytes) // unlike make, does not clear it
	}
	runtime.KeepAlive(blocks)
	if _, now := heapSizes(); now >= total+heapChunkBytes {
		v.margin += heapChunkBytes
	}
}

// heapSizes tells how much of the heap is free, given back or not, and how much the runtime has in all.
func heapSizes() (free, total uint64) {
	sizes := []metrics.Sample{
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/total:bytes"},
	}
	metrics.Read(sizes)
	return sizes[0].Value.Uint64() + sizes[1].Value.Uint64(), sizes[2].Value.Uint64()
}
