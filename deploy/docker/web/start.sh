#!/bin/sh
# The web image's first program: writes what differs from place to place for nginx, by the environment, and becomes nginx.
#
#   MONKEYTOWN_UPSTREAM         HOST:PORT of the stream; empty: none, config.json names one elsewhere      stream:8080
#   MONKEYTOWN_CANARY_UPSTREAM  HOST:PORT of a stream that some of the witnesses have; it shares the log   none
#   MONKEYTOWN_CANARY_PERCENT   how many of a hundred, 1 to 50                                             10
#   MONKEYTOWN_REAL_IP_FROM     networks of proxies in front, with commas, whose X-Forwarded-For is true   nobody
#   MONKEYTOWN_FRAMED_BY        origins, with commas, that may show the terrarium in a frame                nobody else
#   MONKEYTOWN_LISTEN           port, or ADDRESS:PORT                                                      8080
# and where things are: MONKEYTOWN_SITE, MONKEYTOWN_PAGE, MONKEYTOWN_NGINX, MONKEYTOWN_RUN, MONKEYTOWN_MODULES, RESOLV_CONF.
# What is wrong is one line on stderr and exit code 2.
set -eu

listen=${MONKEYTOWN_LISTEN:-8080}
upstream=${MONKEYTOWN_UPSTREAM-stream:8080}
canary=${MONKEYTOWN_CANARY_UPSTREAM:-}
percent=${MONKEYTOWN_CANARY_PERCENT:-10}
trusted=${MONKEYTOWN_REAL_IP_FROM:-}
framed=${MONKEYTOWN_FRAMED_BY:-}
site=${MONKEYTOWN_SITE:-/srv/monkeytown/site}
page=${MONKEYTOWN_PAGE:-/etc/monkeytown/page}
nginx=${MONKEYTOWN_NGINX:-/etc/nginx}
# The image's /etc/nginx/local leads to /tmp/nginx/local: its root file system cannot be written.
run=${MONKEYTOWN_RUN:-/tmp/nginx}
modules=${MONKEYTOWN_MODULES:-/usr/lib/nginx/modules}
resolv=${RESOLV_CONF:-/etc/resolv.conf}
local=$run/local

refuse() {
    echo "monkeytown-web: $*" >&2
    exit 2
}

# What is written into nginx' configuration holds nothing that would end a word there.
host_and_port() {
    name=${2%:*} port=${2##*:}
    case $2 in *:*) ;; *) refuse "$1: '$2' is no HOST:PORT" ;; esac
    case $name in '' | *[!A-Za-z0-9._-]*) refuse "$1: '$2' is no HOST:PORT" ;; esac
    port_number "$1" "$port"
}
port_number() {
    case $2 in '' | *[!0-9]* | ??????*) refuse "$1: '$2' is no port" ;; esac
    if [ "$2" -lt 1 ] || [ "$2" -gt 65535 ]; then refuse "$1: '$2' is no port"; fi
}

case $listen in
*:*) host_and_port MONKEYTOWN_LISTEN "$listen" ;;
*) port_number MONKEYTOWN_LISTEN "$listen" ;;
esac
[ -z "$upstream" ] || host_and_port MONKEYTOWN_UPSTREAM "$upstream"
if [ -n "$canary" ]; then
    [ -n "$upstream" ] || refuse "MONKEYTOWN_CANARY_UPSTREAM: there is no MONKEYTOWN_UPSTREAM to be held against"
    host_and_port MONKEYTOWN_CANARY_UPSTREAM "$canary"
    case $percent in
    [1-9] | [1-4][0-9] | 50) ;;
    *) refuse "MONKEYTOWN_CANARY_PERCENT: '$percent' is none of 1 to 50" ;;
    esac
fi
case $trusted in *[!0-9A-Fa-f.:/,]*) refuse "MONKEYTOWN_REAL_IP_FROM: '$trusted' is no list of networks, with commas between" ;; esac

origin() {
    case $1 in https://* | http://*) ;; *) refuse "MONKEYTOWN_FRAMED_BY: '$1' is no http://HOST[:PORT] or https://HOST[:PORT]" ;; esac
    case ${1#*://} in
    '' | *[!A-Za-z0-9._:-]*) refuse "MONKEYTOWN_FRAMED_BY: '$1' is no http://HOST[:PORT] or https://HOST[:PORT]" ;;
    esac
}
framers="'self'"
rest=$framed,
while [ "$rest" != , ] && [ -n "$rest" ]; do
    origin "${rest%%,*}"
    framers="$framers ${rest%%,*}"
    rest=${rest#*,}
done

mkdir -p "$local"
rm -f "$local"/*.conf

# Names are asked for anew, so that this starts before the stream does and finds it where it has moved to. Addresses ask nobody.
resolvers=$(awk '$1 == "nameserver" { print ($2 ~ /:.*:/) ? "[" $2 "]" : $2 }' "$resolv" 2>/dev/null | tr '\n' ' ')
{
    [ -z "$resolvers" ] || echo "resolver ${resolvers}valid=10s; resolver_timeout 5s;"
    if [ -n "$canary" ]; then
        # The same witness has the same one, as long as its address and browser stay the same.
        # shellcheck disable=SC2016
        echo 'split_clients "$remote_addr $http_user_agent" $monkeytown_stream {' "$percent% $canary; * $upstream; }"
    else
        # shellcheck disable=SC2016
        echo 'map - $monkeytown_stream {' "default \"$upstream\"; }"
    fi
    # shellcheck disable=SC2016
    printf 'map - $monkeytown_%s { default "%s"; }\n' site "$site" site_before "$site" page "$page"
    # shellcheck disable=SC2016
    [ -z "$framed" ] || printf 'map - $monkeytown_framed_by { default "%s"; }\n' "$framers"
    if [ -n "$trusted" ]; then
        echo "$trusted" | tr ',' '\n' | sed 's/.*/set_real_ip_from &;/'
        echo 'real_ip_header X-Forwarded-For; real_ip_recursive on;'
    fi
} >"$local/http-traffic.conf"
{
    echo "listen $listen;"
    echo 'access_log /dev/stdout monkeytown;'
} >"$local/server-listen.conf"
if [ -e "$modules/ngx_http_brotli_static_module.so" ]; then
    echo "load_module $modules/ngx_http_brotli_static_module.so;" >"$local/main-modules.conf"
    echo 'brotli_static on;' >"$local/server-brotli.conf"
fi

exec nginx -e stderr -p "$run/" -c "$nginx/nginx.conf"
