// Relaying between official clients: sizes, duplicates, peers that are gone, pings, and a crowd.
// SPDX-License-Identifier: LGPL-2.1-or-later

package interop

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	mathrand "math/rand/v2"
	"sync"
	"testing"
	"time"

	"tailscale.com/derp"
	"tailscale.com/derp/derphttp"
	"tailscale.com/types/key"
)

func random(size int) []byte {
	data := make([]byte, size)
	rand.Read(data)
	return data
}

// Runs a test over each way into the daemon.
func overAll(t *testing.T, test func(t *testing.T, client func(key.NodePrivate) *derphttp.Client)) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			test(t, func(private key.NodePrivate) *derphttp.Client { return connect(t, way(t, private)) })
		})
	}
}

func TestPacketsOfAllSizes(t *testing.T) {
	overAll(t, func(t *testing.T, client func(key.NodePrivate) *derphttp.Client) {
		a, b := client(key.NewNode()), client(key.NewNode())
		for _, size := range []int{0, 1, 31, 32, 33, 62, 1280, 1400, 4096, 16383, 16384, 16385, 32768, 65535, derp.MaxPacketSize} {
			data := random(size)
			send(t, a, b.SelfPublicKey(), data)
			recvPacket(t, b, a.SelfPublicKey(), data)
			send(t, b, a.SelfPublicKey(), data)
			recvPacket(t, a, b.SelfPublicKey(), data)
		}
	})
}

func TestBetweenTLSAndPlain(t *testing.T) {
	a, b := connect(t, tlsClient(t, key.NewNode())), connect(t, httpClient(t, key.NewNode()))
	for _, size := range []int{1, 1400, derp.MaxPacketSize} {
		data := random(size)
		send(t, a, b.SelfPublicKey(), data)
		recvPacket(t, b, a.SelfPublicKey(), data)
		send(t, b, a.SelfPublicKey(), data)
		recvPacket(t, a, b.SelfPublicKey(), data)
	}
}

func TestDuplicates(t *testing.T) {
	overAll(t, func(t *testing.T, client func(key.NodePrivate) *derphttp.Client) {
		private := key.NewNode()
		sender, first := client(key.NewNode()), client(private)
		second := client(private)
		send(t, sender, private.Public(), []byte("to the newer"))
		recvPacket(t, second, sender.SelfPublicKey(), []byte("to the newer"))
		send(t, first, sender.SelfPublicKey(), []byte("I speak"))
		recvPacket(t, sender, private.Public(), []byte("I speak"))
		send(t, sender, private.Public(), []byte("to the speaker"))
		recvPacket(t, first, sender.SelfPublicKey(), []byte("to the speaker"))
	})
}

func TestPeerGone(t *testing.T) {
	overAll(t, func(t *testing.T, client func(key.NodePrivate) *derphttp.Client) {
		a, b := client(key.NewNode()), client(key.NewNode())
		send(t, a, b.SelfPublicKey(), []byte("hello"))
		recvPacket(t, b, a.SelfPublicKey(), []byte("hello"))
		a.Close()
		recvGone(t, b, a.SelfPublicKey(), derp.PeerGoneReasonDisconnected)
	})
}

func TestNotHere(t *testing.T) {
	overAll(t, func(t *testing.T, client func(key.NodePrivate) *derphttp.Client) {
		c, unknown := client(key.NewNode()), key.NewNode().Public()
		send(t, c, unknown, append([]byte("TS💬"), random(56)...))
		recvGone(t, c, unknown, derp.PeerGoneReasonNotHere)
	})
}

func TestPing(t *testing.T) {
	overAll(t, func(t *testing.T, client func(key.NodePrivate) *derphttp.Client) {
		c := client(key.NewNode())
		go func() {
			for {
				if _, err := c.Recv(); err != nil {
					return
				}
			}
		}()
		for range 20 {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			err := c.Ping(ctx)
			cancel()
			if err != nil {
				t.Fatal(err)
			}
		}
		c.Close()
	})
}

func TestNotePreferred(t *testing.T) {
	overAll(t, func(t *testing.T, client func(key.NodePrivate) *derphttp.Client) {
		c := client(key.NewNode())
		c.NotePreferred(true)
		c.NotePreferred(false)
		c.NotePreferred(true)
		send(t, c, c.SelfPublicKey(), []byte("still here"))
		recvPacket(t, c, c.SelfPublicKey(), []byte("still here"))
	})
}

