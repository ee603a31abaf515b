// A leak that is switched on and off over HTTP, at a known rate: the fault `leak` of a chaos run.

package main

import (
	"fmt"
	"sync"
	"time"
)

// tasksPerSecondMax is the fastest at which tasks are leaked: more would be a burst.
const tasksPerSecondMax = 100_000

// A switchedLeak is off until it is started.
type switchedLeak struct {
	mu        sync.Mutex
	rates     leakRates
	heap      pile
	tasksOwed float64
	tasks     int64
	peers     repair
	ended     sync.WaitGroup
	running   bool
	paid      time.Time
	timer     *time.Timer
}

// leakRates is how fast it leaks.
type leakRates struct{ bytesPerSecond, tasksPerSecond float64 }

// parseLeakRates reads rates as a request gives them; what is nil is not leaked.
func parseLeakRates(bytes, tasks *string) (rates leakRates, err error) {
	if bytes != nil {
		rate, err := parseByteRate(*bytes)
		if rates.bytesPerSecond = rate.PerSecond; err != nil || rate.PerSecond <= 0 {
			return rates, fmt.Errorf("bytes_rate=%s: expected a size above 0 per s, min or h, such as 64MiB/min", *bytes)
		}
	}
	if tasks != nil {
		rate, err := parseRate(*tasks)
		if rates.tasksPerSecond = rate; err != nil || rate <= 0 || rate > tasksPerSecondMax {
			return rates, fmt.Errorf("tasks_rate=%s: expected a number above 0 per s, min or h, such as 600/min, up to 100000/s", *tasks)
		}
	}
	return rates, nil
}

// start leaks at these rates from now on, in place of those before. What is held stays.
func (l *switchedLeak) start(rates leakRates) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rates, l.paid, l.running = rates, time.Now(), true
	if l.timer == nil {
		// Not a goroutine that waits: it would be counted among those that are leaked.
		l.timer = time.AfterFunc(leakTick, l.tick)
		return
	}
	l.timer.Reset(leakTick)
}

func (l *switchedLeak) tick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running {
		l.pay(time.Now())
		l.timer.Reset(leakTick)
	}
}

// pay leaks what has come due.
func (l *switchedLeak) pay(now time.Time) {
	seconds := max(0, now.Sub(l.paid).Seconds())
	l.paid = now
	l.heap.owe(l.rates.bytesPerSecond*seconds, onHeap)
	for l.tasksOwed += l.rates.tasksPerSecond * seconds; l.tasksOwed >= 1; l.tasksOwed-- {
		if l.peers == nil {
			l.peers = make(repair)
		}
		peers := l.peers
		l.ended.Go(peers.waitForPeer)
		l.tasks++
	}
}

// stop ends it and lets go of everything, and tells how much was held. The memory is garbage then, and goes back to the system with the next
// vacuum.
func (l *switchedLeak) stop() (bytes, tasks int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	bytes, tasks = l.heap.bytes, l.tasks
	if l.peers != nil {
		close(l.peers)
		l.ended.Wait()
	}
	l.rates, l.heap, l.tasksOwed, l.tasks, l.peers, l.running = leakRates{}, pile{}, 0, 0, nil, false
	return bytes, tasks
}

// held is how many bytes and tasks it holds.
func (l *switchedLeak) held() (bytes, tasks int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heap.bytes, l.tasks
}
