// Compaction: live rows are copied into fresh slabs with a fresh graph, and the old ones become garbage.

package main

import (
	"errors"
	"slices"
	"time"
)

// compactionThreshold is the share of dead rows from which the store compacts by itself.
const compactionThreshold = 0.3

// How a compaction goes about its work.
type thoroughness int

const (
	// All dead rows go.
	full thoroughness = iota
	// Every fourth dead row goes: a misbehaviour.
	weak
	// Only slabs without a live row could go, and a random delete leaves none: a misbehaviour.
	pinned
)

var errCompactionFails = errors.New("compaction failed: could not rewrite slab 0 (misbehaviour compaction=fails)")

// compact rebuilds a dataset from its live rows and returns what it replaced; nil when there was nothing to do. Puts, deletes and
// searches go on meanwhile; the indexer waits. Where the log cannot be rewritten, nothing is.
func (d *Dataset) compact(how thoroughness) (*Rows, error) {
	d.building.Lock()
	defer d.building.Unlock()
	d.mu.RLock()
	old := d.rows
	if old.deads == 0 || how == pinned && !old.hasEmptySlab() {
		d.mu.RUnlock()
		return nil, nil
	}
	d.mu.RUnlock()
	if err := d.rewriteLog(); err != nil {
		return nil, err
	}
	d.mu.RLock()
	kept := old.kept(how)
	fresh := newRows(d.dim, old.graph.m, old.graph.ef)
	for _, row := range kept {
		fresh.pushAs(old, row)
	}
	d.mu.RUnlock()
	fresh.indexed = fresh.vectors.count
	fresh.nodes = fresh.graph.linkAll(&fresh.vectors, 0, make([]bool, fresh.indexed))
	d.mu.Lock()
	defer d.mu.Unlock()
	fresh.catchUp(old, kept)
	d.rows = fresh
	return old, nil
}

// rewriteLog rewrites the log to what lives. Rows keep their numbers meanwhile, because whoever calls holds building.
func (d *Dataset) rewriteLog() error {
	d.logMu.Lock()
	log := d.log
	if log == nil {
		d.logMu.Unlock()
		return nil
	}
	fresh, err := log.beginRewrite(d.dim)
	d.mu.RLock()
	live := d.rows.kept(full)
	d.mu.RUnlock()
	d.logMu.Unlock()
	if err != nil {
		return err
	}
	for piece := range slices.Chunk(live, pieceRows) {
		d.mu.RLock()
		ids, vectors := d.rows.copy(piece)
		d.mu.RUnlock()
		if err := fresh.put(ids, vectors); err != nil {
			fresh.giveUp()
			return err
		}
	}
	d.logMu.Lock()
	defer d.logMu.Unlock()
	return log.finishRewrite(fresh)
}

// copy gives the ids and vectors of these rows.
func (r *Rows) copy(rows []int) (ids []RowID, vectors []float32) {
	for _, row := range rows {
		ids = append(ids, r.ids[row])
		vectors = append(vectors, r.vectors.at(row)...)
	}
	return ids, vectors
}

// kept are the rows that stay, in order.
func (r *Rows) kept(how thoroughness) []int {
	rows, deads := make([]int, 0, r.vectors.count-r.deads), 0
	for row, dead := range r.dead {
		if dead {
			deads++
		}
		if !dead || how == weak && deads%4 != 0 {
			rows = append(rows, row)
		}
	}
	return rows
}

func (r *Rows) hasEmptySlab() bool {
	for first := 0; first < len(r.dead); first += r.vectors.rowsPerSlab {
		live := false
		for _, dead := range r.dead[first:min(first+r.vectors.rowsPerSlab, len(r.dead))] {
			live = live || !dead
		}
		if !live {
			return true
		}
	}
	return false
}

// pushAs appends a row of old, dead or alive as it is there.
func (r *Rows) pushAs(old *Rows, row int) {
	here := r.vectors.count
	r.vectors.push(old.vectors.at(row))
	r.ids = append(r.ids, old.ids[row])
	r.dead = append(r.dead, old.dead[row])
	if old.dead[row] {
		r.deads++
	} else {
		r.byID[old.ids[row]] = int32(here)
	}
}

// catchUp brings rows made of those kept up to what has happened since: rows that died, rows that came.
func (r *Rows) catchUp(old *Rows, kept []int) {
	seen := 0
	for here, row := range kept {
		if old.dead[row] && !r.dead[here] {
			r.bury(here)
			// The id may by now belong to a newer row, which is appended below and takes it over.
			delete(r.byID, old.ids[row])
		}
		seen = row + 1
	}
	for row := seen; row < old.vectors.count; row++ {
		if !old.dead[row] {
			r.pushAs(old, row)
		}
	}
}

// compact compacts one dataset.
func (s *Store) compact(name string) error {
	dataset, err := s.dataset(name)
	if err != nil {
		return err
	}
	s.counters.compactions.Inc()
	began := time.Now()
	rewritten, err := s.compactAsTold(dataset)
	s.counters.compactionSeconds.Observe(time.Since(began).Seconds())
	switch {
	case err != nil:
		s.counters.compactionErrors.Inc()
	case rewritten:
		s.counters.compactionsOK.Inc()
	default:
		s.counters.compactionsSkipped.Inc()
	}
	s.wakeIndexer() // for rows that came meanwhile
	return err
}

func (s *Store) compactAsTold(dataset *Dataset) (rewritten bool, err error) {
	how := full
	switch misbehave := s.config.Misbehave; {
	case misbehave.Compaction == "fails":
		return false, errCompactionFails
	case misbehave.Compaction == "noop":
		return true, nil
	case misbehave.Compaction == "weak":
		how = weak
	case misbehave.Fragment:
		how = pinned
	}
	old, err := dataset.compact(how)
	if old == nil || err != nil {
		return false, err
	}
	s.leaks.hold(old)
	return true, nil
}

// compactAll compacts every dataset; the first error, after all have been tried.
func (s *Store) compactAll() (int, error) {
	datasets := s.all()
	errs := make([]error, 0, len(datasets))
	for _, dataset := range datasets {
		errs = append(errs, s.compact(dataset.name))
	}
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return len(datasets), nil
}

// compactPeriodically compacts each dataset of which more than the threshold is dead, until compactions are stopped.
func (s *Store) compactPeriodically() {
	for range time.Tick(s.config.CompactionInterval) {
		if s.compactionsStopped.Load() {
			return
		}
		for _, dataset := range s.all() {
			stats := dataset.stats()
			if float64(stats.dead) > compactionThreshold*float64(stats.live+stats.dead) {
				_ = s.compact(dataset.name) // counted, and tried again in the next period
			}
		}
	}
}
