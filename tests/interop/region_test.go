// A region of three servers, two of them Detour and one the reference: what holds for a key is the same wherever its clients are.
// SPDX-License-Identifier: LGPL-2.1-or-later

package interop

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	crypto "crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tailscale.com/derp"
	"tailscale.com/derp/derphttp"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

// A server of the region; each start is of the same one, with its key and port.
type server struct {
	name      string
	port      int
	dir       string
	pin       string // of its certificate
	start     func(t *testing.T)
	kill      func() // as a power cut would
	stop      func(t *testing.T)
	isRunning bool
}

// Three, each of which has a link to each other.
type meshRegion struct {
	north, south, derper *server
}

func (s *server) host() string { return s.name + ".test" }

// ---- certificates of an authority of the test's own

type authority struct {
	certificate *x509.Certificate
	private     *ecdsa.PrivateKey
	file        string
}

func makeAuthority(t *testing.T, dir string) *authority {
	t.Helper()
	a := &authority{file: filepath.Join(dir, "ca.pem")}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mesh"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.private = newKey(t)
	der := a.sign(t, template, template, a.private)
	a.certificate, _ = x509.ParseCertificate(der)
	writePEM(t, a.file, "CERTIFICATE", der)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), crypto.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return private
}

func (a *authority) sign(t *testing.T, template, issuer *x509.Certificate, private *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(crypto.Reader, template, issuer, &private.PublicKey, a.private)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// A pair of files in @dir, as derper has them; returns the certificate's pin.
func (a *authority) issue(t *testing.T, dir, name string) string {
	t.Helper()
	private := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(20 * 24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	leaf := a.sign(t, template, a.certificate, private)
	writePEM(t, filepath.Join(dir, name+".crt"), "CERTIFICATE", leaf)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, filepath.Join(dir, name+".key"), "PRIVATE KEY", der)
	return fmt.Sprintf("sha256-raw:%x", sha256.Sum256(leaf))
}

func writePEM(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	writeFile(t, path, string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// ---- the servers

func startRegion(t *testing.T) *meshRegion {
	t.Helper()
	dir := t.TempDir()
	ca := makeAuthority(t, dir)
	r := &meshRegion{north: &server{name: "north"}, south: &server{name: "south"}, derper: &server{name: "derper"}}
	for _, s := range r.servers() {
		s.dir, s.port = filepath.Join(dir, s.name), freePort()
		s.pin = ca.issue(t, filepath.Join(s.dir, "certs"), s.host())
		writeFile(t, filepath.Join(s.dir, "mesh.key"), meshKey)
	}
	// One is known by its pin, the others by their names.
	byName, byPin := "ca-file = "+ca.file, "pin = "+r.south.pin
	program := buildDerper(t)
	r.derper.isDerper(program, ca, r.north, r.south)
	if os.Getenv("REGION") == "derper" {
		// To see that the expectations are right.
		r.north.isDerper(program, ca, r.south, r.derper)
		r.south.isDerper(program, ca, r.north, r.derper)
	} else {
		r.north.isDetour(peerGroup(r.south, byPin) + peerGroup(r.derper, byName))
		r.south.isDetour(peerGroup(r.north, byName) + peerGroup(r.derper, byName))
	}
	t.Cleanup(func() {
		for _, s := range r.servers() {
			if s.isRunning {
				s.stop(t)
			}
		}
	})
	for _, s := range r.servers() {
		s.start(t)
	}
	return r
}

func (r *meshRegion) servers() []*server { return []*server{r.north, r.south, r.derper} }

func peerGroup(s *server, how string) string {
	return fmt.Sprintf("\n[peer %s]\nhost = %s\nport = %d\naddress = 127.0.0.1:%d\n%s\n", s.name, s.host(), s.port, s.port, how)
}

func (s *server) isDetour(peers string) {
	var d *daemon
	adapt := func(fresh *daemon, text string) string {
		text = strings.NewReplacer(
			fmt.Sprintf("listen = 127.0.0.1:%d", fresh.https), fmt.Sprintf("listen = 127.0.0.1:%d", s.port),
			"plugin = selfsigned\nnames = 127.0.0.1;relay.test;localhost", fmt.Sprintf("plugin = file\ndirectory = %s/certs\nnames = %s", s.dir, s.host()),
			"hostname = relay.test", "hostname = "+s.host()).Replace(text)
		return text + peers
	}
	s.start = func(t *testing.T) {
		t.Helper()
		var err error
		if d, err = launch(relay.cmd.Path, s.dir, "", adapt); err != nil {
			t.Fatal(err)
		}
		s.isRunning = true
	}
	s.stop = func(t *testing.T) {
		t.Helper()
		s.isRunning = false
		if err := d.stop(); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
	}
	s.kill = func() {
		s.isRunning = false
		d.cmd.Process.Kill()
		<-d.ended
	}
}

func (s *server) isDerper(program string, ca *authority, others ...*server) {
	var peers []string
	for _, other := range others {
		peers = append(peers, fmt.Sprintf("%s:%d/127.0.0.1", other.host(), other.port))
	}
	var cmd *exec.Cmd
	s.start = func(t *testing.T) {
		t.Helper()
		out, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		cmd = exec.Command(program, "-c", filepath.Join(s.dir, "key"), "-a", fmt.Sprintf("127.0.0.1:%d", s.port), "-certmode=manual",
			"-certdir", filepath.Join(s.dir, "certs"), "-hostname", s.host(), "-http-port=-1", "-stun=false",
			"-mesh-psk-file", filepath.Join(s.dir, "mesh.key"), "-mesh-with", strings.Join(peers, ","))
		cmd.Stdout, cmd.Stderr = out, out
		cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+ca.file)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		s.isRunning = true
		for until := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port)); err == nil {
				conn.Close()
				return
			} else if time.Now().After(until) {
				t.Fatalf("derper does not listen: %v", err)
			}
		}
	}
	s.kill = func() {
		s.isRunning = false
		cmd.Process.Kill()
		cmd.Wait()
	}
	s.stop = func(*testing.T) { s.kill() }
}

