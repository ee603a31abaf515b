// A lock that never opens, on request: a server that goes on accepting and answers nothing.

package main

import (
	"sync"
	"sync/atomic"
)

// servedBeforeHeld is how many operations of the kind are served before the lock is held.
const servedBeforeHeld = 50

// heldLock makes operations of one kind wait for ever.
type heldLock struct {
	operation string
	served    atomic.Int64
	mu        sync.RWMutex
}

// pass lets an operation through, or makes it wait for ever.
func (l *heldLock) pass(operation string) {
	if l.operation != operation {
		return
	}
	if l.served.Add(1) == servedBeforeHeld {
		// Whoever takes it here never gives it back.
		l.mu.Lock()
		return
	}
	if l.served.Load() > servedBeforeHeld {
		l.mu.RLock()
		defer l.mu.RUnlock()
	}
}
