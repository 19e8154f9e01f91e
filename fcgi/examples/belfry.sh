#!/bin/sh
# Belfry from a shell, with curl and openssl. Where Belfry's own command line is installed, `belfry token`
# and `belfry pub` do the same.
#
#     belfry.sh token alice 'room:*'        a token with which alice may read and write this, for an hour
#     belfry.sh publish room:1 'hello'      prints the event's id when it is on the hub's disk
set -eu
url=${BELFRY_URL:-http://127.0.0.1:8080/events}
secret=${BELFRY_SECRET:-/etc/belfry/secret} # the file that token_keys names

part() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

# token USER SECONDS RIGHTS: a JSON Web Token; RIGHTS are JSON.
token() {
    now=$(date +%s)
    signed=$(printf '{"alg":"HS256"}' | part).$(
        printf '{"sub":"%s","iat":%d,"exp":%d,"belfry":%s}' "$1" "$now" $((now + $2)) "$3" | part)
    # The secret's own bytes, in hexadecimal: so it may hold any.
    key=$(tr -d '\n' <"$secret" | od -An -v -tx1 | tr -d ' \n')
    printf '%s.' "$signed"
    printf %s "$signed" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | part
}

# publish CHANNEL TEXT: curl tries again under one key, so that it is published once, whatever happens.
publish() {
    said=$(printf 'Authorization: Bearer %s\n' "$(token application 60 "{\"publish\":[\"$1\"]}")" |
        curl -sS --fail-with-body --retry 4 --retry-connrefused --max-time 15 -H @- \
            -H "Idempotency-Key: $(openssl rand -hex 16)" --data-urlencode "channel=$1" \
            --data-urlencode "data=$2" "$url/send") || { echo "$said" >&2 && exit 1; }
    # What came before a repetition stands before it.
    echo "$said" | sed 's/.*{"id":"\([^"]*\)".*/\1/'
}

case ${1-} in
token) token "$2" 3600 "{\"subscribe\":[\"$3\"],\"publish\":[\"$3\"]}" && echo ;;
publish) publish "$2" "$3" ;;
*) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
esac
