// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Unwind tables on disk, by build-id, so that the second attach is quick. An entry is believed only
// if it is ours (owner, mode 0600, directory 0700), whole (keyed checksum) and made from the very
// call frame information at hand: a target that carries another file's build-id must not be able to
// plant a table for it. Whatever is wrong with an entry, it is ignored and written anew.
#pragma once

#include <optional>
#include <string>

#include "user/base/fd.h"
#include "user/base/result.h"
#include "user/unwind/table.h"

namespace asrtrace::unwind {

class TableCache {
  public:
    /// $XDG_CACHE_HOME/asrtrace/unwind, ~/.cache/asrtrace/unwind; for root
    /// /var/cache/asrtrace/unwind.
    static std::string default_directory();

    /// Creates the directory if needed. Error: it is not ours, or open to others.
    static Result<TableCache> open(const std::string& directory);

    /// Nothing if there is no believable entry.
    std::optional<UnwindTable> load(const std::string& build_id, const CfiSource& source) const;

    /// Error: no room, no permission; the table is good all the same.
    Status store(const std::string& build_id, const CfiSource& source,
                 const UnwindTable& table) const;

    /// Removes the oldest entries until at most `limit_bytes` remain.
    void prune(std::uint64_t limit_bytes) const;

  private:
    explicit TableCache(UniqueFd directory) : directory_(std::move(directory)) {}
    UniqueFd directory_;
};

}  // namespace asrtrace::unwind
