#!/bin/sh
# Writes nats.conf for another number of partitions, or of shards, than it is made for (16 and 1):
#
#   deploy/nats/size.sh PARTITIONS SHARDS < nats.conf > /etc/nats/nats.conf
#
# They are nats.partitions and nats.shards of Tutti's settings, and both are fixed for a deployment.
# Put deploy/nats beside the new file as it is beside this one. A line that speaks of a
# partition's queue is written once for each partition, one that speaks of a stream of events
# once for each shard.
set -eu
partitions=${1:?how many partitions?}
shards=${2:?how many shards?}
case $partitions$shards in *[!0-9]*) echo "size.sh: partitions and shards are numbers" >&2; exit 2 ;; esac
if [ "$partitions" -lt 1 ] || [ "$partitions" -gt 4096 ] || [ "$shards" -lt 1 ] || [ "$shards" -gt 64 ]; then
  echo "size.sh: 1 to 4096 partitions, 1 to 64 shards" >&2
  exit 2
fi
exec awk -v partitions="$partitions" -v shards="$shards" '
  { gsub(/partition\(16,2\)/, "partition(" partitions ",2)") }
  match($0, /COMMANDS\.[a-z]+-[0-9]+/) {
    split(substr($0, RSTART, RLENGTH), name, /[.-]/)
    if (name[3] != 0) next
    for (p = 0; p < partitions; p++) {
      line = $0
      gsub("\\." name[2] "-0", "." name[2] "-" p, line)
      gsub("cmdq\\." name[2] "\\.0\\.", "cmdq." name[2] "." p ".", line)
      print line
    }
    next
  }
  shards > 1 && match($0, /EVENTS_[A-Z]+/) {
    name_ = substr($0, RSTART, RLENGTH)
    for (s = 0; s < shards; s++) {
      line = $0
      gsub(name_, name_ "_" s, line)
      print line
    }
    next
  }
  { print }
'
