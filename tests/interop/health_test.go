// Texts for users: the official client receives what the operator says and that its key is in use twice.
// SPDX-License-Identifier: LGPL-2.1-or-later

package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tailscale.com/derp"
	"tailscale.com/derp/derphttp"
	"tailscale.com/types/key"
)

// A client as tailscaled has it: it says that it acknowledges pings.
func talkative(t *testing.T, private key.NodePrivate) *derphttp.Client {
	t.Helper()
	c := tlsClient(t, private)
	c.SetCanAckPings(true)
	return connect(t, c)
}

func detourctl(t *testing.T, arguments ...string) {
	t.Helper()
	program := filepath.Join(filepath.Dir(relay.cmd.Path), "detourctl")
	command := exec.Command(program, arguments...)
	command.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "DETOUR_SOCKET="+filepath.Join(filepath.Dir(relay.log), "control"))
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("detourctl %v: %v\n%s", arguments, err, out)
	}
}

// The next message is a text for the user with these words; "" is the empty text.
func recvHealth(t *testing.T, c *derphttp.Client, words string) {
	t.Helper()
	m := recv(t, c)
	h, ok := m.(derp.HealthMessage)
	if !ok {
		t.Fatalf("got %T %v, not a health message", m, m)
	}
	if words == "" && h.Problem != "" || !strings.Contains(h.Problem, words) {
		t.Fatalf("told %q, expected %q", h.Problem, words)
	}
}

func TestWhatTheOperatorSays(t *testing.T) {
	before, silent := talkative(t, key.NewNode()), connect(t, tlsClient(t, key.NewNode()))
	t.Cleanup(func() { detourctl(t, "say", "--clear") })
	detourctl(t, "say", "down at 20:00 UTC")
	recvHealth(t, before, "down at 20:00 UTC")
	after := talkative(t, key.NewNode())
	recvHealth(t, after, "down at 20:00 UTC")
	detourctl(t, "say", "--clear")
	recvHealth(t, before, "")
	recvHealth(t, after, "")
	// One that did not say that it takes such frames was sent none.
	send(t, silent, silent.SelfPublicKey(), []byte("the next message"))
	recvPacket(t, silent, silent.SelfPublicKey(), []byte("the next message"))
}

func TestKeyOnTwoMachines(t *testing.T) {
	private := key.NewNode()
	first := talkative(t, private)
	second := talkative(t, private)
	send(t, second, key.NewNode().Public(), []byte("I speak"))
	send(t, first, key.NewNode().Public(), []byte("so do I"))
	recvHealth(t, first, "another device is connected with the key of this one")
	recvHealth(t, second, "another device")
	second.Close()
	recvHealth(t, first, "")
}
