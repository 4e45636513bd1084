#!/bin/sh
# Two nodes share two layers through a lock server, by polling. Both are played here, with nothing but curl.
#
#   layerpull serve --addr 127.0.0.1:8080
#   examples/lock-by-polling.sh [URL]
#
# Ends with 0 when every step went as it should, otherwise with 1 and a line that says which did not.

server=${1:-http://127.0.0.1:8080}

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}

step() {
  printf '%s. %s\n' "$1" "$2"
}

# A digest that nobody used before, so that the script can run again and again against one server.
digest() {
  printf 'sha256:%s' "$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')"
}

# post PATH NODE LAYER [MORE FIELDS]: prints the JSON of the reply
post() {
  curl --silent --show-error --max-time 10 "$server$1" --header 'content-type: application/json' \
    --data "{\"type\":\"pull\",\"node_id\":\"$2\",\"resource_id\":\"$3\"${4:+,$4}}" ||
    fail "no answer from $server$1"
}

# status NODE LAYER: prints the JSON of the reply
status() {
  curl --silent --show-error --max-time 10 --get "$server/lock/status" --data type=pull \
    --data-urlencode "node_id=$1" --data-urlencode "resource_id=$2" || fail "no answer from $server/lock/status"
}

# expect REPLY FIELD:VALUE WHAT: ends the script unless the reply has the field
expect() {
  case $1 in
    *"$2"*) ;;
    *) fail "$3: expected $2 in $1" ;;
  esac
}

# message REPLY: prints the message of a reply
message() {
  printf '%s\n' "$1" | sed 's/.*"message":"\([^"]*\)".*/\1/'
}

pause() {
  sleep 0.5 2>/dev/null || sleep 1
}

layer1=$(digest)
layer2=$(digest)

reply=$(post /lock node-a "$layer1") || exit 1
expect "$reply" '"acquired":true' 'node-a takes layer 1'
step 1 'node-a takes layer 1 and downloads it'

reply=$(post /lock node-b "$layer1") || exit 1
expect "$reply" '"acquired":false' 'node-b asks for layer 1'
expect "$reply" '"skip":false' 'node-b asks for layer 1'
expect "$reply" 'queued at position 1 behind node-a' 'node-b asks for layer 1'
step 2 "node-b asks for layer 1: $(message "$reply")"

reply=$(post /lock node-b "$layer2") || exit 1
expect "$reply" '"acquired":true' 'node-b takes layer 2'
step 3 'node-b takes layer 2 at once: a wait for one layer blocks no other'

reply=$(post /unlock node-b "$layer2" '"success":true,"error":""') || exit 1
expect "$reply" '"released":true' 'node-b finishes layer 2'
step 4 'node-b finishes layer 2'

polls=0
while :; do
  reply=$(status node-b "$layer1") || exit 1
  polls=$((polls + 1))
  case $reply in *'"completed":true'*) break ;; esac
  expect "$reply" '"acquired":false' 'node-b polls layer 1'
  [ "$polls" -lt 20 ] || fail 'node-b polls layer 1: still not done'
  step 5 "node-b polls layer 1, time $polls: not done yet"
  if [ "$polls" -eq 3 ]; then
    reply=$(post /unlock node-a "$layer1" '"success":true,"error":""') || exit 1
    expect "$reply" '"released":true' 'node-a finishes layer 1'
    step 6 'node-a finishes layer 1'
  fi
  pause
done

expect "$reply" '"success":true' 'node-b sees that layer 1 is done'
reply=$(post /lock node-b "$layer1") || exit 1
expect "$reply" '"skip":true' 'node-b asks for layer 1 again'
step 7 "node-b sees it and skips layer 1: $(message "$reply")"
