// Our prober and the official one, on the same maps: what both look at, they judge alike.
// SPDX-License-Identifier: LGPL-2.1-or-later

package interop

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tailscale.com/tailcfg"
)

// A certificate for localhost, in the forms of both kinds of server, that ends then.
func writeLocalhost(t *testing.T, dir string, end time.Time) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-60 * 24 * time.Hour), NotAfter: end, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(crand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{"localhost.crt": {Type: "CERTIFICATE", Bytes: der}, "localhost.key": {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A relay of ours with that certificate, and its folder.
func probedRelay(t *testing.T, end time.Time, replace ...string) (*daemon, string) {
	t.Helper()
	dir := t.TempDir()
	writeLocalhost(t, dir, end)
	cert := fmt.Sprintf("plugin = file\nchain-file = %s/localhost.crt\nkey-file = %s/localhost.key", dir, dir)
	d, err := start(relay.cmd.Path, dir, "", append(replace, "plugin = selfsigned\nnames = 127.0.0.1;relay.test;localhost", cert)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.stop(); err != nil {
			t.Error(err)
		}
	})
	return d, dir
}

func localNode(d *daemon, name string) *tailcfg.DERPNode {
	return &tailcfg.DERPNode{Name: name, RegionID: 900, HostName: "localhost", IPv4: "127.0.0.1", DERPPort: d.https, STUNPort: d.stun}
}

func ports() *daemon { return &daemon{https: freePort(), stun: freePort()} }

func address(d *daemon) string { return fmt.Sprintf("localhost:%d", d.https) }

// A file with the map of one region of these nodes.
func writeMap(t *testing.T, nodes ...*tailcfg.DERPNode) string {
	t.Helper()
	text, err := json.Marshal(&tailcfg.DERPMap{Regions: map[int]*tailcfg.DERPRegion{900: {RegionID: 900, RegionCode: "test", RegionName: "Test", Nodes: nodes}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "map.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// A derper of that folder with the certificate in it, dialling those of the mesh.
func runDerper(t *testing.T, program, dir string, at *daemon, more ...string) {
	t.Helper()
	key := filepath.Join(dir, "mesh.key")
	if err := os.WriteFile(key, []byte(meshKey), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, append([]string{"-c", filepath.Join(dir, fmt.Sprintf("derper-%d.key", at.https)), "-a", address(at),
		"-hostname=localhost", "-certmode=manual", "-certdir=" + dir, "-http-port=-1", fmt.Sprintf("-stun-port=%d", at.stun),
		"-mesh-psk-file=" + key}, more...)...)
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+filepath.Join(dir, "localhost.crt"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for until := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("tcp", address(at)); err == nil {
			conn.Close()
			return
		}
		if time.Now().After(until) {
			t.Fatal("derper does not listen")
		}
	}
}

// What a prober says of each probe, under the official names: good or not.
type verdicts map[string]bool

func officialVerdicts(t *testing.T, program, derpMap, roots string) verdicts {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	defer cancel()
	// The intervals are the probes' time limits, too, and what fails by silence takes all of it.
	cmd := exec.CommandContext(ctx, program, "-once", "-spread=false", "-derp-map=file://"+derpMap, "-tls-interval=20s", "-stun-interval=10s", "-mesh-interval=20s")
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+roots)
	cmd.WaitDelay = time.Second
	out, _ := cmd.CombinedOutput()
	found := verdicts{}
	for _, line := range regexp.MustCompile(`(?m)(good|bad): derp/test/(\S+): `).FindAllStringSubmatch(string(out), -1) {
		found[line[2]] = line[1] == "good"
	}
	if len(found) == 0 {
		t.Fatalf("it says nothing of the nodes:\n%s", out)
	}
	return found
}

// The same of ours, and the codes of what failed.
func ourVerdicts(t *testing.T, derpMap, roots string) (verdicts, []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(filepath.Dir(relay.cmd.Path), "detourctl"), "probe", "--json", "--timeout=20s", "--ca="+roots, fmt.Sprintf("--plain-port=%d", freePort()), derpMap)
	out, err := cmd.Output()
	var document struct {
		Checks []struct{ Node, To, Check, Status, Code string }
	}
	if json.Unmarshal(out, &document) != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	found, codes := verdicts{}, []string(nil)
	for _, check := range document.Checks {
		good := check.Status == "good" || check.Status == "warning"
		switch check.Check {
		case "stun4":
			found[check.Node+"/udp"] = good
		case "tls4":
			found[check.Node+"/tls"] = good
		case "login", "packet":
			to := check.To
			if to == "" {
				to = check.Node
			}
			name := check.Node + "/" + to + "/mesh"
			if before, known := found[name]; known {
				good = good && before
			}
			found[name] = good
		}
		if check.Status == "failed" {
			codes = append(codes, check.Check+" "+check.Code)
		}
	}
	if (err != nil) != (len(codes) > 0) {
		t.Errorf("exit %v with %v", err, codes)
	}
	return found, codes
}

func TestBothProbersAgree(t *testing.T) {
	official, derper := buildDerpprobe(t, t.TempDir()), buildDerper(t)
	far := time.Now().Add(90 * 24 * time.Hour)
	good, dir := probedRelay(t, far)
	expired, expiredDir := probedRelay(t, time.Now().Add(-time.Hour))
	if err := os.WriteFile(filepath.Join(dir, "nobody"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	closed, closedDir := probedRelay(t, far, "chain = open", "chain = nobody\n\n[auth nobody]\nplugin = keys\nfile = "+dir+"/nobody")
	elsewhere := t.TempDir()
	writeLocalhost(t, elsewhere, far)

	derperDir := t.TempDir()
	writeLocalhost(t, derperDir, far)
	first, second, third := ports(), ports(), ports()
	// Only the first two know each other, as soon as both have dialled.
	runDerper(t, derper, derperDir, first, "-mesh-with="+address(second))
	runDerper(t, derper, derperDir, second, "-mesh-with="+address(first))
	runDerper(t, derper, derperDir, third)
	for until := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		_, codes := ourVerdicts(t, writeMap(t, localNode(first, "900a"), localNode(second, "900b")), filepath.Join(derperDir, "localhost.crt"))
		if len(codes) == 0 {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("no mesh: %v", codes)
		}
	}

	changed := func(d *daemon, change func(node *tailcfg.DERPNode)) *tailcfg.DERPNode {
		node := localNode(d, "900a")
		change(node)
		return node
	}
	for _, test := range []struct {
		name  string
		nodes []*tailcfg.DERPNode
		roots string
		codes string // of ours, each once
		// What only one of both sees, or what they see otherwise.
		ours, theirs string
	}{
		{name: "good", nodes: []*tailcfg.DERPNode{localNode(good, "900a")}, roots: dir},
		{name: "a derper", nodes: []*tailcfg.DERPNode{localNode(first, "900a")}, roots: derperDir},
		{name: "no STUN", nodes: []*tailcfg.DERPNode{changed(good, func(n *tailcfg.DERPNode) { n.STUNPort = freePort() })}, roots: dir,
			codes: "stun4 nobody_listens"},
		{name: "another authority", nodes: []*tailcfg.DERPNode{localNode(good, "900a")}, roots: elsewhere, codes: "tls4 self_signed"},
		{name: "expired", nodes: []*tailcfg.DERPNode{localNode(expired, "900a")}, roots: expiredDir, codes: "tls4 expired"},
		{name: "refused", nodes: []*tailcfg.DERPNode{localNode(closed, "900a")}, roots: closedDir, codes: "login refused"},
		{name: "down", nodes: []*tailcfg.DERPNode{changed(good, func(n *tailcfg.DERPNode) { n.DERPPort, n.STUNPort = freePort(), freePort() })}, roots: dir,
			codes: "stun4 nobody_listens, tls4 nobody_listens"},
		// The official one does not look at the pin in its probe of TLS.
		{name: "another pin", nodes: []*tailcfg.DERPNode{changed(good, func(n *tailcfg.DERPNode) { n.CertName = "sha256-raw:" + strings.Repeat("ab", 32) })},
			roots: dir, codes: "tls4 pin_wrong", theirs: "900a/tls"},
		{name: "a pin, and no authority", nodes: []*tailcfg.DERPNode{changed(good, func(n *tailcfg.DERPNode) { n.CertName = good.pin })}, roots: elsewhere,
			ours: "900a/tls"},
		// It does not ask for captive portals at all.
		{name: "nothing at the plain port", nodes: []*tailcfg.DERPNode{changed(good, func(n *tailcfg.DERPNode) { n.CanPort80 = true })}, roots: dir,
			codes: "captive nobody_listens"},
		{name: "two that are meshed", nodes: []*tailcfg.DERPNode{localNode(first, "900a"), localNode(second, "900b")}, roots: derperDir},
		{name: "two that are not meshed", nodes: []*tailcfg.DERPNode{localNode(first, "900a"), localNode(third, "900b")}, roots: derperDir,
			codes: "packet not_meshed, packet not_meshed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			derpMap := writeMap(t, test.nodes...)
			roots := filepath.Join(test.roots, "localhost.crt")
			theirs := officialVerdicts(t, official, derpMap, roots)
			ours, codes := ourVerdicts(t, derpMap, roots)
			if got := strings.Join(codes, ", "); got != test.codes {
				t.Errorf("failed: %q, and not %q", got, test.codes)
			}
			for name, verdict := range theirs {
				got, known := ours[name]
				if name == test.ours && known && got && !verdict || name == test.theirs && known && !got && verdict {
					continue
				}
				if !known || got != verdict {
					t.Errorf("%s: they say %v, we say %v (%v)", name, verdict, got, known)
				}
			}
		})
	}
}
