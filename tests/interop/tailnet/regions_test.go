// Two relays beside the first one, for a tailnet of its own: as two regions, and as one with a mesh.
// SPDX-License-Identifier: LGPL-2.1-or-later

package tailnet

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tailscale.com/tailcfg"
)

// Two relays at two hosts, and two nodes.
type pair struct {
	w          *world
	control    *control
	east, west *relay
	fay, gus   *node
}

const transferSize = 20_000_000

func testRegions(t *testing.T, w *world) {
	p := &pair{w: w}
	p.east = startRelay(t, makePlace(t, 8, "east", true, true), filepath.Join(w.dir, "east"), "chain = open")
	p.west = startRelay(t, makePlace(t, 9, "west", true, true), filepath.Join(w.dir, "west"), "chain = open")
	p.control = startControl(t, w.dir, controlPort+20, p.twoRegions(t))
	fay, gus := makePlace(t, 10, "fay", true, false), makePlace(t, 11, "gus", true, false)
	// By STUN alone, so that both choose without being kept from the other's home.
	fay.keepFromMeasuring(t, p.west.at)
	gus.keepFromMeasuring(t, p.east.at)
	defer keepNobody(t)
	p.fay = newNode(t, fay, "fay", filepath.Join(w.dir, "fay"), true)
	p.gus = newNode(t, gus, "gus", filepath.Join(w.dir, "gus"), true)
	for _, n := range []*node{p.fay, p.gus} {
		n.start(t)
		n.up(t, p.control.url(n.at))
	}
	t.Run("two regions", p.testTwoRegions)
	t.Run("a region that nobody may choose", p.testNotChosen)
	t.Run("one region with a mesh", p.testMesh)
	t.Run("an upgrade of one of the two", p.testMeshUpgrade)
	t.Run("one of the two is drained", p.testMeshDrain)
	t.Run("one of the two is killed", p.testMeshKilled)
}

func (p *pair) twoRegions(t *testing.T) *tailcfg.DERPMap {
	t.Helper()
	both := p.east.derpMap(t, relayName)
	both.Regions[p.west.region] = p.west.derpMap(t, relayName).Regions[p.west.region]
	return both
}

// One region with both as its nodes, the one in the east first.
func (p *pair) oneRegion(t *testing.T) *tailcfg.DERPMap {
	t.Helper()
	one := p.east.derpMap(t, relayName)
	second := p.west.derpMap(t, relayName).Regions[p.west.region].Nodes[0].Clone()
	second.RegionID, second.Name = p.east.region, fmt.Sprintf("%db", p.east.region)
	region := one.Regions[p.east.region]
	region.Nodes = append(region.Nodes, second)
	return one
}

func (p *pair) setMap(t *testing.T, derpMap *tailcfg.DERPMap) {
	t.Helper()
	p.control.DERPMap = derpMap
	for _, n := range []*node{p.fay, p.gus} {
		p.control.UpdateNode(p.control.mustNode(t, n.key(t)))
	}
}

// Waits until the node's home is that region.
func (p *pair) waitHome(t *testing.T, n *node, r *relay) {
	t.Helper()
	wait(t, n.name+" has its home at "+r.code, patience, func() string {
		known := p.control.mustNode(t, n.key(t))
		if status := n.mustStatus(t); status.Self.Relay != r.code || known.HomeDERP != r.region {
			return fmt.Sprintf("home %q, and the control server knows %v", status.Self.Relay, known.HomeDERP)
		}
		return ""
	})
}

// Waits until the node is connected to these relays and to no others.
func waitConnected(t *testing.T, n *node, relays ...*relay) {
	t.Helper()
	wait(t, n.name+" is connected to the right relays", patience, func() string {
		found := 0
		for _, r := range relays {
			own4, _, _, _ := r.at.addresses()
			if n.at.connections(t, own4) != 1 {
				return fmt.Sprintf("%d connections to %s", n.at.connections(t, own4), r.at.name)
			}
			found++
		}
		if all := len(n.at.derpPorts(t)); all != found {
			return fmt.Sprintf("%d connections to relays in all", all)
		}
		return ""
	})
}

func (p *place) connections(t *testing.T, address string) int {
	t.Helper()
	return len(p.derpPortsTo(t, address))
}

// Bytes go both ways, and whole.
func (p *pair) transfers(t *testing.T) {
	t.Helper()
	for _, way := range [][2]*node{{p.fay, p.gus}, {p.gus, p.fay}} {
		began := time.Now()
		if got := startTransfer(t, way[0], way[1], transferSize).whole(t); got != transferSize {
			t.Errorf("%d bytes arrived", got)
		}
		t.Logf("%s to %s: %.0f Mbit/s", way[0].name, way[1].name, transferSize*8/1e6/time.Since(began).Seconds())
	}
}

func (p *pair) testTwoRegions(t *testing.T) {
	p.waitHome(t, p.fay, p.east)
	p.waitHome(t, p.gus, p.west)
	waitReach(t, []string{p.east.code, p.west.code}, p.fay, p.gus)
	p.transfers(t)
	waitBothHomes(t, p)
}

