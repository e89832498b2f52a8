//! The SMTP side: the protocol is `mailin`'s, the connections, bounds and faults are ours.

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use mailin::{Action, Handler, Response, SessionBuilder, response};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::inbox::Inbox;

/// The largest mail.
const MAIL: usize = 1024 * 1024;
/// The longest line; RFC 5321 lets a server stop at 1000 bytes, real clients send more.
const LINE: u64 = 64 * 1024;
/// The most recipients of one mail.
const RECIPIENTS: usize = 100;
/// The most connections at a time; more wait.
const CONNECTIONS: usize = 64;
/// How long a client may be silent.
const SILENCE: Duration = Duration::from_mins(1);

/// Accepts connections until `stop`.
pub(super) async fn serve(
    listener: TcpListener,
    inbox: Arc<Inbox>,
    paused: watch::Receiver<bool>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match stream {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "mail catcher cannot accept");
                tokio::time::sleep(Duration::from_millis(100)).await; // out of file descriptors, mostly: not in a tight loop
                continue;
            }
        };
        let (inbox, mut paused, stop) = (Arc::clone(&inbox), paused.clone(), stop.clone());
        tasks.spawn(async move {
            let outcome = tokio::select! {
                () = stop.cancelled() => Ok(()),
                outcome = converse(stream, inbox, &mut paused) => outcome,
            };
            if let Err(error) = outcome {
                tracing::debug!(%error, "smtp connection ended");
            }
            drop(slot);
        });
    }
}

async fn converse(stream: TcpStream, inbox: Arc<Inbox>, paused: &mut watch::Receiver<bool>) -> io::Result<()> {
    let peer = stream.peer_addr()?.ip();
    let mut session = SessionBuilder::new("devstack.test").build(peer, Envelope::new(inbox));
    let mut stream = BufStream::new(stream);
    answer(&mut stream, &session.greeting(), paused).await?;
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = (&mut stream).take(LINE);
        timeout(SILENCE, bounded.read_until(b'\n', &mut line))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        if !line.ends_with(b"\n") {
            return Ok(()); // the client is gone, or sends a line without end
        }
        let response = session.process(&line);
        if response.action == Action::NoReply {
            continue;
        }
        answer(&mut stream, &response, paused).await?;
        // After a refused mail the state machine waits for more of it; nothing good follows on this connection.
        if response.action == Action::Close || response.code == response::NO_STORAGE.code {
            return Ok(());
        }
    }
}

async fn answer(
    stream: &mut BufStream<TcpStream>,
    response: &Response,
    paused: &mut watch::Receiver<bool>,
) -> io::Result<()> {
    if paused.wait_for(|paused| !paused).await.is_err() {
        return Ok(()); // the catcher is gone, and this connection with it
    }
    stream.write_all(&response.buffer()?).await?;
    stream.flush().await
}

/// What is known of the mail that a connection is sending.
struct Envelope {
    inbox: Arc<Inbox>,
    from: String,
    to: Vec<String>,
    body: Vec<u8>,
    too_large: bool,
}

impl Envelope {
    fn new(inbox: Arc<Inbox>) -> Self {
        Self { inbox, from: String::new(), to: Vec::new(), body: Vec::new(), too_large: false }
    }
}

impl Handler for Envelope {
    fn mail(&mut self, _: IpAddr, _: &str, from: &str) -> Response {
        if let Some(code) = self.inbox.refusal() {
            return Response::custom(code, "refused on request".to_owned());
        }
        from.clone_into(&mut self.from);
        self.to.clear();
        self.body.clear();
        self.too_large = false;
        response::OK
    }

    fn rcpt(&mut self, to: &str) -> Response {
        if self.to.len() >= RECIPIENTS {
            return Response::custom(452, "too many recipients".to_owned());
        }
        self.to.push(to.to_owned());
        response::OK
    }

    fn data(&mut self, line: &[u8]) -> io::Result<()> {
        self.too_large |= self.body.len() + line.len() > MAIL;
        if !self.too_large {
            self.body.extend_from_slice(line);
        }
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        if self.too_large {
            return response::NO_STORAGE;
        }
        self.inbox.add(&self.from, &self.to, &self.body);
        response::OK
    }
}
