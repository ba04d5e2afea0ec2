//! JSON: what signalling needs of it, read strictly (RFC 8259) and written as browsers write it.
//!
//! By hand, because serde's reader brings 40 KB of wasm for three small objects, half of it for numbers that are not
//! whole, of which there are none here. Texts are held whole; their lengths are bounded by who hands them in.

use crate::collections::Map;

/// A value.
#[derive(Debug, PartialEq)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    /// As it was written.
    Number(&'a str),
    Text(String),
    Array(Vec<Self>),
    /// Of a name that is there twice, the last one.
    Object(Map<String, Self>),
}

/// Levels of arrays and objects within each other: no recursion by a stranger's will.
const MAX_DEPTH: u8 = 32;

impl<'a> Json<'a> {
    /// Reads a whole text.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let mut parser = Parser { text, at: 0 };
        let value = parser.value(0)?;
        parser.space();
        (parser.at == text.len()).then_some(value)
    }

    /// Reads a whole text in UTF-8.
    pub(super) fn parse_bytes(bytes: &'a [u8]) -> Option<Self> {
        Self::parse(core::str::from_utf8(bytes).ok()?)
    }

    /// The members of an object.
    pub(super) fn into_object(self) -> Option<Map<String, Self>> {
        if let Self::Object(members) = self { Some(members) } else { None }
    }

    /// The items of an array.
    pub(super) fn into_array(self) -> Option<Vec<Self>> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }

    /// A text.
    pub(super) fn into_text(self) -> Option<String> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// Takes a member that may be missing or null; `None` if it is there and `read` refuses it.
pub(super) fn optional<'a, T>(
    members: &mut Map<String, Json<'a>>,
    name: &str,
    read: impl FnOnce(Json<'a>) -> Option<T>,
) -> Option<Option<T>> {
    match members.remove(name) {
        None | Some(Json::Null) => Some(None),
        Some(value) => read(value).map(Some),
    }
}

/// Writes a text with its quotes.
pub(super) fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..='\u{1f}' => {
                out.push_str("\\u00");
                out.push_str(&crate::crypto::hex(&u32::from(letter).to_le_bytes()[..1]));
            }
            _ => out.push(letter),
        }
    }
    out.push('"');
}

