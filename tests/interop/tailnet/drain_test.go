// A relay is taken out of service while another one is there.
// SPDX-License-Identifier: LGPL-2.1-or-later

package tailnet

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tailscale.com/tailcfg"
)

const (
	drainLimit = 60 * time.Second // in which the relay is empty
	drainGap   = 10 * time.Second // nobody is without any relay for longer; most are for less than 4 s
)

// Tells all nodes that the map is another one.
func (w *world) setMap(t *testing.T, derpMap *tailcfg.DERPMap) {
	t.Helper()
	w.control.DERPMap = derpMap
	w.control.UpdateNode(w.control.mustNode(t, w.guard.mustStatus(t).Self.PublicKey))
}

// Waits until every node's home is that relay, and the control server knows. Nodes send meanwhile: one that stayed with a relay because it
// had just heard of it looks for another home only while it has something to send.
func (w *world) waitHomes(t *testing.T, nodes []*node, r *relay) {
	t.Helper()
	for i, n := range nodes {
		send := n.sender(t, nodes[(i+1)%len(nodes)])
		wait(t, n.name+" has its home at "+r.at.name, patience, func() string {
			status := n.mustStatus(t)
			known := w.control.Node(status.Self.PublicKey)
			if known == nil {
				return "the control server does not know it"
			}
			if status.Self.Relay != r.code || known.HomeDERP != r.region {
				send()
				return fmt.Sprintf("home %q, and the control server knows %v", status.Self.Relay, known.HomeDERP)
			}
			return ""
		})
	}
}

// Connections that the relay has now.
func (r *relay) clients(t *testing.T) int {
	t.Helper()
	var status struct {
		Count int `json:"connection_count"`
	}
	text := r.ctl(t, "status", "--json")
	if err := json.Unmarshal([]byte(text), &status); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return status.Count
}

// Waits until nodes have said nothing to each other for so long that they may choose another home: a node that has just heard of its relay
// stays. It takes most of a minute after the last packet of theirs.
func (w *world) waitQuiet(t *testing.T) {
	t.Helper()
	count, since := -1, time.Now()
	wait(t, "nodes are quiet", 3*patience, func() string {
		if now := w.relay.counter(t, "packets_received"); now != count {
			count, since = now, time.Now()
		}
		if time.Since(since) < 10*time.Second {
			return fmt.Sprintf("%d packets, the last one %v ago", count, time.Since(since))
		}
		return ""
	})
}

// The longest time for which each node has no connection to a relay, until the returned function is called.
func watchGaps(t *testing.T, nodes []*node) func() map[string]time.Duration {
	gaps, stop := map[string]time.Duration{}, make(chan struct{})
	var group sync.WaitGroup
	var lock sync.Mutex
	for _, n := range nodes {
		group.Go(func() {
			last := time.Now()
			for {
				began := time.Now()
				if len(n.at.derpPorts(t)) > 0 {
					lock.Lock()
					gaps[n.name] = max(gaps[n.name], began.Sub(last))
					lock.Unlock()
					last = time.Now()
				}
				select {
				case <-stop:
					return
				case <-time.After(250 * time.Millisecond):
				}
			}
		})
	}
	return func() map[string]time.Duration {
		close(stop)
		group.Wait()
		return gaps
	}
}

func testDrain(t *testing.T, w *world) {
	spare := startRelay(t, makePlace(t, 7, "spare", true, true), filepath.Join(w.dir, "spare"), "chain = open")
	both := w.relay.derpMap(t, relayName)
	single := both.Clone()
	both.Regions[spare.region] = spare.derpMap(t, relayName).Regions[spare.region]
	w.setMap(t, both)
	defer w.setMap(t, single)
	w.waitAllReach(t, w.members...)
	w.relay.ctl(t, "say", "this relay is down for a while soon")
	w.waitQuiet(t)
	gaps := watchGaps(t, w.members)
	began := time.Now()
	w.relay.ctl(t, "drain", "--for=45s", "--no-wait")
	wait(t, "the relay has no clients", drainLimit, func() string {
		if n := w.relay.clients(t); n > 0 {
			return fmt.Sprintf("%d are left", n)
		}
		return ""
	})
	t.Logf("empty after %v", time.Since(began).Round(time.Second))
	// The node on the host of the relay that is drained has nothing to send here, so it may look for another home much later.
	w.waitHomes(t, w.members, spare)
	for name, gap := range gaps() {
		t.Logf("%s was without a relay for %v at most", name, gap.Round(time.Millisecond))
		if gap > drainGap {
			t.Errorf("%s was without a relay for %v", name, gap)
		}
	}
	for _, n := range w.members {
		if health := strings.Join(n.mustStatus(t).Health, "; "); strings.Contains(health, "down for a while") {
			t.Errorf("%s is still told of a relay that it does not use: %s", n.name, health)
		}
	}
	w.relay.ctl(t, "say", "--clear")
	w.relay.ctl(t, "drain", "--cancel")
	// Without the spare one everybody comes back.
	w.setMap(t, single)
	w.waitHomes(t, w.members, w.relay)
	w.waitAllReach(t, w.members...)
}
