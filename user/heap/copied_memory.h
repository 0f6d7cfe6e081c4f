// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A copy of a target's pages, made while it stands still and read when it runs again. The memory
// for it is faulted in beforehand: copying into fresh pages is six to thirty times slower.
#pragma once

#include <memory>

#include "user/base/maps.h"
#include "user/heap/memory.h"
#include "user/heap/residency.h"

namespace asrtrace::heap {

class CopiedMemory : public TargetMemory {
  public:
    /// Room for `bytes` of pages. Error: not enough memory.
    static Result<std::unique_ptr<CopiedMemory>> reserve(std::uint64_t bytes);
    ~CopiedMemory() override;

    /// Copies the present pages of all writable mappings; false if they do not fit.
    bool copy(TargetMemory& source, const Residency& residency);

    std::size_t read(std::uint64_t address, std::span<std::uint8_t> out) override;
    Result<std::vector<PageRange>> pages(std::uint64_t begin, std::uint64_t end,
                                         bool private_anonymous) override;
    std::uint64_t page_size() const override { return page_size_; }
    std::uint64_t footprint() const { return capacity_; }

    /// Bytes that copy() will need.
    static std::uint64_t needed(const Residency& residency);

  private:
    struct Extent {
        std::uint64_t begin, end;
        std::size_t offset;
    };
    CopiedMemory(std::uint8_t* bytes, std::uint64_t capacity)
        : bytes_(bytes), capacity_(capacity) {}
    const Extent* extent_at(std::uint64_t address) const;

    std::uint8_t* bytes_;
    std::uint64_t capacity_;
    std::uint64_t page_size_ = 4096;
    std::vector<Extent> extents_;
    std::vector<PageRange> pages_;
};

}  // namespace asrtrace::heap
