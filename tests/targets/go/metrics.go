// The metrics page: Go's runtime metrics, the process, and the store under the names of the runbook. Every counter starts at zero.

package main

import (
	"regexp"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// counters is what has happened.
type counters struct {
	putRows, putMessages, slowDowns, searches, deletes, compactions prometheus.Counter
	compactionsOK, compactionErrors, compactionsSkipped             prometheus.Counter
	compactionSeconds                                               prometheus.Histogram
	putMessageRowsMax, putMessageDim                                *atomic.Int64
	all                                                             inTurn
}

func newCounters() counters {
	c := counters{putMessageRowsMax: new(atomic.Int64), putMessageDim: new(atomic.Int64)}
	counter := func(name, help string) prometheus.Counter {
		counter := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		c.all = append(c.all, counter)
		return counter
	}
	c.putRows = counter("longbow_put_rows_total", "Rows received.")
	c.putMessages = counter("longbow_put_messages_total", "Record batches received.")
	c.slowDowns = counter("longbow_slow_down_total", "Puts answered with slow_down.")
	c.searches = counter("longbow_searches_total", "Searches.")
	c.deletes = counter("longbow_deletes_total", "Deletes.")
	c.compactions = counter("compaction_operations_total", "Compactions begun.")
	events := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "compaction_events_total", Help: "Compactions by how they ended.",
	}, []string{"event"})
	c.compactionsOK = events.WithLabelValues("ok")
	c.compactionErrors = events.WithLabelValues("error")
	c.compactionsSkipped = events.WithLabelValues("skipped")
	c.compactionSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "compaction_duration_seconds", Help: "How long compactions took.",
		Buckets: []float64{0.01, 0.05, 0.25, 1, 5, 30, 120},
	})
	c.all = append(c.all, events, c.compactionSeconds)
	return c
}

func (c *counters) put(rows, dim int) {
	c.putRows.Add(float64(rows))
	c.putMessages.Inc()
	c.putMessageDim.Store(int64(dim))
	for {
		most := c.putMessageRowsMax.Load()
		if int64(rows) <= most || c.putMessageRowsMax.CompareAndSwap(most, int64(rows)) {
			return
		}
	}
}

// totals is the store at one moment.
type totals struct {
	DatasetStats
	datasets        int
	bytes, tombs    int64
	leaks           leakStats
	leaked, tasks   int64
	connections     int64
	logBytes        int64
	config          Config
	rowsMax, putDim int64
}

// A gauge is a figure of the store.
type gauge struct {
	desc *prometheus.Desc
	of   func(totals) float64
}

func newGauge[N int | int64 | float64](name, help string, of func(totals) N) gauge {
	return gauge{prometheus.NewDesc(name, help, nil, nil), func(t totals) float64 { return float64(of(t)) }}
}

var datasetBytes = prometheus.NewDesc("longbow_dataset_memory_bytes", "Slabs and graph of a dataset.", []string{"dataset"}, nil)

var logErrors = prometheus.NewDesc("longbow_log_errors_total", "Writes of logs that failed.", nil, nil)

