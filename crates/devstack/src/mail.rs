//! A mail server that keeps what it gets instead of delivering it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use tokio::net::TcpListener;

use crate::error::{Result, Trying};

/// A mail server that keeps what it gets.
#[derive(Debug)]
pub struct MailCatcher {
    smtp: TcpListener,
}

/// One caught mail.
#[derive(Debug)]
pub struct Message;

impl MailCatcher {
    /// Starts it.
    pub async fn start(_dir: impl AsRef<Path>) -> Result<Self> {
        let smtp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.trying(|| "listen".to_owned())?;
        Ok(Self { smtp })
    }
    /// Returns the SMTP address.
    pub fn smtp_addr(&self) -> SocketAddr {
        self.smtp.local_addr().unwrap_or_else(|_| (Ipv4Addr::LOCALHOST, 0).into())
    }
    /// Returns the URL of pages and API.
    pub fn url(&self) -> String {
        format!("http://{}", self.smtp_addr())
    }
    /// Stops it.
    pub async fn stop(&mut self) {}
}
