//! What is answered.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::http_date;
use super::request::Request;

/// An answer: a status, headers, and a text or a part of a file.
#[derive(Debug, Default)]
pub(super) struct Response {
    pub(super) status: u16,
    headers: Vec<(&'static str, String)>,
    pub(super) body: String,
    /// File, first byte, number of bytes.
    pub(super) file: Option<(File, u64, u64)>,
}

impl Response {
    pub(super) fn error(status: u16) -> Response {
        Response { status, body: format!("{status} {}\n", reason(status)), ..Response::default() }
    }

    /// Status line and headers.
    pub(super) fn head(&self, keep_alive: bool) -> String {
        let mut head =
            format!("HTTP/1.1 {} {}\r\nServer: rootling-compose\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if self.status != 304 {
            let length = self.file.as_ref().map_or(self.body.len() as u64, |(_, _, length)| *length);
            head += &format!("Content-Length: {length}\r\n");
        }
        head += if keep_alive { "Connection: keep-alive\r\n\r\n" } else { "Connection: close\r\n\r\n" };
        head
    }
}

/// Finds the file and decides what of it is sent.
pub(super) fn answer(dir: &Path, request: &Request) -> Response {
    if request.method != "GET" && request.method != "HEAD" {
        let mut response = Response::error(405);
        response.headers.push(("Allow", "GET, HEAD".into()));
        return response;
    }
    let Some(path) = request.path() else { return Response::error(400) };
    // links may lead anywhere below the folder, but not out of it
    let Ok(path) = dir.join(path).canonicalize() else { return Response::error(404) };
    if !path.starts_with(dir) || !path.is_file() {
        return Response::error(404);
    }
    // what is open stays the same file while a new one is renamed over it
    match File::open(&path).and_then(|file| Ok((file.metadata()?, file))) {
        Ok((metadata, file)) if metadata.is_file() => answer_file(file, &metadata, request),
        _ => Response::error(403),
    }
}

fn answer_file(file: File, metadata: &Metadata, request: &Request) -> Response {
    let size = metadata.len();
    let etag =
        format!("\"{:x}-{:x}-{:x}.{:x}\"", metadata.ino(), size, metadata.mtime(), metadata.mtime_nsec());
    let modified = u64::try_from(metadata.mtime()).unwrap_or(0);
    let headers = vec![
        ("ETag", etag.clone()),
        ("Last-Modified", http_date::format(modified)),
        ("Accept-Ranges", "bytes".to_string()),
        ("Content-Type", "application/octet-stream".to_string()),
    ];
    let fresh = match request.header("if-none-match") {
        Some(tags) => {
            tags.split(',').any(|tag| tag.trim() == "*" || tag.trim().trim_start_matches("W/") == etag)
        }
        None => request
            .header("if-modified-since")
            .and_then(http_date::parse)
            .is_some_and(|since| modified <= since),
    };
    if fresh {
        return Response { status: 304, headers, ..Response::default() };
    }
    let same = match request.header("if-range") {
        Some(validator) => validator == etag || http_date::parse(validator) == Some(modified),
        None => true,
    };
    match request.header("range").filter(|_| same).and_then(|text| range(text, size)) {
        None => Response { status: 200, headers, file: Some((file, 0, size)), ..Response::default() },
        Some(None) => {
            let mut response = Response::error(416);
            response.headers.push(("Content-Range", format!("bytes */{size}")));
            response
        }
        Some(Some((first, last))) => {
            let mut headers = headers;
            headers.push(("Content-Range", format!("bytes {first}-{last}/{size}")));
            Response {
                status: 206,
                headers,
                file: Some((file, first, last - first + 1)),
                ..Response::default()
            }
        }
    }
}

/// One range of bytes, `Some(None)` if it lies outside, `None` if the header does not count.
fn range(text: &str, size: u64) -> Option<Option<(u64, u64)>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = (first.trim(), last.trim());
    if last.contains(',') {
        return None;
    }
    if first.is_empty() {
        let length: u64 = last.parse().ok()?;
        let length = length.min(size);
        return Some((length > 0).then(|| (size - length, size - 1)));
    }
    let first: u64 = first.parse().ok()?;
    let last: u64 = if last.is_empty() { u64::MAX } else { last.parse().ok()? };
    if last < first {
        return None;
    }
    Some((first < size).then(|| (first, last.min(size - 1))))
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        304 => "Not Modified",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        416 => "Range Not Satisfiable",
        431 => "Request Header Fields Too Large",
        505 => "HTTP Version Not Supported",
        _ => "Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (text, expected) in [
            ("bytes=0-0", Some(Some((0, 0)))),
            ("bytes=5-", Some(Some((5, 9)))),
            ("bytes=5-99", Some(Some((5, 9)))),
            ("bytes=-3", Some(Some((7, 9)))),
            ("bytes=-99", Some(Some((0, 9)))),
            ("bytes=10-", Some(None)),
            ("bytes=-0", Some(None)),
            ("bytes=5-4", None),
            ("bytes=0-1,3-4", None),
            ("lines=0-1", None),
        ] {
            assert_eq!(range(text, 10), expected, "{text}");
        }
        assert_eq!(range("bytes=0-", 0), Some(None));
    }
}
