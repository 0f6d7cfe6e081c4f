# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Dresses a program for one run: every function of its own gets a name drawn at random, so that no
verdict can come from a name. Half of the names are mangled C++ ones."""

import os
import re
import shutil
import subprocess

VERBS = ("accept assign borrow bundle carry collect compose confirm convert deliver derive dispatch "
         "enrich enter expand extend fetch fold gather handle index join label lift list merge "
         "notify order pack parse pick place prepare pull push queue quote read refine relay render "
         "reply resolve route scan score select send settle shape sort split store submit take "
         "translate update verify weigh wrap write").split()
NOUNS = ("account address answer article basket batch beacon bill binder book branch bridge call "
         "carton chapter chart claim clause column contact contract course coupon crate deal diary "
         "draft entry fare figure folder form frame grant guest header hotel invoice item journey "
         "key ledger letter line map matter member menu message meter model notice offer packet "
         "page panel parcel passage path phrase picture plan player point policy price profile "
         "query quota rate receipt record region reply report request review ride room route "
         "sample scene seat sector series session sheet shelf signal slot song stage station story "
         "street table tale team tender text theme thread ticket title token topic tour track trip "
         "unit vector vehicle version view visit voice voucher voyage wagon word zone").split()


class Names:
    """Names without repetition."""

    def __init__(self, random):
        self._random = random
        self._used = set()

    def plain(self):
        while True:
            name = f"{self._random.choice(VERBS)}_{self._random.choice(NOUNS)}"
            if name not in self._used:
                self._used.add(name)
                return name

    def symbol(self):
        """(as in the symbol table, as a reader is shown it)"""
        name = self.plain()
        if self._random.random() < 0.5:
            return name, name
        space = self._random.choice(NOUNS)
        return f"_ZN{len(space)}{space}{len(name)}{name}Em", f"{space}::{name}"


def dress(program, directory, random):
    """A copy of `program` in `directory`; returns its path and {name in the source: drawn name}."""
    names = Names(random)
    path = os.path.join(directory, names.plain())
    listed = subprocess.run(["nm", "--defined-only", program], check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    own = sorted(set(re.findall(r"^[0-9a-f]+ [tTwW] (\S*corpus\S*)$", listed, re.M)))
    drawn = {symbol: names.symbol() for symbol in own}
    table = path + ".names"
    with open(table, "w", encoding="utf-8") as file:
        file.writelines(f"{old} {new}\n" for old, (new, _) in drawn.items())
    subprocess.run(["objcopy", f"--redefine-syms={table}", program, path], check=True)
    os.remove(table)
    return path, {old: shown for old, (_, shown) in drawn.items()}


LIBRARY_SOURCE = """
#include <stdlib.h>
#include <string.h>
__attribute__((noinline)) static void* hidden(size_t bytes) {
    void* block = malloc(bytes);
    if (block == NULL) abort();
    memset(block, 1, bytes);
    __asm__ volatile("" : : "r"(block) : "memory");
    return block;
}
__attribute__((visibility("default"))) void* NAME(size_t bytes) {
    void* block = hidden(bytes);
    __asm__ volatile("" : : "r"(block) : "memory");
    return block;
}
"""


def make_library(directory, random):
    """Compiles a library with a leak and strips it; returns its path and its only symbol."""
    names = Names(random)
    entry = names.plain()
    path = os.path.join(directory, f"lib{random.choice(NOUNS)}.so")
    compiler = shutil.which("cc") or shutil.which("gcc") or "c++"
    subprocess.run([compiler, "-x", "c", "-", f"-DNAME={entry}", "-shared", "-fPIC", "-O2", "-s",
                    "-o", path], input=LIBRARY_SOURCE, text=True, check=True)
    return path, entry
