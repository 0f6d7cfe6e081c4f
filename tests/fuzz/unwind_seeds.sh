#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Makes the seed corpus of the unwind fuzz targets: small ELF files and their call frame information.
# printf formats carry octal escapes made of variables
# shellcheck disable=SC2059
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
out=unwind_table_seeds
mkdir -p "$out" unwind_walk_seeds

cat >"$work/a.c" <<'C'
int g(int *p);
int f(int n) { int a[n + 1]; a[0] = n; return g(a) + 1; }
int h(int n) { _Alignas(64) int a[32]; a[0] = n; return g(a) * f(n); }
C
gcc -O2 -shared -nostdlib -s -Wl,-z,noseparate-code -Wl,--unresolved-symbols=ignore-all \
  -o "$work/a.so" -fPIC "$work/a.c"
gcc -O2 -shared -nostdlib -g -gz=zlib -ffile-prefix-map="$PWD=." -fno-asynchronous-unwind-tables -fno-exceptions \
  -Wl,-z,noseparate-code -Wl,--unresolved-symbols=ignore-all -o "$work/b.so" -fPIC "$work/a.c"

seed() { # seed KIND FILE NAME
  { printf "\\00$1"; cat "$2"; } >"$out/$3"
}
seed 0 "$work/a.so" elf_eh_frame
seed 0 "$work/b.so" elf_debug_frame
objcopy --dump-section .eh_frame="$work/eh_frame" "$work/a.so" "$work/copy"
objcopy --dump-section .eh_frame="$work/libgcc" /lib/x86_64-linux-gnu/libgcc_s.so.1 "$work/copy"
head -c 4000 "$work/libgcc" >"$work/libgcc_head"
seed 1 "$work/eh_frame" eh_frame
seed 1 "$work/libgcc_head" eh_frame_libgcc
gcc -c -O2 -g -fno-asynchronous-unwind-tables -o "$work/b.o" "$work/a.c"
objcopy --dump-section .debug_frame="$work/debug_frame" "$work/b.o" "$work/copy"
seed 2 "$work/debug_frame" debug_frame
seed 3 "$work/eh_frame" eh_frame_arm64

# Registers, then rows, then a stack: see unwind_walk_fuzz.cpp.
i=0
for loop in 000 001; do
  i=$((i + 1))
  {
    printf "\\$loop\\000\\001"
    for _ in 1 2 3 4 5 6 7 8; do printf '\000\020\002'; done
    printf '\000\020\002\001\000\001\002'
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do printf '\001\003'; done
    printf '\004\000\002\000\000\001\000\001\000\020\000\000\000\022\376\002\000'
    printf '\100\000\000\000\023\000\377\377\100\000\000\000\007\000\000\000\002\000\003\002'
    for _ in 1 2 3 4 5 6 7 8 9 10; do printf '\000\020\002\001\004\000\005\001'; done
  } >"unwind_walk_seeds/walk_$i"
done