// ---- clients of them

// An official client at a server, and what it hears.
type guest struct {
	t     *testing.T
	at    *server
	own   key.NodePublic
	c     *derphttp.Client
	heard chan derp.ReceivedMessage
}

func (s *server) client(t *testing.T, private key.NodePrivate) *derphttp.Client {
	t.Helper()
	return nodeClient(t, private, &tailcfg.DERPNode{Name: "900" + s.name, RegionID: 900, HostName: s.host(), IPv4: "127.0.0.1", IPv6: "none",
		DERPPort: s.port, CertName: s.pin})
}

func (s *server) visit(t *testing.T, private key.NodePrivate) *guest {
	t.Helper()
	g := &guest{t: t, at: s, own: private.Public(), c: connect(t, s.client(t, private)), heard: make(chan derp.ReceivedMessage, 1000)}
	go func() {
		defer close(g.heard)
		for {
			m, err := g.c.Recv()
			if err != nil {
				return
			}
			if !isA[derp.KeepAliveMessage](m) {
				if p, ok := m.(derp.ReceivedPacket); ok {
					m = derp.ReceivedPacket{Source: p.Source, Data: bytes.Clone(p.Data)}
				}
				g.heard <- m
			}
		}
	}()
	return g
}

// The next message, or nil when nothing comes in time.
func (g *guest) next(limit time.Duration) derp.ReceivedMessage {
	select {
	case m := <-g.heard:
		return m
	case <-time.After(limit):
		return nil
	}
}

// Waits until packets to @to, which may not be known here yet, arrive there; that one has reached the other way says nothing of this one.
// It may hear nothing else.
func (g *guest) reaches(to *guest) {
	g.t.Helper()
	for until := time.Now().Add(patience); time.Now().Before(until); {
		data := random(100)
		send(g.t, g.c, to.own, data)
		for m := to.next(300 * time.Millisecond); m != nil; m = to.next(300 * time.Millisecond) {
			p, ok := m.(derp.ReceivedPacket)
			if !ok {
				g.t.Fatalf("at %s: %T %v", to.at.name, m, m)
			}
			if p.Source != g.own {
				g.t.Fatalf("at %s: a packet from %v, not %v", to.at.name, p.Source, g.own)
			}
			if bytes.Equal(p.Data, data) {
				return
			}
		}
	}
	g.t.Fatalf("nothing from %s arrives at %s", g.at.name, to.at.name)
}

func (g *guest) sends(to *guest, size int) {
	g.t.Helper()
	data := random(size)
	send(g.t, g.c, to.own, data)
	m := to.next(patience)
	if p, ok := m.(derp.ReceivedPacket); !ok || p.Source != g.own || !bytes.Equal(p.Data, data) {
		g.t.Fatalf("%d bytes from %s to %s: got %T", size, g.at.name, to.at.name, m)
	}
}

func (g *guest) hears(want derp.ReceivedMessage) {
	g.t.Helper()
	if m := g.next(patience); m != want {
		g.t.Fatalf("at %s: got %T %v, not %v", g.at.name, m, m, want)
	}
}

func (g *guest) heardNothing() {
	g.t.Helper()
	select {
	case m := <-g.heard:
		g.t.Fatalf("at %s: got %T %v, and nothing was to come", g.at.name, m, m)
	default:
	}
}

func gone(peer *guest) derp.PeerGoneMessage {
	return derp.PeerGoneMessage{Peer: peer.own, Reason: derp.PeerGoneReasonDisconnected}
}

// ---- what holds

