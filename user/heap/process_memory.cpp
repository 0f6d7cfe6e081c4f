// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/heap/process_memory.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

namespace asrtrace::heap {
namespace {

// include/uapi/linux/fs.h, Linux 6.7; repeated because older headers lack it.
struct ScanArgument {
    std::uint64_t size;
    std::uint64_t flags;
    std::uint64_t start;
    std::uint64_t end;
    std::uint64_t walk_end;
    std::uint64_t vec;
    std::uint64_t vec_len;
    std::uint64_t max_pages;
    std::uint64_t category_inverted;
    std::uint64_t category_mask;
    std::uint64_t category_anyof_mask;
    std::uint64_t return_mask;
};
struct ScanRegion {
    std::uint64_t start;
    std::uint64_t end;
    std::uint64_t categories;
};
static_assert(sizeof(ScanArgument) == 96 && sizeof(ScanRegion) == 24);
static_assert(kPagemapScan == _IOWR('f', 16, ScanArgument));
constexpr std::uint64_t kPageIsFile = 1U << 2;
constexpr std::uint64_t kPageIsPresent = 1U << 3;
constexpr std::uint64_t kPageIsSwapped = 1U << 4;
constexpr std::uint64_t kPageIsZeroFrame = 1U << 5;

// pagemap entries and kpageflags: Documentation/admin-guide/mm/pagemap.rst.
constexpr std::uint64_t kEntryFrameMask = (1ULL << 55) - 1;
constexpr std::uint64_t kEntryExclusive = 1ULL << 56;
constexpr std::uint64_t kEntryFile = 1ULL << 61;
constexpr std::uint64_t kEntrySwapped = 1ULL << 62;
constexpr std::uint64_t kEntryPresent = 1ULL << 63;
constexpr std::uint64_t kFlagZeroPage = 1ULL << 24;

void append(std::vector<PageRange>& ranges, const PageRange& next) {
    if (!ranges.empty() && ranges.back().end == next.begin && ranges.back().kind == next.kind) {
        ranges.back().end = next.end;
    } else {
        ranges.push_back(next);
    }
}

void* remote_pointer(std::uint64_t address) {
    // Another process's address: nothing to optimise. NOLINTNEXTLINE(performance-no-int-to-ptr)
    return reinterpret_cast<void*>(address);
}

PageKind kind_of(const ScanRegion& region) {
    if ((region.categories & kPageIsPresent) == 0) return PageKind::kSwapped;
    if ((region.categories & kPageIsZeroFrame) != 0) return PageKind::kZero;
    return (region.categories & kPageIsFile) != 0 ? PageKind::kFile : PageKind::kAnonymous;
}

}  // namespace

void TargetMemory::read_pieces(std::span<const Piece> pieces, std::span<std::uint8_t> out) {
    std::size_t filled = 0;
    for (const Piece& piece : pieces) {
        auto part = out.subspan(filled, piece.length);
        if (read(piece.address, part) != piece.length) std::fill(part.begin(), part.end(), 0);
        filled += piece.length;
    }
}

bool TargetMemory::is_swapped(std::uint64_t address) {
    const std::uint64_t page = address & ~(page_size() - 1);
    const auto ranges = pages(page, page + page_size(), false);
    return ranges && !ranges->empty() && ranges->front().kind == PageKind::kSwapped;
}

void TargetMemory::read_each(std::span<const std::uint64_t> addresses, std::size_t each,
                             std::span<std::uint8_t> out) {
    std::vector<Piece> pieces;
    pieces.reserve(addresses.size());
    for (std::uint64_t address : addresses) pieces.push_back({address, each});
    read_pieces(pieces, out);
}

bool pagemap_scan_works() {
    const UniqueFd own(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
    ScanArgument nothing{};
    nothing.size = sizeof(nothing);
    nothing.return_mask = kPageIsPresent;
    return own.valid() && ::ioctl(own.get(), kPagemapScan, &nothing) >= 0;
}

ProcessMemory::ProcessMemory(pid_t pid, UniqueFd pagemap, UniqueFd kpageflags)
    : pid_(pid),
      pagemap_(std::move(pagemap)),
      kpageflags_(std::move(kpageflags)),
      page_size_(static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))) {}

Result<std::unique_ptr<ProcessMemory>> ProcessMemory::open(pid_t pid) {
    const std::string path = "/proc/" + std::to_string(pid) + "/pagemap";
    UniqueFd pagemap(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!pagemap.valid()) return errno_error(path);
    UniqueFd flags(::open("/proc/kpageflags", O_RDONLY | O_CLOEXEC));
    return std::unique_ptr<ProcessMemory>(
        new ProcessMemory(pid, std::move(pagemap), std::move(flags)));
}

std::size_t ProcessMemory::read(std::uint64_t address, std::span<std::uint8_t> out) {
    std::size_t done = 0;
    while (done < out.size()) {
        iovec local{out.data() + done, out.size() - done};
        iovec remote{remote_pointer(address + done), out.size() - done};
        const ssize_t got = ::process_vm_readv(pid_, &local, 1, &remote, 1, 0);
        if (got <= 0) break;
        done += static_cast<std::size_t>(got);
    }
    return done;
}

