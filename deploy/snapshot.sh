#!/bin/sh
# Writes the present snapshot of a stream to a file: beside the page, as snapshot.json, it is what a first visit shows when no
# stream answers. Whole or not at all. Run it from cron, or before a static deployment.
#
#   deploy/snapshot.sh https://stream.example.org dist/snapshot.json
set -eu
[ $# = 2 ] || {
    echo "snapshot: give the address of a stream and a file" >&2
    exit 2
}
new=$2.new.$$
trap 'rm -f "$new"' EXIT
curl -fsS --max-time 30 --max-filesize 67108864 -o "$new" "${1%/}/api/v1/snapshot" || {
    echo "snapshot: ${1%/}/api/v1/snapshot does not answer; ${2} is as it was" >&2
    exit 1
}
# What stands before a stream may answer with a page of its own.
case $(head -c 1 "$new") in
'{') ;;
*)
    echo "snapshot: ${1%/}/api/v1/snapshot is not answered by a stream; ${2} is as it was" >&2
    exit 1
    ;;
esac
chmod 644 "$new"
mv "$new" "$2"
