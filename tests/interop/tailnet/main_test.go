// The stage: a mount, process and network namespace of the test's own, which take everything with them when they end.
// SPDX-License-Identifier: LGPL-2.1-or-later

// Package tailnet runs a whole tailnet, official tailscaleds and all, whose nodes reach each other only through the
// real daemon, named by DETOURD. Logs and the official programs are kept in TAILNET_DIR.
package tailnet

import (
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Programs that the tailnet is made of, and where they come from.
var official = []string{"tailscale.com/cmd/derpprobe", "tailscale.com/cmd/tailscale", "tailscale.com/cmd/tailscaled"}

// What else the test calls.
var tools = []string{"ip", "nft", "ss"}

// Build tags for parts of tailscaled that never meet a relay and take longer to build than all that do.
//
//go:embed left-out
var leftOut string

const staged = "TAILNET_STAGED" // set in the process that runs inside

var (
	detourd  string // the daemon
	folder   string // of logs and programs
	programs string
	excuse   string // why nothing can be tested here
)

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := 0, prepare()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		code = 1
	case excuse != "" || os.Getenv(staged) != "":
		code = m.Run()
	default:
		code, err = enter()
		if err != nil {
			excuse = fmt.Sprintf("there are no namespaces to be had: %v", err)
			code = m.Run()
		}
	}
	os.Exit(code)
}

// Finds the places, and inside of the stage changes what only this run may see.
func prepare() error {
	detourd = os.Getenv("DETOURD")
	if detourd == "" {
		detourd = "../../../build/core/app/detourd"
	}
	var err error
	if detourd, err = filepath.Abs(detourd); err != nil {
		return err
	}
	folder = os.Getenv("TAILNET_DIR")
	if folder == "" {
		folder = filepath.Join(filepath.Dir(detourd), "../../tailnet")
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return err
	}
	programs = filepath.Join(folder, "bin")
	if os.Getenv(staged) != "" {
		return furnish()
	}
	if os.Getuid() != 0 {
		excuse = "only root may make network namespaces"
		return nil
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			excuse = fmt.Sprintf("there is no %s", tool)
			return nil
		}
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		excuse = "there is no /dev/net/tun"
		return nil
	}
	if _, err := os.Stat(detourd); err != nil {
		return fmt.Errorf("no daemon: %w", err)
	}
	return build()
}

// Builds the official programs out of the module that go.mod names.
func build() error {
	if err := os.MkdirAll(programs, 0o755); err != nil {
		return err
	}
	began := time.Now()
	tags := strings.Join(strings.Fields(leftOut), ",")
	cmd := exec.Command("go", append([]string{"build", "-tags", tags, "-ldflags=-s -w", "-o", programs + "/"}, official...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the official programs: %v\n%s", err, out)
	}
	fmt.Printf("the official programs took %v to build\n", time.Since(began).Round(time.Second))
	return nil
}

// Runs this program once more inside of new namespaces. An error says that the kernel gave none.
func enter() (int, error) {
	// The kernel ends the child when the thread that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), staged+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	err := cmd.Wait()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		fmt.Fprintln(os.Stderr, err)
	}
	if code := cmd.ProcessState.ExitCode(); code >= 0 {
		return code, nil
	}
	return 1, nil
}

// Gives the stage its own /proc, /run and /etc, so that neither `ip netns` nor tailscaled leaves a trace.
func furnish() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	if err := syscall.Mount("run", "/run", "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mounting /run: %w", err)
	}
	etc := "/run/etc"
	if out, err := exec.Command("cp", "-a", "/etc", etc).CombinedOutput(); err != nil {
		return fmt.Errorf("copying /etc: %v: %s", err, out)
	}
	if err := syscall.Mount(etc, "/etc", "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting /etc: %w", err)
	}
	// /etc/resolv.conf may lead to what was in /run before.
	os.Remove("/etc/resolv.conf")
	for name, text := range map[string]string{
		"resolv.conf": "# nobody answers here\nnameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
		"hosts": "127.0.0.1 localhost\n::1 localhost\n" + relay4 + " " + relayName + " " + secondName + "\n" +
			relay6 + " " + relayName + " " + secondName + "\n",
	} {
		if err := os.WriteFile(filepath.Join("/etc", name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// A folder for one run's logs and state; what an earlier run left there goes.
func scratch(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(folder, "run")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Runs a program to its end and returns what it printed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Waits until a condition holds, with a limit; the condition says what is still missing, or nothing.
func wait(t *testing.T, what string, limit time.Duration, missing func() string) {
	t.Helper()
	last := ""
	for until := time.Now().Add(limit); ; time.Sleep(100 * time.Millisecond) {
		if last = missing(); last == "" {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("%s: not in %v: %s", what, limit, last)
		}
	}
}
