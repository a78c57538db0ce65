#!/bin/sh
# Blue-green on one machine: a new release is started beside the old one, checked, given the traffic, watched, and only then
# is the old one drained and stopped. What fails on the way is taken back without being asked. README.md beside this says how
# the machine is set up, and what each kind of store keeps.
#
#   switch.sh prepare                  writes a traffic file without a stream, so that nginx can be started
#   switch.sh deploy RELEASE           a folder with `monkeytown-stream` and `site/`
#   switch.sh back                     deploys what was deployed before
#   switch.sh canary RELEASE PERCENT   gives it some of the witnesses (1 to 50); with --redis only
#   switch.sh promote | withdraw       ends a canary, either way
#   switch.sh up                       starts what has the traffic, after the machine was started
#   switch.sh status
# Exit codes: 0 done; 1 failed and taken back, what had the traffic has it; 2 an operator must mend something, nothing was
# touched; 3 failed and could not be taken back: what to do is said.
set -eu

config=${MONKEYTOWN_BLUE_GREEN:-/etc/monkeytown/blue-green.conf}
# shellcheck disable=SC1090
[ ! -f "$config" ] || . "$config"
: "${STATE:=/var/lib/monkeytown/blue-green}"         # what this script remembers: links to releases, process numbers, logs
: "${STREAM_ENV:=/etc/monkeytown/stream.env}"        # the stream's variables, NAME=VALUE a line, without quotes; both colours'
: "${PORT_BLUE:=8081}" "${PORT_GREEN:=8082}"         # on 127.0.0.1
: "${NGINX_LOCAL:=/etc/nginx/local}"                 # where the traffic files are written
: "${PAGE:=/etc/monkeytown/page}"                    # a config.json and a snapshot.json of this deployment's own
: "${NGINX_TEST:=nginx -t -q}" "${NGINX_RELOAD:=nginx -s reload}"
: "${PUBLIC:=http://127.0.0.1:8080}"                 # nginx, asked from 127.0.0.1: anybody else is not told /traffic
: "${START_SECONDS:=90}"                             # a start may take so long: a full journal is read, Redis is waited for
: "${SUBSCRIPTION_SECONDS:=40}"                      # an event, or the heartbeat that comes after 25 s of silence
: "${WATCH_SECONDS:=10}"                             # the new one has the traffic for so long before the old one goes
: "${STOP_SECONDS:=30}"                              # longer than --drain-seconds
: "${SUPERVISOR:=own}"                               # own: keep.sh; systemd: monkeytown-stream@COLOUR.service
: "${RUN_AS:=monkeytown}"                            # whom keep.sh and the stream run as where root runs this; never root
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
traffic=$NGINX_LOCAL/http-traffic.conf
mark=$NGINX_LOCAL/server-traffic.conf

say() { echo "$(date -u +%H:%M:%S) $*"; }
mend() {
    echo "switch: $*" >&2
    exit 2
}
millis() { date +%s%3N; }

# ---- what is known -------------------------------------------------------------------------------------------------------

# The traffic file is the one record of who has the traffic: it is what nginx reads.
field() { [ ! -f "$traffic" ] || sed -n "s/^# $1: //p" "$traffic"; }
port() { case $1 in blue) echo "$PORT_BLUE" ;; green) echo "$PORT_GREEN" ;; esac; }
other() { case $1 in blue) echo green ;; *) echo blue ;; esac; }
served() { curl -s --max-time 2 "$PUBLIC/traffic" 2>/dev/null; }
stamp() { sed -n "s/.*return 200 '\([^']*\)'.*/\1/p" "$mark"; }
release() { readlink "$STATE/$1" 2>/dev/null || true; }
variable() { [ ! -f "$STREAM_ENV" ] || sed -n "s/^$1=//p" "$STREAM_ENV" | tail -n 1; }
store() {
    if [ -n "$(variable MONKEYTOWN_REDIS)" ]; then echo redis
    elif [ -n "$(variable MONKEYTOWN_JOURNAL)" ]; then echo journal
    else echo memory; fi
}

# ---- what is laid where --------------------------------------------------------------------------------------------------

