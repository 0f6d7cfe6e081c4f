// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Writes a cache's entries in a thread of its own, which may do that and nothing else.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "user/base/confined_thread.h"
#include "user/base/fd.h"
#include "user/base/mailbox.h"
#include "user/unwind/cache_entry.h"

namespace asrtrace::unwind {

class CacheWriter {
  public:
    explicit CacheWriter(UniqueFd directory);
    /// Waits until all is written.
    ~CacheWriter();
    CacheWriter(const CacheWriter&) = delete;
    CacheWriter& operator=(const CacheWriter&) = delete;

    void write(CacheEntry entry) { work_.post(std::move(entry)); }
    void prune(std::uint64_t limit_bytes) { work_.post(limit_bytes); }
    const std::string& problem() const { return thread_.problem(); }

  private:
    using Work = std::variant<CacheEntry, std::uint64_t>;

    void run();

    UniqueFd directory_;
    Mailbox<Work> work_;
    ConfinedThread thread_;
};

}  // namespace asrtrace::unwind
