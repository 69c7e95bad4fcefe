// STUN with the official encoder and parser.
// SPDX-License-Identifier: LGPL-2.1-or-later

package interop

import (
	"net"
	"testing"
	"time"

	"tailscale.com/net/stun"
)

func TestStun(t *testing.T) {
	conn, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: relay.stun})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	for range 10 {
		id := stun.NewTxID()
		if _, err := conn.Write(stun.Request(id)); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, 1500)
		n, err := conn.Read(answer)
		if err != nil {
			t.Fatal(err)
		}
		got, address, err := stun.ParseResponse(answer[:n])
		if err != nil {
			t.Fatal(err)
		}
		if got != id || address.String() != conn.LocalAddr().String() {
			t.Fatalf("%x %v, expected %x %v", got, address, id, conn.LocalAddr())
		}
	}
}
