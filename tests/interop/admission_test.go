// Admission by URL: derper's own server and the daemon ask the same admission server, and take its answers alike.
// SPDX-License-Identifier: LGPL-2.1-or-later

package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"tailscale.com/derp/derpserver"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

// An answer of the admission server, and whether it admits a client where no answer means no.
type answer struct {
	name   string
	status int
	body   string
	derper bool // what derper makes of it
	ours   bool // what the daemon makes of it
}

var answers = []answer{
	{"allow", 200, `{"Allow":true}`, true, true},
	{"allow in small letters", 200, `{"allow":true}`, true, true},
	{"more than derper knows", 200, `{"Allow":true,"Label":"x","Class":"y","TTLSeconds":1}`, true, true},
	{"blanks", 200, " \n{\"Allow\" : true }\n", true, true},
	{"deny", 200, `{"Allow":false}`, false, false},
	{"nothing", 200, `{}`, false, false},
	{"null", 200, `{"Allow":null}`, false, false},
	{"no JSON", 200, `<html>`, false, false},
	{"empty", 200, ``, false, false},
	{"wrong type", 200, `{"Allow":"true"}`, false, false},
	{"created", 201, `{"Allow":true}`, false, false},
	{"forbidden", 403, `{"Allow":true}`, false, false},
	{"not found", 404, ``, false, false},
	{"error", 500, `{"Allow":true}`, false, false},
	// On purpose: an answer is one JSON object, and nothing is to be guessed from the beginning of something else.
	{"text behind it", 200, `{"Allow":true} x`, true, false},
}

// An admission server that notes what it is asked.
type admission struct {
	*httptest.Server
	lock   sync.Mutex
	answer answer
	bodies map[string][]byte // by key
}

func newAdmission(t *testing.T) *admission {
	a := &admission{bodies: map[string][]byte{}}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "POST" {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		body, _ := io.ReadAll(r.Body)
		var question tailcfg.DERPAdmitClientRequest
		if err := json.Unmarshal(body, &question); err != nil {
			t.Errorf("%q: %v", body, err)
		}
		a.lock.Lock()
		defer a.lock.Unlock()
		a.bodies[question.NodePublic.String()] = body
		w.WriteHeader(a.answer.status)
		io.WriteString(w, a.answer.body)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *admission) set(what answer) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.answer = what
}

func (a *admission) asked(private key.NodePrivate) string {
	a.lock.Lock()
	defer a.lock.Unlock()
	return string(a.bodies[private.Public().String()])
}

// The server that is in derper; gives its port.
func startDerper(t *testing.T, url string) int {
	s := derpserver.New(key.NewNode(), quiet)
	s.SetVerifyClientURL(url)
	s.SetVerifyClientURLFailOpen(false)
	web := httptest.NewServer(derpserver.Handler(s))
	t.Cleanup(func() { s.Close(); web.Close() })
	var port int
	if _, err := fmt.Sscanf(web.Listener.Addr().String(), "127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	return port
}

// Whether the relay at a port lets a client in.
func admits(t *testing.T, private key.NodePrivate, port int) bool {
	t.Helper()
	c := httpClientAt(t, private, port)
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.Connect(ctx); err != nil {
		return false
	}
	// A client that is refused hears nothing but the end.
	m, err := c.Recv()
	if err == nil {
		t.Logf("it says %T", m)
	}
	return err == nil
}

func TestAdmissionByURL(t *testing.T) {
	if !relay.has("auth-url") {
		t.Fatal("there is no auth-url")
	}
	server := newAdmission(t)
	derper := startDerper(t, server.URL+"/verify")
	ours, err := start(relay.cmd.Path, t.TempDir(), "", "chain = open", fmt.Sprintf(`chain = url
refuse-hold = 0s
negative-ttl = 0s
timeout = %[2]v

[auth url]
url = %[1]s/verify
unavailable = deny
timeout = %[2]v`, server.URL, patience))
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range answers {
		server.set(what)
		private := key.NewNode()
		if got := admits(t, private, derper); got != what.derper {
			t.Errorf("%s: derper admits: %v", what.name, got)
		}
		theirs := server.asked(private)
		server.lock.Lock()
		delete(server.bodies, private.Public().String())
		server.lock.Unlock()
		began := time.Now()
		if got := admits(t, private, ours.http); got != what.ours {
			t.Errorf("%s: the daemon admits: %v (after %v)", what.name, got, time.Since(began))
		}
		if asked := server.asked(private); asked != theirs || asked == "" {
			t.Errorf("%s: derper asks %q, the daemon %q", what.name, theirs, asked)
		}
	}
	if err := ours.stop(); err != nil {
		t.Error(err)
	}
}
