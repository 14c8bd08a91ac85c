# syntax=docker/dockerfile:1

# The image of Tutti: one static program, certificates to speak TLS with the world, nothing
# else. It runs as a user without a name, and its root file system may be read-only.
#
#   docker build -t tutti .
#   docker run --read-only --tmpfs /tmp -p 127.0.0.1:8080:8080 -v tutti:/data tutti

# The compiler runs where the builder runs, and compiles for wherever the image is for.
FROM --platform=$BUILDPLATFORM golang:1.26.8 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH
# .git is in the context, so that "tutti version" names the tag or the commit.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags='-s -w' -o /out/tutti ./cmd/tutti && mkdir -m 0700 /out/data

FROM scratch
ARG VERSION=development
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Tutti" \
      org.opencontainers.image.description="Rooms in which many people hear, watch and decide together" \
      org.opencontainers.image.source="https://github.com/tuttihq/tutti" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /src/LICENSE /src/NOTICE /licenses/
COPY --from=build --chown=65532:65532 /out/data /data
COPY --from=build /out/tutti /tutti
USER 65532:65532
WORKDIR /
# In a container the edge is reached from outside. The health check asks the second address.
ENV TUTTI_DATA=/data \
    TUTTI_EDGE__LISTEN=0.0.0.0:8080 \
    TUTTI_METRICS__LISTEN=127.0.0.1:9464
EXPOSE 8080 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=6s --start-period=60s --retries=3 CMD ["/tutti", "health"]
ENTRYPOINT ["/tutti"]
CMD ["up"]
