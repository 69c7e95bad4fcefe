// A tailnet of four nodes that have nothing but the relay between them, through good days and bad.
// SPDX-License-Identifier: LGPL-2.1-or-later

package tailnet

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tailscale.com/derp/derphttp"
	"tailscale.com/net/netcheck"
	"tailscale.com/net/netmon"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

// How long to wait for what must come; nothing passes by being slow. tailscaled backs off up to half a minute.
const (
	patience         = 60 * time.Second
	transferPatience = 180 * time.Second
)

// All that there is: set up once, since nobody founds a tailnet for each question.
type world struct {
	dir     string
	relay   *relay
	control *control
	api     *headscale
	guard   *node   // the tailscaled beside the relay, whose LocalAPI knows the members
	members []*node // alice with both families, bob with IPv4 and carol with IPv6 alone
}

func TestTailnet(t *testing.T) {
	if excuse != "" {
		t.Skip(excuse)
	}
	w := found(t)
	for _, step := range []struct {
		name string
		test func(*testing.T, *world)
	}{
		{"every node's home is the relay, found by STUN", testHome},
		{"nodes reach each other over the relay and not otherwise", testPing},
		{"a hundred megabytes arrive whole", testHundredMegabytes},
		{"a stranger is refused", testStranger},
		{"no member is lost while tailscaled is away", testGuardAway},
		{"a member that leaves the tailnet loses the relay, and has it again when it returns", testMemberLeaves},
		{"the same by the admission URL", testURL},
		{"the same by the list of the API", testAPI},
		{"users read what the operator says", testSay},
		{"two tailnets, each with a control server of its own, are two tenants", testTenants},
		{"a reload under load loses nothing", testReload},
		{"an upgrade under load drops nobody", testUpgrade},
		{"plugins switched off and on under load lose nothing", testPlugins},
		{"a client that is kicked comes back", testKicked},
		{"a relay that is taken out of service loses all homes to another, and has them back", testDrain},
		{"two relays serve nodes as two regions, and as one region with a mesh", testRegions},
		{"the official prober finds everything good", testDerpprobe},
		{"a relay that was killed and comes back is found again", testKilled},
		{"either record layer serves as well", testRecordLayers},
	} {
		t.Run(step.name, func(t *testing.T) { step.test(t, w) })
	}
}

// Builds network, relay, control server and nodes.
func found(t *testing.T) *world {
	t.Helper()
	dir := scratch(t)
	w := &world{dir: dir}
	makeRouter(t)
	relayPlace := makePlace(t, 1, "relay", true, true)
	w.guard = newNode(t, relayPlace, "guard", filepath.Join(dir, "guard"), false)
	w.relay = startRelay(t, relayPlace, filepath.Join(dir, "relay"), byTailscaled(w))
	w.control = startControl(t, dir, controlPort, w.relay.derpMap(t, relayName))
	w.api = startHeadscale(t, w.control, headscalePort)
	w.guard.start(t)
	w.guard.up(t, w.control.url(relayPlace))
	for i, family := range []struct {
		name   string
		v4, v6 bool
	}{{"alice", true, true}, {"bob", true, false}, {"carol", false, true}} {
		at := makePlace(t, i+2, family.name, family.v4, family.v6)
		w.members = append(w.members, newNode(t, at, family.name, filepath.Join(dir, family.name), true))
	}
	for _, n := range w.members {
		n.start(t)
	}
	for _, n := range w.members {
		n.up(t, w.control.url(n.at))
	}
	return w
}

// Waits until each member answers each other over the relay.
func (w *world) waitAllReach(t *testing.T, members ...*node) {
	t.Helper()
	waitReach(t, []string{regionCode}, members...)
}

// Waits until each of the nodes answers each other over a relay of one of the regions.
func waitReach(t *testing.T, codes []string, members ...*node) {
	t.Helper()
	type pair struct{ from, to *node }
	var missing []pair
	for _, from := range members {
		for _, to := range members {
			if from != to {
				missing = append(missing, pair{from, to})
			}
		}
	}
	wait(t, "members reach each other", patience, func() string {
		answers := make([]string, len(missing))
		var group sync.WaitGroup
		for i, p := range missing {
			address := p.to.address(t)
			group.Go(func() {
				answer, err := p.from.ping(address)
				if err != nil {
					answers[i] = fmt.Sprintf("%s to %s: %s", p.from.name, p.to.name, answer)
				} else if !slices.ContainsFunc(codes, func(code string) bool { return strings.Contains(answer, "via DERP("+code+")") }) {
					t.Errorf("%s reaches %s another way: %s", p.from.name, p.to.name, answer)
				}
			})
		}
		group.Wait()
		var left []pair
		for i, answer := range answers {
			if answer != "" {
				left = append(left, missing[i])
			}
		}
		missing = left
		return strings.Join(answers, "")
	})
}