laid=
# lay COLOUR FOLDER: what it was before is kept until that is settled, so that `back` still finds it.
lay() {
    before=$(release "$1")
    rm -f "$STATE/$1.link"
    [ -z "$before" ] || ln -s "$before" "$STATE/$1.link"
    laid=$1
    ln -sfn "$(CDPATH='' cd -- "$2" && pwd)" "$STATE/$1"
}
relay() {
    rm -f "${STATE:?}/$1"
    [ ! -L "$STATE/$1.link" ] || mv -T "$STATE/$1.link" "$STATE/$1"
}

# ---- processes -----------------------------------------------------------------------------------------------------------

# By its words as well: a number may be somebody else's by now, or that of a process that has ended.
is_ours() { [ -f "$STATE/$1.pid" ] && grep -qaE '(keep|switch)\.sh' "/proc/$(cat "$STATE/$1.pid")/cmdline" 2>/dev/null; }
running() {
    case $SUPERVISOR in
    systemd) systemctl --quiet is-active "monkeytown-stream@$1.service" ;;
    # In the middle of an exec a process has no words.
    *) is_ours "$1" || { sleep 0.1 && is_ours "$1"; } ;;
    esac
}

# Where root runs this, the stream is somebody else. systemd's unit says so itself.
user_is_known() {
    if [ "$SUPERVISOR" = systemd ] || [ "$(id -u)" != 0 ]; then return; fi
    uid=$(id -u "$RUN_AS" 2>/dev/null) || mend "RUN_AS=$RUN_AS: there is no such user; make one, or name another"
    [ "$uid" != 0 ] || mend "RUN_AS=$RUN_AS: a stream does not run as root"
}
# as COMMAND...: becomes it, as RUN_AS where this is root.
as() {
    [ "$(id -u)" = 0 ] || exec "$@"
    HOME=$(getent passwd "$RUN_AS" | cut -d: -f6)
    exec setpriv --reuid="$(id -u "$RUN_AS")" --regid="$(id -g "$RUN_AS")" --init-groups "$@"
}

# start COLOUR [NAME=VALUE...]: an empty value takes a variable of STREAM_ENV away. It is called where `set -e` is off too.
start() {
    colour=$1
    shift
    if [ -f "$STREAM_ENV" ] && [ ! -r "$STREAM_ENV" ]; then say "$STREAM_ENV cannot be read"; return 1; fi
    {
        [ ! -f "$STREAM_ENV" ] || cat "$STREAM_ENV"
        printf '%s\n' "$@"
        echo "MONKEYTOWN_LISTEN=127.0.0.1:$(port "$colour")"
    } | awk -F= '/^[A-Z_]+=/ { name = $1; line[name] = $0; if (length($0) == length(name) + 1) delete line[name] }
                 END { for (name in line) print line[name] }' >"$STATE/$colour.env.new" ||
        { say "$STATE/$colour.env.new cannot be written: $colour is not started"; return 1; }
    chmod 600 "$STATE/$colour.env.new" && mv "$STATE/$colour.env.new" "$STATE/$colour.env" || return 1
    if [ "$SUPERVISOR" = systemd ]; then
        systemctl start "monkeytown-stream@$colour.service"
        return
    fi
    # What is said of a start is read from a log of its own.
    [ ! -f "$STATE/$colour.log" ] || mv "$STATE/$colour.log" "$STATE/$colour.log.before"
    (
        # Whoever starts this may have variables of its own for a stream.
        for name in $(env | sed -n 's/^\(MONKEYTOWN_[A-Z_]*\)=.*/\1/p'); do unset "$name"; done
        while IFS= read -r line; do export "${line?}"; done <"$STATE/$colour.env"
        as setsid sh "$here/keep.sh" "$STATE/$colour/monkeytown-stream" >>"$STATE/$colour.log" 2>&1 9>&- </dev/null
    ) &
    echo $! >"$STATE/$colour.pid"
}

