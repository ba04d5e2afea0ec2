//! Values and their encoding; byte strings that are refused; mutated encodings that are one or the other.

use serde_json::{Value as Json, json};

use super::{check, mutations, notation};
use crate::{
    codec::{MAX_DEPTH, Value, decode_value, encode_value},
    crypto::{Entropy, hex},
    testing::Seeded,
};

#[test]
fn cbor() {
    let mut entropy = Seeded::new(0xcb0);
    let random: Vec<Value> = (0..200).map(|_| any_value(&mut entropy, 3)).collect();
    let values = samples().into_iter().chain(random);
    let mut encoded = Vec::new();
    let values: Vec<Json> = values
        .map(|value| {
            let bytes = encode_value(&value).unwrap();
            assert_eq!(encode_value(&decode_value(&bytes).unwrap()).unwrap(), bytes);
            let json = json!({ "value": notation::value(&value), "hex": hex(&bytes) });
            encoded.push(bytes);
            json
        })
        .collect();
    let small: Vec<_> =
        encoded.iter().enumerate().filter(|(_, bytes)| (2..80).contains(&bytes.len())).collect();
    let mutated: Vec<Json> = small
        .iter()
        .flat_map(|(index, bytes)| {
            mutations(bytes.len(), 8, &mut entropy).into_iter().map(move |(at, xor)| {
                let mut bytes = bytes.to_vec();
                bytes[at] ^= xor;
                json!([index, at, xor, decode_value(&bytes).is_ok()])
            })
        })
        .collect();
    check(
        "cbor.json",
        &json!({
            "source": "Rust: HYPHA_WRITE_VECTORS=1 cargo test --lib vectors. JavaScript: node --test tests-wasm/vectors/js/cbor.test.mjs (cbor2, cborg). Integers are decimal text, floats 64 bits big endian, bytes hexadecimal; other text is as given.",
            "values": values,
            "not_encodable": not_encodable(),
            "refused": refused(),
            "mutated": mutated,
            "mutated_means": "[index into values, byte, xor, whether the result is accepted]",
        }),
    );
}

fn nested(levels: usize, innermost: Value) -> Value {
    (0..levels).fold(innermost, |inner, _| Value::Array(vec![inner]))
}

fn samples() -> Vec<Value> {
    let integers = [
        0,
        1,
        10,
        23,
        24,
        25,
        100,
        255,
        256,
        1000,
        65_535,
        65_536,
        1_000_000,
        4_294_967_295,
        4_294_967_296,
        9_007_199_254_740_991,
        9_007_199_254_740_992,
        18_446_744_073_709_551_615,
        -1,
        -10,
        -24,
        -25,
        -100,
        -256,
        -257,
        -1000,
        -65_536,
        -65_537,
        -4_294_967_296,
        -4_294_967_297,
        -9_007_199_254_740_991,
        -9_007_199_254_740_992,
        -18_446_744_073_709_551_616,
    ];
    let floats = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        1.5,
        -4.1,
        1.1,
        100_000.5,
        0.1,
        65_504.0,
        65_504.5,
        65_519.5,
        3.402_823_466_385_288_6e38,
        1e300,
        5.960_464_477_539_063e-8,
        8.940_696_716_308_594e-8,
        2.980_232_238_769_531_3e-8,
        0.000_061_035_156_25,
        6.097_555_160_522_461e-5,
        6.103_515_625e-5,
        1.401_298_464_324_817e-45,
        f64::MIN_POSITIVE,
        5e-324,
        9_007_199_254_740_991.0,
        9_007_199_254_740_992.0,
        -9_007_199_254_740_992.0,
        9_007_199_254_740_994.0,
        1.8e19,
        f64::MAX,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        1024.0 + 1.0 / 1024.0,
        1.0 + 1.0 / 1024.0,
        1.0 + 1.0 / 2048.0,
    ];
    let texts = [
        "",
        "a",
        "IETF",
        "\"\\",
        "ü",
        "水",
        "𐅑",
        "e\u{301}",
        "é",
        "\0",
        "\u{feff}",
        "23 bytes of text, exact",
        "24 bytes of text, exactl",
    ];
    let text = |text: &str| Value::Text(text.to_owned());
    let map = |pairs: &[(&str, Value)]| {
        Value::Map(pairs.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect())
    };
    let int = Value::Integer;
    let mut all = vec![Value::Null, Value::Bool(false), Value::Bool(true)];
    all.extend(integers.map(Value::Integer));
    all.extend(floats.map(Value::Float));
    all.extend(texts.map(text));
    all.extend([text(&"x".repeat(255)), text(&"x".repeat(256)), text(&"é".repeat(200))]);
    all.extend([0, 1, 23, 24, 255, 256].map(|n| Value::Bytes(vec![0xab; n])));
    all.extend([
        Value::Array(vec![]),
        Value::Array(vec![int(1), int(2), int(3)]),
        Value::Array((0..25).map(int).collect()),
        Value::Array(vec![Value::Null, Value::Float(0.5), Value::Array(vec![Value::Bytes(vec![])])]),
        map(&[]),
        // Sorted by encoded bytes: shorter keys first, then bytewise; not in the order of UTF-16.
        map(&[("b", int(1)), ("a", int(2)), ("aa", int(3)), ("", int(4)), ("B", int(5))]),
        map(&[("zz", int(1)), ("aaa", int(2)), ("é", int(3)), ("z", int(4))]),
        map(&[("\u{ffff}", int(1)), ("\u{10000}", int(2)), ("abcd", int(3))]),
        map(&[
            ("title", text("Hello")),
            ("body", text("line\nline")),
            ("at", Value::Date(1_700_000_000_000)),
        ]),
        Value::Map((0..30).map(|n| (format!("key {n}"), int(n))).collect()),
        map(&[("__proto__", int(1)), ("constructor", Value::Null)]),
        Value::Date(0),
        Value::Date(-1),
        Value::Date(1_700_000_000_123),
        Value::Date(9_007_199_254_740_991),
        Value::Date(-9_007_199_254_740_991),
        Value::Object([0; 32]),
        Value::Object([0xee; 32]),
        Value::Blob(vec![]),
        Value::Blob(vec![1, 2, 3]),
        Value::Blob(vec![7; 300]),
        nested(MAX_DEPTH, Value::Null),
        nested(MAX_DEPTH, Value::Date(0)),
        nested(MAX_DEPTH, Value::Array(vec![])),
        (0..MAX_DEPTH).fold(Value::Bool(true), |inner, _| map(&[("", inner)])),
    ]);
    all
}

