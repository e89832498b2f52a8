//! What `taskman bench` measures: what the fleet takes to start and at rest, and what a request costs beside a bare echo.
//!
//! Everything stays on this machine, is bounded in number and time, and ends by itself.

mod echo;
mod idle;
mod load;
mod scene;
mod sender;
mod table;

pub use echo::Echo;
pub use idle::{Idle, measure as measure_idle};
pub use load::{Measured, Plan, run as run_load};
pub use scene::Scene;
pub use sender::{Places, Sender, senders};
pub use table::{Row, print_idle, print_load};