func testHome(t *testing.T, w *world) {
	for _, n := range append([]*node{w.guard}, w.members...) {
		wait(t, n.name+" has its home", patience, func() string {
			status := n.mustStatus(t)
			known := w.control.Node(status.Self.PublicKey)
			if status.Self.Relay != regionCode || known == nil || known.HomeDERP != regionID {
				return fmt.Sprintf("home %q, and the control server knows %v", status.Self.Relay, known.HomeDERP)
			}
			return ""
		})
		var report netcheck.Report
		wait(t, n.name+" measures by STUN", patience, func() string {
			report = netcheck.Report{}
			out, err := n.at.command(filepath.Join(programs, "tailscale"), "--socket="+n.socket(), "netcheck", "--format=json").Output()
			if err == nil {
				err = json.Unmarshal(out, &report)
			}
			if err != nil {
				return err.Error()
			}
			if !report.UDP || report.IPv4 != n.at.v4 || report.IPv6 != n.at.v6 {
				return string(out)
			}
			return ""
		})
		own4, _, own6, _ := n.at.addresses()
		if report.PreferredDERP != regionID || report.RegionLatency[regionID] <= 0 {
			t.Errorf("%s prefers region %d, latencies %v", n.name, report.PreferredDERP, report.RegionLatency)
		}
		if n.at.v4 && report.GlobalV4.Addr().String() != own4 || n.at.v6 && report.GlobalV6.Addr().String() != own6 {
			t.Errorf("%s was told that it is %v and %v", n.name, report.GlobalV4, report.GlobalV6)
		}
	}
}

func testPing(t *testing.T, w *world) {
	w.waitAllReach(t, w.members...)
	for _, n := range w.members {
		n.waitDerp(t)
		for _, peer := range n.mustStatus(t).Peer {
			if peer.CurAddr != "" && peer.HostName != w.guard.name {
				t.Errorf("%s reaches %s at %s, past the relay", n.name, peer.HostName, peer.CurAddr)
			}
		}
	}
	wait(t, "nodes try to reach each other past the relay", patience, func() string {
		if directPackets(t) == 0 {
			return "no packet was held up, so this network does not show what it should"
		}
		return ""
	})
}

func testHundredMegabytes(t *testing.T, w *world) {
	const size = 100_000_000
	alice, bob, carol := w.members[0], w.members[1], w.members[2]
	ports := []string{alice.waitDerp(t), bob.waitDerp(t)}
	began := time.Now()
	if got := startTransfer(t, alice, bob, size).whole(t); got != size {
		t.Errorf("%d bytes arrived", got)
	}
	t.Logf("%.0f Mbit/s", size*8/1e6/time.Since(began).Seconds())
	if after := []string{alice.waitDerp(t), bob.waitDerp(t)}; after[0] != ports[0] || after[1] != ports[1] {
		t.Errorf("connections to the relay were lost: ports %v, then %v", ports, after)
	}
	// From IPv4 to IPv6, which only a relay joins.
	if got := startTransfer(t, bob, carol, size/10).whole(t); got != size/10 {
		t.Errorf("%d bytes arrived", got)
	}
}

// A bare client with a key that nobody knows, from the router, which is no member.
func (w *world) stranger(t *testing.T) *derphttp.Client {
	t.Helper()
	return w.bare(t, key.NewNode(), relayName)
}

