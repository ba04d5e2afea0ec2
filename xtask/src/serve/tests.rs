//! The hub over real sockets, and the options.

use super::*;
use serde_json::{Value, json};
use std::io::{Read, Write};
use tungstenite::{Message, WebSocket, client};

type Socket = WebSocket<TcpStream>;

/// A hub on a free port.
fn hub() -> u16 {
    let (listeners, port) = bind(Some(Ipv4Addr::LOCALHOST.into()), 0).unwrap();
    let server = Arc::new(Server { site: None, hub: Arc::default(), connections: AtomicUsize::new(0) });
    for listener in listeners {
        let server = Arc::clone(&server);
        std::thread::spawn(move || accept(&listener, &server));
    }
    port
}

fn connect(port: u16) -> Socket {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    client(format!("ws://127.0.0.1:{port}/hub"), stream).unwrap().0
}

fn send(socket: &mut Socket, message: Value) {
    socket.send(Message::text(message.to_string())).unwrap();
}

fn receive(socket: &mut Socket) -> Value {
    loop {
        if let Message::Text(text) = socket.read().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

/// A subscriber of `t`; the pong proves that the hub has taken the subscription.
fn subscriber(port: u16) -> Socket {
    let mut socket = connect(port);
    send(&mut socket, json!({ "type": "subscribe", "topics": ["t"] }));
    send(&mut socket, json!({ "type": "ping" }));
    assert_eq!(receive(&mut socket), json!({ "type": "pong" }));
    socket
}

#[test]
fn thousands_of_messages_arrive_in_order_while_a_slow_client_is_cut_off() {
    let port = hub();
    let (mut reader, slow, mut sender) = (subscriber(port), subscriber(port), connect(port));
    let padding = "x".repeat(10_000);
    let sending = std::thread::spawn(move || {
        for n in 0..3_000 {
            send(&mut sender, json!({ "type": "publish", "topic": "t", "n": n, "padding": padding }));
        }
        sender
    });
    let mut clients = Vec::new();
    for n in 0..3_000 {
        let message = receive(&mut reader);
        assert_eq!(message["n"], n);
        clients.push(message["clients"].as_u64().unwrap());
    }
    assert_eq!(clients.first(), Some(&2));
    drop(sending.join().unwrap());
    // 30 MB were for the slow one: more than its queue and all buffers hold, so its connection ends early
    let mut left = 0;
    let mut chunk = vec![0; 64 << 10];
    let mut stream = slow.get_ref();
    while let Ok(count @ 1..) = stream.read(&mut chunk) {
        left += count;
    }
    assert!(left < 20_000_000, "{left} bytes were kept for a client that does not read");
}

#[test]
fn bad_messages_leave_the_connection_and_too_long_ones_end_it() {
    let port = hub();
    let mut socket = subscriber(port);
    for text in ["", "{", "null", "[[[[", "\u{0}"] {
        socket.send(Message::text(text)).unwrap();
    }
    socket.send(Message::binary(vec![0xff; 100])).unwrap();
    socket.send(Message::binary(br#"{"type":"ping"}"#.to_vec())).unwrap();
    assert_eq!(receive(&mut socket), json!({ "type": "pong" }));
    let most = crate::hub::MAX_MESSAGE;
    let frame = |length: usize| {
        let start = r#"{"type":"publish","topic":"t","x":""#;
        format!("{start}{}\"}}", "x".repeat(length - start.len() - 2))
    };
    socket.send(Message::text(frame(most))).unwrap();
    assert_eq!(receive(&mut socket)["clients"], 1);
    // the hub may close before it has read all of it
    let _ = socket.send(Message::text(frame(most + 1)));
    while socket.read().is_ok() {}
    let mut another = subscriber(port);
    send(&mut another, json!({ "type": "publish", "topic": "t" }));
    assert_eq!(receive(&mut another)["clients"], 1, "the closed one has left");
}

#[test]
fn a_plain_request_is_told_what_this_is() {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, hub())).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 426 ") && text.contains("okay"));
}

#[test]
fn a_taken_port_is_an_error_when_named() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = listen(&Options { port: Some(port), ..Options::default() }).unwrap_err();
    assert!(error.to_string().contains(&port.to_string()));
}

#[test]
fn options_are_read_and_others_refused() {
    let parse = |line: &str| parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    let options = parse("--port 0 --host 0.0.0.0 --data d --no-build --sources --pkg p").unwrap();
    let expected = Options {
        port: Some(0),
        host: Some(Ipv4Addr::UNSPECIFIED.into()),
        data: Some(PathBuf::from("d")),
        no_build: true,
        sources: true,
        hub_only: false,
        pkg: Some(PathBuf::from("p")),
    };
    assert_eq!(options, expected);
    for line in ["--port", "--port 70000", "--port x", "--host here", "--fast"] {
        assert!(parse(line).is_err(), "{line}");
    }
}
