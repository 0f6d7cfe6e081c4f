// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a census may ask of its target: bytes at an address and the state of pages. The live
// process, a copy of it and a recorded image all answer through this, so that every walk is tested
// and fuzzed without a process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "user/base/result.h"

namespace asrtrace::heap {

/// State of pages in an address range. A page that is in no range was never touched.
enum class PageKind : std::uint8_t {
    kAnonymous,  ///< present, private to the process: counts in RssAnon
    kFile,       ///< present, of a file or shared memory
    kZero,       ///< present, but the kernel's one zero page: no memory
    kSwapped,    ///< written once, now in swap: reading it would change the target
};

struct PageRange {
    std::uint64_t begin = 0;  ///< page-aligned address
    std::uint64_t end = 0;
    PageKind kind = PageKind::kAnonymous;
};

/// A stretch of the target's memory.
struct Piece {
    std::uint64_t address = 0;
    std::uint64_t length = 0;
};

/// Why a heap of which a part is in swap is not read.
constexpr const char* kSwappedHeap = "inconclusive (swapped): a page of the heap is in swap";

class TargetMemory {
  public:
    TargetMemory() = default;
    TargetMemory(const TargetMemory&) = delete;
    TargetMemory& operator=(const TargetMemory&) = delete;
    virtual ~TargetMemory() = default;

    /// Reads from `address` on; returns how many bytes of `out` were filled from its start.
    virtual std::size_t read(std::uint64_t address, std::span<std::uint8_t> out) = 0;

    /// Reads many pieces, one behind the other into `out`. What cannot be read is zero.
    virtual void read_pieces(std::span<const Piece> pieces, std::span<std::uint8_t> out);

    /// Reads `each` bytes at every address, one behind the other into `out`. What cannot be read is
    /// zero.
    void read_each(std::span<const std::uint64_t> addresses, std::size_t each,
                   std::span<std::uint8_t> out);

    /// Ranges with pages in [begin, end), sorted and disjoint. In private anonymous mappings no
    /// page is of a file; not having to ask is six times faster. Error: the process is gone.
    virtual Result<std::vector<PageRange>> pages(std::uint64_t begin, std::uint64_t end,
                                                 bool private_anonymous) = 0;

    /// Is the page of `address` in swap? Reading it would bring it back.
    bool is_swapped(std::uint64_t address);

    virtual std::uint64_t page_size() const = 0;

    /// A fixed-size value, or nothing if it cannot be read whole.
    template <typename T>
    std::optional<T> read_value(std::uint64_t address) {
        static_assert(std::is_trivially_copyable_v<T>);
        std::uint8_t bytes[sizeof(T)];
        if (read(address, bytes) != sizeof(T)) return std::nullopt;
        T value;
        std::memcpy(&value, bytes, sizeof(T));
        return value;
    }
};

/// A thread as ptrace shows it while it is stopped.
struct ThreadState {
    pid_t tid = 0;
    std::uint64_t stack_pointer = 0;  ///< 0: not known
    std::uint64_t tls_base = 0;       ///< 0: not known
    std::vector<std::uint64_t> registers;
};

}  // namespace asrtrace::heap
