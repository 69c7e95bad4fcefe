// Tailscale's control server for tests as a program, for tests of containers.
// SPDX-License-Identifier: LGPL-2.1-or-later

//	control ADDRESS < MAP
//
// It reads the DERP map, and lets every node in: if it asked for an authentication key, it would ask nodes that it knows for it, too, which that of
// Tailscale does not do. One line is written when it listens; the end of the standard input behind the map ends it.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"tailscale.com/tailcfg"
	"tailscale.com/tstest/integration/testcontrol"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: control ADDRESS < MAP")
	}
	in, derpMap := json.NewDecoder(os.Stdin), &tailcfg.DERPMap{}
	if err := in.Decode(derpMap); err != nil {
		log.Fatal(err)
	}
	server := &testcontrol.Server{DERPMap: derpMap, AllOnline: true, ExplicitBaseURL: "http://" + os.Args[1]}
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	go http.Serve(listener, server)
	fmt.Println("listening")
	io.Copy(io.Discard, os.Stdin)
}
