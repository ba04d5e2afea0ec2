//! The golden vectors in a real browser: wasm computes what the host and other people's libraries compute.
#![cfg(target_arch = "wasm32")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a test fails by panicking"
)]

use data_encoding::HEXLOWER;
use hypha_node::{
    codec::{Value, decode_value, encode_value},
    crypto::{
        Hash, Host, Namespace, Passphrase, PublicKey, Purpose, RootSecret, Signature, Signer, blake2b,
        blake2b_128, hex, keyed, open, open_sealed, request_words, seal, subkey,
    },
    feed::{EquivocationProof, Node, Proof},
    space::{Entry, InviteLink, JoinRequest, RootRecord, sealed_part_ad, space_code},
    sync::Envelope,
};
use serde_json::Value as Json;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

fn keys() -> Json {
    json(include_str!("vectors/keys.json"))
}

fn list<'a>(json: &'a Json, name: &str) -> &'a [Json] {
    json[name].as_array().unwrap_or_else(|| panic!("{name} is missing"))
}

fn text<'a>(json: &'a Json, name: &str) -> &'a str {
    json[name].as_str().unwrap_or_else(|| panic!("{name} is missing: {json}"))
}

fn unhex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

fn bytes(json: &Json, name: &str) -> Vec<u8> {
    unhex(text(json, name))
}

fn array<const N: usize>(json: &Json, name: &str) -> [u8; N] {
    bytes(json, name).try_into().unwrap()
}

#[wasm_bindgen_test]
fn namespaces_hashes_and_subkeys() {
    let keys = keys();
    for (namespace, vector) in Namespace::ALL.iter().zip(list(&keys, "namespaces")) {
        assert_eq!(
            (namespace.label(), hex(&namespace.bytes()).as_str()),
            (text(vector, "label"), text(vector, "hash"))
        );
    }
    assert_eq!(Namespace::ALL.len(), list(&keys, "namespaces").len());
    for vector in list(&keys, "hashes") {
        let input = bytes(vector, "input");
        assert_eq!(blake2b(&[&input]).to_string(), text(vector, "h"));
        assert_eq!(hex(&blake2b_128(&[&input])), text(vector, "h128"));
        assert_eq!(keyed(&array(vector, "key"), &input).to_string(), text(vector, "mac"));
    }
    for vector in list(&keys, "subkeys") {
        let context = text(vector, "context").as_bytes().try_into().unwrap();
        let key = subkey(&array(vector, "master"), vector["id"].as_u64().unwrap(), context);
        assert_eq!(hex(&*key), text(vector, "key"));
    }
}

/// The browser's own NFKD and IDNA are in front of ours here, as they are on a page.
#[wasm_bindgen_test]
fn passphrases_and_domains_as_they_are_typed() {
    let keys = keys();
    for vector in list(&keys, "passphrases") {
        let typed = String::from(js_sys::JsString::from(text(vector, "typed")).normalize("NFKD"));
        assert_eq!(typed, String::from(js_sys::JsString::from(text(vector, "nfkd")).normalize("NFKD")));
        assert_eq!(Passphrase::parse(&typed).ok().unwrap().as_str(), text(vector, "passphrase"));
    }
    for vector in list(&keys, "passphrases_refused") {
        assert!(Passphrase::parse(text(vector, "nfkd")).is_err(), "{vector}");
    }
    for vector in list(&keys, "domains") {
        assert_eq!(Host::parse(text(vector, "ascii")).unwrap().as_str(), text(vector, "host"));
    }
    for domain in list(&keys, "domains_refused") {
        assert!(Host::parse(domain.as_str().unwrap()).is_err(), "{domain}");
    }
}

#[wasm_bindgen_test]
fn the_tree_of_keys() {
    let keys = keys();
    for (number, vector) in list(&keys, "accounts").iter().enumerate() {
        let derived = RootSecret::from_bytes(array(vector, "root_secret"));
        // Argon2id takes its second once: the rest is the same code with other bytes.
        if number == 0 {
            let passphrase = Passphrase::parse(text(vector, "passphrase")).ok().unwrap();
            let host = Host::parse(text(vector, "domain")).unwrap();
            let secret = RootSecret::derive(&passphrase, &host).unwrap();
            assert_eq!(hex(&*secret.to_bytes()), text(vector, "root_secret"));
        }
        let space = derived.root().public();
        assert_eq!(space.to_string(), text(vector, "space_key"));
        assert_eq!(space.discovery_key().to_string(), text(vector, "discovery_key"));
        assert_eq!(hex(&space.to_x25519().unwrap().0), text(vector, "x25519"));
        assert_eq!(hex(derived.message_key().as_bytes()), text(vector, "message_key"));
        for install in list(vector, "installs") {
            let secret =
                derived.writer_base().install(&array(install, "install_id"), text(install, "device"));
            assert_eq!(hex(&*secret.to_bytes()), text(install, "secret"));
            assert_eq!(hex(&*secret.local_key()), text(install, "local_key"));
            for feed in list(install, "feeds") {
                let purpose = [Purpose::Blobs, Purpose::Entries, Purpose::Feed, Purpose::Value]
                    .into_iter()
                    .find(|purpose| purpose.label() == text(feed, "purpose"))
                    .unwrap();
                let public = secret.signer(purpose, &space, text(feed, "name")).public();
                assert_eq!(public.to_string(), text(feed, "public"));
            }
        }
    }
}