/// What cannot be written at all.
fn not_encodable() -> Vec<Json> {
    let twice =
        Value::Map(vec![("a".into(), Value::Null), ("b".into(), Value::Null), ("a".into(), Value::Null)]);
    [
        ("a key twice", twice),
        ("above 64 bits", Value::Integer(1 << 64)),
        ("below 64 bits", Value::Integer(-(1 << 64) - 1)),
        ("date above 2^53 − 1", Value::Date(1 << 53)),
        ("date below −(2^53 − 1)", Value::Date(-(1 << 53))),
        ("inside 65 arrays", nested(MAX_DEPTH + 1, Value::Null)),
    ]
    .iter()
    .map(|(why, value)| {
        assert!(encode_value(value).is_err(), "{why}");
        json!({ "why": why, "value": notation::value(value) })
    })
    .collect()
}

fn refused() -> Vec<Json> {
    let deep = format!("{}f6", "81".repeat(MAX_DEPTH + 1));
    let object = |size: &str, bytes: usize| format!("d903e9{size}{}", "00".repeat(bytes));
    [
        ("nothing", ""),
        ("two values", "0000"),
        ("23 in two bytes", "1817"),
        ("255 in three bytes", "1900ff"),
        ("65535 in five bytes", "1a0000ffff"),
        ("4294967295 in nine bytes", "1b00000000ffffffff"),
        ("-24 in two bytes", "3817"),
        ("length in two bytes", "580100"),
        ("text length in three bytes", "79000161"),
        ("array length in two bytes", "980100"),
        ("map length in two bytes", "b800"),
        ("tag 1000 in five bytes", "da000003e800"),
        ("reserved information 28", "1c"),
        ("reserved information 30", "1e"),
        ("indefinite bytes", "5f4100ff"),
        ("indefinite text", "7f6161ff"),
        ("indefinite array", "9fff"),
        ("indefinite map", "bfff"),
        ("a break alone", "ff"),
        ("bytes cut off", "420a"),
        ("text cut off", "6261"),
        ("array cut off", "8201"),
        ("map without its value", "a16161"),
        ("integer cut off", "1900"),
        ("float cut off", "fb3ff8"),
        ("length beyond memory", "5bffffffffffffffff"),
        ("array of 2^64 − 1", "9bffffffffffffffff"),
        ("map of 2^64 − 1", "bbffffffffffffffff"),
        ("text of lone continuation", "6180"),
        ("text of a surrogate", "63eda080"),
        ("text in overlong form", "62c080"),
        ("text above U+10FFFF", "64f4908080"),
        ("keys out of order", "a2616200616100"),
        ("long key before short", "a262616100616200"),
        ("a key twice", "a2616100616100"),
        ("number as key", "a10102"),
        ("bytes as key", "a1416100"),
        ("null as key", "a1f600"),
        ("1.0 as 16-bit float", "f93c00"),
        ("0.0 as 16-bit float", "f90000"),
        ("-0.0 as 16-bit float", "f98000"),
        ("1.5 in 32 bits", "fa3fc00000"),
        ("1.5 in 64 bits", "fb3ff8000000000000"),
        ("100000.5 in 64 bits", "fb40f86a0800000000"),
        ("9007199254740991 as float", "fb433fffffffffffff"),
        ("infinity in 32 bits", "fa7f800000"),
        ("infinity in 64 bits", "fb7ff0000000000000"),
        ("another NaN in 16 bits", "f97e01"),
        ("negative NaN", "f9fe00"),
        ("NaN in 32 bits", "fa7fc00000"),
        ("NaN in 64 bits", "fb7ff8000000000000"),
        ("undefined", "f7"),
        ("simple value 0", "e0"),
        ("simple value 19", "f3"),
        ("simple value 255", "f8ff"),
        ("false in two bytes", "f814"),
        ("tag 0 (date as text)", "c074323031332d30332d32315432303a30343a30305a"),
        ("tag 1 (date as seconds)", "c100"),
        ("tag 2 (big number)", "c249010000000000000000"),
        ("tag 24", "d818410a"),
        ("tag 1003", "d903eb00"),
        ("date of text", "d903e86130"),
        ("date of a float", "d903e8f93e00"),
        ("date above 2^53 − 1", "d903e81b0020000000000000"),
        ("date below −(2^53 − 1)", "d903e83b001fffffffffffff"),
        ("date of a date", "d903e8d903e800"),
        ("object of 31 bytes", &object("581f", 31)),
        ("object of 33 bytes", &object("5821", 33)),
        ("object of text", "d903e96161"),
        ("blob of an integer", "d903ea01"),
        ("blob of an array", "d903ea80"),
        ("inside 65 arrays", &deep),
        ("an empty array inside 65 arrays", &format!("{}80", "81".repeat(MAX_DEPTH + 1))),
    ]
    .iter()
    .map(|(why, bytes)| {
        let raw: Vec<u8> =
            (0..bytes.len()).step_by(2).map(|i| u8::from_str_radix(&bytes[i..i + 2], 16).unwrap()).collect();
        let error = decode_value(&raw).expect_err(why);
        json!({ "why": why, "hex": bytes, "error": error.to_string() })
    })
    .collect()
}

