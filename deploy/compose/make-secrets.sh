#!/bin/sh
# Writes the secrets that Compose mounts, into `secrets/` beside this script or into the folder that is given. What is there is
# kept: to renew one, delete its file and run this again, then restart what reads it.
#
# A publisher's token is printed once and not kept: the stream knows its digest. SLACK_URL and PAGERDUTY_KEY may stand in the
# environment; without them alerts are shown by Alertmanager and sent to nobody.
set -eu
folder=${1:-$(dirname "$0")/secrets}
umask 077
mkdir -p "$folder"

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
digest() { printf %s "$1" | if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -d ' ' -f 1; }
missing() { ! [ -e "$folder/$1" ]; }
# A container reads its secret as somebody else than who wrote it; the folder keeps others of this machine out.
keep() { cat >"$folder/$1.new" && chmod 0444 "$folder/$1.new" && mv "$folder/$1.new" "$folder/$1"; }

if missing publish_tokens.toml; then
    token=$(random)
    printf '[[token]]\nname = "first"\nsha256 = "%s"\n' "$(digest "$token")" | keep publish_tokens.toml
    echo "a publisher's token, shown once: $token"
fi
if missing webhook_secret; then
    random | keep webhook_secret
    echo "for GitHub's webhook: $folder/webhook_secret"
fi
if missing grafana_password; then
    random | keep grafana_password
    echo "for Grafana's user admin: $folder/grafana_password"
fi

# The three of Redis belong together.
if missing redis_users.acl || missing redis_url || missing redis_watcher.json; then
    stream=$(random)
    watcher=$(random)
    # Redis reads its own file as `default`: off, so that nobody is let in as that, but it may do everything. Without the
    # rights it leaves out, at each start, what scripts have written, and says so in its log alone.
    keep redis_users.acl <<ACL
user default off resetpass ~* &* +@all
user stream on #$(digest "$stream") ~{monkeytown}:* resetchannels +@all -@admin -@dangerous +info
user watcher on #$(digest "$watcher") resetkeys resetchannels -@all +@connection +info +config|get +slowlog|get +slowlog|len +latency|latest +latency|histogram
user health on nopass resetkeys resetchannels -@all +ping
ACL
    printf 'redis://stream:%s@redis:6379/0\n' "$stream" | keep redis_url
    # Older exporters look the address up as it is given, newer ones with the name of the user.
    printf '{"redis://redis:6379": "%s", "redis://watcher@redis:6379": "%s"}\n' "$watcher" "$watcher" | keep redis_watcher.json
fi

# Not ours to invent.
for pair in "slack_url SLACK_URL ${SLACK_URL:-}" "pagerduty_key PAGERDUTY_KEY ${PAGERDUTY_KEY:-}"; do
    file=${pair%% *}
    rest=${pair#* }
    if missing "$file"; then
        printf %s "${rest#* }" | keep "$file"
        if [ -z "${rest#* }" ]; then echo "empty, since ${rest%% *} is: $folder/$file"; fi
    fi
done
