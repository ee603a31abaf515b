// The HTTP plane: metrics, Go's own dumps, and the runbook's admin endpoints.

package main

import (
	"fmt"
	"net/http"
	"net/http/pprof"
	"net/url"
	"strconv"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// tasksMax is the most that is leaked in one call.
const tasksMax = 100_000

func newHandler(store *Store) http.Handler {
	var vacuum vacuum
	mux := http.NewServeMux()
	// Not compressed: the compressor's own memory would come and go with the scrapes.
	page := promhttp.HandlerFor(newRegistry(store), promhttp.HandlerOpts{DisableCompression: true})
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, r *http.Request) {
		store.leaks.lock.pass("metrics")
		page.ServeHTTP(w, r)
	})
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") })
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("POST /admin/compact", store.answerCompact)
	mux.HandleFunc("POST /admin/compact-all", func(w http.ResponseWriter, _ *http.Request) { compacted(w)(store.compactAll()) })
	mux.HandleFunc("POST /admin/compaction/stop", func(w http.ResponseWriter, _ *http.Request) {
		store.compactionsStopped.Store(true)
		answer(w, http.StatusOK, "periodic compaction is stopped")
	})
	mux.HandleFunc("POST /admin/vacuum", func(w http.ResponseWriter, _ *http.Request) {
		vacuum.run()
		answer(w, http.StatusOK, "retired memory is released")
	})
	mux.HandleFunc("POST /admin/test/leak", store.answerLeak)
	mux.HandleFunc("POST /admin/test/leak/stop", func(w http.ResponseWriter, _ *http.Request) {
		bytes, tasks := store.switched.stop()
		vacuum.run()
		answer(w, http.StatusOK, fmt.Sprintf("bytes %d\ntasks %d", bytes, tasks))
	})
	mux.HandleFunc("/admin/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			answer(w, http.StatusMethodNotAllowed, "the admin endpoints take POST")
			return
		}
		answer(w, http.StatusNotFound, r.URL.Path+" is not here")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Close {
			// A client that hangs up after the answer sees where it ends, and need not read chunks.
			w.Header().Set("Transfer-Encoding", "identity")
		}
		mux.ServeHTTP(w, r)
	})
}

func answer(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	fmt.Fprintln(w, text)
}

func (s *Store) answerCompact(w http.ResponseWriter, r *http.Request) {
	name := or(r.URL.Query().Get("dataset"), r.Header.Get("X-Dataset"))
	if name == "" {
		compacted(w)(s.compactAll())
		return
	}
	compacted(w)(1, s.compact(name))
}

func compacted(w http.ResponseWriter) func(int, error) {
	return func(count int, err error) {
		switch text := status.Convert(err).Message(); status.Code(err) {
		case codes.OK:
			answer(w, http.StatusOK, fmt.Sprintf("compacted %d", count))
		case codes.NotFound:
			answer(w, http.StatusNotFound, text)
		default:
			answer(w, http.StatusInternalServerError, text)
		}
	}
}

// answerLeak leaks at once, or from now on.
func (s *Store) answerLeak(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	var atOnce, atRate bool
	for name := range query {
		switch name {
		case "tasks", "bytes":
			atOnce = true
		case "tasks_rate", "bytes_rate":
			atRate = true
		default:
			const known = "expected tasks and bytes (at once), or tasks_rate and bytes_rate (from now on)"
			answer(w, http.StatusBadRequest, name+" is no parameter of a leak: "+known)
			return
		}
	}
	switch {
	case atOnce && atRate:
		answer(w, http.StatusBadRequest,
			"a leak is either at once (tasks, bytes) or from now on (tasks_rate, bytes_rate): ask for one after the other")
	case atRate:
		s.answerLeakRate(w, query)
	default:
		s.answerLeakAtOnce(w, query)
	}
}

func (s *Store) answerLeakRate(w http.ResponseWriter, query url.Values) {
	given := func(name string) *string {
		if !query.Has(name) {
			return nil
		}
		value := query.Get(name)
		return &value
	}
	rates, err := parseLeakRates(given("bytes_rate"), given("tasks_rate"))
	if err != nil {
		answer(w, http.StatusBadRequest, err.Error())
		return
	}
	s.switched.start(rates)
	const text = "leaking %.0f bytes and %.3f tasks a second"
	answer(w, http.StatusOK, fmt.Sprintf(text, rates.bytesPerSecond, rates.tasksPerSecond))
}

// answerLeakAtOnce leaks tasks and bytes at once: one task when nothing is said.
func (s *Store) answerLeakAtOnce(w http.ResponseWriter, query url.Values) {
	fallback := "1"
	if query.Has("bytes") {
		fallback = "0"
	}
	tasks, tasksErr := strconv.Atoi(or(query.Get("tasks"), fallback))
	bytes, bytesErr := parseBytes(or(query.Get("bytes"), "0B"))
	if tasksErr != nil || bytesErr != nil || tasks < 0 || tasks > tasksMax {
		answer(w, http.StatusBadRequest, "expected ?tasks=N (up to 100000) or ?bytes=SIZE such as 1MiB")
		return
	}
	s.leaks.atOnce(tasks, bytes)
	answer(w, http.StatusOK, fmt.Sprintf("leaked %d tasks and %d bytes", tasks, bytes))
}
