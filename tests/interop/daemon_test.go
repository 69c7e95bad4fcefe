// The daemon under test: one relay for the whole run, and clients to it.
// SPDX-License-Identifier: LGPL-2.1-or-later

// Package interop lets Tailscale's own client talk to the real daemon, named by DETOURD.
package interop

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"tailscale.com/derp"
	"tailscale.com/derp/derphttp"
	"tailscale.com/net/netmon"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

// How long to wait for what must come; nothing passes by being slow.
const patience = 30 * time.Second

const meshKey = "6d6573686d6573686d6573686d6573686d6573686d6573686d6573686d657368"

const config = `
[core]
hostname = relay.test
state-directory = %[1]s/state
control-socket = %[1]s/control
dbus = none
workers = 2
%[5]s

[admission]
chain = open

[transport https]
plugin = tls
listen = 127.0.0.1:%[2]d

[transport http]
plugin = http
listen = 127.0.0.1:%[3]d
redirect = none

[transport websocket]

[cert main]
plugin = selfsigned
names = 127.0.0.1;relay.test;localhost

[service stun]
listen = 127.0.0.1:%[4]d

[service mesh]
key-file = %[1]s/mesh.key

[log stderr]
plugin = stderr
level = debug
`

// One running daemon.
type daemon struct {
	cmd               *exec.Cmd
	ended             chan struct{}
	log               string
	https, http, stun int
	pin               string // of the TLS certificate, as a DERP map has it
	plugins           string // what --list-plugins says
}

var relay *daemon

var alarms = regexp.MustCompile(`AddressSanitizer|LeakSanitizer|runtime error:|Assertion .*failed|ERROR:.*assertion`)

func TestMain(m *testing.M) {
	program := os.Getenv("DETOURD")
	if program == "" {
		program = "../../build/core/app/detourd"
	}
	dir, err := os.MkdirTemp("", "interop")
	if err != nil {
		panic(err)
	}
	code := 1
	if relay, err = start(program, dir, ""); err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
		if err := relay.stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// Starts the daemon, with a line more in [core], and waits until it is ready.
// Of replace each text is followed by what stands in its place in the configuration.
func start(program, dir, core string, replace ...string) (*daemon, error) {
	d, err := launch(program, dir, core, func(_ *daemon, text string) string { return strings.NewReplacer(replace...).Replace(text) })
	if err == nil {
		d.pin, err = pin(d.https)
	}
	return d, err
}

// The same, with the configuration that adapt makes of the usual one; takes other ports when somebody was faster.
func launch(program, dir, core string, adapt func(d *daemon, text string) string) (*daemon, error) {
	list, err := exec.Command(program, "--list-plugins").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s --list-plugins: %v: %s", program, err, list)
	}
	file := filepath.Join(dir, "detour.conf")
	if err := os.WriteFile(filepath.Join(dir, "mesh.key"), []byte(meshKey), 0o600); err != nil {
		return nil, err
	}
	var log []byte
	for range 5 {
		d := &daemon{https: freePort(), http: freePort(), stun: freePort(), log: filepath.Join(dir, "log"), plugins: string(list)}
		text := adapt(d, fmt.Sprintf(config, dir, d.https, d.http, d.stun, core))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return nil, err
		}
		out, err := os.Create(d.log)
		if err != nil {
			return nil, err
		}
		d.cmd = exec.Command(program, "--config", file, "--no-vendor")
		d.cmd.Stdout, d.cmd.Stderr = out, out
		d.cmd.Env = append(os.Environ(), "G_DEBUG=fatal-criticals",
			"ASAN_OPTIONS=detect_leaks=1:fast_unwind_on_malloc=0:intercept_tls_get_addr=0", "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1")
		err = d.cmd.Start()
		out.Close()
		if err != nil {
			return nil, err
		}
		d.ended = make(chan struct{})
		go func() { d.cmd.Wait(); close(d.ended) }()
		ready := false
		for until := time.Now().Add(patience); !ready && time.Now().Before(until) && !closed(d.ended); time.Sleep(10 * time.Millisecond) {
			log, _ = os.ReadFile(d.log)
			ready = bytes.Contains(log, []byte("ready:"))
		}
		if ready {
			return d, nil
		}
		d.cmd.Process.Kill()
		<-d.ended
		log, _ = os.ReadFile(d.log)
		if !bytes.Contains(log, []byte("in use")) {
			break
		}
	}
	return nil, fmt.Errorf("the daemon did not become ready:\n%s", log)
}

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Ends the daemon and says what it found wrong with itself.
func (d *daemon) stop() error {
	d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.ended:
	case <-time.After(patience):
		d.cmd.Process.Kill()
		return fmt.Errorf("the daemon did not stop")
	}
	log, _ := os.ReadFile(d.log)
	if alarms.Match(log) || d.cmd.ProcessState.ExitCode() != 0 {
		return fmt.Errorf("the daemon ended with %v:\n%s", d.cmd.ProcessState, log[max(0, len(log)-20000):])
	}
	return nil
}

