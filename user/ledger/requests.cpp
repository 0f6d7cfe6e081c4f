// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/ledger/requests.h"

#include <algorithm>

namespace asrtrace::ledger {

void Cohort::add(const BlockName& name, LiveBlocks& live) {
    blocks.add(name, [&](const BlockName& old) { return live.find(old) != nullptr; });
}

void Cohort::add(const MappingName& name, Mappings& mapped) {
    mappings.add(name, [&](const MappingName& old) {
        bool alive = false;
        mapped.each_piece(old, [&](const Region&) { alive = true; });
        return alive;
    });
}

void Cohort::add(const Cohort& other, LiveBlocks& live, Mappings& mapped) {
    for (const BlockName& name : other.blocks) add(name, live);
    for (const MappingName& name : other.mappings) add(name, mapped);
}

std::optional<ActiveRequest> Requests::begin(decode::ProcessNumber process, std::uint32_t tid,
                                             std::uint64_t time_ns,
                                             const decode::RequestMark& mark) {
    std::optional<ActiveRequest> abandoned;
    if (const auto own = by_thread_.find(tid); own != by_thread_.end()) {
        abandoned = remove(active_.find(own->second.front()));
        ++unknown_;
    }
    const RequestId id{next_++};
    ActiveRequest request;
    request.record.id = id;
    request.record.begin_ns = time_ns;
    request.record.tid = tid;
    request.record.external_id = mark.id;
    request.record.args = mark.args;
    request.process = process;
    active_.emplace(id, std::move(request));
    by_thread_[tid].push_back(id);
    return abandoned;
}

void Requests::disown(std::uint32_t tid, RequestId id) {
    const auto own = by_thread_.find(tid);
    if (own == by_thread_.end()) return;
    std::erase(own.value(), id);
    if (own->second.empty()) by_thread_.erase(own);
}

ActiveRequest Requests::remove(Active::iterator entry) {
    ActiveRequest request = std::move(entry->second);
    disown(request.record.tid, entry->first);
    active_.erase(entry);
    return request;
}

ActiveRequest& Requests::begin_http(decode::ProcessNumber process, std::uint32_t tid,
                                    const decode::HttpMark& mark) {
    const RequestId id{next_++};
    ActiveRequest request;
    request.record.id = id;
    request.record.begin_ns = mark.begin_ns;
    request.record.tid = tid;
    request.record.external_id = mark.id;
    request.process = process;
    by_thread_[tid].push_back(id);
    by_http_[mark.id] = id;
    return active_.emplace(id, std::move(request)).first->second;
}

void Requests::move_http(std::uint32_t tid, std::uint64_t external_id) {
    const auto known = by_http_.find(external_id);
    if (known == by_http_.end()) return;
    ActiveRequest& request = active_.find(known->second)->second;
    disown(request.record.tid, known->second);
    request.record.tid = tid;
    by_thread_[tid].push_back(known->second);
}

std::optional<ActiveRequest> Requests::end_http(std::uint64_t time_ns,
                                                const decode::HttpMark& mark) {
    const auto known = by_http_.find(mark.id);
    if (known == by_http_.end()) {
        ++unknown_;
        return std::nullopt;
    }
    ActiveRequest request = remove(active_.find(known->second));
    by_http_.erase(known);
    request.record.end_ns = time_ns;
    request.record.status = mark.status;
    request.record.args[0] = mark.body_bytes;
    request.record.response_bytes = mark.response_bytes;
    switch (mark.outcome) {
        case decode::HttpMark::Outcome::kServed:
            ++(request.excluded ? excluded_ : completed_);
            break;
        case decode::HttpMark::Outcome::kAborted:
            ++aborted_;
            break;
        case decode::HttpMark::Outcome::kConfused:
            ++unknown_;
            break;
    }
    return request;
}

/// An interval (thread 0) is every process's.
Requests::Active::iterator Requests::only_one(decode::ProcessNumber process) {
    auto found = active_.end();
    for (auto entry = active_.begin(); entry != active_.end(); ++entry) {
        if (entry->second.process != process && entry->second.record.tid != 0) continue;
        if (found != active_.end()) return active_.end();
        found = entry;
    }
    return found;
}

Requests::Active::iterator Requests::find(decode::ProcessNumber process, std::uint32_t tid,
                                          const decode::RequestMark& mark) {
    if (mark.id != 0) {
        // The server's own number wins: another thread may finish what this one began.
        auto entry = std::find_if(active_.begin(), active_.end(), [&](const auto& active) {
            return active.second.process == process && active.second.record.external_id == mark.id;
        });
        if (entry != active_.end()) return entry;
    }
    if (const auto own = by_thread_.find(tid); own != by_thread_.end()) {
        return active_.find(own->second.front());
    }
    return only_one(process);
}

std::optional<ActiveRequest> Requests::end(decode::ProcessNumber process, std::uint32_t tid,
                                           std::uint64_t time_ns, const decode::RequestMark& mark) {
    const auto entry = find(process, tid, mark);
    if (entry == active_.end()) {
        ++unknown_;
        return std::nullopt;
    }
    ActiveRequest request = remove(entry);
    request.record.end_ns = time_ns;
    request.record.status = static_cast<std::int64_t>(mark.args[0]);
    ++completed_;
    return request;
}

ActiveRequest* Requests::of_thread(decode::ProcessNumber process, std::uint32_t tid) {
    if (active_.empty()) return nullptr;
    const auto own = by_thread_.find(tid);
    if (own != by_thread_.end() && own->second.size() > 1) return nullptr;
    const auto entry = own != by_thread_.end() && active_.size() > 1
                           ? active_.find(own->second.front())
                           : only_one(process);
    return entry == active_.end() ? nullptr : &entry->second;
}

std::vector<ActiveRequest> Requests::end_thread(std::uint32_t tid) {
    std::vector<ActiveRequest> abandoned;
    const auto own = by_thread_.find(tid);
    if (own == by_thread_.end()) return abandoned;
    const std::vector<RequestId> ids = own->second;
    by_thread_.erase(own);
    for (const RequestId id : ids) {
        const auto entry = active_.find(id);
        const auto http = by_http_.find(entry->second.record.external_id);
        if (http != by_http_.end() && http->second == id) continue;
        abandoned.push_back(remove(entry));
        ++unknown_;
    }
    return abandoned;
}

std::vector<ActiveRequest> Requests::abandon(decode::ProcessNumber process) {
    std::vector<ActiveRequest> abandoned;
    for (auto entry = active_.begin(); entry != active_.end();) {
        const auto next = std::next(entry);
        if (entry->second.process == process && entry->second.record.tid != 0) {
            by_http_.erase(entry->second.record.external_id);
            abandoned.push_back(remove(entry));
            ++unknown_;
        }
        entry = next;
    }
    return abandoned;
}

}  // namespace asrtrace::ledger
