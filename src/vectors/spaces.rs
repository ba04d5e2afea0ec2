//! Spaces beyond the home: invites, requests to join, codes, and what a home notes of other spaces.

use serde_json::{Value as Json, json};

use super::{Given, check, entries, mutations, notation};
use crate::{
    codec::{MAX_SAFE, Reader, Writer},
    crypto::{Entropy, Namespace, PublicKey, Signer, hex, open_sealed, seal_to},
    space::{
        AccessOp, Citation, Entry, Grant, Invite, InviteLink, JoinRequest, Op, Role, decode_ops, encode_ops,
        space_code,
    },
    testing::Seeded,
};

/// The space of all that follows.
fn space() -> PublicKey {
    signer(0x50).public()
}

fn signer(seed: u8) -> Signer {
    Signer::from_seed(&[seed; 32])
}

fn link(seed: u8) -> InviteLink {
    InviteLink::generate(space(), &mut Given(&[seed; 32]))
}

#[test]
fn spaces() {
    let mut entropy = Seeded::new(0x5b);
    let entries = entries(&mut entropy);
    check(
        "spaces.json",
        &json!({
            "source": "Rust: HYPHA_WRITE_VECTORS=1 cargo test --lib vectors. JavaScript: node --test tests-wasm/vectors/js/spaces.test.mjs (libsodium-wrappers-sumo, @noble/curves, @noble/hashes).",
            "space": space().to_string(),
            "codes": codes(),
            "invites": invites(),
            "links": links(),
            "requests": requests(),
            "requests_refused": requests_refused(),
            "entries": entries.iter().map(|(what, entry)| {
                let block = entry.encode();
                assert_eq!(Entry::decode(&block).as_ref(), Ok(entry), "{what}");
                json!({ "what": what, "entry": notation::entry(entry), "hex": hex(&block) })
            }).collect::<Vec<_>>(),
            "malformed": malformed(),
            "mutated": mutated(&entries, &mut entropy),
            "mutated_means": "[index into entries, byte, xor, whether the result is accepted]",
            "operations": operations(&mut entropy),
            "secrets": secrets(&mut entropy),
        }),
    );
}

fn codes() -> Vec<Json> {
    let code = |seed: u8| {
        let key = signer(seed).public();
        json!({ "key": key.to_string(), "words": space_code(&key) })
    };
    (0x50..0x58).map(code).collect()
}

fn invites() -> Vec<Json> {
    let invite = |seed: u8| {
        let (link, writer) = (link(seed), signer(seed + 1).public());
        let Citation { invite, signature } = link.sign(&writer);
        json!({
            "seed": hex(&[seed; 32]), "key": invite.to_string(), "text": *link.to_text(),
            "writer": writer.to_string(), "signature": hex(&signature.0),
        })
    };
    [1, 0x7f, 0xfe].into_iter().map(invite).collect()
}

/// Ways to write one invite, and what is none.
fn links() -> Json {
    let text = link(1).to_text();
    let read = [
        text.to_string(),
        text.to_uppercase(),
        format!(" {}/\r\n", *text),
        text.replace("hypha://", "dat://"),
        text.replace("hypha://", ""),
        text.replace("/invite/", "//invite/"),
    ];
    let refused = [
        String::new(),
        format!("hypha://{}", space()),
        text.replace("/invite/", "/invites/"),
        text.replace("/invite/", "///invite/"),
        text.replace("hypha://", "https://"),
        format!("{}0", *text),
        format!("{}//", *text),
        text[..text.len() - 1].to_owned(),
        text.replace(&space().to_string(), &"0".repeat(64)),
        format!("{}/invite/{}", *text, "0".repeat(64)),
    ];
    for text in &read {
        let back = InviteLink::parse(text).ok().unwrap();
        assert_eq!((back.space(), back.key()), (space(), link(1).key()), "{text}");
    }
    let refused: Vec<Json> = refused
        .iter()
        .map(|text| json!({ "text": text, "error": InviteLink::parse(text).err().expect(text).to_string() }))
        .collect();
    json!({ "read": read, "read_means": "all are the first of `invites`", "refused": refused })
}

