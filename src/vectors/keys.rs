//! Passphrases, domains, the key tree, ids, words, signatures.

use serde_json::{Value, json};

use super::check;
use crate::crypto::{
    Hash, Host, InstallSecret, Link, Namespace, Passphrase, PassphraseError, PublicKey, Purpose, RootSecret,
    Signature, Signer, blake2b, blake2b_128, hash_to, hex, keyed, keyed_parts, parse_hex32, request_words,
    subkey,
};
use crate::space::PersonId;

const FIRST: &str = "abacus drop-down felt-tip t-shirt yo-yo zoom coffee able";
const SECOND: &str = "correct zoom unicorn ladder yo-yo afterglow tinsel mango";
const THIRD: &str = "zoom zoom zoom zoom zoom zoom zoom zoom abacus abacus";

#[test]
fn keys() {
    check(
        "keys.json",
        &json!({
            "source": "Rust: HYPHA_WRITE_VECTORS=1 cargo test --lib vectors. JavaScript: node --test tests-wasm/vectors/js/keys.test.mjs (libsodium-wrappers-sumo, @noble/hashes, @noble/curves, hypercore-crypto). Bytes are hexadecimal.",
            "namespaces": Namespace::ALL.iter().map(|ns| json!({ "label": ns.label(), "hash": hex(&ns.bytes()) })).collect::<Vec<_>>(),
            "hashes": hashes(),
            "subkeys": subkeys(),
            "passphrases": passphrases(),
            "passphrases_refused": refused(),
            "domains": domains(),
            "domains_refused": domains_refused(),
            "accounts": [account(FIRST, "example.org"), account(FIRST, "localhost"), account(SECOND, "xn--bcher-kva.example"), account(THIRD, "example.org")],
            "links": links(),
            "ids": ids(),
            "words": words(),
            "signatures": signatures(),
        }),
    );
}

fn hashes() -> Vec<Value> {
    let inputs: [&[u8]; 5] = [b"", b"abc", b"hypha", &[0; 128], &[0xff; 300]];
    inputs
        .iter()
        .map(|input| {
            let key: [u8; 32] = core::array::from_fn(|i| u8::try_from(i).unwrap());
            json!({
                "input": hex(input), "key": hex(&key), "h": blake2b(&[input]).to_string(),
                "h128": hex(&blake2b_128(&[input])), "mac": keyed(&key, input).to_string(),
            })
        })
        .collect()
}

fn subkeys() -> Vec<Value> {
    [(0, b"hypharot"), (1, b"hypharot"), (1, b"hyphamsg"), (1, b"hyphawri"), (u64::from(u32::MAX), b"01234567")]
        .iter()
        .map(|(id, context)| {
            let key = subkey(&[0x42; 32], *id, context);
            json!({ "master": hex(&[0x42; 32]), "id": id, "context": core::str::from_utf8(*context).unwrap(), "key": hex(&*key) })
        })
        .collect()
}

/// As typed, after NFKD (which the browser does), and as it is derived from.
fn passphrases() -> Vec<Value> {
    let long = ["zoom"; 64].join(" ");
    let wide = "ａｂａｃｕｓ drop-down felt-tip t－shirt yo-yo zoom coffee able";
    let kelvin = "ABACUS DROP-DOWN FELT-TIP T-SHIRT YO-YO ZOOM COFFEE S\u{212a}ETCH";
    let cases = [
        (FIRST.to_owned(), FIRST.to_owned()),
        (FIRST.to_uppercase(), FIRST.to_uppercase()),
        (FIRST.replace(' ', "-"), FIRST.replace(' ', "-")),
        (FIRST.replace(' ', "--"), FIRST.replace(' ', "--")),
        (FIRST.replace("drop-down", "-drop--down-"), FIRST.replace("drop-down", "-drop--down-")),
        (
            format!("\t {}\r\n", FIRST.replace(' ', " \u{2028}\n")),
            format!("\t {}\r\n", FIRST.replace(' ', " \u{2028}\n")),
        ),
        (FIRST.replace(' ', "\u{a0}"), FIRST.to_owned()),
        (FIRST.replace(' ', "\u{3000}"), FIRST.to_owned()),
        (FIRST.replace(' ', "\u{85}"), FIRST.replace(' ', "\u{85}")),
        (wide.to_owned(), FIRST.to_owned()),
        (kelvin.to_owned(), kelvin.replace('\u{212a}', "K")),
        (
            "yo-yo-yo-yo t-shirt-shirt down drop-down-down zoom able".to_owned(),
            "yo-yo-yo-yo t-shirt-shirt down drop-down-down zoom able".to_owned(),
        ),
        (long.clone(), long),
    ];
    cases
        .iter()
        .map(|(typed, nfkd)| {
            let parsed = Passphrase::parse(nfkd).ok().unwrap();
            json!({ "typed": typed, "nfkd": nfkd, "passphrase": parsed.as_str() })
        })
        .collect()
}

