// Who is let in, by each way to ask a control server: members that are removed, and a control server that is away for a while.
// SPDX-License-Identifier: LGPL-2.1-or-later

package tailnet

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tailscale.com/derp/derphttp"
	"tailscale.com/types/key"
)

// The guard's LocalAPI is asked. It tells by itself who goes, so that nobody needs to be asked about again.
func byTailscaled(w *world) string {
	return fmt.Sprintf("chain = tailscaled\nrecheck = 1h\n\n[auth tailscaled]\nsocket = %s\n", w.guard.socket())
}

// A way to ask the Headscale, and what the daemon says then.
type asking struct {
	admission string // of the configuration
	denial    string // why a key is not let in that the Headscale does not have
	trouble   string // while the Headscale is away
	doubt     string // why a stranger is not let in then
	trust     string // why a member is, when what was cached is too old
	end       string // when it is back
}

// What the node shows to the relay.
func (n *node) key(t *testing.T) key.NodePublic {
	t.Helper()
	return n.mustStatus(t).Self.PublicKey
}

func testURL(t *testing.T, w *world) {
	testAsking(t, w, asking{
		admission: fmt.Sprintf("chain = url\nrecheck = 1s\n\n[auth url]\nurl = %s/verify\nunavailable = grace\n", w.api.url(w.relay.at)),
		denial:    "the admission server does not allow it",
		trouble:   "auth/url: cannot connect to ",
		doubt:     "cannot connect to ",
		trust:     "allowed before, and now: ",
		end:       "auth/url: the admission server answers again",
	})
}

func testAPI(t *testing.T, w *world) {
	w.relay.write(t, "headscale.key", headscaleKey+"\n")
	testAsking(t, w, asking{
		admission: fmt.Sprintf("chain = api\nrecheck = 1s\n\n[auth api]\nplugin = tailscale-api\napi = headscale\nurl = %s\nkey-file = %s/headscale.key\nrefresh = 1s\n",
			w.api.url(w.relay.at), w.relay.dir),
		denial:  "no device of the tailnet has this key",
		trouble: "auth/api: cannot connect to ",
		doubt:   "no device of the tailnet has this key, says a list that may be out of date: cannot connect to ",
		trust:   "allow",
		end:     "auth/api: the API lists the devices again",
	})
}

// Asks by another way from now on, which no member notices.
func testAsking(t *testing.T, w *world, how asking) {
	before := w.ports(t)
	w.relay.admit(t, how.admission)
	// Back to what every other step has, even when this one fails.
	defer w.relay.admit(t, byTailscaled(w))
	w.waitAllReach(t, w.members...)
	w.mustStay(t, before)
	w.mustRefuseBecause(t, how.denial)
	t.Run("a member that is removed loses the relay, and has it again when it returns", func(t *testing.T) { testRemoved(t, w, how) })
	t.Run("no member is lost while it is away", func(t *testing.T) { testAway(t, w, how) })
}

func testRemoved(t *testing.T, w *world, how asking) {
	alice, carol := w.members[0], w.members[2]
	others := w.ports(t)[:2]
	address := carol.address(t)
	w.api.delete(carol.key(t), true)
	w.waitLog(t, fmt.Sprintf("closing %s, which is not admitted any more: %s", carol.key(t), how.denial), 1)
	wait(t, "carol is kept out", patience, func() string {
		if answer, err := alice.ping(address); err == nil {
			return answer
		}
		return ""
	})
	// It does come back, and is refused.
	w.waitLog(t, fmt.Sprintf("refused %s from ", carol.key(t)), 1)
	if answer, err := alice.ping(address); err == nil {
		t.Errorf("carol, no member any more, is let in: %s", answer)
	}
	w.waitAllReach(t, w.members[:2]...)
	w.mustStay(t, others)
	w.api.delete(carol.key(t), false)
	w.waitAllReach(t, w.members...)
}

func testAway(t *testing.T, w *world, how asking) {
	bob := w.members[1]
	ends := strings.Count(w.relay.log(t), how.end)
	w.api.stop()
	w.waitLog(t, how.trouble, 1)
	before := w.ports(t)
	w.waitAllReach(t, w.members...)
	w.mustStay(t, before)
	w.mustRefuseBecause(t, how.doubt)
	wait(t, "bob is let in again", patience, func() string {
		port := bob.waitDerp(t)
		bob.at.breakDerp(t)
		bob.waitOtherDerp(t, port)
		if why := w.relay.ctl(t, "why", bob.key(t).String()); !strings.Contains(why, how.trust) {
			return why
		}
		return ""
	})
	w.waitAllReach(t, w.members...)
	before = w.ports(t)
	w.api.start(t)
	w.waitLog(t, how.end, ends+1)
	w.mustRefuseBecause(t, how.denial)
	w.waitAllReach(t, w.members...)
	w.mustStay(t, before)
}

// The local ports of the members' connections to the relay.
func (w *world) ports(t *testing.T) []string {
	t.Helper()
	return portsOf(t, w.members)
}

func portsOf(t *testing.T, nodes []*node) []string {
	t.Helper()
	var ports []string
	for _, n := range nodes {
		ports = append(ports, n.waitDerp(t))
	}
	return ports
}

// The members are connected as they were; @before may be of the first ones only.
func (w *world) mustStay(t *testing.T, before []string) {
	t.Helper()
	mustStay(t, w.members[:len(before)], before)
}

func mustStay(t *testing.T, nodes []*node, before []string) {
	t.Helper()
	if now := portsOf(t, nodes); !slices.Equal(now, before) {
		t.Errorf("nodes lost the relay: they were connected from ports %v, and are from %v", before, now)
	}
}

// Waits until the daemon has logged some words so often.
func (w *world) waitLog(t *testing.T, words string, times int) {
	t.Helper()
	wait(t, "the daemon says "+words, patience, func() string {
		if n := strings.Count(w.relay.log(t), words); n < times {
			return fmt.Sprintf("said %d times", n)
		}
		return ""
	})
}

// A stranger is refused, and the reason has these words.
func (w *world) mustRefuseBecause(t *testing.T, words string) {
	t.Helper()
	w.mustRefuseAs(t, w.stranger(t), words)
}

func (w *world) mustRefuseAs(t *testing.T, c *derphttp.Client, words string) {
	t.Helper()
	w.mustRefuse(t, c)
	if why := w.relay.ctl(t, "why", c.SelfPublicKey().String()); !strings.Contains(why, words) {
		t.Errorf("why: %s, and not: %s", why, words)
	}
}