void ProcessMemory::read_pieces(std::span<const Piece> pieces, std::span<std::uint8_t> out) {
    std::array<iovec, 256> remote;
    std::size_t filled = 0;
    for (std::size_t at = 0; at < pieces.size();) {
        const std::size_t count = std::min(remote.size(), pieces.size() - at);
        std::size_t wanted = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const Piece& piece = pieces[at + i];
            remote[i] = {remote_pointer(piece.address), piece.length};
            wanted += piece.length;
        }
        iovec local{out.data() + filled, wanted};
        const ssize_t got = ::process_vm_readv(pid_, &local, 1, remote.data(), count, 0);
        // The call stops at the first bad address: what is whole counts, that piece becomes zero.
        std::size_t whole = 0;
        const std::size_t bytes = got <= 0 ? 0 : static_cast<std::size_t>(got);
        for (std::size_t sum = 0; whole < count && sum + pieces[at + whole].length <= bytes;
             ++whole) {
            sum += pieces[at + whole].length;
            filled += pieces[at + whole].length;
        }
        at += whole;
        if (whole == count) continue;
        auto bad = out.subspan(filled, pieces[at].length);
        std::fill(bad.begin(), bad.end(), std::uint8_t{0});
        filled += pieces[at++].length;
    }
}

Result<std::vector<PageRange>> ProcessMemory::pages(std::uint64_t begin, std::uint64_t end,
                                                    bool private_anonymous) {
    if (scan_works_) {
        auto ranges = scan_pages(begin, end, private_anonymous);
        if (ranges.ok() || scan_works_) return ranges;
    }
    return decode_pages(begin, end);
}

Result<std::vector<PageRange>> ProcessMemory::scan_pages(std::uint64_t begin, std::uint64_t end,
                                                         bool private_anonymous) {
    std::vector<PageRange> ranges;
    std::array<ScanRegion, 512> regions;
    while (begin < end) {
        ScanArgument scan{};
        scan.size = sizeof(scan);
        scan.start = begin;
        scan.end = end;
        scan.vec = reinterpret_cast<std::uint64_t>(regions.data());
        scan.vec_len = regions.size();
        scan.category_anyof_mask = kPageIsPresent | kPageIsSwapped;
        scan.return_mask = kPageIsPresent | kPageIsSwapped | kPageIsZeroFrame;
        if (!private_anonymous) scan.return_mask |= kPageIsFile;
        const int found = ::ioctl(pagemap_.get(), kPagemapScan, &scan);
        if (found < 0 && errno == EINTR) continue;
        if (found < 0) {
            if (errno == ENOTTY || errno == EINVAL) scan_works_ = false;
            return errno_error("PAGEMAP_SCAN");
        }
        for (int i = 0; i < found; ++i) {
            const ScanRegion& region = regions[static_cast<std::size_t>(i)];
            append(ranges, {region.start, region.end, kind_of(region)});
        }
        if (scan.walk_end <= begin) break;
        begin = scan.walk_end;
    }
    return ranges;
}

Result<std::vector<PageRange>> ProcessMemory::decode_pages(std::uint64_t begin, std::uint64_t end) {
    std::vector<PageRange> ranges;
    std::vector<std::uint64_t> entries(16384);
    for (std::uint64_t at = begin; at < end;) {
        const std::size_t wanted =
            std::min<std::size_t>(entries.size(), (end - at + page_size_ - 1) / page_size_);
        const ssize_t got = ::pread(pagemap_.get(), entries.data(), wanted * sizeof(entries[0]),
                                    static_cast<off_t>(at / page_size_ * sizeof(entries[0])));
        if (got < 0) return errno_error("pagemap");
        if (got < 8) break;
        const auto count = static_cast<std::size_t>(got) / sizeof(entries[0]);
        for (std::size_t i = 0; i < count; ++i, at += page_size_) {
            const std::uint64_t entry = entries[i];
            if ((entry & (kEntryPresent | kEntrySwapped)) == 0) continue;
            PageKind kind = PageKind::kAnonymous;
            if ((entry & kEntryPresent) == 0) {
                kind = PageKind::kSwapped;
            } else if ((entry & kEntryFile) != 0) {
                kind = PageKind::kFile;
            } else if ((entry & kEntryExclusive) == 0 && is_zero_page(entry & kEntryFrameMask)) {
                kind = PageKind::kZero;  // the zero page is mapped by all, hence never exclusive
            }
            append(ranges, {at, at + page_size_, kind});
        }
    }
    return ranges;
}

bool ProcessMemory::is_zero_page(std::uint64_t frame) {
    if (frame == 0 || !kpageflags_.valid()) return false;
    if (std::find(zero_frames_.begin(), zero_frames_.end(), frame) != zero_frames_.end())
        return true;
    std::uint64_t flags = 0;
    if (::pread(kpageflags_.get(), &flags, sizeof(flags), static_cast<off_t>(frame * 8)) != 8) {
        return false;
    }
    if ((flags & kFlagZeroPage) == 0) return false;
    zero_frames_.push_back(frame);
    return true;
}

}  // namespace asrtrace::heap
