// The store: datasets by name, the indexer, and what is counted.

package main

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// backlogBytesMax is what may wait for the indexer; from here on puts are answered with slow_down.
const backlogBytesMax = 512 << 20

// Store is the store behind the servers.
type Store struct {
	config   Config
	leaks    *Leaks
	switched switchedLeak
	counters counters
	// logs is where logs are kept; nil where nothing outlives the process.
	logs      *logFolder
	logTotals logTotals

	mu       sync.RWMutex
	datasets map[string]*Dataset
	created  int

	// waiting tells the indexer that there is work.
	waiting            chan struct{}
	compactionsStopped atomic.Bool
}

// invalid says what is wrong with a request. Errors carry their gRPC codes from where they arise.
func invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, format, args...)
}

func noDataset(name string) error {
	return status.Errorf(codes.NotFound, "dataset %q is not here", name)
}

func newStore(config Config) (*Store, error) {
	leaks, err := newLeaks(config.Misbehave)
	if err != nil {
		return nil, err
	}
	store := &Store{
		config:   config,
		leaks:    leaks,
		counters: newCounters(),
		datasets: make(map[string]*Dataset),
		waiting:  make(chan struct{}, 1),
	}
	if config.DataPath != "" {
		if store.logs, err = openLogFolder(config.DataPath, &store.logTotals); err == nil {
			err = store.replay()
		}
	}
	return store, err
}

// replay makes the datasets that there are logs of. Their rows wait for the indexer then, as after a put.
func (s *Store) replay() error {
	logs, err := s.logs.logs()
	if err != nil {
		return err
	}
	for _, named := range logs {
		replay, err := openReplay(named.path)
		if err != nil {
			return err
		}
		if replay == nil {
			continue
		}
		dataset := newDataset(named.dataset, replay.dim, s.config.HNSWM, s.config.EfConstruction)
		for more := true; more; {
			if more, err = replay.next(dataset); err != nil {
				return err
			}
		}
		log, err := replay.log(&s.logTotals)
		if err != nil {
			return err
		}
		dataset.keepLog(log)
		s.datasets[named.dataset] = dataset
	}
	s.wakeIndexer()
	return nil
}

func (s *Store) dataset(name string) (*Dataset, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if dataset := s.datasets[name]; dataset != nil {
		return dataset, nil
	}
	return nil, noDataset(name)
}

// all datasets, by name.
func (s *Store) all() []*Dataset {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.SortedFunc(maps.Values(s.datasets), func(a, b *Dataset) int { return strings.Compare(a.name, b.name) })
}

func (s *Store) datasetOrNew(name string, dim int) (*Dataset, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	dataset := s.datasets[name]
	if dataset == nil {
		dataset = newDataset(name, dim, s.config.HNSWM, s.config.EfConstruction)
		if s.logs != nil {
			log, err := s.logs.create(name, dim)
			if err != nil {
				return nil, err
			}
			dataset.keepLog(log)
		}
		s.datasets[name] = dataset
		s.created++
		s.leaks.datasetCreated(s.created)
	}
	return dataset, dataset.check(dim)
}

func (d *Dataset) check(dim int) error {
	if d.dim != dim {
		return invalid("dataset %q holds vectors of %d components, not %d", d.name, d.dim, dim)
	}
	return nil
}

// put takes a decoded batch, and tells whether the client should slow down.
func (s *Store) put(name string, record arrow.RecordBatch) (slowDown bool, err error) {
	batch, err := readBatch(record)
	if err != nil {
		return false, err
	}
	dataset, err := s.datasetOrNew(name, batch.dim)
	if err != nil {
		return false, err
	}
	if err := dataset.put(batch.ids, batch.vectors); err != nil {
		return false, err
	}
	s.counters.put(len(batch.ids), batch.dim)
	s.leaks.operation()
	s.leaks.ingested(arrow.Float32Traits.CastToBytes(batch.vectors))
	s.wakeIndexer()
	if slowDown = s.backlogBytes() > backlogBytesMax; slowDown {
		s.counters.slowDowns.Inc()
	}
	return slowDown, nil
}

func (s *Store) backlogBytes() (bytes int) {
	for _, dataset := range s.all() {
		bytes += dataset.stats().waiting * dataset.dim * 4
	}
	return bytes
}

func (s *Store) wakeIndexer() {
	select {
	case s.waiting <- struct{}{}:
	default:
	}
}

// index brings the indexes up to date, for ever.
func (s *Store) index() {
	for range s.waiting {
		for s.indexSome() {
		}
	}
}

// indexSome indexes a chunk of every dataset, and tells whether any has more waiting.
func (s *Store) indexSome() (more bool) {
	for _, dataset := range s.all() {
		if dataset.stats().waiting > 0 {
			more = dataset.indexSome() || more
		}
	}
	return more
}

func (s *Store) search(name string, vector []float32, k int) ([]Hit, error) {
	dataset, err := s.dataset(name)
	if err != nil {
		return nil, err
	}
	if err := dataset.check(len(vector)); err != nil {
		return nil, err
	}
	s.counters.searches.Inc()
	s.leaks.operation()
	return dataset.search(vector, k), nil
}

// delete removes by the client's id, given as text; an integer id matches its decimal form.
func (s *Store) delete(name, id string) (bool, error) {
	dataset, err := s.dataset(name)
	if err != nil {
		return false, err
	}
	s.counters.deletes.Inc()
	s.leaks.operation()
	if number, err := strconv.ParseInt(id, 10, 64); err == nil {
		if found, err := dataset.delete(RowID{number: number}); found || err != nil {
			return found, err
		}
	}
	return dataset.delete(RowID{text: id, isText: true})
}

// deleteDataset drops a dataset; nothing but what is under way refers to its memory any more.
func (s *Store) deleteDataset(name string) error {
	dataset, err := s.takeOut(name)
	if err != nil {
		return err
	}
	dataset.dropped.Store(true)
	dataset.mu.RLock()
	rows := dataset.rows
	dataset.mu.RUnlock()
	s.leaks.hold(rows)
	return nil
}

// takeOut removes a dataset and its log. The name is free only when its log is gone: the next dataset of this name has a log of its own.
func (s *Store) takeOut(name string) (*Dataset, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	dataset := s.datasets[name]
	if dataset == nil {
		return nil, noDataset(name)
	}
	dataset.logMu.Lock()
	defer dataset.logMu.Unlock()
	if err := dataset.log.remove(); err != nil {
		return nil, err
	}
	delete(s.datasets, name)
	return dataset, nil
}