// A bare client, from the router, that asks for a name of the relay.
func (w *world) bare(t *testing.T, private key.NodePrivate, name string) *derphttp.Client {
	t.Helper()
	region := w.relay.derpMap(t, name).Regions[regionID]
	c := derphttp.NewRegionClient(private, func(string, ...any) {}, netmon.NewStatic(),
		func() *tailcfg.DERPRegion { return region })
	t.Cleanup(func() { c.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.Connect(ctx); err != nil {
		t.Fatalf("connect: %v", err)
	}
	return c
}

// Waits until a stranger's connection ends, on which nothing may arrive.
func (w *world) mustRefuse(t *testing.T, c *derphttp.Client) {
	t.Helper()
	heard := make(chan any, 1)
	go func() {
		m, err := c.Recv()
		if err != nil {
			heard <- err
		} else {
			heard <- m
		}
	}()
	select {
	case what := <-heard:
		if _, refused := what.(error); !refused {
			t.Fatalf("a stranger hears %T", what)
		}
	case <-time.After(patience):
		t.Fatal("a stranger's connection is held for ever")
	}
}

func testStranger(t *testing.T, w *world) {
	c := w.stranger(t)
	w.mustRefuse(t, c)
	if why := w.relay.ctl(t, "why", c.SelfPublicKey().String()); !strings.Contains(why, "tailscaled does not know it") {
		t.Errorf("why: %s", why)
	}
	w.waitAllReach(t, w.members[:2]...)
}

func testGuardAway(t *testing.T, w *world) {
	w.guard.stop()
	ports := make([]string, len(w.members))
	for i, n := range w.members {
		ports[i] = n.waitDerp(t)
	}
	w.waitAllReach(t, w.members...)
	for i, n := range w.members {
		if port := n.waitDerp(t); port != ports[i] {
			t.Errorf("%s was connected from port %s and now is from %s", n.name, ports[i], port)
		}
	}
	for i, n := range w.members {
		n.at.breakDerp(t)
		n.waitOtherDerp(t, ports[i])
	}
	w.waitAllReach(t, w.members...)
	w.mustRefuse(t, w.stranger(t))
	// The last answers hold for a while; when they do no longer, it is grace that lets a member in.
	alice := w.members[0]
	aliceKey := alice.mustStatus(t).Self.PublicKey.String()
	wait(t, "alice is let in by grace", patience, func() string {
		port := alice.waitDerp(t)
		alice.at.breakDerp(t)
		alice.waitOtherDerp(t, port)
		if why := w.relay.ctl(t, "why", aliceKey); !strings.Contains(why, "allowed before, and now: ") {
			return why
		}
		return ""
	})
	w.guard.start(t)
	w.guard.waitRunning(t)
	w.waitAllReach(t, w.members...)
	w.mustRefuse(t, w.stranger(t))
}

func testMemberLeaves(t *testing.T, w *world) {
	w.mustLose(t, "tailscaled does not know it", w.control.gone)
	w.mustLose(t, "its key has expired, says tailscaled", w.control.expire)
}

// The guard is told something of carol, which loses the relay by it. It comes back when the guard is told that all is well.
func (w *world) mustLose(t *testing.T, why string, tell func(t *testing.T, viewer, peer key.NodePublic)) {
	t.Helper()
	alice, carol := w.members[0], w.members[2]
	guardKey, carolKey := w.guard.mustStatus(t).Self.PublicKey, carol.mustStatus(t).Self.PublicKey
	w.waitAllReach(t, alice, carol)
	// The guard alone hears of it: for alice carol is a peer as before, so that only the relay keeps them apart. Nobody is asked about again
	// within an hour, so that it is the guard's own word that closes carol.
	tell(t, guardKey, carolKey)
	w.waitLog(t, fmt.Sprintf("closing %s, which is not admitted any more: %s", carolKey, why), 1)
	address := carol.address(t)
	wait(t, "carol is kept out", patience, func() string {
		if answer, err := alice.ping(address); err == nil {
			return answer
		}
		return ""
	})
	carol.at.breakDerp(t)
	if answer, err := alice.ping(address); err == nil {
		t.Errorf("carol, no member any more, is let in: %s", answer)
	}
	w.waitAllReach(t, w.members[:2]...)
	w.control.back(t, guardKey, carolKey)
	w.waitAllReach(t, w.members...)
}

// Does something again and again while bytes flow from alice to bob, who must not notice.
func (w *world) underLoad(t *testing.T, times int, do func()) {
	t.Helper()
	alice, bob := w.members[0], w.members[1]
	ports := []string{alice.waitDerp(t), bob.waitDerp(t)}
	x := startTransfer(t, alice, bob, 0)
	x.waitProgress(t, 1_000_000)
	for range times {
		do()
		x.waitProgress(t, 5_000_000)
	}
	t.Logf("%d MB", x.finish(t)/1_000_000)
	if after := []string{alice.waitDerp(t), bob.waitDerp(t)}; after[0] != ports[0] || after[1] != ports[1] {
		t.Errorf("connections to the relay were lost: ports %v, then %v", ports, after)
	}
}

func testReload(t *testing.T, w *world) {
	w.underLoad(t, 5, func() { w.relay.reload(t) })
}

func testUpgrade(t *testing.T, w *world) {
	all := append([]*node{w.guard}, w.members...)
	before := portsOf(t, all)
	w.underLoad(t, 2, func() { w.relay.upgrade(t, len(all)) })
	mustStay(t, all, before)
	w.waitAllReach(t, w.members...)
}

func testPlugins(t *testing.T, w *world) {
	w.underLoad(t, 2, func() {
		for _, instance := range []string{"service/stun", "http/captive", "transport/http", "service/mesh", "auth/tailscaled"} {
			for _, step := range []struct{ verb, state string }{{"disable", "stopped"}, {"enable", "running"}, {"restart", "running"}} {
				w.relay.ctl(t, "plugins", step.verb, instance)
				if state := w.relay.plugins(t)[instance]; state != step.state {
					t.Fatalf("%s is %s after %s", instance, state, step.verb)
				}
			}
		}
	})
	// All of them work as before: STUN, the captive portal's answer, the mesh key (see below) and admission.
	testHome(t, w)
	w.mustRefuse(t, w.stranger(t))
}

func testKicked(t *testing.T, w *world) {
	alice := w.members[0]
	port := alice.waitDerp(t)
	w.relay.ctl(t, "kick", alice.mustStatus(t).Self.PublicKey.String())
	alice.waitOtherDerp(t, port)
	w.waitAllReach(t, w.members[:2]...)
}

func testDerpprobe(t *testing.T, w *world) {
	// Its TLS probe takes no pin, and so has to be told to trust the certificate.
	conn, err := tls.Dial("tcp", net.JoinHostPort(relay4, "443"), &tls.Config{ServerName: relayName, InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	block := &pem.Block{Type: "CERTIFICATE", Bytes: conn.ConnectionState().PeerCertificates[0].Raw}
	w.relay.write(t, "roots.pem", string(pem.EncodeToMemory(block)))
	text, err := json.Marshal(w.relay.derpMap(t, relayName))
	if err != nil {
		t.Fatal(err)
	}
	w.relay.write(t, "map.json", string(text))
	in := func(name string) string { return filepath.Join(w.relay.dir, name) }
	cmd := exec.Command(filepath.Join(programs, "derpprobe"), "-once", "-spread=false", "-derp-map=file://"+in("map.json"),
		"-mesh-psk-file="+in("mesh.key"), "-tls-interval=1m", "-stun-interval=1m", "-mesh-interval=1m", "-bw-interval=2m", "-bw-probe-size-bytes=20000000")
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+in("roots.pem"), "HOME="+w.relay.dir)
	timer := time.AfterFunc(transferPatience, func() { cmd.Process.Signal(syscall.SIGQUIT) })
	defer timer.Stop()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("derpprobe: %v\n%s", err, out)
	}
	for _, probe := range []string{"derpmap-probe", "derp/detour/900a/tls", "derp/detour/900a/udp", "derp/detour/900a/udp6",
		"derp/detour/900a/900a/mesh", "derp/detour/900a/900a/bw"} {
		if !strings.Contains(string(out), "good: "+probe+":") {
			t.Errorf("%s is not good:\n%s", probe, out)
		}
	}
}

func testKilled(t *testing.T, w *world) {
	ports := make([]string, len(w.members))
	for i, n := range w.members {
		ports[i] = n.waitDerp(t)
	}
	w.relay.kill()
	w.relay.start(t)
	w.waitAllReach(t, w.members...)
	for i, n := range w.members {
		if port := n.waitDerp(t); port == ports[i] {
			t.Errorf("%s is still connected from port %s to a daemon that was killed", n.name, port)
		}
	}
}

func testRecordLayers(t *testing.T, w *world) {
	const size = 50_000_000
	for _, layer := range []string{"gnutls", "export"} {
		t.Run(layer, func(t *testing.T) {
			w.relay.stop(t)
			w.relay.configure(t, layer)
			w.relay.start(t)
			w.waitAllReach(t, w.members...)
			began := time.Now()
			if got := startTransfer(t, w.members[0], w.members[1], size).whole(t); got != size {
				t.Errorf("%d bytes arrived", got)
			}
			t.Logf("%.0f Mbit/s", size*8/1e6/time.Since(began).Seconds())
			exported := w.relay.counter(t, "connections_exported")
			if connections := len(w.members) + 1; layer == "gnutls" && exported != 0 || layer == "export" && exported < connections {
				t.Errorf("%d connections are exported", exported)
			}
			testReload(t, w)
			testDerpprobe(t, w)
		})
	}
}
