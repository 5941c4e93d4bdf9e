# The image of Habitus: the binary alone, for a numeric user, on a root that may be read-only.
# All that is written lies under /var/lib/habitus (the store's key, checkpoints, Parquet) and /tmp.

FROM docker.io/library/rust:1.95.0-trixie AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY benches benches
COPY connect connect
COPY console console
COPY dashboards dashboards
COPY detect detect
COPY ingest ingest
COPY model model
COPY simulate simulate
COPY src src
COPY store store
COPY tests/main.rs tests/main.rs
# The caches make a second build short; what is built comes from Cargo.lock alone.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin habitus \
    && install -D -m 0755 target/release/habitus /out/habitus \
    && install -d -m 0750 /out/home

# It has glibc, the authorities' certificates and time zones, and neither shell nor package manager.
FROM gcr.io/distroless/cc-debian13:nonroot
LABEL org.opencontainers.image.title="habitus" \
      org.opencontainers.image.description="Learns the habits of every identity that calls an API" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/habitus /usr/local/bin/habitus
# A new volume takes its owner from here.
COPY --from=build --chown=65532:65532 /out/home /var/lib/habitus
COPY habitus.toml /etc/habitus/habitus.toml
# What the binary was made of, for scanners and bills of materials.
COPY Cargo.lock LICENSE /usr/share/doc/habitus/
USER 65532:65532
WORKDIR /var/lib/habitus
VOLUME ["/var/lib/habitus"]
EXPOSE 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/usr/local/bin/habitus", "health", "--config", "/etc/habitus/habitus.toml"]
ENTRYPOINT ["/usr/local/bin/habitus"]
CMD ["run", "--config", "/etc/habitus/habitus.toml"]
