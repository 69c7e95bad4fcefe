// What a Headscale answers to relays, out of what the control server knows: /verify and the list of nodes.
// SPDX-License-Identifier: LGPL-2.1-or-later

package tailnet

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"

	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

const (
	headscalePort = 8081
	headscaleKey  = "hskey-api-0123456789ab-secret"
)

// Its answers are those of Headscale 0.28 and 0.29, member by member: 64-bit numbers are strings, and nothing is left out.
type headscale struct {
	control *control
	port    int
	server  *http.Server // nil: it is away

	mu      sync.Mutex
	deleted map[key.NodePublic]bool
	added   map[key.NodePublic]bool // nodes that the control server does not know
}

func startHeadscale(t *testing.T, c *control, port int) *headscale {
	t.Helper()
	h := &headscale{control: c, port: port, deleted: map[key.NodePublic]bool{}, added: map[key.NodePublic]bool{}}
	h.start(t)
	t.Cleanup(h.stop)
	return h
}

// Listens, for the first time or again.
func (h *headscale) start(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", fmt.Sprintf("[::]:%d", h.port))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /verify", h.verify)
	mux.HandleFunc("GET /api/v1/node", h.list)
	h.server = &http.Server{Handler: mux}
	go h.server.Serve(listener)
}

// Connections that are open end, and new ones are refused.
func (h *headscale) stop() {
	if h.server != nil {
		h.server.Close()
		h.server = nil
	}
}

// Its URL, as seen from a place.
func (h *headscale) url(p *place) string {
	_, router4, _, _ := p.addresses()
	return fmt.Sprintf("http://%s:%d", router4, h.port)
}

// Deletes a node as far as relays can see, or undoes that. The nodes themselves hear nothing of it, so that only the relay keeps
// them apart.
func (h *headscale) delete(node key.NodePublic, deleted bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deleted[node] = deleted
}

// Lets a key be known to /verify, as if a node of that key had registered.
func (h *headscale) add(node key.NodePublic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.added[node] = true
}

func (h *headscale) isAdded(node key.NodePublic) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.added[node]
}

func (h *headscale) isDeleted(node key.NodePublic) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.deleted[node]
}

func (h *headscale) verify(w http.ResponseWriter, r *http.Request) {
	var request tailcfg.DERPAdmitClientRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	known := (h.control.Node(request.NodePublic) != nil || h.isAdded(request.NodePublic)) && !h.isDeleted(request.NodePublic)
	json.NewEncoder(w).Encode(tailcfg.DERPAdmitClientResponse{Allow: known})
}

func (h *headscale) list(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+headscaleKey {
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
		return
	}
	nodes := []map[string]any{}
	for _, n := range h.control.AllNodes() {
		if h.isDeleted(n.Key) {
			continue
		}
		id := strconv.FormatInt(int64(n.ID), 10)
		nodes = append(nodes, map[string]any{
			"id": id, "machineKey": n.Machine.String(), "nodeKey": n.Key.String(), "discoKey": n.DiscoKey.String(),
			"ipAddresses": n.Addresses, "name": n.Hostinfo.Hostname(), "givenName": n.Hostinfo.Hostname(),
			"user": map[string]any{"id": "1", "name": "anna", "displayName": "", "email": "", "createdAt": "2026-01-05T10:00:00Z",
				"providerId": "", "provider": "", "profilePicUrl": ""},
			"expiry": nil, "lastSeen": "2026-03-05T17:10:27Z", "createdAt": "2026-03-05T17:10:27Z", "online": true, "preAuthKey": nil,
			"registerMethod": "REGISTER_METHOD_AUTH_KEY", "tags": []string{}, "approvedRoutes": []string{}, "availableRoutes": []string{},
			"subnetRoutes": []string{},
		})
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"nodes": nodes})
}
