//! HTTP/1.1 as far as a page needs it: one request in, one response out, connections kept.
//!
//! Every length is capped before anything is read: 16 KiB of head, 64 headers, 64 KiB of body.

use anyhow::Result;
use std::io::{self, Read, Write};

/// Bytes of request line and headers.
const MAX_HEAD: usize = 16 << 10;
const MAX_HEADERS: usize = 64;
/// Bytes of a request body.
const MAX_BODY: usize = 64 << 10;

/// One request, its body read whole.
#[derive(Debug)]
pub struct Request {
    pub method: String,
    /// Path as sent, without the query.
    pub path: String,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// Value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a comma-separated header holds `token`.
    pub fn header_has(&self, name: &str, token: &str) -> bool {
        self.header(name)
            .is_some_and(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
    }

    /// A request without headers or body.
    #[cfg(test)]
    pub fn bare(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }
}

/// Why no request came out of a connection.
#[derive(Debug)]
pub enum Refused {
    /// Closed between two requests, or broken.
    Gone,
    /// To be told to the client: status and reason.
    Bad(u16, &'static str),
}

impl From<io::Error> for Refused {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// Reads the requests of one connection.
pub struct Reader<R> {
    stream: R,
    /// Read and not yet used: may hold the start of the next request.
    buffer: Vec<u8>,
}

impl<R: Read> Reader<R> {
    pub fn new(stream: R) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// The next request.
    pub fn next(&mut self) -> Result<Request, Refused> {
        let head = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(Refused::Bad(431, "the head is too long"));
            }
            if self.fill()? == 0 {
                return Err(Refused::Gone);
            }
        };
        let rest = self.buffer.split_off(head);
        let bytes = std::mem::replace(&mut self.buffer, rest);
        let (mut request, length) = parse(&bytes)?;
        while self.buffer.len() < length {
            if self.fill()? == 0 {
                return Err(Refused::Gone);
            }
        }
        let rest = self.buffer.split_off(length);
        request.body = std::mem::replace(&mut self.buffer, rest);
        Ok(request)
    }

    /// The stream, and what was read of it beyond the last request.
    pub fn into_parts(self) -> (R, Vec<u8>) {
        (self.stream, self.buffer)
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut chunk = [0; 8 << 10];
        let count = self.stream.read(&mut chunk)?;
        self.buffer.extend(chunk.iter().take(count));
        Ok(count)
    }
}

/// The head, and how many bytes of body follow.
fn parse(head: &[u8]) -> Result<(Request, usize), Refused> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    match parsed.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Refused::Bad(431, "too many headers")),
        _ => return Err(Refused::Bad(400, "not an HTTP request")),
    }
    let (Some(method), Some(target)) = (parsed.method, parsed.path) else {
        return Err(Refused::Bad(400, "not an HTTP request"));
    };
    let headers: Vec<(String, String)> = parsed
        .headers
        .iter()
        .map(|h| (h.name.to_ascii_lowercase(), String::from_utf8_lossy(h.value).trim().to_owned()))
        .collect();
    let path = target.split(['?', '#']).next().unwrap_or_default().to_owned();
    let request = Request { method: method.to_owned(), path, headers, body: Vec::new() };
    if request.header("transfer-encoding").is_some() {
        return Err(Refused::Bad(411, "send a Content-Length"));
    }
    let length = match request.header("content-length").map(str::parse::<usize>) {
        None => 0,
        Some(Ok(length)) if length <= MAX_BODY => length,
        Some(Ok(_)) => return Err(Refused::Bad(413, "the body is too long")),
        Some(Err(_)) => return Err(Refused::Bad(400, "bad Content-Length")),
    };
    Ok((request, length))
}

/// One response.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn new(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("Content-Type", kind.to_owned())], body: body.into() }
    }

    /// A line of plain text.
    pub fn text(status: u16, line: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", format!("{line}\n"))
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Writes head and body; the body is left out for a HEAD request.
    pub fn write(&self, stream: &mut impl Write, request_method: &str, keep: bool) -> io::Result<()> {
        let mut out = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.status != 101 {
            out.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
            out.push_str(if keep { "Connection: keep-alive\r\n" } else { "Connection: close\r\n" });
        }
        out.push_str("\r\n");
        let mut bytes = out.into_bytes();
        if request_method != "HEAD" {
            bytes.extend(&self.body);
        }
        stream.write_all(&bytes)?;
        stream.flush()
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        301 => "Moved Permanently",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        411 => "Length Required",
        413 => "Content Too Large",
        426 => "Upgrade Required",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(text: &str) -> Reader<&[u8]> {
        Reader::new(text.as_bytes())
    }

    #[test]
    fn two_requests_on_one_connection() {
        let mut reader = reader(
            "PUT /a?x=1 HTTP/1.1\r\nContent-Length: 3\r\nX-Y: z \r\n\r\nabcGET /b HTTP/1.1\r\n\r\nrest",
        );
        let first = reader.next().unwrap();
        assert_eq!(
            (first.method.as_str(), first.path.as_str(), first.body.as_slice()),
            ("PUT", "/a", &b"abc"[..])
        );
        assert_eq!(first.header("x-y"), Some("z"));
        assert_eq!(reader.next().unwrap().path, "/b");
        assert_eq!(reader.into_parts().1, b"rest");
    }

    #[test]
    fn what_is_too_long_is_refused_before_it_is_read() {
        let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(MAX_HEAD + 8192));
        assert!(matches!(reader(&long).next(), Err(Refused::Bad(431, _))));
        let at = |length: usize| {
            format!("PUT / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{}", "x".repeat(length))
        };
        assert_eq!(reader(&at(MAX_BODY)).next().unwrap().body.len(), MAX_BODY);
        assert!(matches!(reader(&at(MAX_BODY + 1)).next(), Err(Refused::Bad(413, _))));
        let many = "a: b\r\n".repeat(MAX_HEADERS + 1);
        assert!(matches!(reader(&format!("GET / HTTP/1.1\r\n{many}\r\n")).next(), Err(Refused::Bad(431, _))));
    }

    #[test]
    fn nonsense_is_refused_and_a_cut_request_is_dropped() {
        assert!(matches!(reader("\u{0}\u{1}\r\n\r\n").next(), Err(Refused::Bad(400, _))));
        let chunked = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(matches!(reader(chunked).next(), Err(Refused::Bad(411, _))));
        assert!(matches!(
            reader("PUT / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc").next(),
            Err(Refused::Gone)
        ));
        assert!(matches!(reader("").next(), Err(Refused::Gone)));
    }

    #[test]
    fn a_head_request_gets_the_length_and_no_body() {
        let mut out = Vec::new();
        Response::text(200, "hello").write(&mut out, "HEAD", true).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("Content-Length: 6\r\n") && text.ends_with("\r\n\r\n"));
    }
}
