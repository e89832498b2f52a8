//! The bare tonic server that everything is compared with: no layer, no token, no store.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

/// A server that answers gRPC health checks from memory; dropping it ends it.
#[derive(Debug)]
pub struct Echo {
    address: SocketAddr,
    _task: JoinSet<Result<(), tonic::transport::Error>>,
}

impl Echo {
    /// Starts it on a free port.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        // A new reporter says of the server as a whole that it serves.
        let (_reporter, service) = tonic_health::server::health_reporter();
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let mut task = JoinSet::new();
        task.spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
        Ok(Self { address, _task: task })
    }

    /// Returns its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
