//! Tells HTTP/2 from HTTP/1.1 by the first bytes, before either parser sees them, so that waiting for them can end.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// What an HTTP/2 client sends first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The protocol of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, with prior knowledge.
    Http2,
}

/// Reads as much as it takes to know the protocol; nothing is lost.
pub async fn detect<S: AsyncRead + Unpin>(mut stream: S) -> io::Result<(Protocol, Rewound<S>)> {
    let mut read = BytesMut::with_capacity(PREFACE.len());
    loop {
        let wanted = PREFACE.get(..read.len()).unwrap_or(PREFACE);
        let protocol = match read.len() {
            0 => None,
            _ if read != wanted => Some(Protocol::Http1),
            length if length == PREFACE.len() => Some(Protocol::Http2),
            _ => None,
        };
        if let Some(protocol) = protocol {
            return Ok((protocol, Rewound { head: read.freeze(), stream }));
        }
        let left = PREFACE.len() - read.len();
        let mut limited = (&mut stream).take(left as u64);
        if limited.read_buf(&mut read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// A stream with the bytes put back that were read from it.
#[derive(Debug)]
pub struct Rewound<S> {
    head: Bytes,
    stream: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.head.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let count = self.head.len().min(buf.remaining());
        buf.put_slice(self.head.get(..count).unwrap_or_default());
        self.head.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;

    async fn sent(chunks: &[&[u8]]) -> Option<(Protocol, Vec<u8>)> {
        let (near, mut far) = tokio::io::duplex(1);
        let send = async {
            for chunk in chunks {
                far.write_all(chunk).await.ok();
            }
            drop(far);
        };
        let receive = async {
            let (protocol, mut stream) = detect(near).await.ok()?;
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await.ok()?;
            Some((protocol, all))
        };
        tokio::join!(send, receive).1
    }

    #[tokio::test]
    async fn the_protocol_is_known_and_nothing_is_lost() {
        let h2 = [PREFACE, b"frames"].concat();
        assert_eq!(sent(&[&h2]).await, Some((Protocol::Http2, h2.clone())));
        for request in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"PRI * HTTP/1.1\r\n\r\n", b"PUT /x HTTP/1.1\r\n\r\n", b"x"] {
            assert_eq!(sent(&[request]).await, Some((Protocol::Http1, request.to_vec())));
        }
        assert_eq!(sent(&[b"PRI"]).await, None);
        assert_eq!(sent(&[]).await, None);
    }
}
