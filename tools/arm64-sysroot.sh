#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Unpacks Debian 12's arm64 packages that a build for arm64 links with, and those that its tests need
# in the guest of tests/vm/matrix.py, under one directory. Nothing is installed: an apt whose state
# is its own finds and fetches them, so that no package of this machine is touched.
#   tools/arm64-sysroot.sh [DIRECTORY]      build/arm64-sysroot, where preset arm64 looks for it
# A second run finds nothing to do while the list is the same.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=${1:-$here/../build/arm64-sysroot}

# Beside the libraries that install-deps.sh names. One a line: package, then the reason.
more_packages() {
    sed 's/ *#.*//' <<'LIST'
libc6-dev       # what everything links with
libstdc++6      # of the guest: the compiler has its own to link with
libgcc-s1       # likewise
python3-minimal # runs the tests in the guest
libpython3-stdlib # its modules
bash            # the guest's first process
coreutils       # cat, mkdir, sleep, uname
mount           # its file systems
iproute2        # its loopback device
bpftool         # tells the tests of leaks of programs
strace          # makes the tracer's system calls fail
LIST
}

mapfile -t packages < <(
    { "$here/install-deps.sh" --print build worker | sed -n '/-dev$/p' | grep -v '^dpkg-'; more_packages; } |
        sort -u)

list=$(printf '%s\n' "${packages[@]}")
[[ -f $root.list && $(< "$root.list") == "$list" ]] && exit 0
rm -rf "$root" "$root.list"
state=$root.apt
mkdir -p "$root" "$state/lists/partial" "$state/cache/archives/partial"
# shellcheck disable=SC2016  # apt's own variables
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
    sed -n 's/ bookworm$//p' | head -n 1)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [arch=arm64 signed-by=$keyring] $mirror bookworm main" > "$state/sources.list"
: > "$state/status"

private_apt() {
    apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 \
        -o Dir::Etc::SourceList="$state/sources.list" -o Dir::Etc::SourceParts=- \
        -o Dir::State::Lists="$state/lists" -o Dir::State::status="$state/status" \
        -o Dir::Cache="$state/cache" -o APT::Sandbox::User=root -o Acquire::Retries=3 \
        -o Acquire::Check-Valid-Until=false "$@"
}

private_apt update
private_apt install -y --no-install-recommends --download-only "${packages[@]}" > "$state/log"
# As on a Debian of its own: packages unpack to /lib, programs look there and below /usr.
for folder in bin sbin lib; do
    mkdir -p "$root/usr/$folder"
    ln -s "usr/$folder" "$root/$folder"
done
for package in "$state"/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" --keep-directory-symlink
done
rm -rf "$state"
printf '%s\n' "$list" > "$root.list"
echo "arm64-sysroot: $(du -sh "$root" | cut -f1) in $root"
