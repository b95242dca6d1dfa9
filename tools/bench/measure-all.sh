#!/usr/bin/env bash
# All measurements of docs/performance.md: `tools/bench/measure-all.sh DIR` writes the tables and JSON files to DIR and
# draws the plots. Takes about half an hour; nothing else should run on the machine meanwhile. The other servers have to be installed: see the
# descriptions in tools/bench/targets.
set -euo pipefail
out=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")/../.."
cargo build --release --quiet --package bench --package ws-echo --package longpoll-server --package sse-server
targets=$PWD/tools/bench/targets
push="--target push" limit="--target limit"
nchan="--target $targets/nchan/nchan.toml" uws="--target $targets/uwebsockets/uwebsockets.toml"
node="--target $targets/node/node.toml" durable=$targets/durable-streams/durable-streams.toml

measure() { # name, command and options
    local name=$1 command=$2
    shift 2
    printf '\n## %s: bench %s %s\n\n' "$name" "$command" "$*" | tee "$out/$name.txt"
    target/release/bench "$command" --json "$out/$name.json" "$@" | tee -a "$out/$name.txt"
}

measure compare compare --subscribers 1000 --rate 20 --messages 100 $push

measure sse-1000 fanout --method sse --subscribers 1000 --in-flight 1 --messages 200 $push $limit $nchan $node
measure sse-10000 fanout --method sse --subscribers 10000 --in-flight 1 --messages 25 $push $limit $nchan $node
measure ws-1000 fanout --method ws --subscribers 1000 --in-flight 1 --messages 200 $push $limit $uws $nchan $node
measure ws-10000 fanout --method ws --subscribers 10000 --in-flight 1 --messages 25 $push $limit $uws $nchan $node
measure poll-1000 fanout --method poll --subscribers 1000 --in-flight 1 --messages 100 $push $limit $nchan
measure poll-10000 fanout --method poll --subscribers 10000 --in-flight 1 --messages 10 $push $limit $nchan

measure ws-burst fanout --method ws --subscribers 1000 --in-flight 32 --seconds 3 $push $uws
measure sse-burst fanout --method sse --subscribers 1000 --in-flight 32 --seconds 3 $push $nchan
measure sse-slow fanout --method sse --subscribers 10000 --rate 1 --messages 8 $push $nchan

measure echo echo --connections 64 --bytes 64 $push $limit $uws $node

measure idle-ws idle --method ws --connections 10000 $push $uws $nchan
measure idle-sse idle --method sse --connections 10000 $push $nchan
measure idle-poll idle --method poll --connections 10000 $push $nchan

for method in ws sse; do
    measure "storm-$method" storm --method "$method" --connections 5000 $push $limit
done

measure replicas replicas --subscribers 300 --seconds 2 --stored 10000
measure replicas-file replicas --over file --subscribers 300 --seconds 2 --stored 10000

# What is stored has to lie on a disk: set TMPDIR if /tmp is in memory.
measure publish publish --target memory --target file --target "$durable" --target nats --target nats-always \
    --target jetstream --target jetstream-always
measure publish-limits publish --target memory --target file -- --history 1000

plot() { # name, title, then the plot's options and files
    local name=$1 title=$2
    shift 2
    (cd "$out" && "$OLDPWD/target/release/bench" plot --title "$title" --svg "$OLDPWD/docs/$name.svg" "$@")
}

plot cpu 'Server CPU per delivery, µs' --figure cpu_us_per_delivery \
    sse-1000.json sse-10000.json ws-1000.json ws-10000.json poll-1000.json poll-10000.json
plot memory 'Memory per waiting connection, KiB' --figure kib_per_connection idle-ws.json idle-sse.json idle-poll.json
