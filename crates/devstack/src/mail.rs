//! A mail server that keeps what it gets instead of delivering it, with pages and an API to look at it.
//!
//! It runs inside this process: SMTP on one port, HTTP on another, both on 127.0.0.1. It holds the newest mails in
//! memory, and can be told to refuse the next ones, which is how retries are tested.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use tokio::{net::TcpListener, sync::watch, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    error::{Result, Trying},
    lock::OwnedDir,
    ports::Ports,
};

mod inbox;
mod pages;
mod smtp;

use inbox::Inbox;
pub use inbox::{Fault, Message};

/// Longest wait for connections that are open when the catcher stops.
const STOP: Duration = Duration::from_secs(2);

/// A running mail catcher; dropping it closes its ports and forgets the mails.
#[derive(Debug)]
pub struct MailCatcher {
    inbox: Arc<Inbox>,
    paused: watch::Sender<bool>,
    tasks: TaskTracker,
    stop: CancellationToken,
    ports: Ports,
    _dir: OwnedDir,
}

impl MailCatcher {
    /// Starts the catcher, with the ports it had in `dir` before.
    ///
    /// # Errors
    /// [`crate::Error::InUse`] while a living process owns `dir`, [`crate::Error::Io`] where a port cannot be opened.
    pub async fn start(dir: impl AsRef<Path>) -> Result<Self> {
        let dir = OwnedDir::take(dir.as_ref())?;
        let ports = Ports::take(&dir.path().join("ports.json"), 2)?;
        let mut catcher = Self {
            inbox: Arc::new(Inbox::default()),
            paused: watch::Sender::new(false),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            ports,
            _dir: dir,
        };
        catcher.launch().await?;
        Ok(catcher)
    }

    /// Returns the address of the SMTP port; it speaks neither TLS nor authentication.
    pub fn smtp_addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.numbers()[0]).into()
    }

    /// Returns the URL of the page that shows the mails; the API is below it.
    pub fn url(&self) -> String {
        format!("http://{}", self.http_addr())
    }

    /// Returns the mails that are kept, newest last.
    pub fn messages(&self) -> Vec<Message> {
        self.inbox.list(None)
    }

    /// Returns the mails for one recipient, newest last.
    pub fn messages_to(&self, recipient: &str) -> Vec<Message> {
        self.inbox.list(Some(recipient))
    }

    /// Forgets all mails.
    pub fn clear(&self) {
        self.inbox.clear();
    }

    /// Refuses the next mails; a count of zero ends a fault.
    pub fn set_fault(&self, fault: Fault) {
        self.inbox.set_fault(fault);
    }

    /// Tells whether the ports are open; those of a paused catcher are.
    pub fn is_running(&self) -> bool {
        !self.stop.is_cancelled()
    }

    /// Stops answering: SMTP connections open and hang.
    pub fn pause(&self) {
        self.paused.send_replace(true);
    }

    /// Answers again.
    pub fn resume(&self) {
        self.paused.send_replace(false);
    }

    /// Closes the ports and all connections; the mails are kept for a restart.
    pub async fn stop(&mut self) {
        self.stop.cancel();
        self.tasks.close();
        if timeout(STOP, self.tasks.wait()).await.is_err() {
            tracing::warn!("mail catcher leaves connections behind");
        }
    }

    /// Opens the same ports again, after a stop if they are open.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop().await;
        self.stop = CancellationToken::new();
        self.tasks = TaskTracker::new();
        self.resume();
        self.launch().await
    }

    async fn launch(&mut self) -> Result<()> {
        let smtp = listen(self.smtp_addr()).await?;
        let http = listen(self.http_addr()).await?;
        let (inbox, paused) = (Arc::clone(&self.inbox), self.paused.subscribe());
        self.tasks.spawn(smtp::serve(smtp, inbox, paused, self.tasks.clone(), self.stop.clone()));
        self.tasks.spawn(pages::serve(http, Arc::clone(&self.inbox), self.stop.clone()));
        Ok(())
    }

    fn http_addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.numbers()[1]).into()
    }
}

impl Drop for MailCatcher {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.trying(|| format!("listen on {address}"))
}