fn requests() -> Vec<Json> {
    let longest = "📱".repeat(64);
    [("Firefox on Ubuntu", 3), ("x", 4), (longest.as_str(), 5)]
        .into_iter()
        .map(|(name, seed)| {
            let bytes = JoinRequest::sign(&link(1), &signer(seed), [seed; 16], name).unwrap();
            assert_eq!(JoinRequest::decode(&bytes).unwrap().device.name, name);
            json!({
                "writer_seed": hex(&[seed; 32]), "install_id": hex(&[seed; 16]), "name": name, "hex": hex(&bytes),
                "means": "with the first of `invites`",
            })
        })
        .collect()
}

/// With good signatures unless it says otherwise.
fn requests_refused() -> Vec<Json> {
    let writer = signer(3);
    let body = |version: u8, cited: &Citation, name: &[u8]| {
        let mut out = Writer::new();
        out.u8(version).raw(&space().0).raw(&writer.public().0).raw(&[4; 16]);
        out.raw(&cited.invite.0).raw(&cited.signature.0).bytes(name);
        out.finish()
    };
    let sign = |namespace: Namespace, by: &Signer, body: &[u8]| {
        [body, &by.sign(&[&namespace.bytes(), body].concat()).0].concat()
    };
    let (good, other) = (link(1).sign(&writer.public()), link(1).sign(&signer(4).public()));
    let named = |name: &[u8]| sign(Namespace::Join, &writer, &body(1, &good, name));
    let plain = body(1, &good, b"Phone");
    assert!(JoinRequest::decode(&named(b"Phone")).is_ok());
    let cases = [
        ("nothing", vec![]),
        ("version 2", sign(Namespace::Join, &writer, &body(2, &good, b"Phone"))),
        ("a byte too many", sign(Namespace::Join, &writer, &[plain.as_slice(), &[0]].concat())),
        ("cut off", sign(Namespace::Join, &writer, &plain[..plain.len() - 1])),
        ("signed as a sign-in request", sign(Namespace::Request, &writer, &plain)),
        ("signed by another key", sign(Namespace::Join, &signer(4), &plain)),
        ("invite signed another writer", sign(Namespace::Join, &writer, &body(1, &other, b"Phone"))),
        ("another invite", {
            let cited = Citation { invite: link(2).key(), ..good };
            sign(Namespace::Join, &writer, &body(1, &cited, b"Phone"))
        }),
        ("no name", named(b"")),
        ("white space before the name", named(b" Phone")),
        ("white space behind the name", named("Phone\u{3000}".as_bytes())),
        ("a line feed", named(b"Pho\nne")),
        ("a right-to-left override", named("Pho\u{202e}ne".as_bytes())),
        ("65 characters", named(&[b'x'; 65])),
        ("257 bytes", named(&[b'x'; 257])),
        ("no UTF-8", named(&[0xff])),
    ];
    cases
        .iter()
        .map(|(why, bytes)| {
            let error = JoinRequest::decode(bytes).expect_err(why);
            json!({ "why": why, "hex": hex(bytes), "error": error.to_string() })
        })
        .collect()
}

fn entry(access: Vec<AccessOp>) -> Entry {
    Entry {
        deps: vec![],
        full_clock: true,
        previous_access: None,
        time: 5,
        access,
        public: vec![],
        sealed: None,
    }
}

fn entries(entropy: &mut dyn Entropy) -> Vec<(&'static str, Entry)> {
    let announced = |seed: u8, role, uses, expires| {
        AccessOp::Invite(Invite { key: link(seed).key(), role, uses, expires })
    };
    let mut cites = |seed: u8, name: Option<[u8; 32]>| {
        let writer = signer(seed).public();
        let grant = entries::grant(seed, Role::Writer, name, entropy);
        AccessOp::Grant(Grant { invite: Some(link(1).sign(&writer)), ..grant })
    };
    let cited = vec![cites(3, None), cites(3, Some([0xc0; 32])), cites(4, None), cites(4, Some([0xc0; 32]))];
    let later = |body: &[u8]| AccessOp::Unknown { kind: 7, body: body.to_vec() };
    let key = link(1).key().0;
    let body = |behind: &[u8]| [key.as_slice(), behind].concat();
    let later_forms = vec![
        later(&[]),
        later(&key),
        later(&body(&[0, 0, 0])),
        later(&body(&[3, 0, 0])),
        later(&body(&[1, 0])),
        later(&body(&[1, 0x80, 0, 0])),
        later(&body(&[1, 0, 0, 0])),
    ];
    vec![
        (
            "invites",
            entry(vec![
                announced(1, Role::Writer, 0, 0),
                announced(1, Role::Admin, 1, 1_700_000_000_000),
                announced(2, Role::Writer, MAX_SAFE, MAX_SAFE),
                announced(1, Role::Admin, 127, Invite::TAKEN_BACK),
            ]),
        ),
        ("grants that cite an invite", entry(cited)),
        ("invites of another layout", entry(later_forms)),
    ]
}

