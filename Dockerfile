# syntax=docker/dockerfile:1
#
# The image of every binary of the fleet: docker build --build-arg SERVICE=task -t taskman/task .
# SERVICE is a service, or `taskman` for the operator's tool. What ships is built with --build-arg PROFILE=dist.
#
# All binaries are built in one stage that does not know SERVICE, so nine images cost one build. Images are named by tag:
# whoever releases resolves tags to digests at that moment; a digest written down here would only grow old.

FROM rust:1.95-bookworm AS chef
ENV CARGO_INCREMENTAL=0
WORKDIR /source
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    cargo install cargo-chef --locked --version 0.1.78

# What the dependencies are: changes with a manifest or the lock file, not with the code.
FROM chef AS planner
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

FROM chef AS builder
ARG PROFILE=release
COPY --from=planner /source/recipe.json .
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    cargo chef cook --locked --profile "$PROFILE" --workspace --bins --recipe-path recipe.json
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    cargo build --locked --profile "$PROFILE" --workspace --bins \
    && mkdir -p /binaries /keys \
    && for binary in "target/$PROFILE"/*-service; do \
         name="$(basename "$binary")" && cp "$binary" "/binaries/${name%-service}" || exit 1; \
       done \
    && cp "target/$PROFILE/taskman" /binaries/taskman

# For development: the same with a shell, to make keys once and to look around.
FROM gcr.io/distroless/cc-debian12:debug-nonroot AS development
ARG SERVICE=taskman
COPY --from=builder /binaries/${SERVICE} /usr/local/bin/service
# A volume that is mounted here for the first time takes over the owner of the folder.
COPY --from=builder --chown=nonroot:nonroot /keys /keys
ENTRYPOINT ["/usr/local/bin/service"]

# The last stage is what is built when nobody says otherwise: no shell, no package manager, not root.
FROM gcr.io/distroless/cc-debian12:nonroot
ARG SERVICE=gateway
LABEL org.opencontainers.image.title="taskman-${SERVICE}" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=builder /binaries/${SERVICE} /usr/local/bin/service
USER nonroot:nonroot
ENTRYPOINT ["/usr/local/bin/service"]
