// A node: an official tailscaled at its place, and the official command line to it.
// SPDX-License-Identifier: LGPL-2.1-or-later

package tailnet

import (
	"context"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tailscale.com/client/local"
	"tailscale.com/ipn/ipnstate"
)

type node struct {
	at   *place
	name string
	dir  string
	tun  string
	api  local.Client
	cmd  *exec.Cmd
	done chan struct{}
}

// A node at a place, not running yet; with @tun its host reaches the tailnet, else only the node itself does.
func newNode(t *testing.T, at *place, name, dir string, tun bool) *node {
	t.Helper()
	n := &node{at: at, name: name, dir: dir, tun: "userspace-networking"}
	if tun {
		n.tun = "tailscale0"
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	n.api = local.Client{Socket: n.socket(), UseSocketOnly: true}
	t.Cleanup(n.stop)
	return n
}

// Sockets have short names only, and so lie in the stage's own /run.
func (n *node) socket() string {
	return filepath.Join("/run", n.name+".sock")
}

// Starts tailscaled, for the first time or again, and waits until it answers.
func (n *node) start(t *testing.T) {
	t.Helper()
	out, err := os.OpenFile(filepath.Join(n.dir, "tailscaled.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	n.cmd = n.at.command(filepath.Join(programs, "tailscaled"), "--no-logs-no-support",
		"--statedir="+n.dir, "--socket="+n.socket(), "--tun="+n.tun)
	n.cmd.Stdout, n.cmd.Stderr = out, out
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) { cmd.Wait(); close(done) }(n.cmd, n.done)
	wait(t, n.name+" answers", patience, func() string {
		select {
		case <-n.done:
			log, _ := os.ReadFile(filepath.Join(n.dir, "tailscaled.log"))
			t.Fatalf("%s: tailscaled ended with %v:\n%s", n.name, n.cmd.ProcessState, log[max(0, len(log)-5000):])
		default:
		}
		if _, err := n.status(); err != nil {
			return err.Error()
		}
		return ""
	})
}

// Stops tailscaled; what it knows stays in its folder.
func (n *node) stop() {
	if n.done == nil {
		return
	}
	n.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-n.done:
	case <-time.After(patience):
		n.cmd.Process.Kill()
		<-n.done
	}
	n.done = nil
}

// Joins the tailnet of the control server at @url.
func (n *node) up(t *testing.T, url string) {
	t.Helper()
	n.must(t, "up", "--login-server="+url, "--hostname="+n.name, "--accept-dns=false", "--netfilter-mode=off", "--timeout=60s")
	n.waitRunning(t)
}

func (n *node) waitRunning(t *testing.T) {
	t.Helper()
	wait(t, n.name+" runs", patience, func() string {
		status, err := n.status()
		if err != nil {
			return err.Error()
		}
		if status.BackendState != "Running" {
			return status.BackendState
		}
		return ""
	})
}

// Runs the official command line at the node's place.
func (n *node) tailscale(args ...string) (string, error) {
	out, err := n.at.command(filepath.Join(programs, "tailscale"), append([]string{"--socket=" + n.socket()}, args...)...).CombinedOutput()
	return string(out), err
}

func (n *node) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := n.tailscale(args...)
	if err != nil {
		t.Fatalf("%s: tailscale %s: %v\n%s", n.name, strings.Join(args, " "), err, out)
	}
	return out
}

func (n *node) status() (*ipnstate.Status, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return n.api.Status(ctx)
}

func (n *node) mustStatus(t *testing.T) *ipnstate.Status {
	t.Helper()
	status, err := n.status()
	if err != nil {
		t.Fatalf("%s: status: %v", n.name, err)
	}
	return status
}

// The node's address in the tailnet.
func (n *node) address(t *testing.T) netip.Addr {
	t.Helper()
	status := n.mustStatus(t)
	if len(status.TailscaleIPs) == 0 {
		t.Fatalf("%s has no address in the tailnet", n.name)
	}
	return status.TailscaleIPs[0]
}

// One ping to a peer: the answer's line, or an error.
func (n *node) ping(address netip.Addr) (string, error) {
	return n.tailscale("ping", "--c=1", "--until-direct=false", "--timeout=3s", address.String())
}

// A function that sends a datagram from the node's host to another node's, which takes no notice of it.
func (n *node) sender(t *testing.T, to *node) func() {
	t.Helper()
	const discard = 9
	var conn *net.UDPConn
	address := net.UDPAddrFromAddrPort(netip.AddrPortFrom(to.address(t), discard))
	n.at.in(t, func() (err error) {
		conn, err = net.DialUDP("udp", nil, address)
		return err
	})
	t.Cleanup(func() { conn.Close() })
	return func() { conn.Write([]byte("anybody there?")) }
}

// Waits until the node is connected to the relay over one connection and returns its local port.
func (n *node) waitDerp(t *testing.T) string {
	t.Helper()
	var port string
	wait(t, n.name+" is connected to the relay", patience, func() string {
		ports := n.at.derpPorts(t)
		if len(ports) != 1 {
			return "connections from ports " + strings.Join(ports, " ")
		}
		port = ports[0]
		return ""
	})
	return port
}

// Waits until the node is connected from another port than @port.
func (n *node) waitOtherDerp(t *testing.T, port string) {
	t.Helper()
	wait(t, n.name+" connects again", patience, func() string {
		if now := n.at.derpPorts(t); len(now) != 1 || now[0] == port {
			return "connections from ports " + strings.Join(now, " ")
		}
		return ""
	})
}
