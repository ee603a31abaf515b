// One dataset: rows in slabs, tombstones, an index that catches up.

package main

import (
	"math"
	"strconv"
	"sync"
	"sync/atomic"
)

// indexChunkRows are indexed in one go; a dataset that is dropped is reachable for as long.
const indexChunkRows = 128

// A RowID is what a client calls a row: an int64 or a text.
type RowID struct {
	number int64
	text   string
	isText bool
}

func (id RowID) String() string {
	if id.isText {
		return id.text
	}
	return strconv.FormatInt(id.number, 10)
}

// Dataset is one dataset.
type Dataset struct {
	name string
	dim  int
	// building is held by whoever builds a graph: the indexer for a chunk, a compaction to its end. Row numbers are stable under it.
	building sync.Mutex
	// logMu guards log, and is taken before mu by whoever changes rows, so that the log has changes in the order in which they are made.
	logMu sync.Mutex
	// log is nil where nothing outlives the process.
	log *Log
	// mu guards rows, and is taken after building.
	mu      sync.RWMutex
	rows    *Rows
	dropped atomic.Bool
}

// Rows are all that a compaction replaces.
type Rows struct {
	vectors Slabs
	ids     []RowID
	dead    []bool
	deads   int
	// byID has one entry for each live row, so that it is no larger than the data.
	byID  map[RowID]int32
	graph Graph
	// indexed rows from the first on are in the graph, or were dead when their turn came; nodes are those in it.
	indexed, nodes int
}

// DatasetStats is what a dataset holds.
type DatasetStats struct {
	live, dead, waiting, nodes int
	slabs                      int
	slabBytes, graphBytes      int64
}

func (s DatasetStats) bytes() int64 { return s.slabBytes + s.graphBytes }

// tombstoneBytes is what a compaction could give back: the dead rows' share.
func (s DatasetStats) tombstoneBytes() int64 {
	return int64(float64(s.bytes()) * float64(s.dead) / float64(max(1, s.live+s.dead)))
}

func newDataset(name string, dim, m, ef int) *Dataset {
	return &Dataset{name: name, dim: dim, rows: newRows(dim, m, ef)}
}

func newRows(dim, m, ef int) *Rows {
	return &Rows{vectors: newSlabs(dim), byID: make(map[RowID]int32), graph: Graph{m: m, ef: ef}}
}

// put adds rows; an id that is there already is replaced. vectors holds len(ids)·dim components, and is copied.
func (d *Dataset) put(ids []RowID, vectors []float32) error {
	d.logMu.Lock()
	defer d.logMu.Unlock()
	if err := d.log.put(ids, vectors); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, id := range ids {
		d.rows.push(id, vectors[i*d.dim:(i+1)*d.dim])
	}
	return nil
}

// keepLog logs every change from here on.
func (d *Dataset) keepLog(log *Log) {
	d.logMu.Lock()
	defer d.logMu.Unlock()
	d.log = log
}

func (r *Rows) push(id RowID, vector []float32) {
	if old, there := r.byID[id]; there {
		r.bury(int(old))
	}
	r.byID[id] = int32(r.vectors.count)
	r.ids = append(r.ids, id)
	r.dead = append(r.dead, false)
	r.vectors.push(vector)
}

func (r *Rows) bury(row int) {
	if !r.dead[row] {
		r.dead[row] = true
		r.deads++
	}
}

// delete removes the row of an id, and tells whether there was one.
func (d *Dataset) delete(id RowID) (bool, error) {
	d.logMu.Lock()
	defer d.logMu.Unlock()
	d.mu.RLock()
	_, there := d.rows.byID[id]
	d.mu.RUnlock()
	if !there {
		return false, nil
	}
	if err := d.log.delete(id); err != nil {
		return false, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	// A compaction may have moved it meanwhile.
	d.rows.bury(int(d.rows.byID[id]))
	delete(d.rows.byID, id)
	return true, nil
}

// deleteRow removes a row by its number, and tells whether there was one that lived.
func (d *Dataset) deleteRow(row int) (bool, error) {
	d.mu.RLock()
	r := d.rows
	if row < 0 || row >= len(r.dead) || r.dead[row] {
		d.mu.RUnlock()
		return false, nil
	}
	id := r.ids[row]
	d.mu.RUnlock()
	return d.delete(id)
}

// indexSome indexes the next chunk of rows, and tells whether more are waiting.
func (d *Dataset) indexSome() bool {
	d.building.Lock()
	defer d.building.Unlock()
	if d.dropped.Load() {
		return false
	}
	d.mu.RLock()
	r := d.rows
	from := r.indexed
	to := min(from+indexChunkRows, r.vectors.count)
	vectors, dead := r.vectors, append([]bool(nil), r.dead[from:to]...)
	d.mu.RUnlock()
	nodes := r.graph.linkAll(&vectors, from, dead)
	d.mu.Lock()
	defer d.mu.Unlock()
	r.indexed = to
	r.nodes += nodes
	return r.indexed < r.vectors.count
}

// A Hit is a row that a search has found.
type Hit struct {
	id    RowID
	score float32
}

// search finds the k nearest live rows, nearest first. Rows that are not yet indexed are not found.
func (d *Dataset) search(vector []float32, k int) []Hit {
	d.mu.RLock()
	defer d.mu.RUnlock()
	r := d.rows
	near := nearest{k: min(k, len(r.byID))}
	for row := range r.indexed {
		if !r.dead[row] {
			near.add(row, distance(vector, r.vectors.at(row)))
		}
	}
	hits := make([]Hit, len(near.found))
	for i, found := range near.found {
		hits[i] = Hit{r.ids[found.row], float32(math.Sqrt(float64(found.distance)))}
	}
	return hits
}

// scan copies the first live rows, up to a limit.
func (d *Dataset) scan(limit int) (ids []RowID, vectors []float32) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for row, id := range d.rows.ids {
		if len(ids) >= limit {
			break
		}
		if !d.rows.dead[row] {
			ids = append(ids, id)
			vectors = append(vectors, d.rows.vectors.at(row)...)
		}
	}
	return ids, vectors
}

func (d *Dataset) stats() DatasetStats {
	d.mu.RLock()
	defer d.mu.RUnlock()
	r := d.rows
	return DatasetStats{
		live: r.vectors.count - r.deads, dead: r.deads, waiting: r.vectors.count - r.indexed, nodes: r.nodes,
		slabs: len(r.vectors.slabs), slabBytes: r.vectors.bytes(), graphBytes: r.graph.bytes(r.indexed),
	}
}
