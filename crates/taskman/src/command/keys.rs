//! `taskman keys`: makes the keys that the services of a fleet share.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::keys::FleetKeys;

/// The arguments of `taskman keys`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Writes the voucher keys and the secret key of every service into a folder, one file each.
    Fleet {
        /// The folder; files that are there are not replaced.
        #[arg(long)]
        dir: PathBuf,
    },
}

/// Makes the keys.
#[expect(clippy::print_stdout, reason = "a command line tool says what it did")]
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Command::Fleet { dir } = &arguments.command;
    FleetKeys::generate()?.write_files(dir)?;
    println!("Keys are in {}. Point each service to its own:", dir.display());
    println!("  TASKMAN__IDENTITY__FLEET_KEYS_FILE={}/<service>.fleet-keys", dir.display());
    println!("  TASKMAN__IDENTITY__SECRET_KEY_FILE={}/<service>.secret-key", dir.display());
    Ok(())
}
