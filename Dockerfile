# The server as an image: one static binary, a folder for data, and nothing else (no shell, no libraries).
#
#   docker build -t chainrule .
#   docker run --rm -p 127.0.0.1:8080:8080 chainrule
#
# Built and tested on x86-64. Nothing below names that architecture, so an aarch64 machine builds for itself; that is
# not tested yet.

FROM rust:1.95-bookworm AS build
WORKDIR /build

# Static, glibc included, so that the final stage can be empty. Cargo applies RUSTFLAGS to the server alone, and not to
# build scripts and macros (which cannot be static), only where a target is named: host-tuple names this machine's own.
ENV RUSTFLAGS="-C target-feature=+crt-static" \
    CARGO_BUILD_TARGET=host-tuple \
    TARGET_CPU=x86-64
# TARGET_CPU: without it core-math compiles for the CPU of the machine that builds, and the image crashes on an older
# one. It is the oldest x86-64; a compiler for another architecture does not know the name and takes its own oldest.

# The dependencies first, in a layer that only a change of the manifests rebuilds. An empty library and an empty binary
# stand in for ours.
COPY .cargo .cargo
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
 && touch src/lib.rs \
 && echo 'fn main() {}' >src/main.rs \
 && cargo build --release --locked

# Cargo goes by modification times, and the real files are older than the build of the stand-ins: hence the touch.
COPY src src
RUN touch src/lib.rs src/main.rs \
 && cargo build --release --locked \
 && mkdir -p /image/data \
 && cp target/*/release/chainrule /image/chainrule

FROM scratch
LABEL org.opencontainers.image.title="chainrule" \
      org.opencontainers.image.description="Trains neural networks in the open, over HTTP: every number of every pass as JSON, recomputable by hand." \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"

# The binary belongs to root: the server may run it and not change it.
COPY --from=build /image/chainrule /chainrule
# Where a volume goes. A new named volume takes over the owner, and here is no shell to change it later.
COPY --from=build --chown=65532:65532 /image/data /data

# A number, for there is no /etc/passwd, and so that Kubernetes' runAsNonRoot can see that it is not root.
USER 65532:65532

# All addresses of the container; who reaches it is decided where the port is published.
ENV CHAINRULE_LISTEN=0.0.0.0:8080 \
    CHAINRULE_STORE=sqlite:/data/chainrule.db
EXPOSE 8080
STOPSIGNAL SIGTERM

# The binary asks itself, since there is no curl. It gives up after 3 seconds with a reason, so before the timeout.
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 CMD ["/chainrule", "healthcheck"]

ENTRYPOINT ["/chainrule"]