// A port that nobody has now, outside the range that the kernel gives to clients.
func freePort() int {
	for {
		port := 12000 + rand.IntN(18000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		l.Close()
		p, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		p.Close()
		return port
	}
}

// The pin of the certificate that a port shows.
func pin(port int) (string, error) {
	conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port), &tls.Config{InsecureSkipVerify: true, ServerName: "relay.test"})
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return fmt.Sprintf("sha256-raw:%x", sha256.Sum256(conn.ConnectionState().PeerCertificates[0].Raw)), nil
}

// A map's node for the daemon.
func (d *daemon) node() *tailcfg.DERPNode {
	return &tailcfg.DERPNode{Name: "900a", RegionID: 900, HostName: "relay.test", IPv4: "127.0.0.1", IPv6: "none",
		DERPPort: d.https, STUNPort: d.stun, CertName: d.pin}
}

func region(node *tailcfg.DERPNode) *tailcfg.DERPRegion {
	return &tailcfg.DERPRegion{RegionID: 900, RegionCode: "test", Nodes: []*tailcfg.DERPNode{node}}
}

// Ways to reach the daemon.
var ways = map[string]func(t *testing.T, private key.NodePrivate) *derphttp.Client{
	"tls":  tlsClient,
	"http": httpClient,
}

// A client as tailscaled has it: by a map entry with a pin, over TLS, with fast start.
func tlsClient(t *testing.T, private key.NodePrivate) *derphttp.Client {
	t.Helper()
	return nodeClient(t, private, relay.node())
}

func nodeClient(t *testing.T, private key.NodePrivate, node *tailcfg.DERPNode) *derphttp.Client {
	t.Helper()
	return closeBehind(t, derphttp.NewRegionClient(private, quiet, netmon.NewStatic(), func() *tailcfg.DERPRegion { return region(node) }))
}

// A client over plain HTTP, which waits for the 101 answer.
func httpClient(t *testing.T, private key.NodePrivate) *derphttp.Client {
	t.Helper()
	return httpClientAt(t, private, relay.http)
}

func httpClientAt(t *testing.T, private key.NodePrivate, port int) *derphttp.Client {
	t.Helper()
	c, err := derphttp.NewClient(private, fmt.Sprintf("http://127.0.0.1:%d/derp", port), quiet, netmon.NewStatic())
	if err != nil {
		t.Fatal(err)
	}
	return closeBehind(t, c)
}

func closeBehind(t *testing.T, c *derphttp.Client) *derphttp.Client {
	t.Cleanup(func() { c.Close() })
	return c
}

func quiet(string, ...any) {}

func mesh(t *testing.T) key.DERPMesh {
	t.Helper()
	k, err := key.ParseDERPMesh(meshKey)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Connects, and takes the ServerInfo that must be the first message.
func connect(t *testing.T, c *derphttp.Client) *derphttp.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.Connect(ctx); err != nil {
		t.Fatalf("connect: %v", err)
	}
	if m := recv(t, c); !isA[derp.ServerInfoMessage](m) {
		t.Fatalf("the first message is %T, not ServerInfo", m)
	}
	return c
}

func isA[T any](m any) bool {
	_, ok := m.(T)
	return ok
}

// The next message that is not a keep-alive.
func recv(t *testing.T, c *derphttp.Client) derp.ReceivedMessage {
	t.Helper()
	type result struct {
		m   derp.ReceivedMessage
		err error
	}
	done := make(chan result, 1)
	go func() {
		for {
			m, err := c.Recv()
			if _, idle := m.(derp.KeepAliveMessage); idle && err == nil {
				continue
			}
			done <- result{m, err}
			return
		}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			t.Fatalf("receive: %v", r.err)
		}
		return r.m
	case <-time.After(patience):
		t.Fatalf("nothing came in %v", patience)
		return nil
	}
}

func recvPacket(t *testing.T, c *derphttp.Client, source key.NodePublic, want []byte) {
	t.Helper()
	m := recv(t, c)
	p, ok := m.(derp.ReceivedPacket)
	if !ok {
		t.Fatalf("got %T %v, not a packet", m, m)
	}
	if p.Source != source {
		t.Fatalf("packet from %v, not %v", p.Source, source)
	}
	if !bytes.Equal(p.Data, want) {
		t.Fatalf("packet of %d bytes differs from the %d sent", len(p.Data), len(want))
	}
}

func recvGone(t *testing.T, c *derphttp.Client, peer key.NodePublic, reason derp.PeerGoneReasonType) {
	t.Helper()
	want := derp.PeerGoneMessage{Peer: peer, Reason: reason}
	if m := recv(t, c); m != want {
		t.Fatalf("got %T %v, not %v", m, m, want)
	}
}

func send(t *testing.T, c *derphttp.Client, to key.NodePublic, data []byte) {
	t.Helper()
	if err := c.Send(to, data); err != nil {
		t.Fatalf("send: %v", err)
	}
}

// Whether the daemon has a plugin.
func (d *daemon) has(plugin string) bool {
	return strings.Contains(d.plugins, plugin)
}
