// WebSocket with the official client: the way of browsers, and of builds with the debug tag.
// SPDX-License-Identifier: LGPL-2.1-or-later

//go:build ts_debug_websockets

package interop

import (
	"testing"

	"tailscale.com/derp"
	"tailscale.com/envknob"
	"tailscale.com/types/key"
)

func TestWebSocket(t *testing.T) {
	if !relay.has("transport-websocket") {
		t.Skip("this build has no plugin transport-websocket")
	}
	envknob.Setenv("TS_DEBUG_DERP_WS_CLIENT", "true")
	defer envknob.Setenv("TS_DEBUG_DERP_WS_CLIENT", "")
	a, b := connect(t, httpClient(t, key.NewNode())), connect(t, httpClient(t, key.NewNode()))
	for _, size := range []int{0, 1, 1400, 32768, derp.MaxPacketSize} {
		data := random(size)
		send(t, a, b.SelfPublicKey(), data)
		recvPacket(t, b, a.SelfPublicKey(), data)
	}
	a.Close()
	recvGone(t, b, a.SelfPublicKey(), derp.PeerGoneReasonDisconnected)
}
