#!/bin/sh
# Keeps a folder, and a daemon in it, for as long as its owner lives; then everything goes.
#
#     keep.sh FOLDER OWNER [DAEMON…]
#
# OWNER is the id of a process, or `-` for whoever holds the other end of our standard input. However the owner
# ends, we see it. FOLDER/end is run first then, if it is there. The daemon gets a signal, too, when we ourselves are killed.
set -u
folder=$1
owner=$2
shift 2
exec 3<&0 </dev/null

daemon=
if [ $# -gt 0 ]; then
    setpriv --pdeathsig TERM -- "$@" >"$folder/log" 2>&1 3<&- &
    daemon=$!
fi

# Whoever ends us wants an end, and no leavings.
trap : TERM INT HUP
if [ "$owner" = - ]; then
    cat <&3 >/dev/null &
else
    # It looks twice a second: the owner is no child of ours.
    tail --pid="$owner" --sleep-interval=0.5 -f /dev/null &
fi
wait $!
kill $! 2>/dev/null

[ ! -f "$folder/end" ] || sh "$folder/end" >>"$folder/log" 2>&1
if [ -n "$daemon" ]; then
    kill "$daemon" 2>/dev/null
    wait "$daemon"
fi

# Engines mount below their storage, and leave it so. The kernel writes a blank as \040; there is none in our names.
while read -r _ target _; do
    case $target in "$folder"/*) printf '%s\n' "$target" ;; esac
done </proc/mounts | sort -r | while read -r target; do
    umount --lazy "$target"
done
rm -rf -- "$folder"
# Others may wait for the lock of what could not be started, as long as the run goes on.
if [ "$owner" != - ] && ! kill -0 "$owner" 2>/dev/null; then
    rm -f -- "$folder.lock"
    rmdir -- "$(dirname -- "$folder")" 2>/dev/null
fi
exit 0