# SIGTERM drains; what is still there after STOP_SECONDS is killed, and that is said.
stop() {
    if [ "$SUPERVISOR" = systemd ]; then
        systemctl stop "monkeytown-stream@$1.service"
        return
    fi
    if ! running "$1"; then return 0; fi
    pid=$(cat "$STATE/$1.pid")
    kill -TERM "$pid" 2>/dev/null || true
    tries=$((STOP_SECONDS * 10))
    while running "$1" && [ $tries -gt 0 ]; do
        sleep 0.1
        tries=$((tries - 1))
    done
    if running "$1"; then
        say "$1 is still there after $STOP_SECONDS s: it is killed"
        kill -s KILL -- "-$pid" 2>/dev/null || true
    fi
    rm -f "$STATE/$1.pid"
}

# ---- checks --------------------------------------------------------------------------------------------------------------

answers() { curl -fsS -o /dev/null --max-time 5 "$1" 2>/dev/null; }
# Ready, or so full that nobody more is let in: either way it serves.
serves() {
    answer=$(curl -s --max-time 5 -w ' %{http_code}' "$1/ready" 2>/dev/null || true)
    case $answer in
    *' 200') ;;
    *'"status":"full"'*' 503' | *'"status":"full_for_your_address"'*' 503') return 2 ;;
    *) return 1 ;;
    esac
}
is_alive() { if serves "$1"; then return 0; else [ $? = 2 ]; fi; }
# hears URL WHAT: a subscriber does, or the house is full; says which.
hears() {
    if subscription "$1" "$2"; then return 0; fi
    if serves "$1" || [ $? != 2 ]; then return 1; fi
    echo 'that the house is full'
}

# subscription URL WHAT: it brings one of WHAT.
subscription() {
    rm -f "$STATE/heard"
    mkfifo "$STATE/heard"
    curl -sN --max-time "$SUBSCRIPTION_SECONDS" -H 'Accept: text/event-stream' "$1/api/v1/events?after=earliest" \
        >"$STATE/heard" 2>/dev/null &
    subscriber=$!
    # Not awk, of which some wait for a whole block before they look.
    grep -aom 1 -E "^event: ($2)" "$STATE/heard" | sed 's/^event: //' >"$STATE/heard.first"
    # It would go on listening until something came again.
    kill "$subscriber" 2>/dev/null || true
    wait "$subscriber" 2>/dev/null || true
    cat "$STATE/heard.first"
    [ -s "$STATE/heard.first" ]
}

# check COLOUR: it answers on its own port, is ready, and a subscriber hears something.
check() {
    url=http://127.0.0.1:$(port "$1")
    tries=$((START_SECONDS * 5))
    until answers "$url/health"; do
        tries=$((tries - 1))
        running "$1" || break
        if [ $tries -le 0 ]; then say "$1 does not answer /health within $START_SECONDS s"; return 1; fi
        sleep 0.2
    done
    if ! running "$1"; then say "$1 has ended: $(tail -n 1 "$STATE/$1.log" 2>/dev/null)"; return 1; fi
    if ! is_alive "$url"; then say "$1 is healthy and not ready: $answer"; return 1; fi
    # An event, or in an empty log the heartbeat.
    if ! heard=$(hears "$url" 'events|heartbeat'); then say "a subscriber of $1 hears nothing within $SUBSCRIPTION_SECONDS s"; return 1; fi
    # Somebody else may have answered on its port.
    if ! running "$1"; then say "$1 has ended: $(tail -n 1 "$STATE/$1.log" 2>/dev/null)"; return 1; fi
    say "$1 is healthy and ready, and a subscriber hears $heard"
}

# watch COLOUR: the same by way of nginx, and for as long as it is watched it stays.
watch() {
    if ! answers "$PUBLIC/" || ! is_alive "$PUBLIC"; then say "nginx does not reach $1"; return 1; fi
    if ! heard=$(hears "$PUBLIC" 'events|heartbeat|caught_up'); then say "by way of nginx a subscriber of $1 hears nothing"; return 1; fi
    seconds=$WATCH_SECONDS
    while [ "$seconds" -gt 0 ]; do
        sleep 1
        seconds=$((seconds - 1))
        if ! is_alive "http://127.0.0.1:$(port "$1")" || ! is_alive "$PUBLIC"; then
            say "$1 had the traffic and did not stay ready"
            return 1
        fi
    done
    say "$1 has the traffic; by way of nginx a subscriber hears $heard"
}

