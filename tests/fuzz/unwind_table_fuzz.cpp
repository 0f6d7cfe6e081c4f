// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Table building from hostile bytes. The first byte says what the rest is: 0 an ELF file, 1
// .eh_frame, 2 .debug_frame, 3 arm64's .eh_frame. Whatever is accepted has to keep the promises
// that the walker relies on.
#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "user/unwind/table.h"

namespace {

using asrtrace::unwind::UnwindTable;

void check(const UnwindTable& table) {
    if (table.rows.empty()) return;
    if (table.index.size() != table.text_bytes >> UNWIND_PAGE_SHIFT) std::abort();
    for (std::size_t page = 0; page < table.index.size(); ++page) {
        const std::size_t first = table.index[page] >> 8;
        const std::size_t count = table.index[page] & 0xff;
        if (count == 0 || first + count > table.rows.size()) std::abort();
        if (first / UNWIND_CHUNK_CELLS != (first + count - 1) / UNWIND_CHUNK_CELLS) std::abort();
        if (table.rows[first].pc > page << UNWIND_PAGE_SHIFT) std::abort();
        for (std::size_t i = first + 1; i < first + count; ++i) {
            if (table.rows[i - 1].pc >= table.rows[i].pc) std::abort();
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace asrtrace::unwind;
    if (size == 0) return 0;
    const std::uint8_t what = data[0] % 4;
    std::vector<std::uint8_t> bytes(data + 1, data + size);
    if (what == 0) {
        const auto file = ElfFile::from_bytes(std::move(bytes));
        if (!file) return 0;
        const auto source = read_cfi(*file);
        // The index grows with the claimed text, which is the loader's to bound and not ours.
        if (!source || source->text_bytes > 1 << 24) return 0;
        if (const auto table = build_table(*source)) check(*table);
        return 0;
    }
    CfiSource source;
    source.machine = what == 3 ? EM_AARCH64 : EM_X86_64;
    source.text_begin = 0x1000;
    source.text_bytes = 0x10000;
    (what == 2 ? source.debug_frame : source.eh_frame) = {0x20000, std::move(bytes), true};
    if (const auto table = build_table(source)) check(*table);
    return 0;
}
