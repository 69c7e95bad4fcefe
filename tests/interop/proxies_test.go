// The official client through HAProxy, nginx and Caddy, each with the configuration that the guide prints.
// SPDX-License-Identifier: LGPL-2.1-or-later

//go:build ts_debug_websockets

package interop

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tailscale.com/derp"
	"tailscale.com/derp/derphttp"
	"tailscale.com/envknob"
	"tailscale.com/net/netmon"
	"tailscale.com/types/key"
)

const name = "relay.test"

// Where clients come from, other than the proxies themselves.
const clientAddress = "127.0.0.7"

// A proxy in front of the relay: a word of its block in the guide, and one of the relay's.
type front struct {
	kind, word, relayWord string
	passes                bool // TLS, to the relay
}

var fronts = map[string]front{
	"haproxy-passes": {"haproxy", "send-proxy-v2", "proxy-protocol = require", true},
	"haproxy-ends":   {"haproxy", "forwardfor", "X-Forwarded-For", false},
	"nginx-passes":   {"nginx", "proxy_protocol on", "proxy-protocol = require", true},
	"nginx-ends":     {"nginx", "X-Real-IP", "X-Real-IP", false},
	"caddy-ends":     {"caddy", "reverse_proxy", "X-Forwarded-For", false},
}

// What stands around the block in a main file; %[1]s is the folder, %[2]s the block.
var around = map[string]string{
	"haproxy": "global\n    stats timeout 1m\n\n%[2]s",
	"nginx": "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\ndaemon off;\npid %[1]s/pid;\nerror_log %[1]s/errors;\n" +
		"events { }\n%[2]s",
	"caddy": "{\n    admin off\n    auto_https disable_redirects\n    storage file_system %[1]s\n}\n%[2]s",
}

func (f front) command(dir, file string) *exec.Cmd {
	arguments := map[string][]string{
		"haproxy": {"-db", "-f", file},
		"nginx":   {"-e", filepath.Join(dir, "errors"), "-p", dir, "-c", file},
		"caddy":   {"run", "--config", file, "--adapter", "caddyfile"},
	}
	return exec.Command(f.kind, arguments[f.kind]...)
}

// The block of the guide of that kind that has the word.
func printed(t *testing.T, kind, word string) string {
	t.Helper()
	guide, err := os.ReadFile("../../doc/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, block := range regexp.MustCompile("(?ms)^```"+kind+"\n(.*?)^```$").FindAllSubmatch(guide, -1) {
		if bytes.Contains(block[1], []byte(word)) {
			found = append(found, string(block[1]))
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d blocks of kind %s have %q", len(found), kind, word)
	}
	return found[0]
}

// A certificate for the relay's name, and its key, for a proxy.
func writeCertificate(t *testing.T, dir string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(crand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	for file, content := range map[string][]byte{"relay.crt": chain, "relay.key": secret, "relay.pem": append(chain, secret...)} {
		if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// The relay as the guide has it behind this proxy, and its port there.
func (f front) relay(t *testing.T) (*daemon, int) {
	t.Helper()
	dir, port := t.TempDir(), freePort()
	block := strings.NewReplacer("127.0.0.1:8443", fmt.Sprintf("127.0.0.1:%d", port), "127.0.0.1:8080", fmt.Sprintf("127.0.0.1:%d", port),
		"/run/detour/", dir+"/", "unix-owner = :www-data\n", "",
		"[transport https]\n", "[transport https]\nplugin = tls\n").Replace(printed(t, "conf", f.relayWord))
	https := regexp.MustCompile(`(?s)\[transport https\].*?\n\n`)
	d, err := launch(relay.cmd.Path, dir, "", func(d *daemon, text string) string { return https.ReplaceAllString(text, "") + "\n" + block })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.stop(); err != nil {
			t.Error(err)
		}
	})
	return d, port
}

// Starts the proxy in front of the relay, and gives its port.
func (f front) start(t *testing.T, relayDir string, relayPort int) int {
	t.Helper()
	dir, port := t.TempDir(), freePort()
	writeCertificate(t, dir)
	text := strings.NewReplacer("relay.example.com {", fmt.Sprintf("%s:%d {\n    tls %s/relay.crt %s/relay.key", name, port, dir, dir),
		"relay.example.com", name,
		"127.0.0.1:8443", fmt.Sprintf("127.0.0.1:%d", relayPort), "127.0.0.1:8080", fmt.Sprintf("127.0.0.1:%d", relayPort),
		"bind :443", fmt.Sprintf("bind 127.0.0.1:%d", port), "listen 443", fmt.Sprintf("listen 127.0.0.1:%d", port),
		"/run/detour/", relayDir+"/", "/etc/haproxy/", dir+"/", "/etc/nginx/", dir+"/").Replace(printed(t, f.kind, f.word))
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		text = strings.Replace(text, "http {\n", fmt.Sprintf("http {\n    %s_temp_path %s/%s;\n", kind, dir, kind), 1)
	}
	if f.kind == "nginx" && os.Getuid() == 0 {
		text = "user root;\n" + text
	}
	file := filepath.Join(dir, "proxy.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, around[f.kind], dir, text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := f.command(dir, file)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v; the packages are those of tests/packages.debian", err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(patience):
			cmd.Process.Kill()
			<-ended
		}
	})
	for until := time.Now().Add(patience); time.Now().Before(until) && !closed(ended); time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			conn.Close()
			return port
		}
	}
	cmd.Process.Kill()
	<-ended
	t.Fatalf("%s does not listen:\n%s", f.kind, output.String())
	return 0
}

