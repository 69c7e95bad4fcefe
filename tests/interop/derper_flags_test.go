// The flags of derper: detourctl import-derper knows those of the real one, and takes and refuses what that does.
// SPDX-License-Identifier: LGPL-2.1-or-later

package interop

import (
	"archive/zip"
	"encoding/json"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Newer than the derper that these tests build.
var newerFlags = []string{"disallow-app-names"}

func buildDerper(t *testing.T) string {
	program := filepath.Join(t.TempDir(), "derper")
	if out, err := exec.Command("go", "build", "-o", program, "tailscale.com/cmd/derper").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// The newest derper, of which only the source is wanted: it may need a newer Go than there is.
const newestDerper = "v1.104.7"

func sourceOfNewestDerper(t *testing.T) string {
	t.Helper()
	// The answer has an error when the module needs a newer Go, and the archive all the same.
	out, _ := exec.Command("go", "mod", "download", "-json", "tailscale.com@"+newestDerper).Output()
	var module struct{ Zip string }
	if err := json.Unmarshal(out, &module); err != nil || module.Zip == "" {
		t.Fatalf("no archive of the module: %v\n%s", err, out)
	}
	archive, err := zip.OpenReader(module.Zip)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	file, err := archive.Open("tailscale.com@" + newestDerper + "/cmd/derper/derper.go")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	source, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// Names, kinds and the defaults that can be seen.
func TestFlagsOfTheNewestDerper(t *testing.T) {
	// A value that is none of the kind, and what is said of it; any text is one.
	wrong := map[string][2]string{"Bool": {"x", "expected true or false"}, "Int": {"x", "expected a whole number"},
		"Float64": {"x", "expected a number"}, "Duration": {"x", "expected a duration"}, "String": {"\x01", ""}}
	found := regexp.MustCompile(`flag\.(String|Bool|Int|Float64|Duration)\("([a-z0-9-]+)",`).FindAllStringSubmatch(sourceOfNewestDerper(t), -1)
	if len(found) != 35 {
		t.Errorf("%d flags: %v", len(found), found)
	}
	for _, flag := range found {
		kind, name := flag[1], flag[2]
		out, _ := exec.Command(filepath.Join(filepath.Dir(relay.cmd.Path), "detourctl"), "import-derper", "derper", "-"+name+"="+wrong[kind][0]).CombinedOutput()
		if strings.Contains(string(out), "no such flag") || !strings.Contains(string(out), wrong[kind][1]) ||
			kind == "String" && strings.Contains(string(out), "is not what derper takes") {
			t.Errorf("-%s, %s: %s", name, kind, out)
		}
	}
	for _, name := range newerFlags {
		if !slices.ContainsFunc(found, func(flag []string) bool { return flag[2] == name }) {
			t.Errorf("-%s: not there", name)
		}
	}
}

func importDerper(words ...string) error {
	return exec.Command(filepath.Join(filepath.Dir(relay.cmd.Path), "detourctl"), append([]string{"import-derper", "derper"}, words...)...).Run()
}

func TestFlagsOfDerper(t *testing.T) {
	derper := buildDerper(t)
	usage, _ := exec.Command(derper, "-help").CombinedOutput()
	var flags []string
	for _, found := range regexp.MustCompile(`(?m)^  -([a-z0-9-]+)`).FindAllStringSubmatch(string(usage), -1) {
		flags = append(flags, found[1])
	}
	if len(flags)+len(newerFlags) != 35 {
		t.Errorf("%d flags: %v", len(flags), flags)
	}
	for _, flag := range flags {
		if slices.Contains(newerFlags, flag) {
			t.Errorf("-%s is no newer flag", flag)
		}
		out, _ := exec.Command(filepath.Join(filepath.Dir(relay.cmd.Path), "detourctl"), "import-derper", "derper", "-"+flag+"=x").CombinedOutput()
		if strings.Contains(string(out), "no such flag") {
			t.Errorf("-%s: %s", flag, out)
		}
	}
	for _, line := range []string{
		"-stun=false", "--stun=T", "-stun=yes", "-stun false", "-a=:1", "--a :1", "---a :1", "-=x", "-a", "-x", "-", "--", "rest -x",
		"-stun-port 0x10", "-stun-port 010", "-stun-port 1.5", "-stun-port -1", "-stun-port=", "-http-port +5", "-http-port 99999999999999999999",
		"-tcp-user-timeout 5", "-tcp-user-timeout 0", "-tcp-user-timeout 1h5m.5s", "-tcp-user-timeout 1d", "-tcp-user-timeout -5s",
		"-tcp-user-timeout s", "-tcp-user-timeout .s", "-accept-connection-limit 1e3", "-accept-connection-limit Inf", "-accept-connection-limit x",
		"-accept-connection-limit=", "-ace=1", "-ace=2", "-derp=TRUE", "-derp=tRUE", "-home= -ace", "-hostname=a=b",
	} {
		words := strings.Split(line, " ")
		// Where a word that is no flag comes first, what is behind it is not read; -version is.
		takes := exec.Command(derper, append([]string{"-a=:1", "-version"}, words...)...).Run() == nil
		ours := importDerper(append([]string{"-a=:1"}, words...)...) == nil
		// What derper refuses only later is refused here, too.
		if ours != takes && !slices.Contains([]string{"-stun-port -1", "-tcp-user-timeout -5s"}, line) {
			t.Errorf("%q: derper takes it: %v, import-derper: %v", line, takes, ours)
		}
	}
}
