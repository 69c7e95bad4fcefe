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
	"time"

	"tailscale.com/tailcfg"
	"tailscale.com/tstest/integration/testcontrol"
	"tailscale.com/types/key"
)

const controlPort = 8080

type control struct {
	*testcontrol.Server
	port int
}

// What the server knows; at any other path it panics.
var controlPaths = []string{"/key", "/machine/", "/ts2021", "/c2n/", "/generate_204"}

// One for each tailnet, at a port of its own.
func startControl(t *testing.T, dir string, port int, derpMap *tailcfg.DERPMap) *control {
	t.Helper()
	out, err := os.Create(filepath.Join(dir, fmt.Sprintf("control-%d.log", port)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	logger := log.New(out, "", log.LstdFlags)
	server := &testcontrol.Server{Logf: logger.Printf, DERPMap: derpMap, AllOnline: true, ExplicitBaseURL: "http://control.test"}
	c := &control{server, port}
	listener, err := net.Listen("tcp", fmt.Sprintf("[::]:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	front := &http.Server{ErrorLog: logger, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, path := range controlPaths {
			if r.URL.Path == path || strings.HasSuffix(path, "/") && strings.HasPrefix(r.URL.Path, path) {
				c.ServeHTTP(w, r)
				return
			}
		}
		http.NotFound(w, r)
	})}
	go front.Serve(listener)
	t.Cleanup(func() { front.Close() })
	return c
}

// The server's URL, as seen from a place.
func (c *control) url(p *place) string {
	_, router4, _, router6 := p.addresses()
	if p.v4 {
		return fmt.Sprintf("http://%s:%d", router4, c.port)
	}
	return fmt.Sprintf("http://[%s]:%d", router6, c.port)
}

// Tells @viewer alone that @peer is not in the tailnet any more. After that @viewer hears only such words.
func (c *control) gone(t *testing.T, viewer, peer key.NodePublic) {
	t.Helper()
	c.tell(t, viewer, &tailcfg.MapResponse{PeersRemoved: []tailcfg.NodeID{c.mustNode(t, peer).ID}})
}

// Tells @viewer alone that @peer is in the tailnet, and well.
func (c *control) back(t *testing.T, viewer, peer key.NodePublic) {
	t.Helper()
	c.tell(t, viewer, &tailcfg.MapResponse{PeersChanged: []*tailcfg.Node{c.mustNode(t, peer)}})
}

// Tells @viewer alone that the key of @peer is too old.
func (c *control) expire(t *testing.T, viewer, peer key.NodePublic) {
	t.Helper()
	node := c.mustNode(t, peer).Clone()
	node.Expired, node.KeyExpiry = true, time.Now().Add(-time.Minute)
	c.tell(t, viewer, &tailcfg.MapResponse{PeersChanged: []*tailcfg.Node{node}})
}

func (c *control) tell(t *testing.T, viewer key.NodePublic, change *tailcfg.MapResponse) {
	t.Helper()
	if !c.AddRawMapResponse(viewer, change) {
		t.Fatalf("%v does not listen to the control server", viewer)
	}
}

func (c *control) mustNode(t *testing.T, which key.NodePublic) *tailcfg.Node {
	t.Helper()
	node := c.Node(which)
	if node == nil {
		t.Fatalf("the control server does not know %v", which)
	}
	return node
}
