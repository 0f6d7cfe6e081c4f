# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# For the scripts beside it: numbered stages with their time, quiet about what passes, loud about
# what fails; and what the kernel must have mounted.

stages_started=$SECONDS
stages_failed=()
stages_logs=build/logs

# The build's own tools may be in sbin only.
PATH=$PATH:/usr/sbin:/sbin
export PATH

stages_say() { printf '[%3d s] %s\n' "$((SECONDS - stages_started))" "$*"; }

# stage NAME COMMAND...: runs with its output in a log, shows the log's end if it fails.
stage() {
    local name=$1 begun=$SECONDS log
    shift
    mkdir -p "$stages_logs"
    log=$stages_logs/${name//[^a-zA-Z0-9]/-}.log
    printf '[%3d s] %s ... ' "$((SECONDS - stages_started))" "$name"
    if "$@" > "$log" 2>&1 < /dev/null; then
        printf 'ok (%d s)\n' "$((SECONDS - begun))"
        return 0
    fi
    printf 'FAILED (%d s); the end of %s:\n' "$((SECONDS - begun))" "$log"
    tail -n 60 "$log" | sed 's/^/    /'
    stages_failed+=("$name")
    return 1
}

need_root() {
    if [[ $EUID -ne 0 ]]; then
        echo "$(basename "$0"): needs root for BPF and for installing packages: sudo $0" >&2
        exit 2
    fi
}

# Mounts what tracing needs where it is missing, and says so.
mount_kernel_file_systems() {
    local type target
    while read -r type target; do
        if ! grep -qs " $target $type " /proc/mounts; then
            if mount -t "$type" "$type" "$target"; then
                stages_say "mounted $type on $target (it was missing)"
            else
                echo "cannot mount $type on $target: this kernel or container does not allow it" >&2
                return 1
            fi
        fi
    done <<'LIST'
tracefs /sys/kernel/tracing
bpf /sys/fs/bpf
LIST
}

# Fails where the bpf(2) system call does: without it most of this project shows nothing.
check_bpf() {
    if ! bpftool prog show > /dev/null; then
        echo "bpf(2) is refused: run on a kernel with BPF, outside of a restricted container" >&2
        return 1
    fi
}

build_preset() {
    local preset=$1
    shift
    cmake --preset "$preset" && cmake --build --preset "$preset" -- "$@"
}

# Ends what this script started, by its pid, and waits for it.
end_process() {
    [[ -n $1 ]] || return 0
    kill -"$2" "$1" 2> /dev/null || true
    wait "$1" 2> /dev/null || true
}

# wait_for_line FILE PATTERN PID SECONDS: fails if the process ends or the time is up before.
wait_for_line() {
    local tenths=$(($4 * 10))
    until grep -qsE "$2" "$1"; do
        tenths=$((tenths - 1))
        if [[ $tenths -le 0 ]] || ! kill -0 "$3" 2> /dev/null; then
            echo "no line '$2' came; $1 ends with:" >&2
            tail -n 20 "$1" >&2
            return 1
        fi
        sleep 0.1
    done
}
