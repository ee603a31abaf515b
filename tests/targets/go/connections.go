// Connections: how many are open, and those that connection_leak keeps once their clients have closed them.

package main

import (
	"net"
	"sync"
)

// connectionBytes is what a kept connection holds beside its socket.
const connectionBytes = 16 << 10

// A countedListener counts what it accepts.
type countedListener struct {
	net.Listener
	leaks *Leaks
}

func (l countedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.leaks.openConnections.Add(1)
	return &countedConn{Conn: conn, leaks: l.leaks}, nil
}

type countedConn struct {
	net.Conn
	leaks *Leaks
	once  sync.Once
}

// Close closes it unless it is one to be kept.
func (c *countedConn) Close() (err error) {
	c.once.Do(func() {
		if c.leaks.keeps(c.Conn) {
			// Its client may wait for the end of the answer; only what the server holds is to stay.
			if half, ok := c.Conn.(*net.TCPConn); ok {
				err = half.CloseWrite()
			}
			return
		}
		c.leaks.openConnections.Add(-1)
		err = c.Conn.Close()
	})
	return err
}

// keeps tells whether this connection is of the share that is kept, and keeps it.
func (l *Leaks) keeps(conn net.Conn) bool {
	if l.settings.ConnectionLeak == 0 {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed += l.settings.ConnectionLeak; l.closed < 1 {
		return false
	}
	l.closed--
	l.kept = append(l.kept, keptConn{conn, onHeap(connectionBytes)})
	return true
}

// A keptConn is a connection that nobody uses any more.
type keptConn struct {
	conn   net.Conn
	buffer []byte
}
