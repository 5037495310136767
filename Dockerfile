# An image with nothing but the daemon, its client and the default configuration.
#
#   podman build -t halberd .                                     (or buildah bud, or docker buildx build)
#   podman build -t halberd --platform linux/arm64,linux/arm/v7 --manifest halberd .
#   podman build --target test .                                  the whole suite, with the emulated platforms
#
#   podman run --rm halberd -sim                                  a simulated board, within the container
#   podman run -d --network host -v /run/halberd:/run/halberd --device /dev/gpiochip0 -v /etc/halberd:/etc/halberd:ro halberd
#
# Abstract socket names belong to a network namespace: apps outside the container need --network host, or the pathname socket.
#
# Build arguments: GO_IMAGE is the base (Debian with Go, gcc, make and git), VERSION is what the programs call themselves, GOPROXY is
# Go's. Without a registry and a module proxy, from Debian packages, this machine's Go and its module cache alone:
#
#   apt-get install buildah mmdebstrap
#   export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
#   cross/base-image.sh
#   buildah bud -t halberd --build-arg GO_IMAGE=localhost/halberd-go:trixie \
#     --build-arg GOPROXY=file:///modules -v "$(go env GOMODCACHE)/cache/download:/modules:ro" .
#
# With --platform, the buildah 1.28 of Debian 12 also needs --build-arg BUILDPLATFORM=linux/amd64, this machine's own.
ARG GO_IMAGE=golang:1.26-trixie

FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS source
WORKDIR /src
ARG GOPROXY
COPY go.mod go.sum ./
RUN go mod download
COPY . .

FROM source AS build
ARG TARGETARCH
ARG TARGETVARIANT
ARG VERSION=devel
RUN GOOS=linux GOARCH=$TARGETARCH GOARM=${TARGETVARIANT#v} cross/build.sh host && \
    mkdir -p rootfs/usr/lib/halberd build/run/halberd

FROM source AS test
RUN make test

FROM scratch
COPY --from=build /src/build/halberd /src/build/halctl /
COPY --from=build /src/rootfs/usr/lib/halberd /usr/lib/halberd
COPY --from=build /src/build/run /run
ENTRYPOINT ["/halberd"]
