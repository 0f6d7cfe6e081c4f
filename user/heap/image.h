// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A recorded heap: the pages and mappings of a target at one moment, in a file. Unit tests and the
// fuzz target run every walk on images; a hostile one must be refused, not survived by luck.
//
//   "asrheap1" | u32 bytes of maps | maps text | u32 pages | { u64 address, u8 kind, u16 used,
//   bytes }
//
// A page's bytes behind `used` are zero.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "user/base/bytes.h"
#include "user/base/maps.h"
#include "user/heap/memory.h"

namespace asrtrace::heap {

class ImageMemory : public TargetMemory {
  public:
    static constexpr std::uint64_t kPage = 4096;

    /// Error: not an image, or cut off.
    static Result<std::unique_ptr<ImageMemory>> parse(Bytes file);
    std::vector<std::uint8_t> serialize() const;

    const std::vector<MapsEntry>& maps() const { return maps_; }
    void set_maps(const std::string& text);
    /// Makes the page of `address` present with this kind.
    void touch(std::uint64_t address, PageKind kind = PageKind::kAnonymous);
    void forget(std::uint64_t address) { pages_.erase(address & ~(kPage - 1)); }
    void write(std::uint64_t address, Bytes bytes);
    void put(std::uint64_t address, std::uint64_t word);

    std::size_t read(std::uint64_t address, std::span<std::uint8_t> out) override;
    Result<std::vector<PageRange>> pages(std::uint64_t begin, std::uint64_t end,
                                         bool private_anonymous) override;
    std::uint64_t page_size() const override { return kPage; }

  private:
    struct Page {
        PageKind kind = PageKind::kAnonymous;
        std::vector<std::uint8_t> bytes;
    };
    std::string maps_text_;
    std::vector<MapsEntry> maps_;
    std::map<std::uint64_t, Page> pages_;
};

}  // namespace asrtrace::heap
