// What the operator says to users, read where they read it.
// SPDX-License-Identifier: LGPL-2.1-or-later

package tailnet

import (
	"strings"
	"testing"
)

func testSay(t *testing.T, w *world) {
	const text = "the relay is down for maintenance at 20:00 UTC"
	ports := w.ports(t)
	heard := func(n *node) string {
		return strings.Join(n.mustStatus(t).Health, "; ") + n.must(t, "status")
	}
	w.relay.ctl(t, "say", text)
	for _, n := range w.members {
		wait(t, n.name+" shows it", patience, func() string {
			if status := heard(n); strings.Count(status, text) != 2 {
				return status
			}
			return ""
		})
	}
	// One that connects later is told as well.
	bob := w.members[1]
	bob.at.breakDerp(t)
	bob.waitOtherDerp(t, ports[1])
	wait(t, "bob shows it after it has connected again", patience, func() string {
		if status := heard(bob); !strings.Contains(status, text) {
			return status
		}
		return ""
	})
	ports = w.ports(t)
	w.relay.ctl(t, "say", "--clear")
	for _, n := range w.members {
		wait(t, n.name+" shows it no more", patience, func() string {
			if status := heard(n); strings.Contains(status, text) {
				return status
			}
			return ""
		})
	}
	w.mustStay(t, ports)
}
