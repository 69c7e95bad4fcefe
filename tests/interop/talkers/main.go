// Two official clients that send each other numbered packets until they are told to end, and then say how many arrived.
// SPDX-License-Identifier: LGPL-2.1-or-later

// They talk to the relay at 127.0.0.1:443. One line is written when both are logged in; the end of the standard input ends
// them. A packet that is lost, doubled or out of order, and a connection that has to be made anew, end them with an error.
package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"tailscale.com/derp"
	"tailscale.com/derp/derphttp"
	"tailscale.com/net/netmon"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

const (
	patience = 60 * time.Second
	name     = "relay.example.com"
)

// The pin of a certificate that its host has signed itself.
func pin() (string, error) {
	conn, err := tls.Dial("tcp", "127.0.0.1:443", &tls.Config{InsecureSkipVerify: true, ServerName: name})
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return fmt.Sprintf("sha256-raw:%x", sha256.Sum256(conn.ConnectionState().PeerCertificates[0].Raw)), nil
}

func connected(region *tailcfg.DERPRegion, private key.NodePrivate) *derphttp.Client {
	client := derphttp.NewRegionClient(private, func(string, ...any) {}, netmon.NewStatic(), func() *tailcfg.DERPRegion { return region })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := client.Connect(ctx); err != nil {
		log.Fatalf("connect: %v", err)
	}
	return client
}

// What one side gets: that it is logged in, and packets from the other one, each with the next number.
func receive(client *derphttp.Client, from key.NodePublic, ready chan<- bool, got chan<- uint64) {
	begun := false
	for n := uint64(0); ; {
		message, err := client.Recv()
		if err != nil {
			log.Fatalf("after %d packets: %v", n, err)
		}
		switch m := message.(type) {
		case derp.ServerInfoMessage:
			if begun {
				log.Fatalf("after %d packets the client connected anew", n)
			}
			begun = true
			ready <- true
		case derp.ReceivedPacket:
			if want := fmt.Sprintf("packet %12d", n); m.Source != from || string(m.Data) != want {
				log.Fatalf("got %q, not %q", m.Data, want)
			}
			got <- n
			n++
		case derp.KeepAliveMessage, derp.PingMessage, derp.HealthMessage:
		default:
			log.Fatalf("after %d packets: %T %v", n, m, m)
		}
	}
}

func main() {
	log.SetFlags(0)
	cert, err := pin()
	if err != nil {
		log.Fatal(err)
	}
	region := &tailcfg.DERPRegion{RegionID: 1, RegionCode: "test", RegionName: "Test", Nodes: []*tailcfg.DERPNode{
		{Name: "1", RegionID: 1, HostName: name, IPv4: "127.0.0.1", IPv6: "none", CertName: cert}}}
	keys := [2]key.NodePrivate{key.NewNode(), key.NewNode()}
	var clients [2]*derphttp.Client
	var got [2]chan uint64
	ready := make(chan bool, 2)
	for i := range clients {
		clients[i] = connected(region, keys[i])
		got[i] = make(chan uint64, 1)
		go receive(clients[i], keys[1-i].Public(), ready, got[i])
	}
	for range clients {
		<-ready
	}
	fmt.Println("logged in")

	ended := make(chan bool)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	n := uint64(0)
	for going := true; going; n++ {
		for i, client := range clients {
			if err := client.Send(keys[1-i].Public(), fmt.Appendf(nil, "packet %12d", n)); err != nil {
				log.Fatalf("send %d: %v", n, err)
			}
		}
		for i := range got {
			select {
			case <-got[i]:
			case <-time.After(patience):
				log.Fatalf("packet %d did not come in %v", n, patience)
			}
		}
		select {
		case <-ended:
			going = false
		case <-time.After(5 * time.Millisecond):
		}
	}
	fmt.Println(n)
}
