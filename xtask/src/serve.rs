//! `serve`: the page and its hub on one port.
//!
//! One thread per connection; loopback only unless told otherwise. The listener owns nothing that a client can use
//! up: connections are counted, heads, bodies, messages and queues are capped, and who is silent is cut off.

use crate::claim::Claim;
use crate::http::{Reader, Refused, Response};
use crate::hub::Hub;
use crate::site::Site;
use crate::{bundle, package, paths, socket};
use anyhow::{Context, Result, bail};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const DEFAULT_PORT: u16 = 8080;
/// Connections at once.
const MAX_CONNECTIONS: usize = 2_000;
/// A request, or the wait for the next one on the same connection.
const READ: Duration = Duration::from_secs(60);
const WRITE: Duration = Duration::from_secs(30);

#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    port: Option<u16>,
    host: Option<IpAddr>,
    data: Option<PathBuf>,
    no_build: bool,
    /// `www/` itself, not what is built of it.
    sources: bool,
    hub_only: bool,
    /// Another package than `pkg/`: that of a recording, or of the tests' adversary.
    pkg: Option<PathBuf>,
}

/// Builds, then serves until interrupted.
pub fn run(args: &[String]) -> Result<()> {
    let options = parse(args)?;
    if !options.no_build && !options.hub_only {
        package::build()?;
    }
    let (listeners, port) = listen(&options)?;
    let site = if options.hub_only { None } else { Some(site(&options, port)?) };
    let server = Arc::new(Server { site, hub: Arc::default(), connections: AtomicUsize::new(0) });
    announce(&options, port, &server);
    let threads: Vec<_> = listeners
        .into_iter()
        .map(|listener| {
            let server = Arc::clone(&server);
            std::thread::spawn(move || accept(&listener, &server))
        })
        .collect();
    for thread in threads {
        let _ = thread.join();
    }
    Ok(())
}

fn site(options: &Options, port: u16) -> Result<Site> {
    // another package is in no bundle
    let is_bundled = !options.sources && options.pkg.is_none();
    let www = if is_bundled { bundle::dir() } else { paths::root().join("www") };
    let pkg = options.pkg.clone().unwrap_or_else(package::dir);
    if !www.join("index.html").is_file() {
        bail!("{} has no page; run `cargo xtask build`, or `serve` without --no-build", paths::shown(&www));
    }
    if !pkg.join("package.json").is_file() {
        bail!("pkg/ is missing; run `cargo xtask build`, or `serve` without --no-build");
    }
    let data = options.data.clone().unwrap_or_else(|| paths::root().join(format!(".hypha-serve/{port}")));
    Ok(Site { www, pkg, claim: Claim::open(&data)? })
}

fn announce(options: &Options, port: u16, server: &Server) {
    let host = match options.host {
        None => "localhost".to_owned(),
        Some(IpAddr::V6(address)) => format!("[{address}]"),
        Some(address) => address.to_string(),
    };
    println!();
    if let Some(site) = &server.site {
        println!("  Page   http://{host}:{port}/");
        println!("  Hub    ws://{host}:{port}/hub");
        match site.claim.token() {
            Some(token) => println!("  Claim  http://{host}:{port}/#claim={token}"),
            None => println!("  This host is claimed; `/.well-known/dat` names its space."),
        }
    } else {
        println!("  Hub    ws://{host}:{port}/hub");
    }
    println!("\n  Ctrl-C ends it.");
}

fn parse(args: &[String]) -> Result<Options> {
    let mut options = Options::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().with_context(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--port" => {
                let text = value()?;
                options.port =
                    Some(text.parse().with_context(|| format!("--port: `{text}` is not 0 to 65535"))?);
            }
            "--host" => {
                let text = value()?;
                options.host =
                    Some(text.parse().with_context(|| format!("--host: `{text}` is not an IP address"))?);
            }
            "--data" => options.data = Some(PathBuf::from(value()?)),
            "--no-build" => options.no_build = true,
            "--sources" => options.sources = true,
            "--pkg" => options.pkg = Some(PathBuf::from(value()?)),
            "--hub-only" => options.hub_only = true,
            other => bail!("`{other}` is not an option of serve; see `cargo xtask help`"),
        }
    }
    Ok(options)
}

/// The listening sockets, and their port. Unless a port was named, the next free one from 8080 on is taken.
fn listen(options: &Options) -> Result<(Vec<TcpListener>, u16)> {
    if let Some(port) = options.port {
        return bind(options.host, port).with_context(|| format!("port {port} cannot be used"));
    }
    for port in DEFAULT_PORT..DEFAULT_PORT + 100 {
        match bind(options.host, port) {
            Ok(bound) => return Ok(bound),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error).with_context(|| format!("port {port} cannot be used")),
        }
    }
    bail!("no free port from {DEFAULT_PORT} on; name one with --port")
}

/// Binds `port` (0: any) of the address; of both loopbacks if none is given, since `localhost` may mean either.
fn bind(host: Option<IpAddr>, port: u16) -> io::Result<(Vec<TcpListener>, u16)> {
    let first = TcpListener::bind(SocketAddr::new(host.unwrap_or(Ipv4Addr::LOCALHOST.into()), port))?;
    let port = first.local_addr()?.port();
    let mut listeners = vec![first];
    if host.is_none() {
        match TcpListener::bind((Ipv6Addr::LOCALHOST, port)) {
            Ok(second) => listeners.push(second),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            // no IPv6 here
            Err(_) => {}
        }
    }
    Ok((listeners, port))
}

struct Server {
    /// None: the hub alone.
    site: Option<Site>,
    hub: Arc<Hub>,
    connections: AtomicUsize,
}

fn accept(listener: &TcpListener, server: &Arc<Server>) {
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else {
            // out of file descriptors, most likely: wait for some to be closed
            std::thread::sleep(Duration::from_millis(50));
            continue;
        };
        if server.connections.fetch_add(1, Ordering::Relaxed) >= MAX_CONNECTIONS {
            let _ = Response::text(503, "too many connections").write(&mut stream, "GET", false);
            server.connections.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let server = Arc::clone(server);
        let spawned = std::thread::Builder::new().stack_size(512 << 10).spawn(move || {
            // an error is a broken connection, of no concern to anyone
            let _ = server.connection(stream);
            server.connections.fetch_sub(1, Ordering::Relaxed);
        });
        drop(spawned);
    }
}

impl Server {
    fn connection(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(READ))?;
        stream.set_write_timeout(Some(WRITE))?;
        let mut out = stream.try_clone()?;
        let mut reader = Reader::new(stream);
        loop {
            let request = match reader.next() {
                Ok(request) => request,
                Err(Refused::Gone) => return Ok(()),
                Err(Refused::Bad(status, reason)) => {
                    return Response::text(status, reason).write(&mut out, "GET", false);
                }
            };
            if request.path == "/hub" || self.site.is_none() {
                let response = socket::upgrade(&request);
                response.write(&mut out, &request.method, false)?;
                if response.status != 101 {
                    return Ok(());
                }
                let (stream, early) = reader.into_parts();
                return socket::serve(stream, early, &self.hub);
            }
            let Some(site) = &self.site else { return Ok(()) };
            let keep = !request.header_has("connection", "close");
            site.answer(&request).write(&mut out, &request.method, keep)?;
            if !keep {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests;
