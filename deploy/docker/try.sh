#!/usr/bin/env bash
# Starts an image as it is deployed (nothing to write but /tmp, no rights), waits until it is healthy by its own
# command, and asks it what a witness asks first. Ends with 0 when it answered.
#
#   deploy/docker/try.sh web|stream IMAGE
set -euo pipefail

port=${PORT:-18080}
# Longest wait for health, in seconds: the first health command runs after 30.
patience=${PATIENCE:-120}

refuse() {
    echo "try: $*" >&2
    exit 2
}
[ $# -eq 2 ] || refuse "try.sh web|stream IMAGE"
kind=$1 image=$2
case $kind in
web) arguments=() ;;
# It starts with a source of events alone.
stream) arguments=(--simulate 5) ;;
*) refuse "'$kind' is neither web nor stream" ;;
esac

locked=(--read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges)
container=$(docker run --detach "${locked[@]}" --publish "127.0.0.1:$port:8080" "$image" "${arguments[@]}")
trap 'docker rm --force --volumes "$container" >/dev/null' EXIT

failed() {
    echo "try: $*" >&2
    docker logs --tail 50 "$container" >&2 || true
    exit 1
}
end=$((SECONDS + patience))
while :; do
    state=$(docker inspect --format '{{.State.Status}} {{.State.Health.Status}}' "$container")
    case $state in
    "running healthy") break ;;
    running\ *) ;;
    *) failed "it does not run: $state" ;;
    esac
    [ "$SECONDS" -lt "$end" ] || failed "it is not healthy after $patience s: $state"
    sleep 1
done

ask() { curl --fail --silent --show-error --max-time 10 "http://127.0.0.1:$port$1"; }
health=$(ask /health) || failed "/health does not answer"
grep --quiet '"status":"healthy"' <<<"${health// /}" || failed "/health says: $health"
case $kind in
web)
    page=$(ask /) || failed "the page does not come"
    # The program's own file, which has a name by its content.
    asset=$(grep --only-matching --extended-regexp '/assets/[A-Za-z0-9._-]+\.wasm' <<<"$page" | head -n 1) ||
        failed "the page names no program"
    size=$(ask "$asset" | wc --bytes) || failed "$asset does not come"
    [ "$size" -gt 100000 ] || failed "$asset has $size bytes"
    ;;
stream)
    version=$(ask /version) || failed "/version does not answer"
    events=$(ask /api/v1/snapshot) || failed "/api/v1/snapshot does not answer: after $version"
    [ -n "$events" ] || failed "there is no state"
    ;;
esac
echo "try: $image is healthy, and answers"
