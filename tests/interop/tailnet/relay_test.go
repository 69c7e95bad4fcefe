// The relay: the real daemon at its place, with the true ports and a certificate that clients know by its pin.
// SPDX-License-Identifier: LGPL-2.1-or-later

package tailnet

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tailscale.com/tailcfg"
)

const (
	regionID   = 900
	regionCode = "detour"
)

const relayConfig = `
[core]
hostname = relay.test
state-directory = %[1]s
control-socket = %[1]s/control
dbus = none
workers = 2

[admission]
negative-ttl = 1s
refuse-hold = 2s
%[2]s

[transport https]
plugin = tls
listen = [::]:443
record-layer = %[5]s

[transport http]
plugin = http
listen = [::]:80
derp = false
redirect = https

[cert main]
plugin = selfsigned
names = relay.test;second.test;%[3]s;%[4]s

[service stun]
listen = [::]:3478

[service mesh]
key-file = %[1]s/mesh.key

[http home]
page = blank

[http captive]

[log stderr]
plugin = stderr
level = info
`

type relay struct {
	at        *place
	region    int
	code      string
	dir       string
	admission string // the chain, and the groups of its auth instances
	cmd       *exec.Cmd
	ended     chan struct{}
	started   int // how often
}

// Words that mean that something is wrong with the daemon itself.
var alarms = regexp.MustCompile(`AddressSanitizer|LeakSanitizer|runtime error:|Assertion .*failed|ERROR:.*assertion|CRITICAL`)