// Each is at its home, and one of them at the other's, too: who is sent to may answer over the connection that it has.
func waitBothHomes(t *testing.T, p *pair) {
	t.Helper()
	east4, _, _, _ := p.east.at.addresses()
	west4, _, _, _ := p.west.at.addresses()
	wait(t, "both are connected to the right relays", patience, func() string {
		fayEast, fayWest := p.fay.at.connections(t, east4), p.fay.at.connections(t, west4)
		gusEast, gusWest := p.gus.at.connections(t, east4), p.gus.at.connections(t, west4)
		if fayEast != 1 || gusWest != 1 || fayWest+gusEast == 0 || fayWest > 1 || gusEast > 1 {
			return fmt.Sprintf("fay has %d to the east and %d to the west, gus %d and %d", fayEast, fayWest, gusEast, gusWest)
		}
		return ""
	})
}

// A relay that is about to come, or to go, is in the map and serves whoever sends there, and a node that starts does not choose it. One that has
// it as its home stays for as long as packets come from there; that is what a drain is for.
func (p *pair) testNotChosen(t *testing.T) {
	derpMap := p.twoRegions(t)
	derpMap.Regions[p.east.region].NoMeasureNoHome = true
	p.setMap(t, derpMap)
	keepNobody(t)
	p.fay.stop()
	p.fay.start(t)
	p.fay.waitRunning(t)
	p.waitHome(t, p.fay, p.west)
	p.waitHome(t, p.gus, p.west)
	waitReach(t, []string{p.west.code}, p.fay, p.gus)
}

// The configuration of a mesh: all know one key, and each knows the other.
func (p *pair) joinMesh(t *testing.T) {
	t.Helper()
	for _, r := range []*relay{p.east, p.west} {
		other := p.west
		if r == p.west {
			other = p.east
		}
		r.write(t, "mesh.key", strings.Repeat("6d657368", 8))
		own4, _, _, _ := other.at.addresses()
		pin := other.derpMap(t, relayName).Regions[other.region].Nodes[0].CertName
		r.admission = fmt.Sprintf("chain = open\n\n[peer %s]\nhost = %s\naddress = %s\npin = %s\n", other.at.name, relayName, own4, pin)
		r.configure(t, "auto")
	}
	for _, r := range []*relay{p.east, p.west} {
		r.reload(t)
	}
}

func (p *pair) testMesh(t *testing.T) {
	p.joinMesh(t)
	keepNobody(t)
	// Each can connect to one of the two only. The map is the same for both, and the one in the east comes first there.
	p.fay.at.keepFromConnecting(t, p.west.at)
	p.gus.at.keepFromConnecting(t, p.east.at)
	p.setMap(t, p.oneRegion(t))
	p.waitHome(t, p.fay, p.east)
	p.waitHome(t, p.gus, p.east)
	waitReach(t, []string{p.east.code}, p.fay, p.gus)
	p.transfers(t)
	waitConnected(t, p.fay, p.east)
	waitConnected(t, p.gus, p.west)
}

// The links of a relay that is upgraded are those that it had, and bytes flow over them meanwhile.
func (p *pair) testMeshUpgrade(t *testing.T) {
	before := portsOf(t, []*node{p.fay, p.gus})
	links := append(p.east.at.derpPorts(t), p.west.at.derpPorts(t)...)
	x := startTransfer(t, p.fay, p.gus, 0)
	x.waitProgress(t, 1_000_000)
	for _, r := range []*relay{p.east, p.west} {
		r.upgrade(t, 1)
		x.waitProgress(t, 2_000_000)
	}
	x.finish(t)
	mustStay(t, []*node{p.fay, p.gus}, before)
	if after := append(p.east.at.derpPorts(t), p.west.at.derpPorts(t)...); strings.Join(after, " ") != strings.Join(links, " ") {
		t.Errorf("links from ports %v, before the upgrades %v", after, links)
	}
}

// The node of the relay that goes away finds the other one of the same region.
func (p *pair) testMeshDrain(t *testing.T) {
	keepNobody(t)
	gaps := watchGaps(t, []*node{p.fay, p.gus})
	p.east.ctl(t, "drain", "--for=10s", "--no-wait")
	waitConnected(t, p.fay, p.west)
	waitConnected(t, p.gus, p.west)
	for name, gap := range gaps() {
		t.Logf("%s was without a relay for %v at most", name, gap.Round(time.Millisecond))
		if gap > drainGap {
			t.Errorf("%s was without a relay for %v", name, gap)
		}
	}
	p.waitHome(t, p.fay, p.east)
	waitReach(t, []string{p.east.code}, p.fay, p.gus)
	p.east.ctl(t, "drain", "--cancel")
}

// A relay that ends without a word is replaced by the other one, and when it is back the mesh heals by itself.
func (p *pair) testMeshKilled(t *testing.T) {
	p.west.kill()
	waitConnected(t, p.fay, p.east)
	waitConnected(t, p.gus, p.east)
	waitReach(t, []string{p.east.code}, p.fay, p.gus)
	p.west.start(t)
	p.gus.at.keepFromConnecting(t, p.east.at)
	p.gus.at.breakDerp(t)
	waitConnected(t, p.gus, p.west)
	waitReach(t, []string{p.east.code}, p.fay, p.gus)
	p.transfers(t)
}
