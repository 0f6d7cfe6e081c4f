// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/ledger/requests.h"

#include <algorithm>

namespace asrtrace::ledger {

void Cohort::add(BlockName name, LiveBlocks& live) {
    if (blocks.size() >= compact_at) {
        std::erase_if(blocks, [&](const BlockName& old) { return live.find(old) == nullptr; });
        compact_at = std::max<std::size_t>(4096, 2 * blocks.size());
    }
    blocks.push_back(name);
}

std::optional<ActiveRequest> Requests::begin(std::uint32_t tid, std::uint64_t time_ns,
                                             const decode::RequestMark& mark) {
    std::optional<ActiveRequest> abandoned;
    if (const auto own = by_thread_.find(tid); own != by_thread_.end()) {
        if (auto old = active_.extract(own->second)) abandoned = std::move(old.mapped());
        ++unknown_;
    }
    const RequestId id{next_++};
    ActiveRequest request;
    request.record.id = id;
    request.record.begin_ns = time_ns;
    request.record.tid = tid;
    request.record.external_id = mark.id;
    request.record.args = mark.args;
    active_.emplace(id, std::move(request));
    by_thread_[tid] = id;
    return abandoned;
}

Requests::Active::iterator Requests::find(std::uint32_t tid, const decode::RequestMark& mark) {
    if (mark.id != 0) {
        // The server's own number wins: another thread may finish what this one began.
        auto entry = std::find_if(active_.begin(), active_.end(), [&](const auto& active) {
            return active.second.record.external_id == mark.id;
        });
        if (entry != active_.end()) return entry;
    }
    if (const auto own = by_thread_.find(tid); own != by_thread_.end()) {
        return active_.find(own->second);
    }
    return active_.size() == 1 ? active_.begin() : active_.end();
}

std::optional<ActiveRequest> Requests::end(std::uint32_t tid, std::uint64_t time_ns,
                                           const decode::RequestMark& mark) {
    const auto entry = find(tid, mark);
    if (entry == active_.end()) {
        ++unknown_;
        return std::nullopt;
    }
    ActiveRequest request = std::move(entry->second);
    active_.erase(entry);
    if (const auto own = by_thread_.find(request.record.tid);
        own != by_thread_.end() && own->second == request.record.id) {
        by_thread_.erase(own);
    }
    request.record.end_ns = time_ns;
    request.record.status = static_cast<std::int64_t>(mark.args[0]);
    ++completed_;
    return request;
}

ActiveRequest* Requests::of_thread(std::uint32_t tid) {
    if (active_.empty()) return nullptr;
    if (active_.size() == 1) return &active_.begin()->second;
    const auto own = by_thread_.find(tid);
    if (own == by_thread_.end()) return nullptr;
    const auto entry = active_.find(own->second);
    return entry == active_.end() ? nullptr : &entry->second;
}

}  // namespace asrtrace::ledger
