//! Child processes that cannot hang and cannot outlive us.
//!
//! Each child leads a process group of its own. When its time is up, or when we are interrupted, that group is
//! asked to end (so that browsers remove their profiles), and five seconds later is made to. Nothing else is ever
//! signalled.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Bytes of output kept of one child; the rest is shown but not kept.
const MAX_KEPT: usize = 16 << 20;

/// How long a group may take to end before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// Groups that are running now, by the process id of their leader.
static GROUPS: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// How a child's output is treated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Shown line by line as it comes, and kept.
    Shown,
    /// Kept only; an error shows its end.
    Kept,
}

/// What became of a child.
pub struct Outcome {
    /// None: it ran out of time and was ended.
    pub status: Option<ExitStatus>,
    /// Standard output and standard error, line by line in order of arrival.
    pub text: String,
}

impl Outcome {
    /// Whether it ended by itself with success.
    pub fn ok(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// Why it failed, in words.
    pub fn reason(&self) -> String {
        match self.status {
            None => "ran out of time and was ended".to_owned(),
            Some(status) => status.to_string(),
        }
    }
}

/// Runs `command` for at most `limit`. Errs only when it cannot be started; see [`Outcome::ok`] for the rest.
pub fn run(command: &mut Command, limit: Duration, output: Output) -> Result<Outcome> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    let mut child = command.spawn().with_context(|| format!("cannot start `{name}`"))?;
    let group = Group::register(child.id());
    let (sender, lines) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        forward(stdout, sender.clone());
    }
    if let Some(stderr) = child.stderr.take() {
        forward(stderr, sender);
    }
    let mut text = String::new();
    let status = watch(&mut child, &lines, Instant::now() + limit, output, &mut text)?;
    if status.is_none() {
        group.end(&mut child);
    }
    // its own children go with it, should it have left any
    group.signal(Signal::Term);
    // what was still in the pipes; a grandchild that holds them open gets two seconds
    let deadline = Instant::now() + Duration::from_secs(2);
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => take(line, output, &mut text),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                group.signal(Signal::Kill);
                break;
            }
        }
    }
    Ok(Outcome { status, text })
}

/// Runs `command` and fails, with the end of its output if that was not shown, when it does.
pub fn must(command: &mut Command, limit: Duration, output: Output) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let outcome = run(command, limit, output)?;
    if outcome.ok() {
        return Ok(outcome.text);
    }
    if output == Output::Kept {
        let lines: Vec<&str> = outcome.text.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(30)..).unwrap_or_default().join("\n");
        bail!("`{name}`: {}\n{tail}", outcome.reason());
    }
    bail!("`{name}`: {}", outcome.reason())
}

/// Ends the children and this process on Ctrl-C, and on a polite request to end.
pub fn end_children_on_signal() {
    #[cfg(unix)]
    {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP]) else { return };
        std::thread::spawn(move || {
            let Some(signal) = signals.forever().next() else { return };
            let groups = GROUPS.lock().unwrap_or_else(PoisonError::into_inner).clone();
            for group in &groups {
                send(*group, Signal::Term);
            }
            let deadline = Instant::now() + GRACE;
            while !groups.is_empty() && Instant::now() < deadline && groups.iter().any(|group| alive(*group))
            {
                std::thread::sleep(Duration::from_millis(50));
            }
            for group in groups {
                send(group, Signal::Kill);
            }
            std::process::exit(128 + signal);
        });
    }
}

/// Sends lines on until the pipe ends.
fn forward(pipe: impl Read + Send + 'static, sender: mpsc::Sender<String>) {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
            line.clear();
        }
    });
}

/// Takes lines until the child ends (its status) or the deadline passes (none).
fn watch(
    child: &mut Child,
    lines: &Receiver<String>,
    deadline: Instant,
    output: Output,
    text: &mut String,
) -> Result<Option<ExitStatus>> {
    loop {
        match lines.recv_timeout(Duration::from_millis(20)) {
            Ok(line) => take(line, output, text),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(Duration::from_millis(5)),
        }
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
    }
}

fn take(line: String, output: Output, text: &mut String) {
    if output == Output::Shown {
        // a closed terminal must not end the run
        let _ = std::io::stdout().write_all(line.as_bytes());
    }
    if text.len() < MAX_KEPT {
        text.push_str(&line);
    }
}

/// A running process group; taken off the list when dropped.
struct Group(u32);

#[derive(Clone, Copy)]
enum Signal {
    Term,
    Kill,
}

impl Group {
    fn register(leader: u32) -> Self {
        GROUPS.lock().unwrap_or_else(PoisonError::into_inner).push(leader);
        Self(leader)
    }

    fn signal(&self, signal: Signal) {
        send(self.0, signal);
    }

    fn end(&self, child: &mut Child) {
        self.signal(Signal::Term);
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline && matches!(child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(50));
        }
        self.signal(Signal::Kill);
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        GROUPS.lock().unwrap_or_else(PoisonError::into_inner).retain(|leader| *leader != self.0);
    }
}

#[cfg(unix)]
fn send(leader: u32, signal: Signal) {
    let signal = match signal {
        Signal::Term => rustix::process::Signal::TERM,
        Signal::Kill => rustix::process::Signal::KILL,
    };
    if let Some(pid) = i32::try_from(leader).ok().and_then(rustix::process::Pid::from_raw) {
        // an error means that the group is gone, which is what was wanted
        let _ = rustix::process::kill_process_group(pid, signal);
    }
}

#[cfg(not(unix))]
fn send(_leader: u32, _signal: Signal) {}

#[cfg(unix)]
fn alive(leader: u32) -> bool {
    let pid = i32::try_from(leader).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process_group(pid).is_ok())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_outputs_are_kept_with_the_status() {
        let outcome =
            run(&mut sh("echo out; echo err >&2; exit 3"), Duration::from_secs(20), Output::Kept).unwrap();
        assert!(!outcome.ok());
        assert_eq!(outcome.status.unwrap().code(), Some(3));
        assert!(outcome.text.contains("out\n") && outcome.text.contains("err\n"));
    }

    #[test]
    fn a_child_that_hangs_is_ended_with_its_children() {
        let start = Instant::now();
        let script = "sleep 600 & echo $!; wait";
        // long enough for the shell to say that, however busy the machine is
        let outcome = run(&mut sh(script), Duration::from_secs(3), Output::Kept).unwrap();
        assert!(outcome.status.is_none() && !outcome.ok());
        assert!(start.elapsed() < Duration::from_secs(300));
        let grandchild: u32 = outcome.text.trim().parse().unwrap();
        // it was signalled, but dies only when the system next runs it
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let state = std::fs::read_to_string(format!("/proc/{grandchild}/stat")).unwrap_or_default();
            if state.is_empty() || state.contains(") Z ") {
                break;
            }
            assert!(Instant::now() < deadline, "grandchild still runs: {state}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn a_failure_shows_the_end_of_what_was_hidden() {
        let error =
            must(&mut sh("echo the reason; exit 1"), Duration::from_secs(20), Output::Kept).unwrap_err();
        assert!(error.to_string().contains("the reason"));
    }
}