#[wasm_bindgen_test]
fn words_and_signatures() {
    let keys = keys();
    for vector in list(&keys, "words") {
        assert_eq!(
            Json::from(request_words(&Hash(array(vector, "request_hash"))).unwrap().to_vec()),
            vector["words"]
        );
    }
    for vector in list(&keys, "signatures") {
        let (key, signature) = (PublicKey(array(vector, "key")), Signature(array(vector, "signature")));
        let valid = key.verify(&bytes(vector, "message"), &signature).is_ok();
        assert_eq!(Json::from(valid), vector["valid"], "{vector}");
    }
}

/// A value from the vectors' notation.
fn value(json: &Json) -> Value {
    let content = json.get(1).unwrap_or(&Json::Null);
    let text = || content.as_str().unwrap();
    let levels = || content.as_u64().unwrap();
    match json[0].as_str().unwrap() {
        "null" => Value::Null,
        "bool" => Value::Bool(content.as_bool().unwrap()),
        "int" => Value::Integer(text().parse().unwrap()),
        "float" => Value::Float(f64::from_bits(u64::from_str_radix(text(), 16).unwrap())),
        "text" => Value::Text(text().to_owned()),
        "bytes" => Value::Bytes(unhex(text())),
        "array" => Value::Array(content.as_array().unwrap().iter().map(value).collect()),
        "map" => {
            let pair = |pair: &Json| (pair[0].as_str().unwrap().to_owned(), value(&pair[1]));
            Value::Map(content.as_array().unwrap().iter().map(pair).collect())
        }
        "inside arrays" => (0..levels()).fold(value(&json[2]), |inner, _| Value::Array(vec![inner])),
        "inside maps" => {
            (0..levels()).fold(value(&json[2]), |inner, _| Value::Map(vec![(String::new(), inner)]))
        }
        "date" => Value::Date(text().parse().unwrap()),
        "object" => Value::Object(unhex(text()).try_into().unwrap()),
        "blob" => Value::Blob(unhex(text())),
        other => panic!("unknown kind {other}"),
    }
}

#[wasm_bindgen_test]
fn values() {
    let cbor = json(include_str!("vectors/cbor.json"));
    let vectors = list(&cbor, "values");
    for vector in vectors {
        let encoded = encode_value(&value(&vector["value"])).unwrap();
        assert_eq!(hex(&encoded), text(vector, "hex"));
        assert_eq!(encode_value(&decode_value(&encoded).unwrap()).unwrap(), encoded);
    }
    for vector in list(&cbor, "not_encodable") {
        assert!(encode_value(&value(&vector["value"])).is_err(), "{vector}");
    }
    for vector in list(&cbor, "refused") {
        // A length beyond memory is named as what this machine can count to: not the digits, but the rest is the same.
        let words = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "");
        let error = decode_value(&bytes(vector, "hex")).unwrap_err().to_string();
        assert_eq!(words(&error), words(text(vector, "error")));
    }
    for mutation in list(&cbor, "mutated") {
        let bytes = mutated(mutation, |index| text(&vectors[index], "hex"));
        assert_eq!(Json::from(decode_value(&bytes).is_ok()), mutation[3], "{mutation}");
    }
}

/// What `[index, byte, xor, …]` makes of a vector.
fn mutated<'a>(mutation: &Json, vector: impl Fn(usize) -> &'a str) -> Vec<u8> {
    let number = |at: usize| usize::try_from(mutation[at].as_u64().unwrap()).unwrap();
    let mut bytes = unhex(vector(number(0)));
    bytes[number(1)] ^= u8::try_from(number(2)).unwrap();
    bytes
}

#[wasm_bindgen_test]
fn entries() {
    let entries = json(include_str!("vectors/entries.json"));
    let vectors = list(&entries, "entries");
    for vector in vectors {
        let block = bytes(vector, "hex");
        let entry = Entry::decode(&block).unwrap();
        assert_eq!(entry.encode(), block);
        assert_eq!(Json::from(entry.encode_clear().len()), vector["clear_length"]);
        assert_eq!(Node::leaf(0, &block).hash.to_string(), text(vector, "hash"));
    }
    for vector in list(&entries, "sealed_parts") {
        let entry = Entry::decode(&bytes(vector, "block")).unwrap();
        let feed = PublicKey(array(vector, "feed"));
        let ad = sealed_part_ad(&feed, vector["index"].as_u64().unwrap(), &entry.encode_clear());
        assert_eq!(hex(&ad), text(vector, "ad"));
        let ciphertext = entry.sealed.unwrap().ciphertext;
        let plain = open(&array(vector, "content_key"), &array(vector, "nonce"), &ad, &ciphertext).unwrap();
        assert_eq!(hex(&plain), text(vector, "plain"));
    }
    for vector in list(&entries, "malformed") {
        let error = Entry::decode(&bytes(vector, "hex")).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), text(vector, "error"), "{}", vector["why"]);
    }
    for mutation in list(&entries, "mutated") {
        let block = mutated(mutation, |index| text(&vectors[index], "hex"));
        assert_eq!(Json::from(Entry::decode(&block).is_ok()), mutation[3], "{mutation}");
    }
}