/// A value of the kinds that are written as they are, so that decoding gives it back.
pub(super) fn any_value(entropy: &mut dyn Entropy, depth: u32) -> Value {
    let kinds = if depth == 0 { 9 } else { 11 };
    match entropy.below(kinds) {
        0 => Value::Null,
        1 => Value::Bool(entropy.below(2) == 1),
        2 => integer(entropy),
        3 => float(entropy),
        4 => Value::Text(any_text(entropy, 12)),
        5 => Value::Bytes(any_bytes(entropy, 40)),
        6 => Value::Date(i64::from(entropy.below(u32::MAX)) * 1_000 - 500_000_000_000),
        7 => Value::Object(entropy.array32()),
        8 => Value::Blob(any_bytes(entropy, 20)),
        9 => Value::Array((0..entropy.below(5)).map(|_| any_value(entropy, depth - 1)).collect()),
        _ => {
            let mut pairs: Vec<(String, Value)> = Vec::new();
            for _ in 0..entropy.below(5) {
                let key = any_text(entropy, 6);
                if pairs.iter().all(|(other, _)| *other != key) {
                    pairs.push((key, any_value(entropy, depth - 1)));
                }
            }
            Value::Map(pairs)
        }
    }
}

fn integer(entropy: &mut dyn Entropy) -> Value {
    let mut eight = [0; 8];
    entropy.fill(&mut eight);
    let size = i128::from(u64::from_le_bytes(eight) >> entropy.below(64));
    Value::Integer(if entropy.below(2) == 1 { size } else { -1 - size })
}

fn float(entropy: &mut dyn Entropy) -> Value {
    let mut eight = [0; 8];
    entropy.fill(&mut eight);
    let number = match entropy.below(3) {
        0 => f64::from_bits(u64::from_le_bytes(eight)),
        1 => f64::from(f32::from_le_bytes([eight[0], eight[1], eight[2], eight[3]])),
        _ => f64::from(i16::from_le_bytes([eight[0], eight[1]])) / f64::from(1 << entropy.below(20)),
    };
    Value::Float(if number.is_nan() { f64::NAN } else { number })
}

fn any_text(entropy: &mut dyn Entropy, most: u32) -> String {
    const LETTERS: [char; 16] =
        ['a', 'b', 'c', 'z', 'A', ' ', '0', '/', 'é', 'ß', '水', '\u{301}', '\n', '"', '📱', '\u{ffff}'];
    (0..entropy.below(most)).map(|_| LETTERS[entropy.below(16) as usize]).collect()
}

pub(super) fn any_bytes(entropy: &mut dyn Entropy, most: u32) -> Vec<u8> {
    let mut bytes = vec![0; entropy.below(most) as usize];
    entropy.fill(&mut bytes);
    bytes
}