var gauges = []gauge{
	newGauge("longbow_total_datasets", "Datasets.", func(t totals) int { return t.datasets }),
	newGauge("longbow_store_memory_bytes", "Slabs and graphs of all datasets.", func(t totals) int64 { return t.bytes }),
	newGauge("longbow_tombstone_bytes", "What a compaction could reclaim.", func(t totals) int64 { return t.tombs }),
	newGauge("longbow_live_vectors", "Rows that are not deleted.", func(t totals) int { return t.live }),
	newGauge("longbow_deleted_vectors", "Rows that are deleted and still held.", func(t totals) int { return t.dead }),
	newGauge("longbow_index_queue_depth", "Rows that wait for the index.", func(t totals) int { return t.waiting }),
	newGauge("longbow_leaked_bytes", "Heap leaked on request.", func(t totals) int64 { return t.leaks.heap }),
	newGauge("longbow_leaked_offheap_bytes", "Mapped memory leaked on request.", func(t totals) int64 { return t.leaks.offheap }),
	newGauge("longbow_test_leaked_bytes", "Heap held by the leak that is switched on and off.", func(t totals) int64 { return t.leaked }),
	newGauge("longbow_test_leaked_tasks", "Tasks held by the leak that is switched on and off.", func(t totals) int64 { return t.tasks }),
	newGauge("longbow_open_connections", "Open connections.", func(t totals) int64 { return t.connections }),
	newGauge("longbow_log_bytes", "Bytes of all logs.", func(t totals) int64 { return t.logBytes }),
	newGauge("longbow_cache_bytes", "Held by cache_fill.", func(t totals) int64 { return t.leaks.cache }),
	newGauge("longbow_held_back_bytes", "Retired, kept by slow_release.", func(t totals) int64 { return t.leaks.held }),
	newGauge("hnsw_nodes", "Nodes of all graphs.", func(t totals) int { return t.nodes }),
	newGauge("hnsw_deleted_nodes", "Nodes whose row is deleted.", func(t totals) int { return min(t.dead, t.nodes) }),
	newGauge("hnsw_layers", "Layers of the highest graph.", func(t totals) int { return min(1, t.nodes) }),
	newGauge("hnsw_max_connections", "M.", func(t totals) int { return t.config.HNSWM }),
	newGauge("hnsw_ef_construction", "Candidates while inserting.", func(t totals) int { return t.config.EfConstruction }),
	newGauge("graph_memory_bytes", "Memory of all graphs.", func(t totals) int64 { return t.graphBytes }),
	newGauge("graph_bytes_per_node", "Mean memory of a node.", func(t totals) float64 {
		return float64(t.graphBytes) / float64(max(1, t.nodes))
	}),
	newGauge("slab_pool_slabs", "Slabs that hold data.", func(t totals) int { return t.slabs }),
	newGauge("slab_pool_bytes", "Bytes of slabs that hold data.", func(t totals) int64 { return t.slabBytes }),
	newGauge("slab_pool_free_slabs", "Slabs kept for later: there is no pool.", func(totals) int { return 0 }),
	newGauge("slab_pool_fragmentation_ratio", "Dead share of the rows in slabs.", func(t totals) float64 {
		return float64(t.dead) / float64(max(1, t.live+t.dead))
	}),
	newGauge("compaction_interval_seconds", "Period of compaction; 0 is never.", func(t totals) float64 {
		return t.config.CompactionInterval.Seconds()
	}),
	newGauge("longbow_put_message_rows_max", "Rows of the largest record batch received.", func(t totals) int64 { return t.rowsMax }),
	newGauge("longbow_put_message_dim", "Components of the vectors last received.", func(t totals) int64 { return t.putDim }),
}

// Describe and Collect make the store a collector of its gauges.
func (s *Store) Describe(descs chan<- *prometheus.Desc) {
	descs <- datasetBytes
	descs <- logErrors
	for _, gauge := range gauges {
		descs <- gauge.desc
	}
}

// Collect reads every dataset once.
func (s *Store) Collect(metrics chan<- prometheus.Metric) {
	c := &s.counters
	t := totals{leaks: s.leaks.stats(), config: s.config, rowsMax: c.putMessageRowsMax.Load(), putDim: c.putMessageDim.Load()}
	t.leaked, t.tasks = s.switched.held()
	t.connections = s.leaks.openConnections.Load()
	t.logBytes = s.logTotals.bytes.Load()
	metrics <- prometheus.MustNewConstMetric(logErrors, prometheus.CounterValue, float64(s.logTotals.errors.Load()))
	for _, dataset := range s.all() {
		stats := dataset.stats()
		t.datasets++
		t.bytes += stats.bytes()
		t.tombs += stats.tombstoneBytes()
		t.live += stats.live
		t.dead += stats.dead
		t.waiting += stats.waiting
		t.nodes += stats.nodes
		t.slabs += stats.slabs
		t.slabBytes += stats.slabBytes
		t.graphBytes += stats.graphBytes
		metrics <- prometheus.MustNewConstMetric(datasetBytes, prometheus.GaugeValue, float64(stats.bytes()), dataset.name)
	}
	for _, gauge := range gauges {
		metrics <- prometheus.MustNewConstMetric(gauge.desc, prometheus.GaugeValue, gauge.of(t))
	}
}

// inTurn collects from one collector after the other. The registry would start a goroutine for each, and go_goroutines would count them.
type inTurn []prometheus.Collector

func (c inTurn) Describe(descs chan<- *prometheus.Desc) {
	for _, collector := range c {
		collector.Describe(descs)
	}
}

func (c inTurn) Collect(metrics chan<- prometheus.Metric) {
	for _, collector := range c {
		collector.Collect(metrics)
	}
}

// runtimeMetrics are those of the collector's pacing and of the runtime's memory.
var runtimeMetrics = regexp.MustCompile(`^/(gc/(gogc|gomemlimit|heap/(live|goal)|scan/.*|limiter/.*|cycles/.*)|memory/classes/.*):`)

func newRegistry(store *Store) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(inTurn{
		// Not all of them: the histograms alone would make each scrape allocate several times what the rest of the page does.
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.GoRuntimeMetricsRule{Matcher: runtimeMetrics})),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		store,
		store.counters.all,
		store.leaks.clients,
	})
	return registry
}
