//! What stands between the network and the routes: connections, addresses, heads, bodies, headers of answers.

pub mod accept;
pub mod body;
pub mod cors;
pub mod head;
pub mod preface;
pub mod proxies;
pub mod secure;
