// The official prober, which watches relays in production: it has to find everything good.
// SPDX-License-Identifier: LGPL-2.1-or-later

package interop

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tailscale.com/tailcfg"
)

// The prober is a program of its own, built out of the module that go.mod names.
func buildDerpprobe(t *testing.T, dir string) string {
	t.Helper()
	program := filepath.Join(dir, "derpprobe")
	if out, err := exec.Command("go", "build", "-o", program, "tailscale.com/cmd/derpprobe").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

func TestDerpprobe(t *testing.T) {
	dir := t.TempDir()
	program := buildDerpprobe(t, dir)
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	// The mesh probe refuses nodes whose name is an address, and the TLS probe asks the resolver: "localhost" it is.
	conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", relay.https), &tls.Config{ServerName: "localhost", InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	roots := write("roots.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: conn.ConnectionState().PeerCertificates[0].Raw}))
	node := relay.node()
	node.HostName, node.CertName, node.IPv6 = "localhost", "", ""
	text, err := json.Marshal(&tailcfg.DERPMap{Regions: map[int]*tailcfg.DERPRegion{900: region(node)}})
	if err != nil {
		t.Fatal(err)
	}
	derpMap := write("map.json", text)

	for _, run := range []struct {
		name    string
		options []string
		good    []string
	}{
		{"without a key", nil, []string{"tls", "udp", "900a/mesh"}},
		{"with the mesh key", []string{"-mesh-psk-file=" + write("mesh.key", []byte(meshKey))}, []string{"tls", "udp", "900a/mesh"}},
		{"bandwidth", []string{"-bw-interval=2m", "-bw-probe-size-bytes=20000000"}, []string{"tls", "udp", "900a/mesh", "900a/bw"}},
	} {
		t.Run(run.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
			defer cancel()
			// The intervals are the probes' time limits, too.
			cmd := exec.CommandContext(ctx, program, append([]string{"-once", "-spread=false", "-derp-map=file://" + derpMap,
				"-tls-interval=1m", "-stun-interval=1m", "-mesh-interval=1m"}, run.options...)...)
			cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+roots)
			cmd.WaitDelay = time.Second
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, probe := range run.good {
				if !strings.Contains(string(out), "good: derp/test/900a/"+probe+": ") {
					t.Errorf("%s is not good:\n%s", probe, out)
				}
			}
		})
	}
}