func TestClientReconnectsByItself(t *testing.T) {
	private := key.NewNode()
	c, meshClient := connect(t, tlsClient(t, private)), tlsClient(t, key.NewNode())
	meshClient.MeshKey = mesh(t)
	connect(t, meshClient)
	if err := meshClient.ClosePeer(private.Public()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Recv(); err == nil {
		t.Fatal("the connection was not closed")
	}
	for deadline := time.Now().Add(patience); ; {
		m, err := c.Recv()
		if err == nil && isA[derp.ServerInfoMessage](m) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%T, %v", m, err)
		}
	}
}

// Each of many clients sends to a random one, who answers with the checksum.
func TestManyClients(t *testing.T) {
	const clients, rounds = 60, 40
	all := make([]*derphttp.Client, clients)
	for i := range all {
		way := tlsClient
		if i%3 == 0 {
			way = httpClient
		}
		all[i] = connect(t, way(t, key.NewNode()))
	}
	answers := make([]chan [sha256.Size]byte, clients)
	index := map[key.NodePublic]int{}
	for i, c := range all {
		answers[i] = make(chan [sha256.Size]byte, 1)
		index[c.SelfPublicKey()] = i
	}
	errors := make(chan error, 2*clients)
	for i, c := range all {
		go func() {
			for {
				m, err := c.Recv()
				if err != nil {
					return
				}
				p, ok := m.(derp.ReceivedPacket)
				if !ok {
					continue
				}
				if _, known := index[p.Source]; !known {
					errors <- fmt.Errorf("client %d: packet from a stranger", i)
				} else if len(p.Data) == sha256.Size {
					answers[i] <- [sha256.Size]byte(p.Data)
				} else {
					sum := sha256.Sum256(p.Data)
					if err := c.Send(p.Source, sum[:]); err != nil {
						return
					}
				}
			}
		}()
	}
	var group sync.WaitGroup
	for i, c := range all {
		group.Go(func() {
			for round := range rounds {
				data := random(sha256.Size + 1 + mathrand.IntN(4000))
				if err := c.Send(all[mathrand.IntN(clients)].SelfPublicKey(), data); err != nil {
					errors <- fmt.Errorf("client %d: %w", i, err)
					return
				}
				select {
				case sum := <-answers[i]:
					if sum != sha256.Sum256(data) {
						errors <- fmt.Errorf("client %d, round %d: another checksum", i, round)
						return
					}
				case <-time.After(patience):
					errors <- fmt.Errorf("client %d, round %d: no answer", i, round)
					return
				}
			}
		})
	}
	group.Wait()
	select {
	case err := <-errors:
		t.Fatal(err)
	default:
	}
}

// What a monitoring prober does with a pair of nodes.
func TestProber(t *testing.T) {
	from, to := tlsClient(t, key.NewNode()), tlsClient(t, key.NewNode())
	from.IsProber, to.IsProber = true, true
	connect(t, from)
	connect(t, to)
	for _, size := range []int{1, 100, 1400, 16 << 10, 64 << 10} {
		data := random(size)
		send(t, from, to.SelfPublicKey(), data)
		recvPacket(t, to, from.SelfPublicKey(), data)
	}
}

// The bandwidth probe: up to 30 packets of 64 KiB on their way, none lost, none out of order.
func TestBandwidthProbe(t *testing.T) {
	overAll(t, func(t *testing.T, client func(key.NodePrivate) *derphttp.Client) {
		from, to := client(key.NewNode()), client(key.NewNode())
		const packets, window = 200, 30
		free := make(chan struct{}, window)
		failed := make(chan error, 1)
		go func() {
			for n := range packets {
				free <- struct{}{}
				data := make([]byte, derp.MaxPacketSize)
				data[0], data[1] = byte(n), byte(n>>8)
				if err := from.Send(to.SelfPublicKey(), data); err != nil {
					failed <- err
					return
				}
			}
		}()
		for n := range packets {
			m := recv(t, to)
			p, ok := m.(derp.ReceivedPacket)
			if !ok || len(p.Data) != derp.MaxPacketSize || int(p.Data[0])+int(p.Data[1])<<8 != n {
				t.Fatalf("expected packet %d, got %T number %d of %d bytes", n, m, int(p.Data[0])+int(p.Data[1])<<8, len(p.Data))
			}
			<-free
		}
		select {
		case err := <-failed:
			t.Fatal(err)
		default:
		}
	})
}
