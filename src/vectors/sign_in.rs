//! Sign-in requests and answers, and the four words of a request.

use serde_json::{Value as Json, json};

use super::check;
use crate::{
    codec::{MAX_SAFE, Writer},
    crypto::{Hash, Namespace, Signer, hex, request_words},
    node::accounts::sign_in_message::{Answer, Request, SignInMessage, Verdict},
};

const TIME: u64 = 1_700_000_000_000;

fn here() -> Hash {
    Signer::from_seed(&[0x50; 32]).public().discovery_key()
}

#[test]
fn sign_in() {
    check(
        "sign_in.json",
        &json!({
            "source": "Rust: HYPHA_WRITE_VECTORS=1 cargo test --lib vectors. JavaScript: node --test tests-wasm/vectors/js/sign_in.test.mjs (libsodium-wrappers-sumo, @noble/curves).",
            "discovery_key": here().to_string(),
            "requests": requests(),
            "answers": answers(),
            "refused": refused(),
        }),
    );
}

fn requests() -> Vec<Json> {
    let longest = "📱".repeat(64);
    [("Firefox on Ubuntu", TIME, TIME + 600_000), ("Phone 📱", 0, 0), ("x", MAX_SAFE, MAX_SAFE), (longest.as_str(), 127, 128)]
        .into_iter()
        .zip(1_u8..)
        .map(|((device, time, expires), seed)| {
            let writer = Signer::from_seed(&[seed; 32]);
            let id = [seed ^ 0xf0; 16];
            let request = Request { id, writer: writer.public(), install_id: [seed; 16], time, expires, device: device.to_owned() };
            let (bytes, hash) = (request.sign(&here(), &writer), request.hash(&here()));
            let expected = SignInMessage::Request { hash, request };
            assert_eq!(SignInMessage::decode(&here(), &bytes).unwrap(), expected);
            json!({
                "seed": hex(&[seed; 32]), "id": hex(&id), "writer": writer.public().to_string(), "install_id": hex(&[seed; 16]),
                "time": time, "expires": expires, "device": device, "hex": hex(&bytes), "hash": hash.to_string(),
                "words": request_words(&hash).unwrap(),
            })
        })
        .collect()
}

fn answers() -> Vec<Json> {
    [(Verdict::Granted, 1), (Verdict::Denied, 2), (Verdict::Blocked, 3)]
        .into_iter()
        .map(|(verdict, number)| {
            let (writer, admin) = (Signer::from_seed(&[number; 32]).public(), Signer::from_seed(&[0xad; 32]));
            let answer = Answer { request: [number; 16], writer, verdict, time: TIME, admin: admin.public() };
            let bytes = answer.sign(&here(), &admin);
            assert_eq!(SignInMessage::decode(&here(), &bytes).unwrap(), SignInMessage::Answer(answer));
            json!({
                "seed": hex(&[0xad; 32]), "request": hex(&[number; 16]), "writer": writer.to_string(), "verdict": number,
                "time": TIME, "admin": admin.public().to_string(), "hex": hex(&bytes),
            })
        })
        .collect()
}

/// With a good signature unless it says otherwise.
fn refused() -> Vec<Json> {
    let writer = Signer::from_seed(&[1; 32]);
    let signed = |namespace: Namespace, body: &[u8]| {
        let signature = writer.sign(&[&namespace.bytes(), &here().0, body].concat());
        [body, &signature.0].concat()
    };
    let request = |device: &[u8]| {
        let mut out = Writer::versioned();
        out.u8(1).raw(&[4; 16]).raw(&writer.public().0).raw(&[5; 16]).varint(1).varint(2).bytes(device);
        out.finish()
    };
    let answer = |verdict: u8| {
        let mut out = Writer::versioned();
        out.u8(2).raw(&[4; 16]).raw(&[6; 32]).u8(verdict).varint(1).raw(&writer.public().0);
        out.finish()
    };
    let good = request(b"Phone");
    let ask = |device: &str| signed(Namespace::Request, &request(device.as_bytes()));
    let cases = [
        ("nothing", vec![]),
        ("version 2", signed(Namespace::Request, &[&[2], &good[1..]].concat())),
        ("type 3", signed(Namespace::Request, &[&[1, 3], &good[2..]].concat())),
        ("a byte too many", signed(Namespace::Request, &[good.as_slice(), &[0]].concat())),
        ("cut off", signed(Namespace::Request, &good[..good.len() - 1])),
        ("signed as an answer", signed(Namespace::Answer, &good)),
        ("signed for another space", {
            let signature = writer.sign(&[&Namespace::Request.bytes(), [1; 32].as_slice(), &good].concat());
            [good.as_slice(), &signature.0].concat()
        }),
        ("signed by another key", {
            let signature = Signer::from_seed(&[2; 32])
                .sign(&[&Namespace::Request.bytes(), &here().0, good.as_slice()].concat());
            [good.as_slice(), &signature.0].concat()
        }),
        ("device without a name", ask("")),
        ("device of white space", ask(" ")),
        ("device with white space before it", ask(" Phone")),
        ("device with white space behind it", ask("Phone\u{3000}")),
        ("device with a line feed", ask("Pho\nne")),
        ("device with a C1 control character", ask("Pho\u{85}ne")),
        ("device with a right-to-left override", ask("Pho\u{202e}ne")),
        ("device with a direction mark", ask("Pho\u{200f}ne")),
        ("device with an isolate", ask("Pho\u{2066}ne")),
        ("device of 65 characters", ask(&"x".repeat(65))),
        ("device of 257 bytes", ask(&"x".repeat(257))),
        ("device that is no UTF-8", signed(Namespace::Request, &request(&[0xff]))),
        ("verdict 0", signed(Namespace::Answer, &answer(0))),
        ("verdict 4", signed(Namespace::Answer, &answer(4))),
        ("answer signed as a request", signed(Namespace::Request, &answer(1))),
    ];
    cases
        .iter()
        .map(|(why, bytes)| {
            let error = SignInMessage::decode(&here(), bytes).expect_err(why);
            json!({ "why": why, "hex": hex(bytes), "error": error.to_string() })
        })
        .collect()
}
