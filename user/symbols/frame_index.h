// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Where functions begin by their call frame information: in a stripped library all of them are
// there, while the symbol table has the exported ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "user/symbols/elf_image.h"

namespace asrtrace::symbols {

class FrameIndex {
  public:
    /// Reads the search table of .eh_frame_hdr (Linux Standard Base 5.0, Core, 10.6.2) as all
    /// linkers write it; another encoding, or none, gives an empty index. The image must outlive
    /// the index.
    explicit FrameIndex(const ElfImage& image);

    /// The last beginning at or in front of `vaddr`.
    std::optional<std::uint64_t> begin_before(std::uint64_t vaddr) const;

  private:
    std::uint64_t begin(std::size_t i) const;

    Bytes table_;  ///< pairs of i32: beginning, FDE; from the section's address
    std::uint64_t section_vaddr_ = 0;
    std::size_t count_ = 0;
};

}  // namespace asrtrace::symbols