// Writes what the daemon needs, and starts it; @admission says who is asked about clients.
func startRelay(t *testing.T, at *place, dir, admission string) *relay {
	t.Helper()
	r := &relay{at: at, region: regionID, code: regionCode, dir: dir, admission: admission}
	if at.name != "relay" {
		r.region, r.code = regionID+at.number, at.name
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	meshKey := make([]byte, 32)
	rand.Read(meshKey)
	r.write(t, "mesh.key", hex.EncodeToString(meshKey))
	r.configure(t, "auto")
	r.start(t)
	t.Cleanup(func() { r.stop(t) })
	return r
}

// Writes the configuration; @layer says who handles TLS records.
func (r *relay) configure(t *testing.T, layer string) {
	t.Helper()
	own4, _, own6, _ := r.at.addresses()
	r.write(t, "detour.conf", fmt.Sprintf(relayConfig, r.dir, r.admission, own4, own6, layer))
}

// Asks someone else about clients from now on.
func (r *relay) admit(t *testing.T, admission string) {
	t.Helper()
	r.admission = admission
	r.configure(t, "auto")
	r.reload(t)
}

func (r *relay) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Calls detourctl, which has to succeed.
func (r *relay) ctl(t *testing.T, args ...string) string {
	t.Helper()
	ctl := filepath.Join(filepath.Dir(detourd), "detourctl")
	return run(t, ctl, append([]string{"--socket=" + filepath.Join(r.dir, "control")}, args...)...)
}

// The map that a tailnet gets: this relay by one of its names and nothing else, in the daemon's own words.
func (r *relay) derpMap(t *testing.T, name string) *tailcfg.DERPMap {
	t.Helper()
	own4, _, own6, _ := r.at.addresses()
	text := r.ctl(t, "derpmap", "--format=json", fmt.Sprintf("--region=%d", r.region), "--code="+r.code,
		"--ipv4="+own4, "--ipv6="+own6)
	derpMap := &tailcfg.DERPMap{}
	if err := json.Unmarshal([]byte(text), derpMap); err != nil {
		t.Fatalf("%v in the map: %s", err, text)
	}
	region := derpMap.Regions[r.region]
	if region == nil || len(region.Nodes) != 1 || !strings.HasPrefix(region.Nodes[0].CertName, "sha256-raw:") {
		t.Fatalf("no node with a pin in the map: %s", text)
	}
	region.Nodes[0].HostName = name
	derpMap.OmitDefaultRegions = true
	return derpMap
}

// The state of each plugin's instances, by their identifiers.
func (r *relay) plugins(t *testing.T) map[string]string {
	t.Helper()
	var list struct{ Plugins []struct{ ID, State string } }
	text := r.ctl(t, "plugins", "--json")
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	states := map[string]string{}
	for _, p := range list.Plugins {
		states[p.ID] = p.State
	}
	return states
}

// The sum of a counter over its labels.
func (r *relay) counter(t *testing.T, name string) int {
	t.Helper()
	var list struct {
		Counters []struct {
			Name  string
			Value int
		}
	}
	text := r.ctl(t, "counters", "--json")
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	sum := 0
	for _, c := range list.Counters {
		if c.Name == name {
			sum += c.Value
		}
	}
	return sum
}

// Starts the daemon and waits until it is ready.
func (r *relay) start(t *testing.T) {
	t.Helper()
	r.started++
	out, err := os.OpenFile(r.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	r.cmd = r.at.command(detourd, "--config", filepath.Join(r.dir, "detour.conf"), "--no-vendor")
	r.cmd.Stdout, r.cmd.Stderr = out, out
	r.cmd.Env = append(os.Environ(), "G_DEBUG=fatal-criticals",
		"ASAN_OPTIONS=detect_leaks=1:fast_unwind_on_malloc=0:intercept_tls_get_addr=0", "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1")
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) { cmd.Wait(); close(ended) }(r.cmd, r.ended)
	wait(t, "the daemon is ready", patience, func() string {
		log := r.log(t)
		if r.isEnded() {
			t.Fatalf("the daemon ended with %v:\n%s", r.cmd.ProcessState, log)
		}
		if strings.Count(log, "ready:") < r.started {
			return "not ready"
		}
		return ""
	})
}

func (r *relay) isEnded() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

func (r *relay) logFile() string {
	return filepath.Join(r.dir, "detourd.log")
}

func (r *relay) log(t *testing.T) string {
	t.Helper()
	log, err := os.ReadFile(r.logFile())
	if err != nil {
		t.Fatal(err)
	}
	return string(log)
}

// Ends the daemon at once, as a power cut would.
func (r *relay) kill() {
	r.cmd.Process.Kill()
	<-r.ended
}

// Ends the daemon, which has to have kept itself in order.
func (r *relay) stop(t *testing.T) {
	t.Helper()
	if !r.isEnded() {
		r.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-r.ended:
		case <-time.After(patience):
			t.Errorf("the daemon did not stop")
			r.kill()
		}
	}
	log := []byte(r.log(t))
	if r.cmd.ProcessState.ExitCode() != 0 || alarms.Match(log) {
		t.Errorf("the daemon ended with %v:\n%s", r.cmd.ProcessState, bytes.TrimSpace(log[max(0, len(log)-20000):]))
	}
}

// Makes the daemon read its configuration again, and waits until it says so.
func (r *relay) reload(t *testing.T) {
	t.Helper()
	before := strings.Count(r.log(t), "reloaded")
	r.cmd.Process.Signal(syscall.SIGHUP)
	wait(t, "the daemon reloads", patience, func() string {
		if strings.Count(r.log(t), "reloaded") > before {
			return ""
		}
		return "no word of it in the log"
	})
}

// Clients that were kept, and those that must connect again.
var upgraded = regexp.MustCompile(`^upgraded to \S+: (\d+) clients? kept(?: and \d+ links? of the mesh)?, (\d+) asked `)

// Puts the program in its own place, with all clients, of which there are at least so many.
func (r *relay) upgrade(t *testing.T, clients int) {
	t.Helper()
	r.started++
	said := r.ctl(t, "upgrade", "--timeout=60s")
	found := upgraded.FindStringSubmatch(said)
	if found == nil {
		t.Fatalf("not upgraded: %s", said)
	}
	kept, _ := strconv.Atoi(found[1])
	if kept < clients || found[2] != "0" || r.isEnded() {
		t.Errorf("of %d clients: %s", clients, said)
	}
}