func TestRegionOfThree(t *testing.T) {
	r := startRegion(t)
	for _, one := range r.servers() {
		for _, two := range r.servers() {
			if one != two {
				t.Run(one.name+" and "+two.name, func(t *testing.T) { testPair(t, one, two) })
			}
		}
	}
	t.Run("a key at two others", r.testTwoPlaces)
	t.Run("a client closed by another server", r.testClosePeer)
	t.Run("only clients of its own", r.testWatcher)
	for _, s := range r.servers() {
		t.Run(s.name+" ends and returns", func(t *testing.T) { r.testRestart(t, s) })
	}
}

// The life of a key at @two, as it is seen by a client at @one.
func testPair(t *testing.T, one, two *server) {
	private := key.NewNode()
	a, b := one.visit(t, key.NewNode()), two.visit(t, private)
	a.reaches(b)
	b.reaches(a)
	for _, size := range []int{0, 1, 1400, derp.MaxPacketSize} {
		a.sends(b, size)
		b.sends(a, size)
	}
	// It comes here as well: what is near is nearer.
	near := one.visit(t, private)
	a.sends(near, 500)
	a.sends(near, 500)
	near.sends(a, 500)
	b.heardNothing()
	// It leaves here, and nobody is told.
	near.c.Close()
	a.reaches(b)
	b.reaches(a)
	a.heardNothing()
	// It leaves, and whoever heard from it is told; so is it when the other one leaves.
	c := one.visit(t, key.NewNode())
	c.reaches(b)
	b.sends(a, 10)
	c.c.Close()
	b.hears(gone(c))
	b.c.Close()
	a.hears(gone(b))
	a.heardNothing()
}

// A client that is at two servers at once gets all packets of a third one at one of them, until it leaves there.
func (r *meshRegion) testTwoPlaces(t *testing.T) {
	for i, third := range r.servers() {
		first, second := r.servers()[(i+1)%3], r.servers()[(i+2)%3]
		private := key.NewNode()
		a, b := third.visit(t, key.NewNode()), first.visit(t, private)
		a.reaches(b)
		b.reaches(a)
		c := second.visit(t, private)
		// When both are known to the third one, a packet of somebody else's has come from there.
		d := second.visit(t, key.NewNode())
		a.reaches(d)
		for range 20 {
			a.sends(b, 100)
		}
		c.heardNothing()
		b.c.Close()
		a.reaches(c)
		c.reaches(a)
		a.heardNothing()
		c.c.Close()
		a.hears(gone(c))
	}
}

// Another server may close a client, which is how operators move it; the region hears of it.
func (r *meshRegion) testClosePeer(t *testing.T) {
	for i, s := range r.servers() {
		a, b := r.servers()[(i+1)%3].visit(t, key.NewNode()), s.visit(t, key.NewNode())
		a.reaches(b)
		b.reaches(a)
		other := s.client(t, key.NewNode())
		other.MeshKey = mesh(t)
		if err := connect(t, other).ClosePeer(b.own); err != nil {
			t.Fatal(err)
		}
		a.hears(gone(b))
	}
}

// A watcher hears of clients that are here, and of none that is elsewhere.
func (r *meshRegion) testWatcher(t *testing.T) {
	for i, s := range r.servers() {
		far, near := r.servers()[(i+1)%3].visit(t, key.NewNode()), s.visit(t, key.NewNode())
		near.reaches(far)
		far.reaches(near)
		watcher := s.client(t, key.NewNode())
		watcher.MeshKey = mesh(t)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		present := make(chan key.NodePublic, 1000)
		go watcher.RunWatchConnectionLoop(ctx, key.NodePublic{}, quiet,
			func(m derp.PeerPresentMessage) { present <- m.Key }, func(derp.PeerGoneMessage) {}, func(error) {})
		late := s.visit(t, key.NewNode())
		for seen := 0; seen < 2; {
			select {
			case k := <-present:
				if k == far.own {
					t.Errorf("%s tells of a client that is elsewhere", s.name)
				}
				if k == near.own || k == late.own {
					seen++
				}
			case <-time.After(patience):
				t.Fatalf("%s does not tell of its clients", s.name)
			}
		}
	}
}

// A server ends without a word: whoever had packets from its clients is told. It comes back, and all is as before, by itself.
func (r *meshRegion) testRestart(t *testing.T, s *server) {
	var others []*guest
	b := s.visit(t, key.NewNode())
	for _, other := range r.servers() {
		if other != s {
			a := other.visit(t, key.NewNode())
			a.reaches(b)
			b.reaches(a)
			others = append(others, a)
		}
	}
	s.kill()
	b.c.Close()
	for _, a := range others {
		a.hears(gone(b))
	}
	// The others are not concerned.
	others[0].reaches(others[1])
	s.start(t)
	fresh := s.visit(t, key.NewNode())
	for _, a := range others {
		a.reaches(fresh)
		fresh.reaches(a)
		a.heardNothing()
	}
}
