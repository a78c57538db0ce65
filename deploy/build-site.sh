#!/bin/sh
# Builds the site on a host that may have no Rust (Vercel, Netlify). The toolchain is the one of rust-toolchain.toml.
#
# Variables of the host, each also as MONKEYTOWN_PREVIEW_… for what is no production deployment, go into config.json:
#   MONKEYTOWN_STREAMS, MONKEYTOWN_APP_NAME, MONKEYTOWN_REPOSITORY, MONKEYTOWN_POLL_SECONDS, MONKEYTOWN_FAILOVER
# and MONKEYTOWN_SNAPSHOT_FROM, the https: address of a stream, has its present state laid beside the page.
set -eu
cd "$(dirname "$0")/.."
if ! command -v cargo >/dev/null 2>&1; then
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal --default-toolchain none
    PATH="$HOME/.cargo/bin:$PATH"
fi
cargo xtask build
cargo xtask configure
if [ -n "${MONKEYTOWN_SNAPSHOT_FROM:-}" ]; then
    # A stream that is away must not keep the page from being deployed.
    sh deploy/snapshot.sh "$MONKEYTOWN_SNAPSHOT_FROM" dist/snapshot.json || echo "the page goes without a snapshot" >&2
fi
