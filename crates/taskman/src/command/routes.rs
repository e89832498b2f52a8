//! `taskman routes`: what the gateway offers.

/// Prints the table of routes.
#[expect(clippy::print_stdout, reason = "the table is what was asked for")]
pub fn run() -> anyhow::Result<()> {
    print!("{}", taskman_gateway::routes_table()?);
    Ok(())
}