/// A value to be written.
pub(super) enum Member<'a> {
    /// JSON as it is.
    Json(&'a str),
    Text(&'a str),
}

/// Writes an object.
pub(super) fn object(members: &[(&str, Member<'_>)]) -> String {
    let mut out = String::new();
    for (name, value) in members {
        out.push(if out.is_empty() { '{' } else { ',' });
        write_text(name, &mut out);
        out.push(':');
        match value {
            Member::Json(json) => out.push_str(json),
            Member::Text(text) => write_text(text, &mut out),
        }
    }
    out.push('}');
    out
}

/// Writes an array of what is JSON already, or is between these quotes.
pub(super) fn array(items: &[String], quote: &str) -> String {
    let mut out = String::new();
    for item in items {
        out.push(if out.is_empty() { '[' } else { ',' });
        for part in [quote, item, quote] {
            out.push_str(part);
        }
    }
    if out.is_empty() {
        out.push('[');
    }
    out.push(']');
    out
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: u8) -> Option<Json<'a>> {
        self.space();
        match self.peek()? {
            b'"' => self.string().map(Json::Text),
            b'[' => {
                let mut items = Vec::new();
                self.items(b']', depth, |parser| {
                    items.push(parser.value(depth + 1)?);
                    Some(())
                })?;
                Some(Json::Array(items))
            }
            b'{' => {
                let mut members = Map::new();
                self.items(b'}', depth, |parser| {
                    let name = parser.string()?;
                    parser.space();
                    if !parser.take(b':') {
                        return None;
                    }
                    members.insert(name, parser.value(depth + 1)?);
                    Some(())
                })?;
                Some(Json::Object(members))
            }
            b'-' | b'0'..=b'9' => self.number().map(Json::Number),
            _ => [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))]
                .into_iter()
                .find(|(word, _)| self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)))
                .map(|(word, value)| {
                    self.at += word.len();
                    value
                }),
        }
    }

    /// Items between commas, to `end`.
    fn items(&mut self, end: u8, depth: u8, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        if depth >= MAX_DEPTH {
            return None;
        }
        self.at += 1;
        self.space();
        if self.take(end) {
            return Some(());
        }
        loop {
            self.space();
            item(self)?;
            self.space();
            if self.take(end) {
                return Some(());
            }
            if !self.take(b',') {
                return None;
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        if !self.take(b'"') {
            return None;
        }
        let mut out = String::new();
        loop {
            let start = self.at;
            while !matches!(self.peek()?, b'"' | b'\\' | 0..=0x1f) {
                self.at += 1;
            }
            out.push_str(self.text.get(start..self.at)?);
            match self.next()? {
                b'"' => return Some(out),
                b'\\' => out.push(self.escape()?),
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        Some(match self.next()? {
            same @ (b'"' | b'\\' | b'/') => char::from(same),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.unit()?;
                if !(0xd800..0xdc00).contains(&first) {
                    return char::from_u32(first);
                }
                let is_pair = self.take(b'\\') && self.take(b'u');
                let second = self.unit().filter(|second| is_pair && (0xdc00..0xe000).contains(second))?;
                return char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00));
            }
            _ => return None,
        })
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        crate::crypto::parse_hex(digits).map(|bytes| u32::from(u16::from_be_bytes(bytes)))
    }

    fn number(&mut self) -> Option<&'a str> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            let _ = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        self.text.get(start..self.at)
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn agrees(ours: &Json<'_>, theirs: &Value) -> bool {
        match (ours, theirs) {
            (Json::Null, Value::Null) => true,
            (Json::Bool(a), Value::Bool(b)) => a == b,
            (Json::Number(a), Value::Number(b)) => {
                serde_json::from_str::<serde_json::Number>(a).unwrap() == *b
            }
            (Json::Text(a), Value::String(b)) => a == b,
            (Json::Array(a), Value::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| agrees(a, b))
            }
            (Json::Object(a), Value::Object(b)) => {
                a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| agrees(a, b)))
            }
            _ => false,
        }
    }

    fn check(text: &str) {
        match (Json::parse(text), serde_json::from_str::<Value>(text)) {
            (Some(ours), Ok(theirs)) => assert!(agrees(&ours, &theirs), "{text}"),
            (ours, theirs) => assert!(ours.is_none() && theirs.is_err(), "{text}: {ours:?} {theirs:?}"),
        }
    }

    fn document() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e9..1e9_f64).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((".{0,3}", inner), 0..5).prop_map(|pairs| pairs.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn documents_mean_what_they_mean_elsewhere(value in document(), pretty: bool) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            check(&text.unwrap());
        }

        /// Pieces that nearly are JSON.
        #[test]
        fn refuses_what_others_refuse(
            text in r#"(\{|\}|\[|\]|,|:|"|"a"|\\u00e9|"\\ud83d\\ude00"|"\\ud83d"|"\\udc00"|\\n|"\\x"|-|0|12|01|\.5|e|E\+1|1e-1|null|true|nul| |\t|é|\x01){0,8}"#
        ) {
            check(&text);
        }

        #[test]
        fn writes_text_as_others_do(text: String, control in 0_u8..0x20) {
            let text = format!("{text}{}\"\\/", char::from(control));
            let mut out = String::new();
            write_text(&text, &mut out);
            prop_assert_eq!(&out, &serde_json::to_string(&text).unwrap());
            prop_assert_eq!(Json::parse(&out), Some(Json::Text(text)));
        }
    }

    #[test]
    fn depth_has_an_end() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(Json::parse(&nested(32)).is_some());
        assert!(Json::parse(&nested(33)).is_none());
    }
}
