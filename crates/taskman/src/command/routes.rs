//! `taskman routes`: what the gateway offers.

/// Prints the table of routes.
#[expect(clippy::print_stdout, reason = "the table is what was asked for")]
pub fn run() -> anyhow::Result<()> {
    for row in taskman_gateway::table::routes(&taskman_gateway::Config::default(), &taskman_rpc::Methods::load())? {
        println!("{row}");
    }
    Ok(())
}
