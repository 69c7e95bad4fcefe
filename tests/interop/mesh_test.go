// The mesh key with the official client: watching, forwarding, closing.
// SPDX-License-Identifier: LGPL-2.1-or-later

package interop

import (
	"context"
	"testing"
	"time"

	"tailscale.com/derp"
	"tailscale.com/derp/derphttp"
	"tailscale.com/types/key"
)

func TestWatch(t *testing.T) {
	before := connect(t, tlsClient(t, key.NewNode()))
	watcher := tlsClient(t, key.NewNode())
	watcher.MeshKey = mesh(t)
	present, gone := make(chan derp.PeerPresentMessage, 1000), make(chan derp.PeerGoneMessage, 1000)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go watcher.RunWatchConnectionLoop(ctx, key.NodePublic{}, quiet,
		func(m derp.PeerPresentMessage) { present <- m }, func(m derp.PeerGoneMessage) { gone <- m }, func(error) {})
	waitPresent := func(peer key.NodePublic, flags derp.PeerPresentFlags) {
		t.Helper()
		for {
			select {
			case m := <-present:
				if m.Key != peer {
					continue
				}
				if m.Flags != flags || !m.IPPort.Addr().IsLoopback() || m.IPPort.Port() == 0 {
					t.Fatalf("%+v", m)
				}
				return
			case <-time.After(patience):
				t.Fatal("nobody told of the peer")
			}
		}
	}
	waitPresent(before.SelfPublicKey(), derp.PeerPresentIsRegular)
	prober := httpClient(t, key.NewNode())
	prober.IsProber = true
	connect(t, prober)
	waitPresent(prober.SelfPublicKey(), derp.PeerPresentIsProber)
	prober.Close()
	for {
		select {
		case m := <-gone:
			if m.Peer == prober.SelfPublicKey() {
				return
			}
		case <-time.After(patience):
			t.Fatal("nobody told that the peer left")
		}
	}
}

func TestForwardAndClose(t *testing.T) {
	overAll(t, func(t *testing.T, client func(key.NodePrivate) *derphttp.Client) {
		peer, meshClient, source := client(key.NewNode()), tlsClient(t, key.NewNode()), key.NewNode().Public()
		meshClient.MeshKey = mesh(t)
		connect(t, meshClient)
		for _, size := range []int{0, 1400, derp.MaxPacketSize} {
			data := random(size)
			if err := meshClient.ForwardPacket(source, peer.SelfPublicKey(), data); err != nil {
				t.Fatal(err)
			}
			recvPacket(t, peer, source, data)
		}
		if err := meshClient.ClosePeer(peer.SelfPublicKey()); err != nil {
			t.Fatal(err)
		}
		if m, err := peer.Recv(); err == nil {
			t.Fatalf("got %T, and was to be closed", m)
		}
	})
}

func TestWithoutTheKeyNothingIsForwarded(t *testing.T) {
	peer, c := connect(t, tlsClient(t, key.NewNode())), connect(t, tlsClient(t, key.NewNode()))
	if err := c.ForwardPacket(key.NewNode().Public(), peer.SelfPublicKey(), []byte("forged")); err != nil {
		t.Fatal(err)
	}
	if m, err := c.Recv(); err == nil {
		t.Fatalf("got %T, and was to be closed", m)
	}
	send(t, peer, peer.SelfPublicKey(), []byte("alone"))
	recvPacket(t, peer, peer.SelfPublicKey(), []byte("alone"))
}
