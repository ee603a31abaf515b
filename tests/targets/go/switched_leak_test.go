// The leak that is switched on and off.

package main

import (
	"runtime"
	"testing"
	"time"
)

func rates(t *testing.T, bytes, tasks string) leakRates {
	t.Helper()
	rates, err := parseLeakRates(&bytes, &tasks)
	if err != nil {
		t.Fatal(err)
	}
	return rates
}

// payAfter pays for a span that has not passed. The timer's own ticks add what little time does.
func (l *switchedLeak) payAfter(span time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pay(l.paid.Add(span))
	l.paid = time.Now()
}

func TestASwitchedLeakLetsGoOfEverything(t *testing.T) {
	var leak switchedLeak
	before, goroutines := live(), runtime.NumGoroutine()
	leak.start(rates(t, "600MiB/h", "600/h"))
	for range 60 {
		leak.payAfter(time.Second)
	}
	bytes, tasks := leak.held()
	if bytes < 10*mib-pieceBytes || bytes > 11*mib {
		t.Errorf("%d bytes in a minute at 600 MiB an hour", bytes)
	}
	if tasks < 9 || tasks > 11 || live()-before < 9*mib || runtime.NumGoroutine()-goroutines < 9 {
		t.Errorf("%d tasks, %d bytes, %d goroutines", tasks, live()-before, runtime.NumGoroutine()-goroutines)
	}
	if stoppedBytes, stoppedTasks := leak.stop(); stoppedBytes < bytes || stoppedTasks < tasks {
		t.Errorf("%d bytes and %d tasks were held", stoppedBytes, stoppedTasks)
	}
	for began := time.Now(); runtime.NumGoroutine() > goroutines; time.Sleep(time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("%d goroutines instead of %d", runtime.NumGoroutine(), goroutines)
		}
	}
	leak.tick()
	if bytes, tasks := leak.held(); bytes != 0 || tasks != 0 || live()-before > mib {
		t.Errorf("%d bytes and %d tasks after the end, %d live", bytes, tasks, live()-before)
	}
	runtime.KeepAlive(&leak)
}

func TestRatesThatMeanNothingAreRefused(t *testing.T) {
	for _, text := range []string{"", "64MiB", "1MiB/op", "0B/s", "-1MiB/s", "x/min"} {
		if _, err := parseLeakRates(&text, nil); err == nil {
			t.Errorf("bytes_rate=%s", text)
		}
	}
	for _, text := range []string{"", "5", "0/s", "5/op", "100001/s", "5MiB/s"} {
		if _, err := parseLeakRates(nil, &text); err == nil {
			t.Errorf("tasks_rate=%s", text)
		}
	}
}
