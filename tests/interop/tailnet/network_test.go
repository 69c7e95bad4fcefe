// The network: a router, which is the test itself, with a leg to each node and one to the relay.
// SPDX-License-Identifier: LGPL-2.1-or-later

package tailnet

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	relayName  = "relay.test"
	secondName = "second.test" // of the same relay
	relay4     = "10.77.1.2"
	relay6     = "fd77:1::2"
)

// What the router lets through: what comes from the relays or goes there. Nodes that try to reach each other are counted.
const rules = `
table inet detour {
  counter direct { }
  chain apart {
  }
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state invalid drop
    jump apart
    iifname { "relay", "spare", "east", "west" } accept
    oifname { "relay", "spare", "east", "west" } accept
    counter name direct
  }
}
`

// One network namespace with one leg to the router.
type place struct {
	name   string
	number int
	v4, v6 bool
}

// The addresses of this place and of the router at the other end, "" where the place has none of the family.
func (p *place) addresses() (own4, router4, own6, router6 string) {
	if p.v4 {
		own4, router4 = fmt.Sprintf("10.77.%d.2", p.number), fmt.Sprintf("10.77.%d.1", p.number)
	}
	if p.v6 {
		own6, router6 = fmt.Sprintf("fd77:%d::2", p.number), fmt.Sprintf("fd77:%d::1", p.number)
	}
	return
}

// Turns the test's own namespace into a router that forwards to and from the relays only.
func makeRouter(t *testing.T) {
	t.Helper()
	run(t, "ip", "link", "set", "lo", "up")
	for _, setting := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
		if err := os.WriteFile("/proc/sys/net/"+setting, []byte("1"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v\n%s", err, out)
	}
}

// Makes a namespace called @name with its leg. The place has /etc/resolv.conf for itself: tailscaled writes there.
func makePlace(t *testing.T, number int, name string, v4, v6 bool) *place {
	t.Helper()
	p := &place{name: name, number: number, v4: v4, v6: v6}
	etc := filepath.Join("/etc/netns", name)
	if err := os.MkdirAll(etc, 0o755); err != nil {
		t.Fatal(err)
	}
	resolv, err := os.ReadFile("/etc/resolv.conf")
	if err == nil {
		err = os.WriteFile(filepath.Join(etc, "resolv.conf"), resolv, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	run(t, "ip", "netns", "add", name)
	run(t, "ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
	run(t, "ip", "-n", name, "link", "set", "lo", "up")
	run(t, "ip", "-n", name, "link", "set", "eth0", "up")
	run(t, "ip", "link", "set", name, "up")
	own4, router4, own6, router6 := p.addresses()
	if v4 {
		run(t, "ip", "addr", "add", router4+"/24", "dev", name)
		run(t, "ip", "-n", name, "addr", "add", own4+"/24", "dev", "eth0")
		run(t, "ip", "-n", name, "route", "add", "default", "via", router4)
	}
	if v6 {
		run(t, "ip", "addr", "add", router6+"/64", "dev", name, "nodad")
		run(t, "ip", "-n", name, "addr", "add", own6+"/64", "dev", "eth0", "nodad")
		run(t, "ip", "-n", name, "route", "add", "default", "via", router6)
	}
	return p
}

// A program that will run at the place.
func (p *place) command(name string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", p.name, name}, args...)...)
}

// Calls @do in a thread that is at the place; sockets that it opens stay there.
func (p *place) in(t *testing.T, do func() error) {
	t.Helper()
	failed := make(chan error)
	go func() {
		// Never unlocked on failure, so that no other goroutine finds itself at a strange place.
		runtime.LockOSThread()
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			failed <- err
			return
		}
		defer home.Close()
		there, err := os.Open(filepath.Join("/run/netns", p.name))
		if err != nil {
			failed <- err
			return
		}
		defer there.Close()
		if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
			failed <- err
			return
		}
		err = do()
		if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back == nil {
			runtime.UnlockOSThread()
		}
		failed <- err
	}()
	if err := <-failed; err != nil {
		t.Fatalf("at %s: %v", p.name, err)
	}
}

// How many packets nodes sent to each other past the relay, all of them in vain.
func directPackets(t *testing.T) int {
	t.Helper()
	var packets, bytes int
	text := run(t, "nft", "list", "counter", "inet", "detour", "direct")
	if at := strings.Index(text, "packets"); at < 0 {
		t.Fatalf("no counter in %q", text)
	} else if _, err := fmt.Sscanf(text[at:], "packets %d bytes %d", &packets, &bytes); err != nil {
		t.Fatal(err)
	}
	return packets
}

// What the router does not let through besides, until keepNobody() is called.
func (p *place) keepFrom(t *testing.T, other *place, what ...string) {
	t.Helper()
	own4, _, _, _ := other.addresses()
	run(t, "nft", append([]string{"add", "rule", "inet", "detour", "apart", "iifname", p.name, "ip", "daddr", own4}, what...)...)
}

// As a firewall would: connections to the relay at the other place are refused.
func (p *place) keepFromConnecting(t *testing.T, other *place) {
	t.Helper()
	p.keepFrom(t, other, "tcp", "dport", "443", "reject", "with", "tcp", "reset")
}

// The relay at the other place answers no STUN.
func (p *place) keepFromMeasuring(t *testing.T, other *place) {
	t.Helper()
	p.keepFrom(t, other, "udp", "dport", "3478", "drop")
}

// Nobody is kept from anywhere any more.
func keepNobody(t *testing.T) {
	t.Helper()
	run(t, "nft", "flush", "chain", "inet", "detour", "apart")
}

// The local ports of the place's connections to the relay's port 443 that stand.
func (p *place) derpPorts(t *testing.T) []string {
	t.Helper()
	return p.derpPortsTo(t, "")
}

// The same to the relay of one host; to any where @address is "".
func (p *place) derpPortsTo(t *testing.T, address string) []string {
	t.Helper()
	filter := []string{"netns", "exec", p.name, "ss", "-Htn", "state", "established", "dport = :443"}
	if address != "" {
		filter = append(filter, "and", "dst", address)
	}
	text := run(t, "ip", filter...)
	var ports []string
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) >= 4 {
			ports = append(ports, fields[2][strings.LastIndex(fields[2], ":")+1:])
		}
	}
	return ports
}

// Breaks the place's connections to the relay as a network would.
func (p *place) breakDerp(t *testing.T) {
	t.Helper()
	run(t, "ip", "netns", "exec", p.name, "ss", "-K", "-tn", "dport = :443")
}
