//! Private PostgreSQL, Redis, RabbitMQ and mail catcher as child processes, for development and tests.
//!
//! Everything a stack holds lies in one directory and listens on 127.0.0.1 only, so that any number of stacks live
//! side by side, no system service is touched, and neither Docker nor root is needed. [`Stack`] starts the four
//! together; [`Postgres`], [`Redis`], [`RabbitMq`] and [`MailCatcher`] also start alone.
//!
//! No server outlives its owner: dropping one kills it with everything below it, the kernel kills it when the owner
//! is killed, and the next start in a directory ends whatever a crash left there. What a test does to a server is what
//! happens in production: [`Server::kill`] is a power cut, [`Server::pause`] a hanging machine.
//!
//! This crate needs Linux: it reads `/proc` and uses `setpriv` of util-linux.

mod error;
mod install;
mod lock;
mod mail;
mod ports;
mod postgres;
mod process;
mod rabbitmq;
mod redis;
mod server;
mod stack;

pub use error::{Error, Result};
pub use mail::{Fault, MailCatcher, Message};
pub use postgres::{Postgres, PostgresRecipe};
pub use process::Process;
pub use rabbitmq::{RabbitMq, RabbitMqRecipe};
pub use redis::{Redis, RedisRecipe};
pub use server::{Launch, Profile, Recipe, Server, Site};
pub use stack::{Endpoints, Options, STACK_VARIABLE, Stack, StackStatus, status};
