// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/trace/blocks.h"

namespace asrtrace::trace {

std::uint64_t digest_blocks(std::uint64_t commit_number, const BlockMap& blocks) {
    RowDigest digest("commits");
    digest.integer(static_cast<std::int64_t>(commit_number));
    for (const auto& [key, block] : blocks) {
        digest.text(key.first);
        digest.integer(static_cast<std::int64_t>(key.second));
        digest.integer(static_cast<std::int64_t>(block.rows));
        digest.integer(static_cast<std::int64_t>(block.sum));
    }
    return digest.value();
}

void Blocks::add(const BlockKey& key, std::uint64_t row_digest) {
    blocks_[key].add(row_digest);
    changed_.insert(key);
}

void Blocks::erase(const BlockKey& key) {
    if (blocks_.erase(key) != 0) changed_.insert(key);
}

void Blocks::save(Database& database) {
    auto replace = database.prepare("INSERT OR REPLACE INTO blocks VALUES(?,?,?,?)");
    auto remove = database.prepare("DELETE FROM blocks WHERE part=? AND number=?");
    for (const auto& key : changed_) {
        const auto found = blocks_.find(key);
        Statement& statement = found == blocks_.end() ? remove : replace;
        statement.bind(1, key.first);
        statement.bind(2, static_cast<std::int64_t>(key.second));
        if (found != blocks_.end()) {
            statement.bind(3, static_cast<std::int64_t>(found->second.rows));
            statement.bind(4, static_cast<std::int64_t>(found->second.sum));
        }
        statement.run();
    }
    changed_.clear();
    ++commit_number_;
    database.prepare("DELETE FROM commits").run();
    auto commit = database.prepare("INSERT INTO commits VALUES(?,?,?)");
    commit.bind(1, static_cast<std::int64_t>(commit_number_));
    commit.bind(2, static_cast<std::int64_t>(blocks_.size()));
    commit.bind(3, static_cast<std::int64_t>(digest_blocks(commit_number_, blocks_)));
    commit.run();
}

}  // namespace asrtrace::trace
