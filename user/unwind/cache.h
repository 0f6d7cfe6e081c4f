// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Unwind tables on disk, by build-id, so that the second attach is quick. An entry is believed only
// if it is ours (owner, mode 0600, directory 0700), whole (keyed checksum) and made from the very
// call frame information at hand: a target that carries another file's build-id must not be able to
// plant a table for it. Whatever is wrong with an entry, it is ignored and written anew.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "user/base/fd.h"
#include "user/base/result.h"
#include "user/unwind/table.h"

namespace asrtrace::unwind {

class CacheWriter;

class TableCache {
  public:
    /// $XDG_CACHE_HOME/asrtrace/unwind, ~/.cache/asrtrace/unwind; for root
    /// /var/cache/asrtrace/unwind.
    static std::string default_directory();

    /// Creates the directory if needed. Error: it is not ours, or open to others.
    static Result<TableCache> open(const std::string& directory);

    /// Nothing if there is no believable entry.
    std::optional<UnwindTable> load(const std::string& build_id, const CfiSource& source) const;

    /// Error: no room, no permission; the table is good all the same, and written behind it is not
    /// told.
    Status store(const std::string& build_id, const CfiSource& source,
                 const UnwindTable& table) const;

    /// Removes the oldest entries until at most `limit_bytes` remain.
    void prune(std::uint64_t limit_bytes) const;

    /// From here on what is stored and pruned is written by a thread of its own, which reads
    /// nothing of a target: the threads that call store() need no right to write. Done when this is
    /// destroyed. Returns why that thread is not confined; empty if it is.
    const std::string& write_behind();

    ~TableCache();
    TableCache(TableCache&&) noexcept;
    TableCache& operator=(TableCache&&) noexcept;

  private:
    explicit TableCache(UniqueFd directory);

    UniqueFd directory_;
    std::unique_ptr<CacheWriter> writer_;
};

}  // namespace asrtrace::unwind
