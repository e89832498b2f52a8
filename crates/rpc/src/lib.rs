//! gRPC plumbing: request handling, status mapping, server and client stacks, metadata, deadlines.
