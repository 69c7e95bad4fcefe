// WebSocket with the official client: the way of browsers, and of builds with the debug tag.
// SPDX-License-Identifier: LGPL-2.1-or-later

//go:build ts_debug_websockets

package interop

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"

	"tailscale.com/derp"
	"tailscale.com/derp/derphttp"
	"tailscale.com/envknob"
	"tailscale.com/net/netmon"
	"tailscale.com/types/key"
)

// Trusts the relay's certificate, in the client that WebSockets are dialled with. It offers HTTP/2 as well.
func trust(t *testing.T) {
	t.Helper()
	conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", relay.https), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	roots := x509.NewCertPool()
	roots.AddCert(conn.ConnectionState().PeerCertificates[0])
	transport := http.DefaultTransport.(*http.Transport)
	if !transport.ForceAttemptHTTP2 {
		t.Fatal("the client offers no HTTP/2")
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	t.Cleanup(func() { transport.TLSClientConfig = nil })
}

// How many connections have become WebSockets.
func accepts(t *testing.T, d *daemon) uint64 {
	t.Helper()
	out, err := exec.Command(filepath.Join(filepath.Dir(d.cmd.Path), "detourctl"), "--socket",
		filepath.Join(filepath.Dir(d.log), "control"), "counters", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Counters []struct {
			Name   string
			Labels map[string]string
			Value  uint64
		}
	}
	if err := json.Unmarshal(out, &list); err != nil {
		t.Fatal(err)
	}
	for _, c := range list.Counters {
		if c.Name == "accepts" && c.Labels["instance"] == "transport/websocket" {
			return c.Value
		}
	}
	t.Fatal("nobody counts WebSockets")
	return 0
}

func TestWebSocket(t *testing.T) {
	if !relay.has("transport-websocket") {
		t.Fatal("this build has no plugin transport-websocket")
	}
	for scheme, port := range map[string]int{"http": relay.http, "https": relay.https} {
		t.Run(scheme, func(t *testing.T) {
			if scheme == "https" {
				trust(t)
			}
			native := connect(t, httpClient(t, key.NewNode()))
			envknob.Setenv("TS_DEBUG_DERP_WS_CLIENT", "true")
			defer envknob.Setenv("TS_DEBUG_DERP_WS_CLIENT", "")
			before := accepts(t, relay)
			client := func() *derphttp.Client {
				c, err := derphttp.NewClient(key.NewNode(), fmt.Sprintf("%s://127.0.0.1:%d/derp", scheme, port), quiet, netmon.NewStatic())
				if err != nil {
					t.Fatal(err)
				}
				return connect(t, closeBehind(t, c))
			}
			a, b := client(), client()
			for _, size := range []int{0, 1, 125, 126, 1400, 16384, 32768, derp.MaxPacketSize} {
				for _, pair := range [][2]*derphttp.Client{{a, b}, {a, native}, {native, a}} {
					data := random(size)
					send(t, pair[0], pair[1].SelfPublicKey(), data)
					recvPacket(t, pair[1], pair[0].SelfPublicKey(), data)
				}
			}
			if now := accepts(t, relay); now != before+2 {
				t.Errorf("%d WebSockets, expected 2", now-before)
			}
			a.Close()
			recvGone(t, b, a.SelfPublicKey(), derp.PeerGoneReasonDisconnected)
		})
	}
}
