// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The memory of a live process through process_vm_readv(2) and /proc/PID/pagemap
// (Documentation/admin-guide/mm/pagemap.rst). Nothing is written and no page is faulted in as long
// as callers read present pages only.
#pragma once

#include <memory>

#include "user/base/fd.h"
#include "user/heap/memory.h"

namespace asrtrace::heap {

/// _IOWR('f', 16, struct pm_scan_arg) of linux/fs.h, Linux 6.7.
inline constexpr std::uint32_t kPagemapScan = 0xc0606610;
/// Does this kernel have it?
bool pagemap_scan_works();

class ProcessMemory : public TargetMemory {
  public:
    /// Error: no such process, or its memory may not be read.
    static Result<std::unique_ptr<ProcessMemory>> open(pid_t pid);

    std::size_t read(std::uint64_t address, std::span<std::uint8_t> out) override;
    void read_pieces(std::span<const Piece> pieces, std::span<std::uint8_t> out) override;
    Result<std::vector<PageRange>> pages(std::uint64_t begin, std::uint64_t end,
                                         bool private_anonymous) override;
    std::uint64_t page_size() const override { return page_size_; }

    /// Tests only: answer from pagemap and kpageflags even where PAGEMAP_SCAN works.
    void forbid_pagemap_scan() { scan_works_ = false; }

  private:
    ProcessMemory(pid_t pid, UniqueFd pagemap, UniqueFd kpageflags);
    Result<std::vector<PageRange>> scan_pages(std::uint64_t begin, std::uint64_t end,
                                              bool private_anonymous);
    Result<std::vector<PageRange>> decode_pages(std::uint64_t begin, std::uint64_t end);
    bool is_zero_page(std::uint64_t frame);

    pid_t pid_;
    UniqueFd pagemap_;
    UniqueFd kpageflags_;
    std::uint64_t page_size_;
    bool scan_works_ = true;
    std::vector<std::uint64_t> zero_frames_;
};

}  // namespace asrtrace::heap
