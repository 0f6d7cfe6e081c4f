#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Records the memory of a process and of its machine as CSV, for `asrtrace analyze`: a row every SECONDS
# (default 5) until the process has ended. Needs the rights to read /proc/PID/smaps_rollup: root, or the
# process's user. A row that cannot be read whole is not written.
#   tools/collect-memory.sh PID [SECONDS] > worker.csv
#   timeout 4800 tools/collect-memory.sh $(pidof asr-worker) > worker.csv
set -euo pipefail

if [[ ! ${1:-} =~ ^[0-9]+$ || ! ${2:-5} =~ ^[1-9][0-9]*$ || $# -gt 2 ]]; then
    sed -n '3,7s/^# //p' "$0" >&2
    exit 2
fi
readonly pid=$1 seconds=${2:-5}

# The row's fields but for the time, in the order of the header; fails if one was not there.
row() {
    awk '
        BEGIN { wanted = split("VmRSS RssAnon RssFile RssShmem VmSwap Pss MemAvailable MemTotal", names) }
        { value[substr($1, 1, length($1) - 1)] = $2 }
        END {
            for (i = 1; i <= wanted; i++) {
                if (!(names[i] in value)) exit 1
                line = line "," value[names[i]]
            }
            print line
        }' "/proc/$pid/status" "/proc/$pid/smaps_rollup" /proc/meminfo 2> /dev/null
}

if ! fields=$(row); then
    echo "collect-memory.sh: process $pid: cannot read its status and smaps_rollup (gone? another user's?)" >&2
    exit 1
fi
echo ts,VmRSS_kB,RssAnon_kB,RssFile_kB,RssShmem_kB,VmSwap_kB,Pss_kB,MemAvailable_kB,MemTotal_kB
due=$EPOCHSECONDS
while
    echo "$EPOCHSECONDS$fields"
    due=$((due + seconds)) # on schedule, however long a reading takes
    [[ $due -le $EPOCHSECONDS ]] || sleep $((due - EPOCHSECONDS))
    fields=$(row)
do :; done
