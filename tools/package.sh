#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Makes the Debian package of asrtrace, build/package/asrtrace_VERSION_ARCH.deb; with --try installs
# it into a new minimal Debian 12 (debootstrap, removed afterwards) and uses it there: the manual,
# completion, a recorded trace, and a process that it follows. Needs root.
#   sudo tools/package.sh [--try]
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/stages.sh
source tools/stages.sh

try=0
case "${1:-}" in
    "") ;;
    --try) try=1 ;;
    *)
        sed -n '3,6s/^# //p' "$0" >&2
        exit 2
        ;;
esac
need_root

make_package() {
    rm -rf build/package
    cpack --config build/release/CPackConfig.cmake -B build/package
    dpkg-deb --info build/package/*.deb
    dpkg-deb --contents build/package/*.deb
}

root=
mounted=()
unmount_root() {
    local target
    for target in "${mounted[@]}"; do umount --recursive "$target" || return; done
    mounted=()
}
remove_root() {
    [[ -n $root ]] || return 0
    # Not a byte is removed while something of the machine's is mounted below.
    unmount_root && ! grep -q " $root/" /proc/mounts && rm -rf --one-file-system "$root"
}

# From where this machine has its own packages.
make_root() {
    local mirror
    # shellcheck disable=SC2016 # for apt
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
        awk '/ bookworm$/ { print $1; exit }')
    debootstrap --variant=minbase bookworm "$root" "$mirror"
    cp build/package/*.deb "$root/root/"
    cp traces/leak.asrtrace.gz "$root/root/"
    gunzip "$root/root/leak.asrtrace.gz"
    local what
    for what in proc sys; do
        mount --rbind --make-rslave "/$what" "$root/$what"
        mounted=("$root/$what" "${mounted[@]}")
    done
}

install_package() {
    chroot "$root" sh -c 'DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        zsh /root/*.deb'
}

# A shell that allocates is target enough: what it says must be there.
use_package() {
    # shellcheck disable=SC2016 # for the shell inside
    chroot "$root" sh -euc '
        cd /root
        asrtrace --version
        zcat /usr/share/man/man1/asrtrace.1.gz | grep -q "ASRTRACE ATTACH"
        bash -euc "source /usr/share/bash-completion/completions/asrtrace
            COMP_WORDS=(asrtrace at) COMP_CWORD=1; _asrtrace_words
            test \"\${COMPREPLY[*]}\" = attach"
        zsh -euc "autoload -U compinit; compinit -u; test \"\${_comps[asrtrace]}\" = _asrtrace"
        asrtrace report leak.asrtrace | grep -A1 "LEAK, definite"
        status=0
        asrtrace check leak.asrtrace > verdict || status=$?
        test $status -eq 1
        asrtrace doctor
        sh -c "while :; do x=\$(echo); done" &
        target=$!
        asrtrace attach --pid $target --duration 2 --request every:0.5 -o own.asrtrace --json own.json
        kill $target
        grep -q "\"schema\": \"asrtrace.report/1\"" own.json
        asrtrace flamegraph leak.asrtrace -o own.svg
        grep -q "</svg>" own.svg
        apt-get remove -y asrtrace
        test ! -e /usr/bin/asrtrace'
}

mkdir -p "$stages_logs"
tools/install-deps.sh --quiet build
stage "build" build_preset release asrtrace manual
stage "package" make_package
if [[ $try -eq 1 ]]; then
    tools/install-deps.sh --quiet package
    mount_kernel_file_systems
    root=$(mktemp -d /var/tmp/asrtrace-root.XXXXXX)
    trap remove_root EXIT
    stage "a minimal Debian 12" make_root
    stage "install" install_package
    stage "use" use_package
fi
[[ ${#stages_failed[@]} -eq 0 ]] || exit 1
echo "$(echo build/package/*.deb): $(stat -c %s build/package/*.deb) bytes"
