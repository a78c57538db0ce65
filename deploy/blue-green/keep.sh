#!/bin/sh
# keep.sh COMMAND [ARGUMENT...]: runs a stream and starts it again when it fails, as a service manager would. SIGTERM is handed
# on. It ends with the stream when that was told to (0), or when an operator must mend something (2).
set -u

told=
child=
trap 'told=yes; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM INT

while :; do
    "$@" &
    child=$!
    [ -z "$told" ] || kill -TERM "$child" 2>/dev/null
    # A signal ends the waiting, and not the stream.
    while :; do
        wait "$child"
        code=$?
        kill -0 "$child" 2>/dev/null || break
    done
    child=
    case $told$code in
    yes* | 0 | 2) exit "$code" ;;
    esac
    echo "keep: the stream has ended with $code; it is started again" >&2
    sleep 1
    [ -z "$told" ] || exit 0
done
