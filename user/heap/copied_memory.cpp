// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/heap/copied_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

namespace asrtrace::heap {

Result<std::unique_ptr<CopiedMemory>> CopiedMemory::reserve(std::uint64_t bytes) {
    const std::uint64_t capacity = std::max<std::uint64_t>(bytes, 4096);
    void* memory = ::mmap(nullptr, capacity, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return errno_error("memory for the copy");
    ::madvise(memory, capacity, MADV_HUGEPAGE);
    for (std::uint64_t at = 0; at < capacity; at += 4096)
        static_cast<std::uint8_t*>(memory)[at] = 1;
    return std::unique_ptr<CopiedMemory>(
        new CopiedMemory(static_cast<std::uint8_t*>(memory), capacity));
}

CopiedMemory::~CopiedMemory() {
    ::munmap(bytes_, capacity_);
}

std::uint64_t CopiedMemory::needed(const Residency& residency) {
    std::uint64_t sum = 0;
    for (const PageRange& range : residency.ranges()) {
        if (range.kind == PageKind::kAnonymous || range.kind == PageKind::kFile) {
            sum += range.end - range.begin;
        }
    }
    return sum;
}

bool CopiedMemory::copy(TargetMemory& source, const Residency& residency) {
    page_size_ = source.page_size();
    pages_ = residency.ranges();
    extents_.clear();
    std::size_t used = 0;
    for (const PageRange& range : pages_) {
        if (range.kind == PageKind::kSwapped || range.kind == PageKind::kZero) continue;
        const std::size_t length = range.end - range.begin;
        if (length > capacity_ - used) return false;
        const std::size_t got = source.read(range.begin, {bytes_ + used, length});
        extents_.push_back({range.begin, range.begin + got, used});
        used += length;
    }
    return true;
}

const CopiedMemory::Extent* CopiedMemory::extent_at(std::uint64_t address) const {
    const auto at = std::partition_point(extents_.begin(), extents_.end(),
                                         [&](const Extent& e) { return e.end <= address; });
    return at != extents_.end() && at->begin <= address ? &*at : nullptr;
}

std::size_t CopiedMemory::read(std::uint64_t address, std::span<std::uint8_t> out) {
    std::size_t done = 0;
    while (done < out.size()) {
        const Extent* extent = extent_at(address + done);
        if (extent == nullptr) break;
        const std::uint64_t offset = address + done - extent->begin;
        const std::size_t count =
            std::min<std::size_t>(out.size() - done, extent->end - extent->begin - offset);
        std::copy_n(bytes_ + extent->offset + offset, count, out.begin() + static_cast<long>(done));
        done += count;
    }
    return done;
}

Result<std::vector<PageRange>> CopiedMemory::pages(std::uint64_t begin, std::uint64_t end, bool) {
    std::vector<PageRange> ranges;
    auto at = std::partition_point(pages_.begin(), pages_.end(),
                                   [&](const PageRange& range) { return range.end <= begin; });
    for (; at != pages_.end() && at->begin < end; ++at) {
        ranges.push_back({std::max(begin, at->begin), std::min(end, at->end), at->kind});
    }
    return ranges;
}

}  // namespace asrtrace::heap
