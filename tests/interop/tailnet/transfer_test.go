// Transfers: random bytes over TCP from one node's host to another's, compared by their checksums.
// SPDX-License-Identifier: LGPL-2.1-or-later

package tailnet

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"
)

// What went over a transfer so far, and how to end it.
type transfer struct {
	listener net.Listener
	conn     net.Conn
	stop     chan struct{}
	sent     chan outcome
	received chan outcome
	arrived  atomic.Int64
}

type outcome struct {
	bytes int64
	sum   []byte
	err   error
}

// Begins to send from @from to @to, @limit bytes, or without end where that is 0.
func startTransfer(t *testing.T, from, to *node, limit int64) *transfer {
	t.Helper()
	x := &transfer{stop: make(chan struct{}), sent: make(chan outcome, 1), received: make(chan outcome, 1)}
	address := to.address(t)
	to.at.in(t, func() (err error) {
		x.listener, err = net.Listen("tcp", netip.AddrPortFrom(address, 0).String())
		return
	})
	t.Cleanup(func() { x.listener.Close() })
	go x.receive()
	from.at.in(t, func() (err error) {
		x.conn, err = net.DialTimeout("tcp", x.listener.Addr().String(), patience)
		return
	})
	t.Cleanup(func() { x.conn.Close() })
	go x.send(limit)
	return x
}

func (x *transfer) send(limit int64) {
	var o outcome
	hash, random, block := sha256.New(), rand.NewChaCha8([32]byte{1}), make([]byte, 250_000)
	for o.err == nil && !x.stopped() && (limit == 0 || o.bytes < limit) {
		random.Read(block)
		hash.Write(block)
		_, o.err = x.conn.Write(block)
		o.bytes += int64(len(block))
	}
	if o.err == nil {
		o.err = x.conn.(*net.TCPConn).CloseWrite()
	}
	o.sum = hash.Sum(nil)
	x.sent <- o
}

func (x *transfer) stopped() bool {
	select {
	case <-x.stop:
		return true
	default:
		return false
	}
}

func (x *transfer) receive() {
	var o outcome
	conn, err := x.listener.Accept()
	if err != nil {
		x.received <- outcome{err: err}
		return
	}
	defer conn.Close()
	hash := sha256.New()
	o.bytes, o.err = io.Copy(io.MultiWriter(hash, counter{&x.arrived}), conn)
	o.sum = hash.Sum(nil)
	x.received <- o
}

type counter struct{ sum *atomic.Int64 }

func (c counter) Write(data []byte) (int, error) {
	c.sum.Add(int64(len(data)))
	return len(data), nil
}

// Waits until @more bytes have arrived at the other end.
func (x *transfer) waitProgress(t *testing.T, more int64) {
	t.Helper()
	want := x.arrived.Load() + more
	wait(t, "bytes arrive", patience, func() string {
		if now := x.arrived.Load(); now < want {
			return fmt.Sprintf("%d bytes, to be %d", now, want)
		}
		return ""
	})
}

// Ends a transfer without end; then it has to be whole as any other.
func (x *transfer) finish(t *testing.T) int64 {
	t.Helper()
	close(x.stop)
	return x.whole(t)
}

// Waits for the transfer's end, compares what was sent with what arrived, and returns its length.
func (x *transfer) whole(t *testing.T) int64 {
	t.Helper()
	var sent, received outcome
	for _, side := range []struct {
		name string
		from chan outcome
		to   *outcome
	}{{"sender", x.sent, &sent}, {"receiver", x.received, &received}} {
		select {
		case *side.to = <-side.from:
			if side.to.err != nil {
				t.Fatalf("the %s broke off after %d bytes: %v", side.name, side.to.bytes, side.to.err)
			}
		case <-time.After(transferPatience):
			t.Fatalf("the %s does not come to an end", side.name)
		}
	}
	if sent.bytes != received.bytes || !bytes.Equal(sent.sum, received.sum) {
		t.Fatalf("sent %d bytes %x, received %d bytes %x", sent.bytes, sent.sum, received.bytes, received.sum)
	}
	return received.bytes
}
