#!/usr/bin/env bash
# What plugins that are reloaded, slow or stuck cost clients that have nothing to do with them.
#
#   cargo build --release -p pintle-server
#   benches/plugins-live.sh target/release/pintle [SECONDS] [PART…]
#
# Parts: reload-lua reload-wasm spin spin-10ms stuck. Each is run beside the same load without the disturbance,
# on one broker with two workers. The load is `pintle bench latency --sleep`, which checks every message for
# loss, repetition and order, and ends with an error if a connection ends.
set -euo pipefail

pintle=$(realpath "${1:?the program}")
seconds=${2:-20}
shift $(($# < 2 ? $# : 2))
parts=${*:-reload-lua reload-wasm spin spin-10ms stuck}
root=$(realpath "$(dirname "$0")/..")
folder=$(mktemp -d)
broker=
trap '[ -z "$broker" ] || kill "$broker"; rm -rf "$folder"' EXIT

# Begins a broker with what standard input has for its configuration.
begin() {
  (printf 'workers = 2\n[log]\nlevel = "error"\n' && cat) >"$folder/pintle.toml"
  (cd "$folder" && exec "$pintle" run -c pintle.toml --bind 127.0.0.1:18830 2>"$folder/log") &
  broker=$!
  until (: >/dev/tcp/127.0.0.1/18830) 2>/dev/null; do sleep 0.05; done
}

finish() {
  kill "$broker"
  wait "$broker" || true
  broker=
  rm -rf "$folder/pintle-data"
}

admin() { (cd "$folder" && "$pintle" plugin "$@" -c pintle.toml); }

# The load, and what it tells: p50, p99, the slowest, and whether every message came once.
load() {
  "$pintle" bench latency --sleep -h 127.0.0.1 -p 18830 --pid "$broker" --duration "$seconds" --json "$@" |
    python3 -c '
import json, sys
it = json.load(sys.stdin)
at, late = it["latency_us"], it["late_us"]
print("p50 %.1f, p99 %.1f, max %.0f us; checked %d, %s; generator p99 late by %.0f us" % (
    at["p50"], at["p99"], at["max"], it["checked"],
    "all came once" if it["verified"] else it["faults"], late["p99"]))'
}

# A client that publishes to `slow/x` so many times a second, at QoS 0.
publish_at() {
  python3 -c '
import socket, sys, time
rate = float(sys.argv[1])
s = socket.create_connection(("127.0.0.1", 18830))
s.sendall(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x00\x00\x04slow")
s.recv(4)
due = time.monotonic()
while True:
    s.sendall(b"\x30\x09\x00\x06slow/xx")
    due += 1 / rate
    time.sleep(max(0, due - time.monotonic()))
' "$1" &
}

reload() {
  local plugin=$1 thousand=(--pairs 1000 --rate 5000 -q 1)
  begin <<<"[[plugin]]
name = \"each\"
use = \"$plugin\"
topics = [\"bench/#\"]
on_error = { publish = \"reject\" }"
  echo "$plugin, undisturbed:           $(load "${thousand[@]}")"
  (while sleep 1; do admin reload each || exit; done) >"$folder/reloads" 2>&1 &
  local reloads=$!
  echo "$plugin, reloaded each second:  $(load "${thousand[@]}")"
  kill "$reloads"
  wait "$reloads" || true
  echo "  reloads: $(grep -c reloaded "$folder/reloads"); $(admin stats each | grep on_publish)"
  finish
}

# A plugin that is not asked about the load, and that a client calls so many times a second.
disturbed() {
  local what=$1 rate=$2 script=$3 few=(--pairs 10 --rate 5000)
  echo "$script" >"$folder/slow.lua"
  begin <<<"[[plugin]]
name = \"slow\"
use = \"slow.lua\"
topics = [\"slow/#\"]
on_error = { publish = \"reject\" }
${4:-}"
  echo "$what, undisturbed:  $(load "${few[@]}")"
  publish_at "$rate"
  local publisher=$!
  echo "$what, disturbed:    $(load "${few[@]}")"
  echo "  $(admin stats slow | grep on_publish)"
  kill "$publisher"
  wait "$publisher" || true
  finish
}

# Calls of 1.5 ms, of the 2 ms that there are.
spin='return { on_publish = function(client, topic)
  local done = os.clock() + 0.0015
  while os.clock() < done do end
end }'
stuck='return { on_publish = function(client, topic) while true do end end }'

for part in $parts; do
  case $part in
    reload-lua)
      echo 'return { on_publish = function(client, topic, payload) end }' >"$folder/each.lua"
      reload each.lua
      ;;
    reload-wasm)
      cp "$root"/examples/wasm/celsius-rust/*.wasm "$folder/each.wasm"
      reload each.wasm
      ;;
    spin) disturbed "500 calls a second of 1.5 ms" 500 "$spin" ;;
    spin-10ms) disturbed "the same, worker_share 10ms" 500 "$spin" 'limits = { worker_share = "10ms" }' ;;
    stuck) disturbed "10 calls a second that do not end" 10 "$stuck" ;;
    *) echo "no such part: $part" >&2 && exit 2 ;;
  esac
done