# ---- traffic -------------------------------------------------------------------------------------------------------------

# write_traffic ACTIVE BEFORE [PERCENT]: ACTIVE gets everybody; with PERCENT, BEFORE stays active and ACTIVE is its canary.
write_traffic() {
    stamp=$1-$(millis)
    one=127.0.0.1:$(port "$1") site=$(release "$1")/site before=$(release "$2")/site
    [ -n "$(release "$2")" ] || before=$site
    if [ "$1" = none ]; then one='' site=/nonexistent before=/nonexistent; fi
    # The names of nginx' variables are its own.
    # shellcheck disable=SC2016
    {
        if [ $# -lt 3 ]; then
            echo "# active: $1"
            printf 'map - $monkeytown_%s { default "%s"; }\n' stream "$one" site "$site" site_before "$before"
        else
            printf '# active: %s\n# canary: %s\n# percent: %s\n' "$2" "$1" "$3"
            split='split_clients "$remote_addr $http_user_agent" $monkeytown_'
            echo "${split}stream { $3% $one; * 127.0.0.1:$(port "$2"); }"
            # The same witness falls on the same side each time: the page is that of its stream.
            echo "${split}site { $3% $site; * $before; }"
            echo "${split}site_before { $3% $before; * $site; }"
        fi
        printf 'map - $monkeytown_page { default "%s"; }\n' "$PAGE"
    } >"$traffic.new"
    # `return` answers before `deny` is asked: it stands where only `try_files` leads, which is asked after.
    {
        echo 'location = /traffic { access_log off; allow 127.0.0.1; allow ::1; deny all; try_files /.none @traffic; }'
        echo "location @traffic { access_log off; default_type text/plain; return 200 '$stamp'; }"
    } >"$mark.new"
    for file in "$traffic" "$mark"; do [ ! -f "$file" ] || cp -p "$file" "$file.before"; done
    for file in "$traffic" "$mark"; do mv "$file.new" "$file"; done
}

# Old workers take requests for a moment after new ones do.
reloaded() {
    stamp=$(stamp)
    $NGINX_TEST || return 1
    $NGINX_RELOAD || return 1
    tries=100 seen=0
    while [ $seen -lt 3 ]; do
        if [ "$(served)" = "$stamp" ]; then seen=$((seen + 1)); else seen=0; fi
        tries=$((tries - 1))
        if [ $tries -le 0 ]; then say "nginx does not answer by its new configuration"; return 1; fi
        sleep 0.05
    done
}

traffic_back() {
    for file in "$traffic" "$mark"; do [ ! -f "$file.before" ] || mv "$file.before" "$file" || return 1; done
    reloaded
}
# Back to OLD, and NEW is stopped, whether nginx takes that or not; unless NEW is what nginx still asks.
beside_back() {
    if traffic_back; then stop "$1"; return; fi
    case $(served) in
    "$1"-*) say "nginx still gives $1 the traffic: it is left running" ;;
    *) stop "$1" ;;
    esac
    return 1
}
in_turn_back() {
    back=0
    traffic_back || back=1
    stop "$1"
    again "$2" && return $back
}

# reachable: nginx answers by the files that are there, before anything is started or changed.
reachable() {
    [ -f "$mark" ] || mend "$mark: not there; switch.sh prepare writes it"
    tries=10
    while [ "$(served)" != "$(stamp)" ]; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || mend "PUBLIC=$PUBLIC: no nginx answers /traffic there as $mark has it; start or reload it, or set PUBLIC"
        sleep 0.1
    done
    # Of a switch that is over.
    rm -f "$traffic.before" "$mark.before"
}

# ---- what is asked for ---------------------------------------------------------------------------------------------------

is_release() {
    [ -x "$1/monkeytown-stream" ] || mend "$1/monkeytown-stream: no program; give the folder of a release"
    [ -f "$1/site/index.html" ] || mend "$1/site/index.html: no page; give the folder of a release"
}

