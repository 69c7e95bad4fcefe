//! The daemon under test: one relay for each test, and clients of tailscale-rs to it.
// SPDX-License-Identifier: LGPL-2.1-or-later

use std::{
    env, fs,
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use tokio::{net::TcpStream, time::timeout};
use ts_derp::{Client, DefaultClient, IpUsage, ServerConnInfo, TlsValidationConfig};
use ts_http_util::Client as _;
use ts_keys::{NodeKeyPair, NodePublicKey};

/// How long to wait for what must come; nothing passes by being slow.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What a sanitizer or a failed assertion says.
const ALARMS: [&str; 4] = ["AddressSanitizer", "LeakSanitizer", "runtime error:", "ERROR:"];

/// A running daemon; ends with the test, which fails when the daemon does not end well.
pub struct Relay {
    process: Child,
    directory: PathBuf,
    pub https: u16,
    pub http: u16,
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

fn program(name: &str) -> PathBuf {
    let daemon = env::var("DETOURD").expect("DETOURD names the daemon");
    PathBuf::from(daemon).with_file_name(name)
}

impl Relay {
    /// Starts a daemon that is open to everyone; another program may be faster with a port, then it takes others.
    pub fn start() -> Self {
        for _ in 0..5 {
            if let Some(relay) = Self::start_once() {
                return relay;
            }
        }
        panic!("no daemon became ready");
    }

    fn start_once() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = env::temp_dir().join(format!("detour-rust-{}-{number}", std::process::id()));
        let (https, http) = (free_port(), free_port());
        let place = directory.display();
        fs::create_dir(&directory).unwrap();
        fs::write(
            directory.join("detour.conf"),
            format!(
                "[core]\nhostname = relay.test\nstate-directory = {place}/state\ncontrol-socket = {place}/control\n\
                 dbus = none\nworkers = 2\n[admission]\nchain = open\n\
                 [transport https]\nplugin = tls\nlisten = 127.0.0.1:{https}\n\
                 [transport http]\nplugin = http\nlisten = 127.0.0.1:{http}\nredirect = none\n\
                 [cert main]\nplugin = selfsigned\nnames = relay.test\n[log stderr]\nplugin = stderr\n"
            ),
        )
        .unwrap();
        let log = fs::File::create(directory.join("log")).unwrap();
        let process = Command::new(program("detourd"))
            .args(["--no-vendor", "--config"])
            .arg(directory.join("detour.conf"))
            .env("G_DEBUG", "fatal-criticals")
            .env("ASAN_OPTIONS", "detect_leaks=1:fast_unwind_on_malloc=0:intercept_tls_get_addr=0")
            .env("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut relay = Self { process, directory, https, http };
        let until = Instant::now() + PATIENCE;
        while !relay.log().contains("ready:") {
            if let Some(status) = relay.process.try_wait().unwrap() {
                let log = relay.log();
                fs::remove_dir_all(&relay.directory).unwrap();
                std::mem::forget(relay);
                assert!(log.contains("in use"), "the daemon ended with {status}:\n{log}");
                return None;
            }
            assert!(Instant::now() < until, "the daemon did not become ready:\n{}", relay.log());
            thread::sleep(Duration::from_millis(10));
        }
        Some(relay)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// What detourctl prints.
    pub fn detourctl(&self, arguments: &[&str]) -> String {
        let done = Command::new(program("detourctl"))
            .args(arguments)
            .env("DETOUR_SOCKET", self.directory.join("control"))
            .env("LC_ALL", "C.UTF-8")
            .env("ASAN_OPTIONS", "detect_leaks=0")
            .output()
            .unwrap();
        let text = String::from_utf8(done.stdout).unwrap();
        assert!(done.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&done.stderr));
        text
    }

    /// A client by the crate's own way: its dialling, its TLS, its request; @name is asked for in TLS.
    pub async fn tls(&self, keys: &NodeKeyPair, name: &str) -> DefaultClient {
        let server = ServerConnInfo {
            hostname: name.to_owned(),
            ipv4: IpUsage::FixedAddr(Ipv4Addr::LOCALHOST),
            ipv6: IpUsage::Disable,
            tls_validation_config: TlsValidationConfig::InsecureForTests,
            https_port: self.https,
            stun_port: None,
            stun_only: false,
            supports_port_80: false,
        };
        timely(Client::connect([&server], keys)).await.unwrap()
    }

    /// A client by the crate's own request, without TLS.
    pub async fn plain(&self, keys: &NodeKeyPair) -> DefaultClient {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.http)).await.unwrap();
        let url = url::Url::parse(&format!("https://127.0.0.1:{}/derp", self.http)).unwrap();
        let http = ts_http_util::http1::connect(stream).await.unwrap();
        let request = ts_http_util::make_upgrade_req(&url, "DERP", None).unwrap();
        let response = timely(http.send(request)).await.unwrap();
        assert_eq!(response.status(), 101);
        let upgraded = timely(ts_http_util::do_upgrade(response)).await.unwrap();
        timely(Client::handshake(upgraded, keys)).await.unwrap()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let pid = self.process.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status().is_ok_and(|status| status.success());
        let until = Instant::now() + PATIENCE;
        let mut status = self.process.try_wait().unwrap();
        while asked && status.is_none() && Instant::now() < until {
            thread::sleep(Duration::from_millis(10));
            status = self.process.try_wait().unwrap();
        }
        if status.is_none() {
            self.process.kill().unwrap();
            self.process.wait().unwrap();
        }
        let log = self.log();
        fs::remove_dir_all(&self.directory).unwrap();
        if !thread::panicking() {
            assert!(status.is_some_and(|status| status.success()), "the daemon ended with {status:?}:\n{log}");
            assert!(!ALARMS.iter().any(|alarm| log.contains(alarm)), "{log}");
        }
    }
}

/// What the future gives, unless it takes too long.
pub async fn timely<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.expect("it took too long")
}

/// The client's next packet is this one; all other frames that came before it did not end the client.
pub async fn expect(client: &DefaultClient, from: NodePublicKey, packet: &[u8]) {
    let (source, got) = timely(client.recv_one()).await.unwrap();
    assert_eq!(source, from);
    assert!(got.as_ref() == packet, "{} bytes, expected {}", got.as_ref().len(), packet.len());
}

/// Sends a packet and sees that it comes.
pub async fn carry(from: (&DefaultClient, &NodeKeyPair), to: (&DefaultClient, &NodeKeyPair), packet: &[u8]) {
    timely(from.0.send_one(to.1.public, packet)).await.unwrap();
    expect(to.0, from.1.public, packet).await;
}
