#!/bin/sh
# A copy of the streams' log in Redis, made of the append-only file of a Redis that runs: once a day, by cron.
#
#     deploy/copy-redis.sh DATA COPIES
#
# DATA is the folder in which Redis has `appendonlydir` (of Compose: /var/lib/docker/volumes/monkeytown_redis/_data). The copy
# is a folder of COPIES with the time as its name; it counts once redis-check-aof (Debian: redis-tools) finds it whole. Copies
# older than 30 days are deleted, but never the newest. Put COPIES on another machine, or send it there.
set -eu
[ $# -eq 2 ] || { echo "usage: $0 DATA COPIES" >&2; exit 2; }
data=$1
copies=$2
command -v redis-check-aof >/dev/null || { echo "redis-check-aof is missing: apt-get install redis-tools" >&2; exit 2; }
[ -d "$data/appendonlydir" ] || { echo "$data holds no appendonlydir: is appendonly on?" >&2; exit 2; }
umask 077
mkdir -p "$copies"
name=$(date -u +%Y-%m-%dT%H%M%SZ)
new=$copies/$name.unfinished
trap 'rm -rf "$new"' EXIT

# A copy that is made while Redis begins another file, or is in the middle of a write, is not whole: then again.
for try in 1 2 3 4 5; do
    rm -rf "$new"
    mkdir "$new"
    if cp -R "$data/appendonlydir" "$new/" 2>/dev/null &&
        redis-check-aof "$new/appendonlydir/appendonly.aof.manifest" >"$new/check" 2>&1 </dev/null; then
        rm "$new/check"
        mv "$new" "$copies/$name"
        find "$copies" -mindepth 1 -maxdepth 1 -type d -mtime +30 ! -name "$name" -exec rm -rf {} +
        echo "$copies/$name"
        exit 0
    fi
    sleep "$try"
done
echo "five copies of $data in a row are not whole; the last one:" >&2
tail -n 3 "$new/check" >&2 || true
exit 1