// What the daemon says about its clients, by key.
func (d *daemon) clients(t *testing.T) map[string]netip.AddrPort {
	t.Helper()
	out, err := exec.Command(filepath.Join(filepath.Dir(d.cmd.Path), "detourctl"), "--socket",
		filepath.Join(filepath.Dir(d.log), "control"), "clients", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Clients []struct{ Key, Address, Way string }
	}
	if err := json.Unmarshal(out, &list); err != nil {
		t.Fatal(err)
	}
	addresses := map[string]netip.AddrPort{}
	for _, c := range list.Clients {
		addresses[c.Key] = netip.MustParseAddrPort(c.Address)
	}
	return addresses
}

// Connects from another address than the proxies have, wherever a name leads to.
func dialProxy(port int) func(ctx context.Context, network, _ string) (net.Conn, error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(clientAddress)}}
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, fmt.Sprintf("127.0.0.1:%d", port))
	}
}

// The certificate of whoever ends TLS there is the only one that is trusted.
func rootsOf(t *testing.T, port int) *x509.CertPool {
	t.Helper()
	conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port), &tls.Config{InsecureSkipVerify: true, ServerName: name})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	roots := x509.NewCertPool()
	roots.AddCert(conn.ConnectionState().PeerCertificates[0])
	return roots
}

// Packets of all sizes between the two, and the end.
func exchange(t *testing.T, a, b *derphttp.Client) {
	t.Helper()
	for _, size := range []int{0, 1, 1400, 16384, 32768, derp.MaxPacketSize} {
		for _, pair := range [][2]*derphttp.Client{{a, b}, {b, a}} {
			data := random(size)
			send(t, pair[0], pair[1].SelfPublicKey(), data)
			recvPacket(t, pair[1], pair[0].SelfPublicKey(), data)
		}
	}
	a.Close()
	recvGone(t, b, a.SelfPublicKey(), derp.PeerGoneReasonDisconnected)
}

func TestProxies(t *testing.T) {
	for label, f := range fronts {
		t.Run(label, func(t *testing.T) {
			d, relayPort := f.relay(t)
			port := f.start(t, filepath.Dir(d.log), relayPort)

			// As tailscaled does it: by a map's node, with the pin of the certificate, and by fast start where that is the relay's.
			t.Run("node", func(t *testing.T) {
				node := relay.node()
				node.DERPPort = port
				var err error
				if node.CertName, err = pin(port); err != nil {
					t.Fatal(err)
				}
				a, b := connect(t, nodeClient(t, key.NewNode(), node)), connect(t, nodeClient(t, key.NewNode(), node))
				for _, c := range []*derphttp.Client{a, b} {
					local, err := c.LocalAddr()
					if err != nil {
						t.Fatal(err)
					}
					if !f.passes { // a header has no port
						local = netip.AddrPortFrom(local.Addr(), 0)
					}
					if found := d.clients(t)[c.SelfPublicKey().String()]; found != local {
						t.Errorf("the relay takes it for %v, and it is %v", found, local)
					}
				}
				exchange(t, a, b)
			})

			byURL := func(t *testing.T) *derphttp.Client {
				c, err := derphttp.NewClient(key.NewNode(), fmt.Sprintf("https://%s:%d/derp", name, port), quiet, netmon.NewStatic())
				if err != nil {
					t.Fatal(err)
				}
				c.TLSConfig = &tls.Config{RootCAs: rootsOf(t, port)}
				c.SetURLDialer(dialProxy(port))
				return connect(t, closeBehind(t, c))
			}
			come := func(t *testing.T) {
				a, b := byURL(t), byURL(t)
				for _, c := range []*derphttp.Client{a, b} {
					if found := d.clients(t)[c.SelfPublicKey().String()].Addr(); found.String() != clientAddress {
						t.Errorf("the relay takes it for %v, and it is %s", found, clientAddress)
					}
				}
				exchange(t, a, b)
			}
			t.Run("url", come)
			t.Run("websocket", func(t *testing.T) {
				transport := http.DefaultTransport.(*http.Transport)
				defer func(old *http.Transport) { http.DefaultTransport = old }(transport)
				transport = transport.Clone()
				transport.TLSClientConfig = &tls.Config{RootCAs: rootsOf(t, port)}
				transport.DialContext = dialProxy(port)
				http.DefaultTransport = transport
				envknob.Setenv("TS_DEBUG_DERP_WS_CLIENT", "true")
				defer envknob.Setenv("TS_DEBUG_DERP_WS_CLIENT", "")
				before := accepts(t, d)
				come(t)
				if now := accepts(t, d); now != before+2 {
					t.Errorf("%d WebSockets, expected 2", now-before)
				}
			})
		})
	}
}