fn refused() -> Vec<Value> {
    let cases = [
        String::new(),
        "abacus able".to_owned(),
        FIRST.replace(" able", ""),
        vec!["zoom"; 65].join(" "),
        FIRST.replace("coffee", "cofee"),
        FIRST.replace("coffee", "coffee1"),
        FIRST.replace("drop-down", "drop down"),
        FIRST.replace("drop-down", "drop\u{2010}down"),
        FIRST.replace("yo-yo", "yo-yo-yo"),
        FIRST.replace("zoom", "zöom"),
        FIRST.replace(' ', ","),
        FIRST.replace(' ', "\u{feff}"),
    ];
    cases
        .iter()
        .map(|text| match Passphrase::parse(text).err().unwrap() {
            PassphraseError::Count { got } => json!({ "nfkd": text, "count": got }),
            PassphraseError::Word { position, got, nearest } => {
                json!({ "nfkd": text, "position": position, "got": got, "nearest": nearest })
            }
        })
        .collect()
}

/// As typed, in ASCII (IDNA is the browser's part), canonical.
fn domains() -> Vec<Value> {
    [
        ("example.org", "example.org"),
        ("EXAMPLE.org.", "EXAMPLE.org."),
        ("www.example.org", "www.example.org"),
        ("www.www.example.org", "www.www.example.org"),
        (" www.Example.ORG:443 ", " www.Example.ORG:443 "),
        ("example.org.:8080", "example.org.:8080"),
        ("example.org:", "example.org:"),
        ("www.", "www."),
        ("wwwexample.org", "wwwexample.org"),
        ("localhost:5173", "localhost:5173"),
        ("127.0.0.1:80", "127.0.0.1:80"),
        ("[::1]:80", "[::1]:80"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("WWW.BÜCHER.example:1", "www.xn--bcher-kva.example:1"),
        ("a_b.example", "a_b.example"),
    ]
    .iter()
    .map(|(typed, ascii)| json!({ "typed": typed, "ascii": ascii, "host": Host::parse(ascii).unwrap().as_str() }))
    .collect()
}

fn domains_refused() -> Vec<String> {
    let long = "a".repeat(254);
    let cases = [
        "",
        ".",
        " ",
        "bücher.example",
        "exa mple.org",
        "user@example.org",
        "example.org/",
        "example.org:port",
        "::1",
        "[::1]:port",
        "[example.org]",
        "a:b:1",
        &long,
    ];
    assert!(cases.iter().all(|text| Host::parse(text).is_err()));
    cases.map(str::to_owned).to_vec()
}

fn account(words: &str, domain: &str) -> Value {
    let (passphrase, host) = (Passphrase::parse(words).ok().unwrap(), Host::parse(domain).unwrap());
    let secret = RootSecret::derive(&passphrase, &host).unwrap();
    let (root, bytes) = (secret.root(), secret.to_bytes());
    let space = root.public();
    let seed = subkey(&bytes, 1, b"hypharot");
    assert_eq!(Signer::from_seed(&seed).public(), space);
    let base = subkey(&bytes, 1, b"hyphawri");
    let install = |id: [u8; 16], device: &str| {
        let install = secret.writer_base().install(&id, device);
        assert_eq!(keyed_parts(&base, &[&id, device.as_bytes()]).0, *install.to_bytes());
        json!({
            "install_id": hex(&id), "device": device, "secret": hex(&*install.to_bytes()), "local_key": hex(&*install.local_key()),
            "feeds": feeds(&install, &space),
        })
    };
    json!({
        "passphrase": passphrase.as_str(), "domain": host.as_str(),
        "salt": hex(&blake2b_128(&[b"hypha/v1/domain", host.as_str().as_bytes()])),
        "root_secret": hex(&*bytes), "root_seed": hex(&*seed), "space_key": space.to_string(),
        "x25519_secret": hex(&*root.x25519_secret()), "x25519": hex(&space.to_x25519().unwrap().0),
        "link": Link(space).to_string(), "discovery_key": space.discovery_key().to_string(),
        "message_key": hex(secret.message_key().as_bytes()), "writer_base": hex(&*base),
        "installs": [install([0x11; 16], "Firefox on Ubuntu"), install([0x22; 16], "Firefox on Ubuntu"), install([0; 16], "Phone 📱")],
    })
}

fn feeds(install: &InstallSecret, space: &PublicKey) -> Vec<Value> {
    [(Purpose::Entries, ""), (Purpose::Blobs, ""), (Purpose::Feed, "notes"), (Purpose::Value, "profil é")]
        .map(|(purpose, name)| feed(install, purpose, space, name))
        .to_vec()
}

fn feed(install: &InstallSecret, purpose: Purpose, space: &PublicKey, name: &str) -> Value {
    let public = install.signer(purpose, space, name).public();
    let parts = [purpose.label().as_bytes(), &[0], &space.0, name.as_bytes()];
    let seed = keyed_parts(&install.to_bytes(), &parts).0;
    assert_eq!(Signer::from_seed(&seed).public(), public);
    json!({
        "purpose": purpose.label(), "name": name, "seed": hex(&seed), "public": public.to_string(),
        "discovery_key": public.discovery_key().to_string(),
    })
}

fn links() -> Value {
    let key = Signer::from_seed(&[7; 32]).public();
    let link = Link(key).to_string();
    let read =
        [link.clone(), format!("{link}/"), link.to_uppercase(), format!("dat://{key}"), format!(" {key}\n")];
    let refused = [
        "hypha://".to_owned(),
        format!("{link}0"),
        link.replace("hypha", "http"),
        format!("{link}//"),
        link.replace(&key.to_string(), &"0".repeat(64)),
        format!("hypha://01{}", "0".repeat(62)),
        format!("hypha://02{}", "0".repeat(62)),
    ];
    assert!(read.iter().all(|text| Link::parse(text) == Ok(Link(key))));
    assert!(refused.iter().all(|text| Link::parse(text).is_err()));
    json!({ "key": key.to_string(), "read": read, "refused": refused })
}

fn ids() -> Vec<Value> {
    [[0; 32], [9; 32], core::array::from_fn(|i| u8::try_from(i * 7).unwrap())]
        .iter()
        .map(|bytes: &[u8; 32]| {
            json!({
                "bytes": hex(bytes), "person": PersonId::founded_by(&PublicKey(*bytes)).0.to_string(),
                "epoch": hash_to(Namespace::Epoch, &[bytes]).to_string(),
            })
        })
        .collect()
}

fn words() -> Vec<Value> {
    [Hash([0; 32]), Hash([1; 32]), blake2b(&[b"request"])]
        .iter()
        .map(|hash| json!({ "request_hash": hash.to_string(), "words": request_words(hash).unwrap() }))
        .collect()
}

/// Signatures that verify and such that must not.
fn signatures() -> Vec<Value> {
    let signer = Signer::from_seed(&[3; 32]);
    let (key, message) = (signer.public(), b"message".as_slice());
    let good = signer.sign(message);
    let changed = |change: &dyn Fn(&mut [u8; 64])| {
        let mut bytes = good.0;
        change(&mut bytes);
        Signature(bytes)
    };
    // The order of the group, added to the scalar half.
    let order = parse_hex32("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
    let malleable = changed(&|bytes| {
        let mut carry = 0_u16;
        for (byte, add) in bytes[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            [*byte, _] = sum.to_le_bytes();
            carry = sum >> 8;
        }
    });
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut no_point = [0; 32];
    no_point[0] = 2;
    let mut free = [0; 64];
    free[0] = 1;
    let cases = [
        ("valid", key, message, good),
        ("valid, empty message", key, b"".as_slice(), signer.sign(b"")),
        ("another message", key, b"massage", good),
        ("another key", Signer::from_seed(&[4; 32]).public(), message, good),
        ("first half changed", key, message, changed(&|bytes| bytes[0] ^= 1)),
        ("second half changed", key, message, changed(&|bytes| bytes[32] ^= 1)),
        ("malleable: order added to the scalar", key, message, malleable),
        ("key of order 1, verifies in loose libraries", PublicKey(identity), message, Signature(free)),
        ("key of order 4", PublicKey([0; 32]), message, Signature(free)),
        ("first half of small order", key, message, changed(&|bytes| bytes[..32].copy_from_slice(&identity))),
        ("zeros", key, message, Signature([0; 64])),
        ("key that is no point", PublicKey(no_point), message, good),
    ];
    cases
        .iter()
        .map(|(what, key, message, signature)| {
            let valid = key.verify(message, signature).is_ok();
            assert_eq!(valid, what.starts_with("valid"), "{what}");
            json!({ "what": what, "key": key.to_string(), "message": hex(message), "signature": hex(&signature.0), "valid": valid })
        })
        .collect()
}
