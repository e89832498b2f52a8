//! Generated gRPC code and the descriptor set of every TaskMan service.
//!
//! Nothing here is written by hand but this file: the modules mirror the packages of the `proto` folder.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]

use prost_reflect::DescriptorPool;

/// The encoded `FileDescriptorSet` of every file, with comments and options.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/taskman.fds.bin"));

/// Decodes the descriptors of every file. It takes about a millisecond: call it once and keep the pool, which is cheap
/// to clone.
///
/// # Panics
///
/// Never: the bytes were made by the build of this crate.
#[expect(clippy::expect_used, reason = "the bytes are made, and decoded once, by this crate's own build")]
pub fn descriptor_pool() -> DescriptorPool {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("the build script decoded these bytes before")
}

pub mod google {
    pub mod api {
        tonic::include_proto!("google.api");
    }
}

pub mod taskman {
    pub mod options {
        pub mod v1 {
            tonic::include_proto!("taskman.options.v1");
        }
    }
    pub mod common {
        pub mod v1 {
            tonic::include_proto!("taskman.common.v1");
        }
    }
    pub mod authentication {
        pub mod v1 {
            tonic::include_proto!("taskman.authentication.v1");
        }
    }
    pub mod authorization {
        pub mod v1 {
            tonic::include_proto!("taskman.authorization.v1");
        }
    }
    pub mod user {
        pub mod v1 {
            tonic::include_proto!("taskman.user.v1");
        }
    }
    pub mod iam {
        pub mod v1 {
            tonic::include_proto!("taskman.iam.v1");
        }
    }
    pub mod task {
        pub mod v1 {
            tonic::include_proto!("taskman.task.v1");
        }
    }
    pub mod audit {
        pub mod v1 {
            tonic::include_proto!("taskman.audit.v1");
        }
    }
    pub mod notification {
        pub mod v1 {
            tonic::include_proto!("taskman.notification.v1");
        }
    }
}

pub use taskman::authentication::v1 as authentication;
pub use taskman::authorization::v1 as authorization;
pub use taskman::{audit::v1 as audit, common::v1 as common, iam::v1 as iam, notification::v1 as notification};
pub use taskman::{options::v1 as options, task::v1 as task, user::v1 as user};
