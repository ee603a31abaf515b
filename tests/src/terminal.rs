//! A program on a terminal of its own: what it shows, and keys for it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::until;

/// A program that has a terminal; killed when dropped.
pub struct OnTerminal {
    child: Child,
    keys: Option<File>,
    gone: Arc<AtomicBool>,
    screen: Arc<Mutex<vt100::Parser>>,
    reader: JoinHandle<()>,
}

impl OnTerminal {
    /// Starts a program on a terminal of so many columns and rows.
    pub fn start(command: &Command, [columns, rows]: [u16; 2]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap();
        let slave = File::options().read(true).write(true).open(path.to_str().unwrap()).unwrap();
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&slave, size).unwrap();
        // It becomes the terminal that `/dev/tty` stands for.
        let mut on_terminal = Command::new("setsid");
        on_terminal.arg("--ctty").arg(command.get_program()).args(command.get_args()).env("TERM", "xterm-256color");
        for (name, value) in command.get_envs() {
            on_terminal.env(name, value.unwrap_or_default());
        }
        let stdio = || Stdio::from(slave.try_clone().unwrap());
        let child = on_terminal.stdin(stdio()).stdout(stdio()).stderr(stdio()).spawn().unwrap();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 0)));
        let keys = File::from(master);
        let (mut output, shown) = (keys.try_clone().unwrap(), Arc::clone(&screen));
        let gone = Arc::new(AtomicBool::new(false));
        let is_gone = Arc::clone(&gone);
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while !is_gone.load(Ordering::SeqCst) {
                let within = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
                if !poll(&mut [PollFd::new(&output, PollFlags::IN)], Some(&within)).is_ok_and(|ready| ready > 0) {
                    continue;
                }
                // It ends with an error when nobody has the terminal open any more.
                let Ok(read @ 1..) = output.read(&mut bytes) else { break };
                shown.lock().unwrap().process(&bytes[..read]);
            }
        });
        Self { child, keys: Some(keys), gone, screen, reader }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        self.keys.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    /// Takes the terminal away, as a connection that breaks does.
    pub fn go_away(&mut self) {
        self.keys = None;
        self.gone.store(true, Ordering::SeqCst);
    }

    /// What is on the screen.
    pub fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    /// Whether the program has the whole screen to itself.
    pub fn has_whole_screen(&self) -> bool {
        self.screen.lock().unwrap().screen().alternate_screen()
    }

    /// Waits until this is on the screen.
    pub fn until_shows(&mut self, words: &str) {
        until(words, || {
            // In this order: what is read before its end is known is not all.
            let is_over = self.child.try_wait().unwrap().is_some() && self.reader.is_finished();
            let text = self.text();
            assert!(!is_over || text.contains(words), "it ended without {words:?}:\n{text}");
            text.contains(words).then_some(())
        });
    }

    /// Waits for its end; its exit code, -1 after a signal.
    pub fn wait(&mut self) -> i32 {
        until("the program ends", || self.child.try_wait().unwrap()).code().unwrap_or(-1)
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
