// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The digests of a trace, two deep: each block of rows has one (table blocks), and the row in
// commits has one of all the blocks. Rows are added as they are written; a block whose rows go away
// is erased whole. Copyable, so that a commit that failed can be taken back.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "user/trace/database.h"
#include "user/trace/digest.h"

namespace asrtrace::trace {

using BlockKey = std::pair<std::string, std::uint64_t>;  ///< part, number
using BlockMap = std::map<BlockKey, BlockDigest>;

/// The digest that commits holds: of the commit's number and of all blocks.
std::uint64_t digest_blocks(std::uint64_t commit_number, const BlockMap& blocks);

class Blocks {
  public:
    void add(const BlockKey& key, std::uint64_t row_digest);
    void erase(const BlockKey& key);
    /// Writes what changed since the last save, and the commit's row.
    void save(Database& database);

  private:
    BlockMap blocks_;
    std::set<BlockKey> changed_;
    std::uint64_t commit_number_ = 0;
};

}  // namespace asrtrace::trace
