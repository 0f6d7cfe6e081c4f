#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Installs what is missing to build, run and test, from stock Debian 12 (apt) and nothing else.
#   tools/install-deps.sh [--quiet] [--print]
#       [build|worker|tests|coverage|training|peers|package|kernels|arm64]...
# Without a group: build, worker and tests. A second run finds nothing to do. --print: names only.
set -euo pipefail

# What each package is for. One a line: package, then the reason.
build_packages() {
    sed 's/ *#.*//' <<'LIST'
g++                  # the C++20 compiler
cmake                # the build, 3.25
ninja-build          # the presets' generator
pkg-config           # finds libbpf, Capstone, elfutils
ccache               # rebuilds of the same sources are free
clang                # compiles the BPF programs; second opinion on warnings
bpftool              # links BPF objects, writes their skeletons; leak checks in tests
libbpf-dev           # loads the BPF programs
libcapstone-dev      # reads the instructions where probes are to stand
libelf-dev           # ELF files of the target
libdw-dev            # DWARF: functions, lines, inline frames
libiberty-dev        # demangles C++ and Rust names with bounded output
liblzma-dev          # .gnu_debugdata, the small symbol table of stripped files
robin-map-dev        # the table of live blocks
zlib1g-dev           # compressed debug sections and raw event blocks
libsqlite3-dev       # the trace file
libcurl4-openssl-dev # sends the load of soak and experiment
libfmt-dev           # text of reports
nlohmann-json3-dev   # JSON of reports
libcli11-dev         # the command line
libtoml11-dev        # policies of the gate
libprotozero-dev     # writes pprof's protocol buffers
libgtest-dev         # unit and replay tests
libgmock-dev         # their matchers
libbenchmark-dev     # benchmarks
python3              # live tests and the demo's checks
dpkg-dev             # tells what the Debian package depends on
LIST
}

worker_packages() {
    sed 's/ *#.*//' <<'LIST'
libdnnl-dev          # oneDNN: convolutions of the recogniser
libcpp-httplib-dev   # its HTTP server and load client
libsndfile1-dev      # WAV files
systemtap-sdt-dev    # sys/sdt.h: its USDT probes, and those of the corpus
espeak-ng            # speaks the requests of the demo and the tests
espeak-ng-data       # the voices
LIST
}

tests_packages() {
    sed 's/ *#.*//' <<'LIST'
clang-format         # lint
clang-tidy           # lint
shellcheck           # lint of the scripts
libclang-rt-14-dev   # libFuzzer and sanitizer runtimes of clang
xz-utils             # makes .gnu_debugdata for the tests
util-linux           # setpriv: tests that run without root's rights
musl-tools           # a program on another libc, which the census must name
strace               # makes the tracer's system calls fail
gdb                  # asks a target for its mallinfo2
libc6-dbg            # tells gdb what mallinfo2 returns, names libc's functions
libbpfcc-dev         # BCC's symbol cache: a second opinion on names
binutils             # addr2line: another one
protobuf-compiler    # protoc: reads pprof files back
tmux                 # a terminal for the test of the live view
chromium             # shows the HTML report in its test
chromium-driver      # drives it
libdebuginfod1       # fetches debug files for those who ask for it
nginx-light          # a server whose requests must be seen from outside
python3-fastapi      # another one, on an event loop
python3-uvicorn      # its server
python3-multipart    # its uploads
libjemalloc2         # an allocator that experiment preloads
libtcmalloc-minimal4 # another one
libmimalloc2.0       # another one
LIST
    # Fetches other programs' readers of our files; other nodejs than Debian's bring their own.
    command -v npm > /dev/null || echo npm
}

coverage_packages() {
    sed 's/ *#.*//' <<'LIST'
llvm                 # llvm-profdata and llvm-cov
LIST
}

peers_packages() {
    sed 's/ *#.*//' <<'LIST'
bpfcc-tools          # memleak-bpfcc
linux-headers-amd64  # what it compiles against
bpftrace             # a script that does what a leak tracer does
heaptrack            # allocations by preloading
libjemalloc2         # jemalloc with its sampling profiler
libgoogle-perftools4 # tcmalloc with its heap profiler
valgrind             # massif
LIST
}

kernels_packages() {
    sed 's/ *#.*//' <<'LIST'
qemu-system-x86      # boots other kernels
cpio                 # makes their initramfs
strace               # a test inside makes system calls fail
LIST
}

package_packages() {
    sed 's/ *#.*//' <<'LIST'
debootstrap          # a new Debian to try the package in
LIST
}

arm64_packages() {
    sed 's/ *#.*//' <<'LIST'
g++-aarch64-linux-gnu # compiles for arm64; what it links with: tools/arm64-sysroot.sh
qemu-system-arm      # boots arm64 kernels
cpio                 # makes their initramfs
LIST
}

training_packages() {
    sed 's/ *#.*//' <<'LIST'
python3-torch        # trains the reference worker's model; nothing else needs it
LIST
}

quiet=0
print=0
groups=()
for argument in "$@"; do
    case "$argument" in
        --quiet) quiet=1 ;;
        --print) print=1 ;;
        build | worker | tests | coverage | training | peers | package | kernels | arm64)
            groups+=("$argument")
            ;;
        *)
            sed -n '3,6s/^# //p' "$0" >&2
            exit 2
            ;;
    esac
done
[[ ${#groups[@]} -gt 0 ]] || groups=(build worker tests)

if [[ $print -eq 1 ]]; then
    for group in "${groups[@]}"; do "${group}_packages"; done
    exit 0
fi

say() { [[ $quiet -eq 1 ]] || printf 'install-deps: %s\n' "$*"; }

if ! command -v dpkg-query > /dev/null || ! command -v apt-get > /dev/null; then
    echo "install-deps: needs Debian's apt; install these packages' counterparts by hand:" >&2
    for group in "${groups[@]}"; do "${group}_packages"; done >&2
    exit 2
fi

wanted=()
for group in "${groups[@]}"; do
    mapfile -t packages < <("${group}_packages")
    wanted+=("${packages[@]}")
done

# dpkg-query fails for names that it has never heard of; they are simply not in its answer.
installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2> /dev/null |
    sed -n 's/^installed //p' | sort -u) || true
mapfile -t missing < <(comm -23 <(printf '%s\n' "${wanted[@]}" | sort -u) <(printf '%s\n' "$installed"))

if [[ ${#missing[@]} -eq 0 ]]; then
    say "all ${#wanted[@]} packages are there (${groups[*]})"
    exit 0
fi
if [[ $EUID -ne 0 ]]; then
    echo "install-deps: not root, cannot install: ${missing[*]}" >&2
    echo "install-deps: run sudo $0 ${groups[*]}" >&2
    exit 2
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive

apt_quietly() {
    apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" > "$log" 2>&1
}

# RUNLEVEL=1: a server that comes with a package (nginx) is not started; tests start their own.
install_missing() { RUNLEVEL=1 apt_quietly install -y --no-install-recommends "${missing[@]}"; }

echo "install-deps: installing ${#missing[@]} packages: ${missing[*]}"
# Lists that know all packages spare the update; stale lists show as a failed download.
known=$(apt-cache policy "${missing[@]}" 2> /dev/null | grep -c 'Candidate: [0-9]') || true
if [[ $known -lt ${#missing[@]} ]] || ! install_missing; then
    say "updating the package lists"
    if ! apt_quietly update || ! install_missing; then
        tail -n 30 "$log" >&2
        echo "install-deps: failed; it needs Debian 12's main suite in apt's sources" >&2
        exit 1
    fi
fi
say "done"
