//! What the server answers: the page from `site/` or `www/`, the package under `/pkg/`, the well-known files.

use crate::claim::Claim;
use crate::http::{Request, Response};
use std::fs;
use std::path::{Path, PathBuf};

/// The page needs no more than this: no inline script, no foreign code, hubs anywhere.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws: wss:; \
    img-src 'self' data: blob:; style-src 'self'; worker-src 'self'; object-src 'none'; base-uri 'none'";

/// Folders that make up the site, and the claim.
pub struct Site {
    pub www: PathBuf,
    pub pkg: PathBuf,
    pub claim: Claim,
}

impl Site {
    /// The answer to anything but a WebSocket.
    pub fn answer(&self, request: &Request) -> Response {
        let response = match request.path.as_str() {
            "/.well-known/dat" => self.claim.dat_file(request),
            "/.well-known/hypha-claim" => self.claim.nonce(request),
            // how a page that was given no hub finds out that its own server has one
            "/.well-known/hypha-hub" => Response::new(200, "application/json", "{\"path\":\"/hub\"}")
                .with("Cache-Control", "no-cache"),
            _ if matches!(request.method.as_str(), "GET" | "HEAD") => self.file(&request.path),
            _ => Response::text(405, "GET only").with("Allow", "GET, HEAD"),
        };
        response.with("X-Content-Type-Options", "nosniff").with("Referrer-Policy", "no-referrer")
    }

    fn file(&self, path: &str) -> Response {
        let missing = || Response::text(404, "there is no such file");
        let Some(path) = decoded(path) else { return Response::text(400, "bad path") };
        // the bundled page has parts of its own there; beside them is the package as npm hands it out
        let (folder, inside) = match path.strip_prefix("/pkg/") {
            Some(inside) if within(&self.www.join("pkg"), inside).is_none_or(|file| file.is_dir()) => {
                (&self.pkg, inside)
            }
            _ => (&self.www, path.trim_start_matches('/')),
        };
        let inside = if inside.is_empty() || inside.ends_with('/') {
            format!("{inside}index.html")
        } else {
            inside.to_owned()
        };
        let Some(file) = within(folder, &inside) else { return missing() };
        if file.is_dir() {
            return Response::text(301, "this is a folder").with("Location", format!("{path}/"));
        }
        let Ok(body) = fs::read(&file) else { return missing() };
        Response::new(200, kind(&file), body)
            .with("Content-Security-Policy", POLICY)
            .with("Cache-Control", "no-cache")
    }
}

/// `path` without percent signs; none if it is no UTF-8 or holds what no path of ours does.
fn decoded(path: &str) -> Option<String> {
    let mut out = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let pair = [bytes.next()?, bytes.next()?];
            out.extend(data_encoding::HEXLOWER_PERMISSIVE.decode(&pair).ok()?);
        } else {
            out.push(byte);
        }
    }
    let text = String::from_utf8(out).ok()?;
    let bad =
        !text.starts_with('/') || text.contains(['\0', '\\']) || text.split('/').any(|part| part == "..");
    (!bad).then_some(text)
}

/// The existing file or folder `inside` of `folder`; none if it is missing or a link leads out of the folder.
fn within(folder: &Path, inside: &str) -> Option<PathBuf> {
    let folder = folder.canonicalize().ok()?;
    let file = folder.join(inside).canonicalize().ok()?;
    file.starts_with(&folder).then_some(file)
}

/// MIME type by ending.
fn kind(file: &Path) -> &'static str {
    match file.extension().and_then(|end| end.to_str()) {
        Some("css") => "text/css; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("ico") => "image/x-icon",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("md" | "txt") => "text/plain; charset=utf-8",
        Some("png") => "image/png",
        Some("svg") => "image/svg+xml",
        Some("ts") => "text/plain; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("webmanifest") => "application/manifest+json",
        Some("webp") => "image/webp",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn site(name: &str) -> (Site, Folder) {
        let root = std::env::temp_dir().join(format!("hypha-site-{}-{name}", std::process::id()));
        let (www, pkg) = (root.join("www"), root.join("pkg"));
        fs::create_dir_all(www.join("sub")).unwrap();
        fs::create_dir_all(pkg.join("wasm")).unwrap();
        fs::write(root.join("secret"), "secret").unwrap();
        fs::write(www.join("index.html"), "<p>page").unwrap();
        fs::write(www.join("sub/index.html"), "<p>sub").unwrap();
        fs::write(www.join("a b.js"), "1").unwrap();
        fs::write(pkg.join("wasm/core_bg.wasm"), "\0asm").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(root.join("secret"), www.join("link")).unwrap();
        let claim = Claim::open(&root.join("data")).unwrap();
        (Site { www, pkg, claim }, Folder(root))
    }

    fn get(site: &Site, path: &str) -> (u16, String) {
        let response = site.answer(&Request::bare("GET", path));
        let kind = response.headers.iter().find(|(name, _)| *name == "Content-Type");
        (response.status, kind.map(|(_, value)| value.clone()).unwrap_or_default())
    }

    #[test]
    fn files_come_with_their_types_and_the_policy() {
        let (site, _folder) = site("types");
        assert_eq!(get(&site, "/"), (200, "text/html; charset=utf-8".to_owned()));
        assert_eq!(get(&site, "/a%20b.js"), (200, "text/javascript; charset=utf-8".to_owned()));
        assert_eq!(get(&site, "/pkg/wasm/core_bg.wasm"), (200, "application/wasm".to_owned()));
        let page = site.answer(&Request::bare("GET", "/index.html"));
        let policy = page.headers.iter().find(|(name, _)| *name == "Content-Security-Policy").unwrap();
        assert!(
            policy.1.contains("script-src 'self' 'wasm-unsafe-eval';") && !policy.1.contains("unsafe-inline")
        );
    }

    #[test]
    fn nothing_outside_the_folders_is_served() {
        let (site, _folder) = site("outside");
        for path in [
            "/../secret",
            "/%2e%2e/secret",
            "/pkg/..%2f..%2fsecret",
            "/..\\secret",
            "//etc/passwd",
            "secret",
            "/%",
        ] {
            assert!(matches!(get(&site, path).0, 400 | 404), "{path}");
        }
        #[cfg(unix)]
        assert_eq!(get(&site, "/link").0, 404);
        assert_eq!(get(&site, "/missing.js").0, 404);
    }

    #[test]
    fn a_folder_leads_to_its_index() {
        let (site, _folder) = site("folder");
        assert_eq!(get(&site, "/sub").0, 301);
        assert_eq!(get(&site, "/sub/").0, 200);
        assert_eq!(get(&site, "/.well-known/hypha-hub"), (200, "application/json".to_owned()));
        assert_eq!(site.answer(&Request::bare("POST", "/")).status, 405);
    }
}
