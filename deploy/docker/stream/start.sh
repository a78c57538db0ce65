#!/bin/sh
# The stream image's first program: reads secrets that are mounted as files into the variables that the stream knows, and
# becomes the stream. MONKEYTOWN_PUBLISH_TOKENS_FILE is the stream's own, and is left to it.
# What is wrong is one line on stderr and exit code 2.
set -eu

refuse() {
    echo "monkeytown-start: $*" >&2
    exit 2
}

# Compose and charts give empty ones where nothing was filled in; to the stream an empty value is a wrong one.
for name in $(env | sed -n 's/^\(MONKEYTOWN_[A-Z_]*\)=$/\1/p'); do unset "$name"; done

if [ -n "${MONKEYTOWN_REDIS_FILE:-}" ]; then
    [ -z "${MONKEYTOWN_REDIS:-}" ] || refuse "MONKEYTOWN_REDIS and MONKEYTOWN_REDIS_FILE: give one"
    # The line's end is none of it.
    MONKEYTOWN_REDIS=$(cat "$MONKEYTOWN_REDIS_FILE") || refuse "MONKEYTOWN_REDIS_FILE: it cannot be read"
    export MONKEYTOWN_REDIS
fi
if [ -n "${MONKEYTOWN_GITHUB_WEBHOOK_SECRET_FILE:-}" ]; then
    [ -z "${MONKEYTOWN_GITHUB_WEBHOOK_SECRET:-}" ] ||
        refuse "MONKEYTOWN_GITHUB_WEBHOOK_SECRET and MONKEYTOWN_GITHUB_WEBHOOK_SECRET_FILE: give one"
    MONKEYTOWN_GITHUB_WEBHOOK_SECRET=$(cat "$MONKEYTOWN_GITHUB_WEBHOOK_SECRET_FILE") ||
        refuse "MONKEYTOWN_GITHUB_WEBHOOK_SECRET_FILE: it cannot be read"
    export MONKEYTOWN_GITHUB_WEBHOOK_SECRET
fi
unset MONKEYTOWN_REDIS_FILE MONKEYTOWN_GITHUB_WEBHOOK_SECRET_FILE

exec monkeytown-stream "$@"
