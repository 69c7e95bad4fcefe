//! tailscale-rs logs in and relays, and is never sent what it takes for the end.
// SPDX-License-Identifier: LGPL-2.1-or-later

use std::net::Ipv4Addr;

use detour_interop::{PATIENCE, Relay, carry, expect, timely};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use ts_derp::frame;
use ts_keys::NodeKeyPair;

/// The longest packet of which the crate takes the frame, and the longest of the protocol.
const STRICT_MAX: usize = 65504;
const PACKET_MAX: usize = 65536;

fn packet(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n * 7 % 251) as u8).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_of_all_sizes_both_ways() {
    let relay = Relay::start();
    let (a_keys, b_keys) = (NodeKeyPair::random(), NodeKeyPair::random());
    let (a, b) = (relay.tls(&a_keys, "relay.test").await, relay.plain(&b_keys).await);
    for size in [0, 1, 31, 32, 33, 62, 1280, 1400, 4096, 16383, 16384, 16385, 32768, STRICT_MAX] {
        carry((&a, &a_keys), (&b, &b_keys), &packet(size)).await;
        carry((&b, &b_keys), (&a, &a_keys), &packet(size)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_name_in_tls_finds_the_relay() {
    let relay = Relay::start();
    for name in ["relay.test", "elsewhere.example", "127.0.0.1"] {
        let keys = NodeKeyPair::random();
        let client = relay.tls(&keys, name).await;
        carry((&client, &keys), (&client, &keys), name.as_bytes()).await;
    }
}

/// The crate ends its connection over a frame above 64 KiB; so none comes, and what follows does.
#[tokio::test(flavor = "multi_thread")]
async fn a_packet_that_is_too_long_is_left_out_and_counted() {
    let relay = Relay::start();
    let (keys, sender) = (NodeKeyPair::random(), NodeKeyPair::random());
    let client = relay.tls(&keys, "relay.test").await;
    let mut rude = Rude::login(&relay, &sender).await;
    for size in [STRICT_MAX, STRICT_MAX + 1, PACKET_MAX, 5] {
        rude.send_packet(&keys, &packet(size)).await;
    }
    expect(&client, sender.public, &packet(STRICT_MAX)).await;
    expect(&client, sender.public, &packet(5)).await;
    carry((&client, &keys), (&client, &keys), b"still here").await;
    assert!(relay.detourctl(&[]).contains("2 longer than their receivers take"));
    assert!(relay.detourctl(&["clients", "--json"]).contains("\"packets_dropped_too_long\": 2"));
}

/// Peers that go and peers that are not here are told with a reason; without one the crate panics.
#[tokio::test(flavor = "multi_thread")]
async fn notices_of_peers_that_are_gone() {
    let relay = Relay::start();
    let (a_keys, b_keys) = (NodeKeyPair::random(), NodeKeyPair::random());
    let a = relay.tls(&a_keys, "relay.test").await;
    {
        let b = relay.plain(&b_keys).await;
        carry((&b, &b_keys), (&a, &a_keys), b"hello").await;
    }
    let mut disco = b"TS\xf0\x9f\x92\xac".to_vec();
    disco.resize(62, b'd');
    timely(a.send_one(b_keys.public, &disco)).await.unwrap();
    // Both notices come before this packet, since the relay has dealt with what was sent before it.
    carry((&a, &a_keys), (&a, &a_keys), b"still here").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_else_that_the_crate_can_send_is_taken() {
    let relay = Relay::start();
    let keys = NodeKeyPair::random();
    let client = relay.plain(&keys).await;
    let preferred = frame::NotePreferred { is_home: 1 };
    timely(client.send_frame(&preferred)).await.unwrap();
    let pong: frame::Pong = frame::Ping { payload: *b"12345678" }.into();
    timely(client.send_frame(&pong)).await.unwrap();
    carry((&client, &keys), (&client, &keys), b"still here").await;
    let shown = relay.detourctl(&["clients", "--json"]);
    assert!(shown.contains("\"kind\": \"rust\""), "{shown}");
    assert!(shown.contains("\"home\": true"), "{shown}");
}

/// Two connections with one key: the newer one gets the packets, then whichever spoke last; neither is told.
#[tokio::test(flavor = "multi_thread")]
async fn one_key_twice() {
    let relay = Relay::start();
    let (keys, other_keys) = (NodeKeyPair::random(), NodeKeyPair::random());
    let other = relay.plain(&other_keys).await;
    let first = relay.plain(&keys).await;
    let second = relay.tls(&keys, "relay.test").await;
    carry((&other, &other_keys), (&second, &keys), b"to the newer").await;
    carry((&first, &keys), (&other, &other_keys), b"I speak").await;
    carry((&other, &other_keys), (&first, &keys), b"to the speaker").await;
    carry((&second, &keys), (&other, &other_keys), b"so do I").await;
    carry((&other, &other_keys), (&second, &keys), b"to the second").await;
}

/// Many packets on their way at once, in order.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_keeps_its_order() {
    let relay = Relay::start();
    let (a_keys, b_keys) = (NodeKeyPair::random(), NodeKeyPair::random());
    let (a, b) = (relay.tls(&a_keys, "relay.test").await, relay.tls(&b_keys, "relay.test").await);
    for round in 0..20u8 {
        for n in 0..30u8 {
            timely(a.send_one(b_keys.public, &[&[round, n][..], &packet(1400)].concat())).await.unwrap();
        }
        for n in 0..30u8 {
            expect(&b, a_keys.public, &[&[round, n][..], &packet(1400)].concat()).await;
        }
    }
}

/// A Go client's place, for packets that the crate would not send: it logs in like one, by the frames of the crate.
struct Rude {
    stream: TcpStream,
}

impl Rude {
    async fn login(relay: &Relay, keys: &NodeKeyPair) -> Self {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, relay.http)).await.unwrap();
        stream.write_all(b"GET /derp HTTP/1.1\r\nHost: relay.test\r\nConnection: Upgrade\r\nUpgrade: DERP\r\n\r\n").await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timely(stream.read_u8()).await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        // The login is the crate's; its client is forgotten, and the stream under it goes on.
        let (ours, theirs) = tokio::io::duplex(PACKET_MAX);
        let client = ts_derp::Client::handshake(theirs, keys);
        let (mut from_client, mut to_client) = tokio::io::split(ours);
        let (mut from_relay, mut to_relay) = stream.split();
        let there = tokio::io::copy(&mut from_client, &mut to_relay);
        let back = tokio::io::copy(&mut from_relay, &mut to_client);
        tokio::select! {
            done = client => { done.unwrap(); }
            _ = there => panic!("the login ended early"),
            _ = back => panic!("the relay closed"),
            () = tokio::time::sleep(PATIENCE) => panic!("no login"),
        }
        Self { stream }
    }

    async fn send_packet(&mut self, to: &NodeKeyPair, packet: &[u8]) {
        let body = frame::SendPacket { dest: to.public };
        let mut bytes = vec![0x04];
        bytes.extend_from_slice(&u32::try_from(32 + packet.len()).unwrap().to_be_bytes());
        // The crate's own frames end at 64 KiB, so only the key is taken from one.
        bytes.extend_from_slice(frame::RawFrame::from_body(&body, 0).unwrap().raw_body);
        bytes.extend_from_slice(packet);
        timely(self.stream.write_all(&bytes)).await.unwrap();
    }
}
