// The entry for a DERP map that detourctl writes, read and used by the official client.
// SPDX-License-Identifier: LGPL-2.1-or-later

package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"tailscale.com/derp/derphttp"
	"tailscale.com/net/netmon"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

// While a relay moves to a new pin it shows both, each on a listener of its own: the map has two regions, and the official
// client takes each. What comes through one reaches clients of the other.
func TestTwoPins(t *testing.T) {
	dir := t.TempDir()
	port := freePort()
	more := fmt.Sprintf("[transport https]\ncert = main\n[cert next]\nplugin = selfsigned\nnames = relay.test\n"+
		"[transport next]\nplugin = tls\nlisten = 127.0.0.1:%d\ncert = next\n", port)
	if err := os.Mkdir(filepath.Join(dir, "conf.d"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "conf.d", "next.conf"), []byte(more), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := start(relay.cmd.Path, dir, "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.stop(); err != nil {
			t.Error(err)
		}
	}()
	out, err := exec.Command(filepath.Join(filepath.Dir(d.cmd.Path), "detourctl"), "--socket", filepath.Join(dir, "control"),
		"derpmap", "--ipv4=127.0.0.1", "--format=json").Output()
	if err != nil {
		t.Fatal(err)
	}
	m := readMap(t, out)
	if len(m.Regions) != 2 || m.Regions[900].Nodes[0].CertName != d.pin || m.Regions[901].Nodes[0].DERPPort != port {
		t.Fatalf("%s", out)
	}
	if m.Regions[901].Nodes[0].CertName == d.pin || !strings.HasPrefix(m.Regions[901].Nodes[0].CertName, "sha256-raw:") {
		t.Fatalf("%s", out)
	}
	client := func(private key.NodePrivate, id int) *derphttp.Client {
		return connect(t, closeBehind(t, derphttp.NewRegionClient(private, quiet, netmon.NewStatic(),
			func() *tailcfg.DERPRegion { return m.Regions[id] })))
	}
	a, b := key.NewNode(), key.NewNode()
	old, moved := client(a, 900), client(b, 901)
	send(t, old, b.Public(), []byte("to who has moved"))
	recvPacket(t, moved, a.Public(), []byte("to who has moved"))

	// A pin that is not the listener's is refused, so the test above says something.
	wrong := m.Regions[900].Clone()
	wrong.Nodes[0].CertName = m.Regions[901].Nodes[0].CertName
	stray := closeBehind(t, derphttp.NewRegionClient(key.NewNode(), quiet, netmon.NewStatic(), func() *tailcfg.DERPRegion { return wrong }))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := stray.Connect(ctx); err == nil {
		t.Fatal("a client took a certificate with another pin")
	}
}

// All fields must be known, and all of the text must be the map.
func readMap(t *testing.T, text []byte) *tailcfg.DERPMap {
	t.Helper()
	var m tailcfg.DERPMap
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&m); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if decoder.More() {
		t.Fatalf("something behind the map: %s", text)
	}
	return &m
}

func TestMapOfDetourctl(t *testing.T) {
	derpmap := func(format string) []byte {
		t.Helper()
		out, err := exec.Command(filepath.Join(filepath.Dir(relay.cmd.Path), "detourctl"), "--socket", filepath.Join(filepath.Dir(relay.log), "control"),
			"derpmap", "--region=901", "--code=lab", "--name=The \"lab\"", "--format="+format).Output()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	m := readMap(t, derpmap("json"))
	region := m.Regions[901]
	if region == nil || region.RegionID != 901 || region.RegionCode != "lab" || region.RegionName != `The "lab"` || len(region.Nodes) != 1 {
		t.Fatalf("%+v", region)
	}
	want := relay.node()
	want.Name, want.RegionID, want.IPv6 = "901a", 901, ""
	if !reflect.DeepEqual(region.Nodes[0], want) {
		t.Fatalf("%+v, expected %+v", region.Nodes[0], want)
	}

	// A member to be pasted into a policy: the same, with its name in front and a comma behind.
	member := strings.TrimSuffix(strings.TrimSpace(string(derpmap("tailscale"))), ",")
	var policy map[string]json.RawMessage
	if err := json.Unmarshal([]byte("{"+member+"}"), &policy); err != nil {
		t.Fatalf("%v in %s", err, member)
	}
	if !reflect.DeepEqual(readMap(t, policy["derpMap"]), m) {
		t.Fatalf("%s", policy["derpMap"])
	}

	client := func(private key.NodePrivate) *derphttp.Client {
		return connect(t, closeBehind(t, derphttp.NewRegionClient(private, quiet, netmon.NewStatic(), func() *tailcfg.DERPRegion { return region })))
	}
	a, b := key.NewNode(), key.NewNode()
	from, to := client(a), client(b)
	send(t, from, b.Public(), []byte("by the map"))
	recvPacket(t, to, a.Public(), []byte("by the map"))
}