# Where streams may stand side by side: Redis holds the log for both, or each has one of its own in memory.
beside() {
    new=$1 old=$2
    undo="stop $new"
    start "$new"
    check "$new" || take_back "the checks of $new failed"
    undo="beside_back $new"
    write_traffic "$new" "$old"
    reloaded || take_back "nginx does not take the new traffic"
    watch "$new" || take_back "$new failed with the traffic"
    settled
    [ "$old" = none ] || stop "$old"
}

# A journal has one owner. The new program is tried on invented events first; then the old one gives the folder up, and
# nobody is served until the new one has read it.
in_turn() {
    new=$1 old=$2 folder=$(variable MONKEYTOWN_JOURNAL | sed 's,/*$,,')
    # It is moved and removed by this name.
    case $folder in /*) ;; *) mend "MONKEYTOWN_JOURNAL=$folder: give the whole path of the folder" ;; esac
    has_room
    undo="stop $new"
    start "$new" MONKEYTOWN_JOURNAL= MONKEYTOWN_GIT= MONKEYTOWN_FLEET= MONKEYTOWN_DOMAINS= MONKEYTOWN_SIMULATE=5
    check "$new" || take_back "the trial of $new on invented events failed"
    stop "$new"
    say "that was a trial on invented events; now $new takes the journal over"
    begun=$(millis)
    undo="uncopied; again $old"
    [ "$old" = none ] || stop "$old"
    rm -rf "$folder.before"
    if [ -d "$folder" ]; then
        cp -a --reflink=auto "$folder" "$folder.before" || take_back "the journal cannot be copied"
    fi
    undo="stop $new; restore $old"
    start "$new"
    check "$new" || take_back "the checks of $new failed"
    undo="in_turn_back $new $old"
    write_traffic "$new" "$old"
    reloaded || take_back "nginx does not take the new traffic"
    say "nobody was served for $(($(millis) - begun)) ms"
    watch "$new" || take_back "$new failed with the traffic"
    settled
    rm -rf "$folder.before"
}

# The journal is copied while nobody is served: a disk that is too small is found before, with what is written meanwhile.
has_room() {
    [ -d "$folder" ] || return 0
    used=$(du -sk "$folder" | cut -f1) free=$(df -Pk "$(dirname "$folder")" | awk 'NR == 2 { print $4 }')
    needed=$((used + used / 10 + 16384))
    [ "$free" -ge "$needed" ] || mend "$folder: a copy takes $needed KiB beside it, and $free are free: make room"
}
uncopied() { rm -rf "${folder:?}.before"; }
again() { [ "$1" = none ] || { start "$1" && check "$1"; }; }

# Nothing but the new program's own sources was written since the copy was made: nobody could publish.
restore() {
    if again "$1"; then return 0; fi
    stop "$1"
    say "$1 cannot go on with the journal as it is: what it was before is put back"
    rm -rf "$folder.failed"
    mv "$folder" "$folder.failed" && mv "$folder.before" "$folder" && again "$1"
}

undo=
# From here on there is nothing to take back, and what is left to do is done whoever interrupts.
settled() {
    undo='' laid=''
    trap '' INT TERM HUP
}
# What nobody foresaw ends the script too, by `set -e`.
ended() {
    code=$?
    [ -z "$undo" ] || take_back "a command failed with $code"
    [ -z "$laid" ] || relay "$laid"
}
take_back() {
    trap - INT TERM HUP EXIT
    say "$1: it is taken back"
    failed=''
    if [ -n "$undo" ] && ! eval "$undo"; then failed=yes; fi
    undo=''
    if [ -n "$laid" ] && ! running "$laid"; then relay "$laid"; fi
    if [ -n "$failed" ]; then
        say "it could not be taken back. the traffic file is $traffic, logs are in $STATE, a journal's copy lies beside it"
        exit 3
    fi
    say "taken back: $(field active) has the traffic"
    exit 1
}

# vacant COLOUR: what an interrupted switch has left of it is stopped, and nobody else has its port.
vacant() {
    stop "$1"
    if curl -s -o /dev/null --max-time 5 "http://127.0.0.1:$(port "$1")/"; then
        mend "somebody else listens on port $(port "$1"): end it, or give $1 another"
    fi
}

deploy() {
    is_release "$1"
    user_is_known
    if [ ! -f "$traffic" ]; then mend "$traffic: not there; switch.sh prepare writes it"; fi
    [ -z "$(field canary)" ] || mend "a canary is out: promote or withdraw it first"
    reachable
    old=$(field active) new=$(other "$(field active)")
    vacant "$new"
    [ "$old" = none ] || running "$old" || say "$old has the traffic and does not run"
    lay "$new" "$1"
    begun_all=$(millis)
    say "$(release "$new") becomes $new; $old has the traffic; events are kept in $(store)"
    if [ "$(store)" = journal ]; then in_turn "$new" "$old"; else beside "$new" "$old"; fi
    say "done in $(($(millis) - begun_all)) ms"
}

canary() {
    is_release "$1"
    case $2 in [1-9] | [1-4][0-9] | 50) ;; *) mend "$2: a canary gets 1 to 50 of a hundred witnesses" ;; esac
    [ "$(store)" = redis ] || mend "a canary shares the log with what it is held against: that takes --redis"
    [ -z "$(field canary)" ] || mend "a canary is out already"
    old=$(field active) new=$(other "$(field active)")
    running "$old" || mend "there is nothing for it to be held against: deploy first"
    user_is_known
    reachable
    vacant "$new"
    lay "$new" "$1"
    undo="stop $new"
    start "$new"
    check "$new" || take_back "the checks of $new failed"
    undo="beside_back $new"
    write_traffic "$new" "$old" "$2"
    reloaded || take_back "nginx does not take the new traffic"
    undo='' laid=''
    say "$new has $2 of a hundred witnesses; promote or withdraw it by the thresholds of README.md"
}

# ends_canary promote|withdraw
ends_canary() {
    new=$(field canary) old=$(field active)
    [ -n "$new" ] || mend "no canary is out"
    reachable
    [ "$1" = promote ] || { kept=$new new=$old old=$kept; }
    undo=traffic_back
    write_traffic "$new" "$old"
    reloaded || take_back "nginx does not take the new traffic"
    watch "$new" || take_back "$new failed with the traffic"
    settled
    stop "$old"
    [ "$1" = promote ] || relay "$old"
    say "$new has all the traffic"
}

case ${1:-} in prepare | deploy | back | canary | promote | withdraw | up | status) ;; *) sed -n '2,15s/^# \{0,1\}//p' "$0"; exit 2 ;; esac
mkdir -p "$STATE" "$NGINX_LOCAL" || mend "$STATE and $NGINX_LOCAL: they cannot be made"
exec 9>"$STATE/lock"
flock -n 9 || mend "another switch is under way"
trap 'take_back "interrupted"' INT TERM HUP
trap ended EXIT
case $1 in
prepare)
    [ ! -f "$traffic" ] || mend "$traffic is there already"
    write_traffic none none
    say "start nginx, or reload it: then it answers $PUBLIC/traffic, which deploy asks first"
    ;;
deploy) deploy "${2:?a release}" ;;
back)
    before=$(release "$(other "$(field active)")")
    [ -n "$before" ] || mend "nothing was deployed before"
    deploy "$before"
    ;;
canary) canary "${2:?a release}" "${3:?of a hundred}" ;;
promote | withdraw) ends_canary "$1" ;;
up)
    new=$(field active)
    [ "$new" != none ] || mend "nothing was deployed"
    user_is_known
    running "$new" || start "$new"
    check "$new" || exit 1
    out=$(field canary)
    if [ -n "$out" ] && ! { { running "$out" || start "$out"; } && check "$out"; }; then
        say "the canary does not come: it is withdrawn"
        ends_canary withdraw
    fi
    ;;
status)
    for colour in blue green; do
        if running "$colour"; then does=runs; else does='does not run'; fi
        echo "$colour: $does, $(release "$colour")"
    done
    sed -n 's/^# //p' "$traffic"
    ;;
esac
