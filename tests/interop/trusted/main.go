// Two of Tailscale's own clients that talk over a relay whose certificate they verify.
// SPDX-License-Identifier: LGPL-2.1-or-later

// Command trusted connects to the relay HOST, found at ADDRESS:PORT, with no pin: by the system's roots (SSL_CERT_FILE).
// It says "relayed" when a packet went from one client to the other.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"tailscale.com/derp"
	"tailscale.com/derp/derphttp"
	"tailscale.com/net/netmon"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

// Nothing passes by being slow.
const patience = 30 * time.Second

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: trusted HOST ADDRESS PORT")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("relayed")
}

func run(host, address, port string) error {
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	region := &tailcfg.DERPRegion{RegionID: 900, RegionCode: "test", Nodes: []*tailcfg.DERPNode{
		{Name: "900a", RegionID: 900, HostName: host, IPv4: address, IPv6: "none", DERPPort: number}}}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var clients [2]*derphttp.Client
	var keys [2]key.NodePrivate
	for i := range clients {
		keys[i] = key.NewNode()
		clients[i] = derphttp.NewRegionClient(keys[i], func(string, ...any) {}, netmon.NewStatic(),
			func() *tailcfg.DERPRegion { return region })
		defer clients[i].Close()
		if err := clients[i].Connect(ctx); err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		// The relay knows a client when it has told it so.
		if _, err := clients[i].Recv(); err != nil {
			return fmt.Errorf("receive: %w", err)
		}
	}
	packet := []byte("over a relay with a certificate")
	if err := clients[0].Send(keys[1].Public(), packet); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	// Ends a Recv() that waits for ever.
	time.AfterFunc(patience, func() { clients[1].Close() })
	for {
		message, err := clients[1].Recv()
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		if got, ok := message.(derp.ReceivedPacket); ok && bytes.Equal(got.Data, packet) {
			return nil
		}
	}
}