#[wasm_bindgen_test]
fn records() {
    let records = json(include_str!("vectors/records.json"));
    let space = PublicKey(array(&records, "space"));
    for vector in list(&records, "records") {
        let record = RootRecord::decode(&space, &bytes(vector, "hex")).unwrap();
        assert_eq!(record.hash().to_string(), text(vector, "hash"));
        let root = Signer::from_seed(&array(vector, "root_seed"));
        let again = RootRecord::sign(&space, &root, record.links.clone(), record.items.clone()).unwrap();
        assert_eq!(hex(again.as_bytes()), text(vector, "hex"));
    }
    for vector in list(&records, "refused") {
        let error = RootRecord::decode(&space, &bytes(vector, "hex")).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), text(vector, "error"), "{}", vector["why"]);
    }
}

#[wasm_bindgen_test]
fn spaces() {
    let spaces = json(include_str!("vectors/spaces.json"));
    for vector in list(&spaces, "codes") {
        assert_eq!(serde_json::json!(space_code(&PublicKey(array(vector, "key")))), vector["words"]);
    }
    for vector in list(&spaces, "invites") {
        let link = InviteLink::parse(text(vector, "text")).ok().unwrap();
        let citation = link.sign(&PublicKey(array(vector, "writer")));
        assert_eq!(
            (citation.invite.to_string().as_str(), hex(&citation.signature.0).as_str()),
            (text(vector, "key"), text(vector, "signature"))
        );
    }
    let invite = InviteLink::parse(text(&list(&spaces, "invites")[0], "text")).ok().unwrap();
    for vector in list(&spaces, "requests") {
        let writer = Signer::from_seed(&array(vector, "writer_seed"));
        let request =
            JoinRequest::sign(&invite, &writer, array(vector, "install_id"), text(vector, "name")).unwrap();
        assert_eq!(hex(&request), text(vector, "hex"));
    }
    for vector in list(&spaces, "requests_refused") {
        let error = JoinRequest::decode(&bytes(vector, "hex")).unwrap_err();
        assert_eq!(error.to_string(), text(vector, "error"), "{}", vector["why"]);
    }
    let vectors = list(&spaces, "entries");
    for vector in vectors {
        assert_eq!(hex(&Entry::decode(&bytes(vector, "hex")).unwrap().encode()), text(vector, "hex"));
    }
    for vector in list(&spaces, "malformed") {
        let error = Entry::decode(&bytes(vector, "hex")).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), text(vector, "error"), "{}", vector["why"]);
    }
    for mutation in list(&spaces, "mutated") {
        let block = mutated(mutation, |index| text(&vectors[index], "hex"));
        assert_eq!(Json::from(Entry::decode(&block).is_ok()), mutation[3], "{mutation}");
    }
}

#[wasm_bindgen_test]
fn sealing() {
    let seals = json(include_str!("vectors/seal.json"));
    for vector in list(&seals, "boxes") {
        let (key, nonce, ad) = (array(vector, "key"), array(vector, "nonce"), bytes(vector, "ad"));
        assert_eq!(hex(&seal(&key, &nonce, &ad, &bytes(vector, "plain"))), text(vector, "sealed"));
        assert_eq!(hex(&open(&key, &nonce, &ad, &bytes(vector, "sealed")).unwrap()), text(vector, "plain"));
    }
    for vector in list(&seals, "sealed_keys") {
        let signer = Signer::from_seed(&array(vector, "seed"));
        assert_eq!(hex(&open_sealed(&signer, &array(vector, "sealed")).ok().unwrap().0), text(vector, "key"));
    }
    for vector in list(&seals, "not_opened") {
        let signer = Signer::from_seed(&array(vector, "seed"));
        assert!(open_sealed(&signer, &array(vector, "sealed")).is_err(), "{vector}");
    }
}

#[wasm_bindgen_test]
fn proofs_and_envelopes() {
    let proofs = json(include_str!("vectors/proofs.json"));
    for vector in list(&proofs, "proofs") {
        assert_eq!(hex(&Proof::decode(&bytes(vector, "hex")).unwrap().encode()), text(vector, "hex"));
    }
    for vector in list(&proofs, "equivocations") {
        let proof = EquivocationProof::decode(&bytes(vector, "hex")).unwrap();
        proof.verify().unwrap();
        assert_eq!(proof.id().to_string(), text(vector, "id"));
    }
    let envelopes = json(include_str!("vectors/envelope.json"));
    for vector in list(&envelopes, "shared").iter().chain(list(&envelopes, "addressed")) {
        let envelope = Envelope::decode(&bytes(vector, "hex")).unwrap();
        assert_eq!(
            (hex(&envelope.encode()).as_str(), envelope.id().to_string().as_str()),
            (text(vector, "hex"), text(vector, "id"))
        );
    }
}
