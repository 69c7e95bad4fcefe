// The control server: Tailscale's own for tests, in this process, reached by every place at the router's address.
// SPDX-License-Identifier: LGPL-2.1-or-later

package tailnet

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tailscale.com/tailcfg"
	"tailscale.com/tstest/integration/testcontrol"
	"tailscale.com/types/key"
)

const controlPort = 8080

type control struct {
	*testcontrol.Server
}

// What the server knows; at any other path it panics.
var controlPaths = []string{"/key", "/machine/", "/ts2021", "/c2n/", "/generate_204"}

func startControl(t *testing.T, dir string, derpMap *tailcfg.DERPMap) *control {
	t.Helper()
	out, err := os.Create(filepath.Join(dir, "control.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	logger := log.New(out, "", log.LstdFlags)
	c := &control{&testcontrol.Server{Logf: logger.Printf, DERPMap: derpMap, AllOnline: true, ExplicitBaseURL: "http://control.test"}}
	listener, err := net.Listen("tcp", fmt.Sprintf("[::]:%d", controlPort))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ErrorLog: logger, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, path := range controlPaths {
			if r.URL.Path == path || strings.HasSuffix(path, "/") && strings.HasPrefix(r.URL.Path, path) {
				c.ServeHTTP(w, r)
				return
			}
		}
		http.NotFound(w, r)
	})}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return c
}

// The server's URL, as seen from a place.
func controlURL(p *place) string {
	_, router4, _, router6 := p.addresses()
	if p.v4 {
		return fmt.Sprintf("http://%s:%d", router4, controlPort)
	}
	return fmt.Sprintf("http://[%s]:%d", router6, controlPort)
}

// Tells @viewer alone that @peer is not in the tailnet any more, or is again. After that @viewer hears only such words.
func (c *control) show(t *testing.T, viewer, peer key.NodePublic, present bool) {
	t.Helper()
	node := c.Node(peer)
	if node == nil {
		t.Fatalf("the control server does not know %v", peer)
	}
	change := &tailcfg.MapResponse{PeersRemoved: []tailcfg.NodeID{node.ID}}
	if present {
		change = &tailcfg.MapResponse{PeersChanged: []*tailcfg.Node{node}}
	}
	if !c.AddRawMapResponse(viewer, change) {
		t.Fatalf("%v does not listen to the control server", viewer)
	}
}
