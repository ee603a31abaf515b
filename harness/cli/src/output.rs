//! The only place that prints: results to standard output, words for a person to standard error.

use std::io::{self, ErrorKind, IsTerminal as _, Write};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec};

use crate::failure::Failure;

/// How wide text may be.
pub(crate) const WIDTH: usize = 110;

/// Prints a result.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    stream(|out| out.write_all(text.as_bytes()))
}

/// Prints a result that is a JSON document, as `serde_json` wrote it.
pub(crate) fn print_json(document: serde_json::Result<String>) -> Result<(), Failure> {
    print(&format!("{}\n", document.map_err(Failure::platform)?))
}

/// Prints a result that is too long to hold. A reader that has seen enough and closes the pipe is no failure.
pub(crate) fn stream(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe && !is_gone(io::stdout()) => {
            Err(Failure::platform(format!("cannot write to standard output: {error}")))
        }
        _ => {
            // What a closed pipe, or a terminal that has gone away, did not take is thrown away here, where nothing would report it.
            let _ = out.into_parts();
            Ok(())
        }
    }
}

/// Whether a terminal has gone away: nobody is there who could be told, and what was to be told is in files.
pub(crate) fn is_gone(terminal: impl AsFd) -> bool {
    let mut asked = [PollFd::from_borrowed_fd(terminal.as_fd(), PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
    rustix::event::poll(&mut asked, Some(&now)).is_ok() && asked[0].revents().intersects(gone)
}

/// Says something to a person.
pub(crate) fn say(text: &str) {
    // With standard error gone there is nobody left to tell.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Whether a person watches standard error.
pub(crate) fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Whether words on standard error may have colours.
pub(crate) fn colour_on_stderr() -> bool {
    io::stderr().is_terminal() && !no_colour()
}

/// Whether results on standard output may have colours.
pub(crate) fn colour_on_stdout() -> bool {
    io::stdout().is_terminal() && !no_colour()
}

fn no_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}
