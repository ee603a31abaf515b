//! The first bytes that a server sends: they tell which protocol it speaks when it does not speak HTTP.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// So many tell HTTP, TLS, HTTP/2 and text apart.
const NOTED: usize = 24;

/// What a server sent first.
#[derive(Debug, Clone, Default)]
pub(crate) struct FirstBytes(Arc<Mutex<Vec<u8>>>);

impl FirstBytes {
    fn add(&self, bytes: &[u8]) -> usize {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = NOTED - noted.len();
        noted.extend_from_slice(&bytes[..room.min(bytes.len())]);
        noted.len()
    }

    /// What came and what to do, where it is not HTTP/1.1.
    pub(crate) fn foreign(&self) -> Option<(String, &'static str)> {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match noted.as_slice() {
            [] => None,
            bytes if bytes.starts_with(b"HTTP/1.") => None,
            // An alert or a handshake record of TLS.
            [0x15 | 0x16, 3, ..] => {
                Some(("a TLS record".to_owned(), "the server speaks HTTPS: add [tls] with ca_file to the profile"))
            }
            // The settings frame that begins a connection of HTTP/2.
            [0, _, _, 4, _, ..] => {
                Some(("a frame of HTTP/2".to_owned(), "this is a gRPC address: name the server's HTTP address instead"))
            }
            bytes => {
                let text: String =
                    String::from_utf8_lossy(bytes).chars().map(|c| if c.is_control() { '.' } else { c }).collect();
                Some((
                    format!("\"{}\"", text.trim_end_matches('.')),
                    "another kind of server listens there: check the address",
                ))
            }
        }
    }
}

/// A stream whose first bytes are noted.
pub(super) struct Noting<S> {
    inner: S,
    first: FirstBytes,
    is_full: bool,
}

impl<S> Noting<S> {
    pub(super) fn new(inner: S) -> (Self, FirstBytes) {
        let first = FirstBytes::default();
        (Self { inner, first: first.clone(), is_full: false }, first)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Noting<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        if !self.is_full {
            self.is_full = self.first.add(&buf.filled()[before..]) == NOTED;
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noting<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_told_by_their_first_bytes() {
        let came = |bytes: &[u8]| {
            let first = FirstBytes::default();
            first.add(bytes);
            first.foreign().map(|(came, _)| came)
        };
        assert_eq!(came(b""), None);
        assert_eq!(came(b"HTTP/1.1 200 OK\r\n"), None);
        assert_eq!(came(&[0x15, 3, 1, 0, 2, 2, 22]).as_deref(), Some("a TLS record"));
        assert_eq!(came(&[0, 0, 18, 4, 0, 0, 0, 0, 0]).as_deref(), Some("a frame of HTTP/2"));
        assert_eq!(came(b"SSH-2.0-OpenSSH_9.2\r\n").as_deref(), Some("\"SSH-2.0-OpenSSH_9.2\""));
        assert_eq!(came(&[b'x'; 300]).unwrap().len(), NOTED + 2, "what is noted has a bound");
    }
}
