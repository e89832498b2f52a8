//! Reads the body of a request: not more than allowed, and not slower.

use std::pin::pin;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::Body;
use http_body_util::BodyExt as _;
use tokio::time::{Duration, Instant, timeout_at};

use crate::config::Requests;
use crate::error::Error;

/// Reads a body to its end.
pub async fn read<B>(body: B, headers: &HeaderMap, limits: &Requests) -> Result<Bytes, Error>
where
    B: Body<Data = Bytes>,
{
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limits.max_body_bytes) {
        return Err(Error::BodyTooLarge);
    }
    let started = Instant::now();
    let mut body = pin!(body);
    let mut read = BytesMut::new();
    loop {
        // The moment at which what has come would be too little.
        let earned = Duration::from_secs_f64(as_f64(read.len()) / f64::from(limits.min_body_rate.max(1)));
        let frame = timeout_at(started + limits.body_grace() + earned, body.frame()).await;
        let frame = match frame.map_err(|_| Error::BodyTooSlow)? {
            None => return Ok(read.freeze()),
            Some(frame) => frame.map_err(|_| Error::Malformed("the body broke off".to_owned()))?,
        };
        let Ok(data) = frame.into_data() else { continue };
        if read.len() + data.len() > limits.max_body_bytes {
            return Err(Error::BodyTooLarge);
        }
        read.extend_from_slice(&data);
    }
}

/// A number of bytes, which is far below the limits of a double.
fn as_f64(bytes: usize) -> f64 {
    u32::try_from(bytes).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::{StreamExt as _, stream};
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;

    /// A body of `chunks` chunks of `size` bytes, one each `pause`.
    fn slow(chunks: usize, size: usize, pause: Duration) -> impl Body<Data = Bytes, Error = Infallible> {
        let frames = stream::iter(0..chunks).then(move |_| async move {
            tokio::time::sleep(pause).await;
            Ok(Frame::data(Bytes::from(vec![b'x'; size])))
        });
        StreamBody::new(frames)
    }

    async fn length(body: impl Body<Data = Bytes>, limits: &Requests) -> Result<usize, Error> {
        read(body, &HeaderMap::new(), limits).await.map(|bytes| bytes.len())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_may_be_as_slow_as_its_rate() {
        let limits = Requests { max_body_bytes: 100_000, ..Requests::default() };
        assert_eq!(length(slow(60, 1_000, Duration::from_millis(900)), &limits).await.unwrap(), 60_000);
        assert!(matches!(length(slow(60, 100, Duration::from_millis(900)), &limits).await, Err(Error::BodyTooSlow)));
        assert!(matches!(length(slow(1, 1, Duration::from_secs(6)), &limits).await, Err(Error::BodyTooSlow)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_bounded_whether_it_says_its_length_or_not() {
        let limits = Requests { max_body_bytes: 10, ..Requests::default() };
        assert_eq!(length(slow(2, 5, Duration::ZERO), &limits).await.unwrap(), 10);
        assert!(matches!(length(slow(3, 5, Duration::ZERO), &limits).await, Err(Error::BodyTooLarge)));
        let headers = [(header::CONTENT_LENGTH, "11".parse().unwrap())].into_iter().collect();
        assert!(matches!(read(slow(0, 0, Duration::ZERO), &headers, &limits).await, Err(Error::BodyTooLarge)));
    }
}
