//! Pairing codes: both halves, what a browser gets for them, and what is refused.

use serde_json::{Value as Json, json};

use super::{Given, check};
use crate::{
    crypto::{Entropy, PublicKey, Signer, hex},
    mesh::{Candidate, ticket::Ticket},
    testing::Seeded,
};

const EXPIRES: u64 = 1_800_000_600_000;

fn space() -> PublicKey {
    Signer::from_seed(&[0x50; 32]).public()
}

#[test]
fn pairing() {
    let mut entropy = Seeded::new(0x9a1);
    let offer = half(&mut entropy, None, 1, &LINES[..3]);
    let text = offer["text"].as_str().unwrap().to_owned();
    let answer = half(&mut entropy, Some(&text), 300, &LINES);
    let alone = half(&mut entropy, None, 0, &[]);
    let broken = |at: usize| {
        let mut bytes = text.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    let refused: Vec<Json> = [
        ("nothing", String::new()),
        ("without hypha:", text["hypha:".len()..].to_owned()),
        ("cut off", text[..text.len() - 1].to_owned()),
        ("version 2", broken(7)),
        ("another nonce", broken(12)),
        ("another ciphertext", broken(60)),
        ("another tag", broken(text.len() - 3)),
        ("padding", format!("{text}=")),
    ]
    .iter()
    .map(|(why, text)| {
        assert!(Ticket::open(&space(), text).is_err(), "{why}");
        json!({ "why": why, "text": text })
    })
    .collect();
    check(
        "pairing.json",
        &json!({
            "source": "Rust: HYPHA_WRITE_VECTORS=1 cargo test --lib vectors. JavaScript: node --test tests-wasm/vectors/js/pairing.test.mjs (libsodium-wrappers-sumo).",
            "space": space().to_string(),
            "tickets": [offer, answer, alone],
            "tickets_mean": "`lines` are candidates as a browser tells them, `routes` those of them that go into the ticket; the second answers the first; `sdp` is what a browser is given as the answer to its own offer",
            "refused": refused,
        }),
    );
}

/// Candidates as browsers tell them: a host under an mDNS name, two others, and three that are left out.
const LINES: [&str; 6] = [
    "candidate:7 1 udp 2113937151 1a2b3c4d-0011-4223-8445-66778899aabb.local 51000 typ host generation 0",
    "candidate:8 1 tcp 1518280447 10.0.0.1 9 typ host tcptype active",
    "candidate:9 1 UDP 1677729535 2001:db8::7 51001 typ srflx raddr :: rport 0",
    "candidate:10 2 udp 1677729534 198.51.100.7 51002 typ srflx raddr 0.0.0.0 rport 0",
    "candidate:11 1 udp 33562367 198.51.100.8 65535 typ relay raddr 0.0.0.0 rport 0",
    "candidate:12 1 udp 5 198.51.100.9 7 typ prflx raddr 0.0.0.0 rport 0",
];

fn half(entropy: &mut Seeded, answers: Option<&str>, attempt: u64, lines: &[&str]) -> Json {
    let (key, print, nonce) = (entropy.array32(), entropy.array32(), entropy.array24());
    let (ufrag, pwd) = ("abC+", "0123456789abcdefghijkl/+");
    let colons: Vec<String> = print.iter().map(|byte| format!("{byte:02X}")).collect();
    let own = format!(
        "v=0\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\na=fingerprint:sha-256 {}\r\n",
        colons.join(":")
    );
    let candidates: Vec<Candidate> = lines
        .iter()
        .map(|line| Candidate {
            candidate: (*line).to_owned(),
            sdp_mid: Some("0".to_owned()),
            sdp_m_line_index: Some(0),
            username_fragment: None,
        })
        .collect();
    let hash = answers.map(Ticket::hash);
    let ticket = Ticket::new(&own, &candidates, key, attempt, hash, EXPIRES).unwrap();
    let text = ticket.seal(&space(), &mut Given(&nonce));
    assert_eq!(Ticket::open(&space(), &format!("\n {text}\t")).as_ref(), Ok(&ticket));
    json!({
        "kind": if answers.is_some() { 2 } else { 1 }, "expires": EXPIRES, "key": hex(&key), "attempt": attempt,
        "certificate": hex(&print), "ufrag": ufrag, "pwd": pwd, "lines": lines, "nonce": hex(&nonce), "text": text,
        "sdp": ticket.sdp(),
    })
}
