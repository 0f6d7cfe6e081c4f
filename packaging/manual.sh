#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Writes asrtrace(1), compressed, from what the program itself says of its verbs.
#   packaging/manual.sh ASRTRACE OUTPUT
set -euo pipefail
program=$1
exec > >(gzip -9n > "$2")

# Text as it stands: the characters that troff takes for its own are escaped.
as_it_stands() { sed -e 's/\\/\\e/g' -e 's/-/\\-/g' -e "s/^\\([.']\\)/\\\\\&\\1/"; }

section() { printf '.SH %s\n' "$1"; }

example() {
    printf '.PP\n.nf\n'
    as_it_stands
    printf '.fi\n'
}

version=$("$program" --version)
printf '.TH ASRTRACE 1 "" "%s" "User Commands"\n' "$version"
section NAME
printf 'asrtrace \\- tells why the memory of a running process grows\n'
section SYNOPSIS
printf '.B asrtrace\n.I VERB\n[\\fIOPTIONS\\fR]\n'
section DESCRIPTION
as_it_stands << 'TEXT'
Attaches to a running process with BPF, follows its allocations, mappings, page faults and requests,
reads its heap from outside, and tells what each request leaves behind and where: a leak, a cache
that fills, or memory that malloc keeps although the program freed it.
TEXT
section EXAMPLES
example << 'TEXT'
sudo asrtrace attach --pid 1234 -o worker.asrtrace    until Ctrl-C, then the report
asrtrace report worker.asrtrace --html worker.html    the same anywhere, without root
asrtrace check worker.asrtrace                        gate for CI: exit status 1 if a limit is broken
sudo asrtrace doctor                                  what this kernel allows
TEXT
section VERBS
# The last table of --help: a verb a line.
"$program" --help | sed -n '/^Subcommands:/,$p' | tail -n +2 | example
for verb in $("$program" --help | sed -n '/^Subcommands:/,$p' | sed -n 's/^  \([a-z]\+\) .*/\1/p'); do
    section "ASRTRACE ${verb^^}"
    "$program" "$verb" --help | example
done
section "EXIT STATUS"
as_it_stands << 'TEXT'
0: done. 1: check found a limit broken, soak and analyze a FAIL. 2: usage, environment, or a file
that cannot be read. 3: too little evidence for a verdict, nothing to draw, or no sound
reading of the heap.
TEXT
section ENVIRONMENT
as_it_stands << 'TEXT'
NO_COLOR: no colours in the live view. DEBUGINFOD_URLS: servers of debug files, asked only with
--debuginfod. SUDO_UID, SUDO_GID: whose the files are that a run behind sudo writes.
TEXT
