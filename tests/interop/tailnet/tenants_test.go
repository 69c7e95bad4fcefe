// Two tailnets on one relay, each with a control server of its own: they are tenants, and nothing to each other.
// SPDX-License-Identifier: LGPL-2.1-or-later

package tailnet

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"tailscale.com/derp"
	"tailscale.com/derp/derphttp"
	"tailscale.com/disco"
	"tailscale.com/types/key"
)

// The first tailnet is that of the other steps, by the list of its API; the second one asks another server's admission URL.
const tenantsConfig = `
chain = api
recheck = 1s

[tenant first]
names = relay.test
chain = api

[tenant second]
names = second.test
chain = second

[auth api]
plugin = tailscale-api
api = headscale
url = %[1]s
key-file = %[2]s/headscale.key
refresh = 1s

[auth second]
plugin = url
url = %[3]s/verify
unavailable = grace
`

const (
	noDevice   = "no device of the tailnet has this key"
	notAllowed = "the admission server does not allow it"
)

// Looks like the packets by which nodes find each other; only about these a client hears that nobody is there.
var knock = append([]byte(disco.Magic), make([]byte, key.DiscoPublicRawLen+disco.NonceLen)...)

func testTenants(t *testing.T, w *world) {
	control := startControl(t, w.dir, controlPort+10, w.relay.derpMap(t, secondName))
	api := startHeadscale(t, control, headscalePort+10)
	w.relay.write(t, "headscale.key", headscaleKey+"\n")
	w.relay.admit(t, fmt.Sprintf(tenantsConfig, w.api.url(w.relay.at), w.relay.dir, api.url(w.relay.at)))
	defer w.relay.admit(t, byTailscaled(w))
	var second []*node
	for i, name := range []string{"dave", "erin"} {
		n := newNode(t, makePlace(t, i+5, name, true, true), name, filepath.Join(w.dir, name), true)
		n.start(t)
		n.up(t, control.url(n.at))
		second = append(second, n)
	}
	w.waitAllReach(t, second...)
	w.waitAllReach(t, w.members...)
	w.mustBeOf(t, "first", w.members)
	w.mustBeOf(t, "second", second)
	testApart(t, w, api, second)

	// One server is away: the other tailnet does not notice, and in its own nobody is lost.
	first, own := w.ports(t), portsOf(t, second)
	api.stop()
	w.waitLog(t, "auth/second: cannot connect to ", 1)
	w.waitAllReach(t, second...)
	w.mustRefuseAs(t, w.bare(t, key.NewNode(), secondName), "cannot connect to ")
	w.mustRefuseAs(t, w.stranger(t), noDevice)
	mustStay(t, second, own)
	w.mustStay(t, first)
	api.start(t)
	w.waitLog(t, "auth/second: the admission server answers again", 1)

	// A node that is removed from one loses the relay, and nobody else does.
	dave := second[0]
	api.delete(dave.key(t), true)
	w.waitLog(t, fmt.Sprintf("closing %s, which is not admitted any more: %s", dave.key(t), notAllowed), 1)
	w.waitAllReach(t, w.members...)
	mustStay(t, second[1:], own[1:])
	w.mustStay(t, first)
	api.delete(dave.key(t), false)
	w.waitAllReach(t, second...)
}

// Keys of one tailnet are strangers in the other one, and its nodes are not there for them.
func testApart(t *testing.T, w *world, api *headscale, second []*node) {
	private, other := key.NewNode(), key.NewNode()
	api.add(private.Public())
	api.add(other.Public())
	w.mustRefuseAs(t, w.bare(t, private, relayName), noDevice)
	// A client hears of three that are gone, and then not for a while.
	c := w.bare(t, other, secondName)
	for _, n := range w.members {
		w.mustBeAbsent(t, c, n)
	}
	// Were one of these absent, that would be said before the stranger's absence.
	c = w.bare(t, private, secondName)
	stranger := key.NewNode().Public()
	for _, peer := range []key.NodePublic{second[0].key(t), second[1].key(t), stranger} {
		if err := c.Send(peer, knock); err != nil {
			t.Fatal(err)
		}
	}
	if gone := recvGone(t, c); gone.Peer != stranger {
		t.Errorf("%v is gone for a node of the same tailnet", gone.Peer)
	}
}

// For @c the node is a key that nobody has.
func (w *world) mustBeAbsent(t *testing.T, c *derphttp.Client, n *node) {
	t.Helper()
	n.waitDerp(t)
	if err := c.Send(n.key(t), knock); err != nil {
		t.Fatal(err)
	}
	if gone := recvGone(t, c); gone.Peer != n.key(t) || gone.Reason != derp.PeerGoneReasonNotHere {
		t.Errorf("told that %v is gone for reason %v", gone.Peer, gone.Reason)
	}
}

// The next word that somebody is gone; nodes may send packets meanwhile.
func recvGone(t *testing.T, c *derphttp.Client) derp.PeerGoneMessage {
	t.Helper()
	heard := make(chan derp.PeerGoneMessage, 1)
	failed := make(chan error, 1)
	go func() {
		for {
			m, err := c.Recv()
			if err != nil {
				failed <- err
				return
			}
			if gone, ok := m.(derp.PeerGoneMessage); ok {
				heard <- gone
				return
			}
		}
	}()
	select {
	case gone := <-heard:
		return gone
	case err := <-failed:
		t.Fatal(err)
	case <-time.After(patience):
		t.Fatal("nobody is said to be gone")
	}
	return derp.PeerGoneMessage{}
}

// All connections of the nodes are of the tenant.
func (w *world) mustBeOf(t *testing.T, tenant string, nodes []*node) {
	t.Helper()
	var list struct {
		Clients []struct{ Key, Tenant string }
	}
	text := w.relay.ctl(t, "clients", "--json")
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	for _, n := range nodes {
		found := 0
		for _, c := range list.Clients {
			if c.Key != n.key(t).String() {
				continue
			}
			found++
			if c.Tenant != tenant {
				t.Errorf("%s is of tenant %q", n.name, c.Tenant)
			}
		}
		if found == 0 {
			t.Errorf("%s is not connected", n.name)
		}
	}
}
