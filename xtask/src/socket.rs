//! One WebSocket of the hub: the upgrade, a thread that reads, a thread that writes.
//!
//! The reading half answers pings and closes by itself; both its answers and the hub's frames go through the one
//! [`Outbox`], so that no two frames are ever mixed. The writing half pings each 30 seconds and ends a connection
//! whose pong did not come by the next.

use crate::http::{Request, Response};
use crate::hub::{Hub, MAX_MESSAGE};
use crate::outbox::{Next, Outbox};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

/// Between two pings.
const PING: Duration = Duration::from_secs(30);
/// A write that takes longer means a client that does not read.
const WRITE: Duration = Duration::from_secs(20);
/// An empty WebSocket ping, from a server.
const PING_FRAME: [u8; 2] = [0x89, 0x00];

/// The answer to a request to upgrade: 101, or what is wrong with it.
pub fn upgrade(request: &Request) -> Response {
    let asks = request.method == "GET"
        && request.header_has("connection", "upgrade")
        && request.header_has("upgrade", "websocket");
    let (true, Some("13"), Some(key)) =
        (asks, request.header("sec-websocket-version"), request.header("sec-websocket-key"))
    else {
        return Response::text(426, "okay: this is a signalling hub, connect with a WebSocket")
            .with("Upgrade", "websocket")
            .with("Sec-WebSocket-Version", "13");
    };
    Response { status: 101, headers: Vec::new(), body: Vec::new() }
        .with("Connection", "Upgrade")
        .with("Upgrade", "websocket")
        .with("Sec-WebSocket-Accept", derive_accept_key(key.as_bytes()))
}

/// Serves an upgraded connection until it ends. `early`: bytes already read of it.
pub fn serve(stream: TcpStream, early: Vec<u8>, hub: &Arc<Hub>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(None)?;
    stream.set_write_timeout(Some(WRITE))?;
    let outbox = Arc::<Outbox>::default();
    let alive = Arc::new(AtomicBool::new(true));
    let writer = {
        let (stream, outbox, alive) = (stream.try_clone()?, Arc::clone(&outbox), Arc::clone(&alive));
        std::thread::spawn(move || write(stream, &outbox, &alive))
    };
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
        .read_buffer_size(16 << 10);
    let half = Half { stream, outbox: Arc::clone(&outbox) };
    let mut socket = WebSocket::from_partially_read(half, early, Role::Server, Some(config));
    let mut client = hub.join(Arc::clone(&outbox));
    // an error is also how a close and a message that is too long come
    while let Ok(message) = socket.read() {
        alive.store(true, Ordering::Relaxed);
        match message {
            Message::Text(text) => client.receive(&text),
            // some clients send their JSON as binary
            Message::Binary(bytes) => client.receive(&String::from_utf8_lossy(&bytes)),
            _ => {}
        }
    }
    drop(client);
    outbox.close();
    // the writer shuts the connection down when all is written
    let _ = writer.join();
    Ok(())
}

fn write(mut stream: TcpStream, outbox: &Outbox, alive: &AtomicBool) {
    let mut ping_at = Instant::now() + PING;
    loop {
        let result = match outbox.next(ping_at) {
            Next::Write(bytes) => stream.write_all(&bytes),
            Next::Idle if alive.swap(false, Ordering::Relaxed) => stream.write_all(&PING_FRAME),
            Next::Idle | Next::Closed => break,
        };
        if result.is_err() {
            break;
        }
        if Instant::now() >= ping_at {
            ping_at = Instant::now() + PING;
        }
    }
    outbox.close();
    // wakes the reading thread too
    let _ = stream.shutdown(Shutdown::Both);
}

/// The stream as tungstenite sees it: reads from the socket, writes into the outbox.
struct Half {
    stream: TcpStream,
    outbox: Arc<Outbox>,
}

impl Read for Half {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl Write for Half {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.outbox.push(bytes.into()) { Ok(bytes.len()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
