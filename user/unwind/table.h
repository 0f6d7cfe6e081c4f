// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The unwind table of one ELF file: rows and their index in the layout of bpf/unwind.h, independent
// of where the file is mapped and of where in the space the table is put.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bpf/unwind.h"
#include "user/base/result.h"
#include "user/unwind/elf_file.h"

namespace asrtrace::unwind {

struct UnwindTable {
    std::uint64_t text_begin = 0;       ///< address as linked of row.pc 0; a multiple of 4 KiB
    std::uint64_t text_bytes = 0;       ///< a multiple of 4 KiB
    std::vector<std::uint32_t> index;   ///< one word a 256-byte page: first row << 8 | count
    std::vector<unwind_row> rows;       ///< padded so that no page's rows cross a multiple of 8192
    std::uint64_t damaged_entries = 0;  ///< CIEs and FDEs that could not be read

    std::uint64_t size_bytes() const { return index.size() * 4 + rows.size() * sizeof(unwind_row); }
};

/// What a table is made of, read from the file once: also the cache's key material.
struct CfiSource {
    std::uint16_t machine = 0;
    std::uint64_t text_begin = 0;
    std::uint64_t text_bytes = 0;
    ElfSection eh_frame;
    ElfSection debug_frame;  ///< only where .eh_frame is empty
};

/// Errors: another architecture, no executable segment or one beyond 2 GiB, damaged sections.
Result<CfiSource> read_cfi(const ElfFile& file);

/// Errors: more than 2^24 rows. A file without call frame information gives a table without rows.
Result<UnwindTable> build_table(const CfiSource& source);
Result<UnwindTable> build_table(const ElfFile& file);

/// The row for `offset` bytes into the text, as the walker finds it; null outside the text.
const unwind_row* find_row(const UnwindTable& table, std::uint64_t offset);

}  // namespace asrtrace::unwind
