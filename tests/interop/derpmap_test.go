// The entry for a DERP map that detourctl writes, read and used by the official client.
// SPDX-License-Identifier: LGPL-2.1-or-later

package interop

import (
	"bytes"
	"encoding/json"
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
