//! Connections that are opened and never speak; every other one says that it speaks HTTP/2, and no more.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::abuse::Abuse;
use super::keep_open::keep_open;
use super::site::Site;
use super::tally::{Counts, Tally, is_half};
use crate::fault::Evidence;
use crate::target::CallError;

/// RFC 9113, section 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Connections that are being made at once.
const OPENING_AT_ONCE: usize = 64;

pub(super) fn begin(site: &Site, tally: &Arc<Tally>, count: u32) -> Abuse {
    let turns = Arc::new(Semaphore::new(OPENING_AT_ONCE));
    (0..count).fold(Abuse::new(site, tally, move |counts| tell(count, counts)), |abuse, number| {
        let addr = if number % 4 < 2 { site.at.data } else { site.at.meta };
        let greeting = if number % 2 == 0 { &[][..] } else { PREFACE };
        abuse.with_task(keep_open(
            Arc::clone(tally),
            Arc::clone(&turns),
            site.deadline,
            move || open(addr, greeting),
            listen,
        ))
    })
}

async fn open(addr: SocketAddr, greeting: &'static [u8]) -> Result<TcpStream, CallError> {
    let broken = |error: std::io::Error| CallError::broken(format!("{addr}: {error}"));
    let mut stream = TcpStream::connect(addr).await.map_err(broken)?;
    stream.write_all(greeting).await.map_err(broken)?;
    Ok(stream)
}

/// Listens until the target closes the connection. Its settings, say, show that it has seen it.
async fn listen(mut stream: TcpStream, tally: Arc<Tally>) {
    let mut buffer = [0; 256];
    let mut is_greeted = false;
    while let Ok(1..) = stream.read(&mut buffer).await {
        if !is_greeted {
            tally.acknowledge();
        }
        is_greeted = true;
    }
}

fn tell(asked: u32, counts: &Counts) -> Evidence {
    let figures = vec![
        ("asked_connections", f64::from(asked)),
        ("opened_connections", counts.opened as f64),
        ("open_connections", counts.open as f64),
        ("greeted_connections", counts.acknowledged as f64),
        ("errors", counts.errors as f64),
    ];
    Evidence {
        // The system accepts for a target that does not run.
        took_place: is_half(counts.open, asked) && (counts.acknowledged > 0 || counts.answers),
        words: format!(
            "{} of {asked} silent connections open at the end, {} opened in all; the target greeted {}; {}",
            counts.open,
            counts.opened,
            counts.acknowledged,
            counts.failures()
        ),
        figures,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_open_connections_show_nothing() {
        let open = |open| Counts { open, opened: 700, answers: true, ..Counts::default() };
        let few = tell(1000, &open(1));
        assert!(!few.took_place && few.words.starts_with("1 of 1000 silent connections"), "{few:?}");
        assert!(tell(1000, &open(500)).took_place && tell(1, &open(1)).took_place);
        assert!(!tell(1000, &Counts { answers: false, ..open(1000) }).took_place, "nobody ever answered");
    }
}
