// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/symbols/frame_index.h"

#include <gelf.h>

#include <algorithm>

namespace asrtrace::symbols {
namespace {

constexpr std::size_t kEntryBytes = 8;

struct Header {
    std::uint8_t version;
    std::uint8_t eh_frame_encoding;
    std::uint8_t count_encoding;
    std::uint8_t table_encoding;
    std::int32_t eh_frame;
    std::uint32_t count;
};

constexpr std::uint8_t kCountAsU32 = 0x03;               // DW_EH_PE_udata4
constexpr std::uint8_t kEntriesAsI32FromSection = 0x3b;  // DW_EH_PE_datarel | DW_EH_PE_sdata4

}  // namespace

FrameIndex::FrameIndex(const ElfImage& image) {
    GElf_Shdr section;
    Elf_Scn* scn = image.section(".eh_frame_hdr");
    if (scn == nullptr || gelf_getshdr(scn, &section) == nullptr) return;
    const Bytes bytes = image.section_bytes(".eh_frame_hdr");
    const auto header = read_at<Header>(bytes, 0);
    if (!header || header->version != 1 || header->count_encoding != kCountAsU32 ||
        header->table_encoding != kEntriesAsI32FromSection) {
        return;
    }
    table_ = bytes.subspan(sizeof(Header));
    count_ = std::min<std::size_t>(header->count, table_.size() / kEntryBytes);
    section_vaddr_ = section.sh_addr;
}

std::uint64_t FrameIndex::begin(std::size_t i) const {
    const auto distance = read_at<std::int32_t>(table_, i * kEntryBytes).value_or(0);
    return section_vaddr_ + static_cast<std::uint64_t>(static_cast<std::int64_t>(distance));
}

std::optional<std::uint64_t> FrameIndex::begin_before(std::uint64_t vaddr) const {
    std::size_t low = 0, high = count_;
    while (low < high) {
        const std::size_t middle = low + (high - low) / 2;
        if (begin(middle) <= vaddr)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0) return std::nullopt;
    return begin(low - 1);
}

}  // namespace asrtrace::symbols
