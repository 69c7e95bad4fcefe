// Key files: what one program writes the other reads.
// SPDX-License-Identifier: LGPL-2.1-or-later

package interop

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"tailscale.com/types/key"
)

// The file as derper has it.
type keyFile struct {
	PrivateKey key.NodePrivate
}

func TestDerperReadsOurKeyFile(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(filepath.Dir(relay.log), "state", "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	var file keyFile
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if got := connect(t, tlsClient(t, key.NewNode())).ServerPublicKey(); got != file.PrivateKey.Public() {
		t.Fatalf("the relay says %v, its file %v", got, file.PrivateKey.Public())
	}
}

func TestWeReadDerpersKeyFile(t *testing.T) {
	dir := t.TempDir()
	private := key.NewNode()
	data, err := json.MarshalIndent(keyFile{private}, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "derper.key"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	other, err := start(relay.cmd.Path, dir, fmt.Sprintf("key-file = %s/derper.key", dir))
	if err != nil {
		t.Fatal(err)
	}
	got := connect(t, httpClientAt(t, key.NewNode(), other.http)).ServerPublicKey()
	if err := other.stop(); err != nil {
		t.Error(err)
	}
	if got != private.Public() {
		t.Fatalf("the relay says %v, the file %v", got, private.Public())
	}
}
