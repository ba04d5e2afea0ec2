//! What a page may store.

/// A value: what deterministic CBOR can say and JavaScript can hold.
///
/// Integral numbers with |x| < 2^53 are integers however they were written, −0 is 0, there is one NaN: so one value
/// has one encoding. [`encode_value`](super::encode_value) brings any `Value` into that form.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer: of a number below 2^53 in size, or of a BigInt of 64 bits (−2^64 to 2^64 − 1).
    Integer(i128),
    /// A number that is not such an integer.
    Float(f64),
    /// Text as given, never normalised.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list.
    Array(Vec<Value>),
    /// A map with text keys; order does not matter, duplicates are an error when encoding.
    Map(Vec<(String, Value)>),
    /// A date: integer milliseconds since 1970 (tag 1000).
    Date(i64),
    /// A reference to an object by its id (tag 1001).
    Object([u8; 32]),
    /// A reference to a blob, opaque here (tag 1002).
    Blob(Vec<u8>),
}
