// Login with the official client: fast start by the meta certificate, and the 101 answer.
// SPDX-License-Identifier: LGPL-2.1-or-later

package interop

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strconv"
	"testing"

	"tailscale.com/derp"
	"tailscale.com/derp/derphttp"
	"tailscale.com/net/netmon"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

func TestLogin(t *testing.T) {
	byName, byAddress, insecure := relay.node(), relay.node(), relay.node()
	byAddress.HostName = "127.0.0.1"
	insecure.CertName, insecure.InsecureForTests = "", true
	for name, node := range map[string]*tailcfg.DERPNode{"pin and name": byName, "pin and address": byAddress, "insecure": insecure} {
		t.Run(name, func(t *testing.T) {
			c := connect(t, nodeClient(t, key.NewNode(), node))
			state, ok := c.TLSConnectionState()
			if !ok || state.Version != tls.VersionTLS13 {
				t.Fatalf("no TLS 1.3: %v", state)
			}
			if c.ServerPublicKey().IsZero() {
				t.Fatal("no server key")
			}
		})
	}
}

func TestWrongPinIsSeen(t *testing.T) {
	node := relay.node()
	node.CertName = "sha256-raw:" + "00000000000000000000000000000000" + "00000000000000000000000000000000"
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := nodeClient(t, key.NewNode(), node).Connect(ctx); err == nil {
		t.Fatal("connected in spite of a wrong pin")
	}
}

func TestBothWaysGiveOneServerKey(t *testing.T) {
	fast, slow := connect(t, tlsClient(t, key.NewNode())), connect(t, httpClient(t, key.NewNode()))
	if fast.ServerPublicKey() != slow.ServerPublicKey() {
		t.Fatalf("%v by the meta certificate, %v by the greeting", fast.ServerPublicKey(), slow.ServerPublicKey())
	}
}

func TestLoginWithoutFastStartOverTLS12(t *testing.T) {
	conn, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(relay.https)),
		&tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	request, _ := http.NewRequest("GET", "https://relay.test/derp", nil)
	request.Header.Set("Upgrade", "DERP")
	request.Header.Set("Connection", "Upgrade")
	if err := request.Write(conn); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, request)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(response.Status)
	}
	c, err := derp.NewClient(key.NewNode(), conn, bufio.NewReadWriter(reader, bufio.NewWriter(conn)), quiet)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.ServerPublicKey().UntypedHexString(); got != response.Header.Get("Derp-Public-Key") {
		t.Fatalf("%s in the greeting, %s in the head", got, response.Header.Get("Derp-Public-Key"))
	}
	if m, err := c.Recv(); err != nil || !isA[derp.ServerInfoMessage](m) {
		t.Fatalf("%T, %v", m, err)
	}
}

func TestApplicationName(t *testing.T) {
	c := tlsClient(t, key.NewNode())
	c.AppName = "interop test"
	connect(t, c)
}

// What netcheck does when no UDP comes through.
func TestLatencyCheck(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := derphttp.NewNetcheckClient(quiet, netmon.NewStatic())
	conn, closer, _, err := c.DialRegionTLS(ctx, region(relay.node()))
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	for _, path := range []string{"/derp/latency-check", "/derp/probe"} {
		request, _ := http.NewRequest("GET", "https://relay.test"+path, nil)
		if err := request.Write(conn); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK || response.ContentLength != 0 {
			t.Fatalf("%s: %s, %d bytes", path, response.Status, response.ContentLength)
		}
	}
}