/// Blocks that are malformed by a citation.
fn malformed() -> Vec<Json> {
    let grant = |flags: u8, behind: &[u8]| {
        let body = [[1; 64].as_slice(), &[1, flags], &[2; 16], behind].concat();
        let mut out = Writer::new();
        out.raw(&[1, 0, 0, 0, 0]).count(1).u8(1).bytes(&body).count(0);
        out.finish()
    };
    let mut named = Writer::new();
    named.raw(&[3; 56]).bytes(&[4; 20]);
    let cases = [
        ("an unknown flag", grant(8, &[])),
        ("a citation of no bytes", grant(4, &[])),
        ("a citation cut off", grant(4, &[5; 95])),
        ("a citation with a byte too many", grant(4, &[5; 97])),
        ("a citation and no flag", grant(0, &[5; 96])),
        ("a name and no citation", grant(6, named.as_slice())),
    ];
    assert!(Entry::decode(&grant(4, &[5; 96])).is_ok());
    assert!(Entry::decode(&grant(7, &[named.as_slice(), &[5; 96]].concat())).is_ok());
    cases
        .iter()
        .map(|(why, block)| {
            let error = Entry::decode(block).map(|_| ()).expect_err(why);
            json!({ "why": why, "hex": hex(block), "error": error.to_string() })
        })
        .collect()
}

fn mutated(samples: &[(&'static str, Entry)], entropy: &mut dyn Entropy) -> Vec<Json> {
    let mut all = Vec::new();
    for (index, (_, entry)) in samples.iter().enumerate() {
        let block = entry.encode();
        for (at, xor) in mutations(block.len(), 80, entropy) {
            let mut bytes = block.clone();
            bytes[at] ^= xor;
            all.push(json!([index, at, xor, Entry::decode(&bytes).is_ok()]));
        }
    }
    all
}

/// Private operations of a home, and their encoding before it is sealed.
fn operations(entropy: &mut dyn Entropy) -> Vec<Json> {
    let writer = signer(3).public();
    let membership = |left| Op::Membership { space: space(), writer, left };
    let secret = seal_to(&signer(9).public(), &[0x51; 32], entropy).unwrap();
    let unknown = |kind, body: &[u8]| Op::Unknown { kind, body: body.to_vec() };
    let lists = [
        vec![membership(false), membership(true)],
        vec![Op::SpaceSecret { space: space(), sealed: Box::new(secret) }],
        vec![
            unknown(5, &[]),
            unknown(5, &[1; 64]),
            unknown(5, &[2; 65]),
            unknown(5, &[0; 66]),
            unknown(6, &[1; 111]),
            unknown(6, &[1; 113]),
        ],
    ];
    lists
        .iter()
        .map(|ops| {
            let mut out = Writer::new();
            encode_ops(ops, &mut out);
            assert!(decode_ops(&mut Reader::new(out.as_slice())).unwrap() == *ops);
            json!({ "operations": notation::ops(ops), "plain": hex(out.as_slice()) })
        })
        .collect()
}

/// Root seeds of created spaces, sealed to a home's root.
fn secrets(entropy: &mut dyn Entropy) -> Vec<Json> {
    [(9, 0x50), (10, 0x51)]
        .into_iter()
        .map(|(home, seed): (u8, u8)| {
            let (root, ephemeral) = (signer(home), entropy.array32());
            let sealed = seal_to(&root.public(), &[seed; 32], &mut Given(&ephemeral)).unwrap();
            assert_eq!(open_sealed(&root, &sealed).ok().unwrap().0, [seed; 32]);
            json!({
                "home_root_seed": hex(&[home; 32]), "seed": hex(&[seed; 32]), "root": signer(seed).public().to_string(),
                "ephemeral_secret": hex(&ephemeral), "sealed": hex(&sealed),
            })
        })
        .collect()
}
