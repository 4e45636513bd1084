#!/bin/sh
# Two nodes share two layers through a lock server; the one that waits listens instead of polling (server-sent
# events). Both are played here, with nothing but curl.
#
#   layerpull serve --addr 127.0.0.1:8080
#   examples/lock-by-sse.sh [URL]
#
# Ends with 0 when every step went as it should, otherwise with 1 and a line that says which did not.

server=${1:-http://127.0.0.1:8080}
folder=$(mktemp -d) || exit 1
listener=

finish() {
  [ -z "$listener" ] || kill "$listener" 2>/dev/null
  rm -rf "$folder"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

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

# next_event: sets `event` to the data of the next event of the stream
next_event() {
  while IFS= read -r line <&3; do
    case $line in 'data: '*) event=${line#data: } && return ;; esac
  done
  fail 'the stream of layer 1 ended'
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

# The stream goes through a named pipe, so that the script reads it line by line while curl runs.
mkfifo "$folder/events" || exit 1
curl --silent --show-error --no-buffer --max-time 60 --get "$server/lock/subscribe" --data type=pull \
  --data-urlencode "resource_id=$layer1" >"$folder/events" &
listener=$!
exec 3<"$folder/events"
next_event
expect "$event" '"success":false' 'node-b listens to layer 1'

reply=$(post /lock node-b "$layer2") || exit 1
expect "$reply" '"acquired":true' 'node-b takes layer 2'
step 3 'node-b takes layer 2 at once: a wait for one layer blocks no other'

reply=$(post /unlock node-b "$layer2" '"success":true,"error":""') || exit 1
expect "$reply" '"released":true' 'node-b finishes layer 2'
step 4 'node-b finishes layer 2'

step 5 'node-b listens to layer 1: not done yet'

reply=$(post /unlock node-a "$layer1" '"success":true,"error":""') || exit 1
expect "$reply" '"released":true' 'node-a finishes layer 1'
step 6 'node-a finishes layer 1'

next_event
expect "$event" '"success":true' 'node-b hears that layer 1 is done'
expect "$event" '"node_id":"node-a"' 'node-b hears that layer 1 is done'
reply=$(post /lock node-b "$layer1") || exit 1
expect "$reply" '"skip":true' 'node-b asks for layer 1 again'
step 7 "node-b hears it and skips layer 1: $(message "$reply")"
