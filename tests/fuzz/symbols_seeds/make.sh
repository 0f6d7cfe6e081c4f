#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Makes the seeds beside this script: one small library in every layout of symbols.
set -eu
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cat >"$scratch/seed.cpp" <<'SOURCE'
namespace { struct S { __attribute__((noinline)) int f(int v) const { return v * 3; } }; }
namespace seed {
inline __attribute__((always_inline)) int inner(int v) { return S().f(v) + 1; }
inline __attribute__((always_inline)) int middle(int v) { return inner(v) ^ 5; }
template <typename T> __attribute__((noinline)) T outer(T v) { return middle(static_cast<int>(v)); }
}
extern "C" int entry(int v) { return seed::outer<int>(v) + static_cast<int>(seed::outer<long>(v)); }
SOURCE
build() { # NAME FLAGS...
    name=$1
    shift
    g++ -O2 -shared -fPIC -nostdlib -ffile-prefix-map="$PWD=." -Wl,--build-id,-z,noseparate-code "$@" -o "$name" "$scratch/seed.cpp"
}
build dwarf5.elf -g
build dwarf4.elf -g -gdwarf-4 -fdebug-types-section
build dwarf2.elf -g -gdwarf-2 -gstrict-dwarf
build compressed.elf -g -gz
build symtab.elf
build dynsym.elf -s
objcopy -S -K _ZN4seed5outerIiEET_S1_ symtab.elf "$scratch/mini"
xz -k "$scratch/mini"
objcopy --add-section .gnu_debugdata="$scratch/mini.xz" dynsym.elf debugdata.elf
printf '%s' '_ZNKSt8functionIFvRKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEEEclES7_' >cxx.name
printf '%s' '_RINvNtC3std3mem8align_ofdE' >rust.name
