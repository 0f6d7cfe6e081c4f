// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/unwind/table.h"

#include <algorithm>

#include "user/unwind/cfi.h"

namespace asrtrace::unwind {
namespace {

constexpr std::uint64_t kPageMask = 4095;
constexpr std::uint64_t kMaxTextBytes = std::uint64_t{2} << 30;
constexpr std::size_t kMaxRows = std::size_t{1} << 24;
constexpr std::size_t kMaxRowsPerPage = 255;
constexpr unwind_row kNoRow{0, UNWIND_CFA_NONE, 0, 0};

/// Rows in ascending order without gaps: where no FDE is, a row says so.
class RowList {
  public:
    RowList() { rows_.push_back(kNoRow); }

    void add(const CfiSection& section, const Architecture& arch, const CfiIndex& index,
             std::uint64_t text_begin, std::uint64_t text_bytes) {
        rows_.reserve(std::min(index.fdes.size() * 8, kMaxRows));
        for (const Fde& fde : index.fdes) {
            if (rows_.size() > kMaxRows) return;
            // Discarded functions keep FDEs at 0; hostile files have them anywhere.
            if (fde.begin < text_begin || fde.end - text_begin > text_bytes) continue;
            const auto begin = static_cast<std::uint32_t>(fde.begin - text_begin);
            cut(begin);
            append_rows(section, arch, index.cies[fde.cie], fde, text_begin, rows_);
            unwind_row gap = kNoRow;
            gap.pc = static_cast<std::uint32_t>(fde.end - text_begin);
            rows_.push_back(gap);
        }
    }

    std::vector<unwind_row> take() { return std::move(rows_); }

  private:
    /// Rows end where the next FDE begins, also when FDEs overlap.
    void cut(std::uint32_t begin) {
        while (rows_.size() > 1 && rows_.back().pc >= begin) rows_.pop_back();
    }

    std::vector<unwind_row> rows_;
};

/// Lays rows out by pages of text; see bpf/unwind.h.
class Packer {
  public:
    explicit Packer(const std::vector<unwind_row>& rows) : rows_(rows) {
        out_.reserve(rows.size());
    }

    /// False: more rows than an index word can number.
    bool pack(std::uint64_t text_bytes, UnwindTable& table) {
        const std::size_t pages = text_bytes >> UNWIND_PAGE_SHIFT;
        table.index.reserve(pages);
        std::size_t covering = 0;  // the row in force at the page's first byte
        for (std::size_t page = 0; page < pages; ++page) {
            const std::uint64_t begin = std::uint64_t{page} << UNWIND_PAGE_SHIFT;
            const std::uint64_t end = begin + (1U << UNWIND_PAGE_SHIFT);
            while (covering + 1 < rows_.size() && rows_[covering + 1].pc <= begin) ++covering;
            std::size_t last = covering;
            while (last + 1 < rows_.size() && rows_[last + 1].pc < end) ++last;
            const std::size_t count = std::min(last - covering + 1, kMaxRowsPerPage);
            const std::size_t first = place(covering, count);
            if (first + count > kMaxRows) return false;
            table.index.push_back(static_cast<std::uint32_t>(first << 8 | count));
            covering = last;
        }
        table.rows = std::move(out_);
        return true;
    }

  private:
    /// Position in the output of rows [source, source + count), appending those not there yet.
    std::size_t place(std::size_t source, std::size_t count) {
        const bool reuse = !out_.empty() && source == last_source_;
        std::size_t first = reuse ? out_.size() - 1 : out_.size();
        if (first / UNWIND_CHUNK_CELLS != (first + count - 1) / UNWIND_CHUNK_CELLS) {
            while (out_.size() % UNWIND_CHUNK_CELLS != 0) out_.push_back(kNoRow);
            first = out_.size();
        }
        for (std::size_t i = out_.size() - first; i < count; ++i) out_.push_back(rows_[source + i]);
        last_source_ = source + count - 1;
        return first;
    }

    const std::vector<unwind_row>& rows_;
    std::vector<unwind_row> out_;
    std::size_t last_source_ = 0;
};

}  // namespace

Result<CfiSource> read_cfi(const ElfFile& file) {
    CfiSource source;
    source.machine = file.machine();
    if (find_architecture(source.machine) == nullptr) return Error{"another architecture's code"};
    std::uint64_t begin = ~std::uint64_t{0};
    std::uint64_t end = 0;
    for (const LoadSegment& segment : file.segments()) {
        if (!segment.executable || segment.memory_bytes == 0) continue;
        begin = std::min(begin, segment.address & ~kPageMask);
        end = std::max(end, segment.address + segment.memory_bytes);
    }
    if (begin >= end) return Error{"no executable segment"};
    if (end - begin > kMaxTextBytes) return Error{"executable segments span more than 2 GiB"};
    source.text_begin = begin;
    source.text_bytes = (end - begin + kPageMask) & ~kPageMask;
    auto eh_frame = file.eh_frame();
    if (!eh_frame) return eh_frame.error();
    source.eh_frame = std::move(*eh_frame);
    if (source.eh_frame.data.size() > 8) return source;
    auto debug_frame = file.debug_frame();
    if (debug_frame) source.debug_frame = std::move(*debug_frame);
    return source;
}

Result<UnwindTable> build_table(const CfiSource& source) {
    const Architecture* arch = find_architecture(source.machine);
    if (arch == nullptr) return Error{"another architecture's code"};
    const bool debug = !source.debug_frame.data.empty();
    const ElfSection& elf = debug ? source.debug_frame : source.eh_frame;
    const CfiSection section{elf.data, elf.address,
                             debug ? CfiFormat::kDebugFrame : CfiFormat::kEhFrame, elf.exact_end};
    UnwindTable table;
    table.text_begin = source.text_begin;
    table.text_bytes = source.text_bytes;
    const CfiIndex index = index_cfi(section, *arch);
    table.damaged_entries = index.damaged;
    if (index.fdes.empty()) return table;
    RowList list;
    list.add(section, *arch, index, table.text_begin, table.text_bytes);
    const std::vector<unwind_row> rows = list.take();
    if (rows.size() > kMaxRows || !Packer(rows).pack(table.text_bytes, table))
        return Error{"more than 16 M unwind rows"};
    return table;
}

Result<UnwindTable> build_table(const ElfFile& file) {
    const auto source = read_cfi(file);
    if (!source) return source.error();
    return build_table(*source);
}

const unwind_row* find_row(const UnwindTable& table, std::uint64_t offset) {
    const std::uint64_t page = offset >> UNWIND_PAGE_SHIFT;
    if (page >= table.index.size()) return nullptr;
    const std::size_t first = table.index[page] >> 8;
    const std::size_t count = table.index[page] & 0xff;
    if (count == 0 || first + count > table.rows.size()) return nullptr;
    const unwind_row* begin = table.rows.data() + first;
    const unwind_row* next =
        std::upper_bound(begin, begin + count, offset,
                         [](std::uint64_t o, const unwind_row& r) { return o < r.pc; });
    return next == begin ? nullptr : next - 1;
}

}  // namespace asrtrace::unwind
