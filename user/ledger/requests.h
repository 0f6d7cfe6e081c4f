// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Which request a thread works for, and what that request has left behind when it ends.
//
// The rule: an event belongs to its thread's own request; else to the only request in flight in its
// process; else to none, and is counted as unattributed. A thread has several of its own where
// requests are seen on sockets and one thread serves many (an event loop): whose work it does at a
// moment is then not known, and the event is unattributed, too. Blocks that belong to none form
// cohorts of their own, one an epoch, and have outlived it when another epoch has passed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "user/decode/event.h"
#include "user/ledger/blocks.h"
#include "user/ledger/mappings.h"
#include "user/ledger/recording.h"

namespace asrtrace::ledger {

/// Names in the order in which they came. The dead ones are dropped now and then, so that a list is
/// as long as what lives of it.
template <typename Name>
class NameList {
  public:
    template <typename IsAlive>
    void add(const Name& name, IsAlive is_alive) {
        if (names_.size() >= compact_at_) {
            std::erase_if(names_, [&](const Name& old) { return !is_alive(old); });
            compact_at_ = std::max(kFirstCompaction, 2 * names_.size());
        }
        names_.push_back(name);
    }
    auto begin() const { return names_.begin(); }
    auto end() const { return names_.end(); }
    std::size_t size() const { return names_.size(); }

  private:
    static constexpr std::size_t kFirstCompaction = 4096;
    std::vector<Name> names_;
    std::size_t compact_at_ = kFirstCompaction;
};

/// What was allocated under one request (or in one epoch without one).
struct Cohort {
    NameList<BlockName> blocks;
    NameList<MappingName> mappings;

    void add(const BlockName& name, LiveBlocks& live);
    void add(const MappingName& name, Mappings& mapped);
    /// All of another one's.
    void add(const Cohort& other, LiveBlocks& live, Mappings& mapped);
};

struct ActiveRequest {
    Request record;
    decode::ProcessNumber process = 0;
    PathIndex path = 0;
    bool excluded = false;  ///< does not count as a request
    Cohort cohort;
};

class Requests {
  public:
    /// A request begins on this thread; one that the thread had not ended is abandoned and
    /// returned.
    std::optional<ActiveRequest> begin(decode::ProcessNumber process, std::uint32_t tid,
                                       std::uint64_t time_ns, const decode::RequestMark& mark);
    /// Ends the process's request with the mark's id, else the thread's, else the only one in
    /// flight. Nothing if there is none.
    std::optional<ActiveRequest> end(decode::ProcessNumber process, std::uint32_t tid,
                                     std::uint64_t time_ns, const decode::RequestMark& mark);
    /// A request whose first bytes this thread has read, beside others that it may have.
    ActiveRequest& begin_http(decode::ProcessNumber process, std::uint32_t tid,
                              const decode::HttpMark& mark);
    /// Another thread works for it from now on.
    void move_http(std::uint32_t tid, std::uint64_t external_id);
    /// Ends it; nothing if it is not known. Only a response that was given completes a request.
    std::optional<ActiveRequest> end_http(std::uint64_t time_ns, const decode::HttpMark& mark);
    /// The request that an event of this thread belongs to, or null.
    ActiveRequest* of_thread(decode::ProcessNumber process, std::uint32_t tid);
    /// The thread has ended: what began on it never will. Not so what came from a socket, which
    /// another thread may answer, and which ends with the socket.
    std::vector<ActiveRequest> end_thread(std::uint32_t tid);
    /// The process has ended: its requests never will.
    std::vector<ActiveRequest> abandon(decode::ProcessNumber process);

    /// Calls `visit(request)` for all that run, but not for intervals.
    template <typename Visit>
    void each_of_a_thread(Visit visit) const {
        for (const auto& [id, request] : active_)
            if (request.record.tid != 0) visit(request);
    }

    std::uint32_t in_flight() const { return static_cast<std::uint32_t>(active_.size()); }
    std::uint64_t completed() const { return completed_; }
    /// Ends without a beginning, and requests that never ended.
    std::uint64_t unknown() const { return unknown_; }
    /// Whose connection was closed before the response's end.
    std::uint64_t aborted() const { return aborted_; }
    std::uint64_t excluded() const { return excluded_; }

  private:
    using Active = std::map<RequestId, ActiveRequest>;
    Active::iterator find(decode::ProcessNumber process, std::uint32_t tid,
                          const decode::RequestMark& mark);
    Active::iterator only_one(decode::ProcessNumber process);
    ActiveRequest remove(Active::iterator entry);
    void disown(std::uint32_t tid, RequestId id);

    Active active_;
    tsl::robin_map<std::uint32_t, std::vector<RequestId>> by_thread_;  ///< never empty
    tsl::robin_map<std::uint64_t, RequestId> by_http_;                 ///< by external id
    std::uint64_t next_ = 1;
    std::uint64_t completed_ = 0;
    std::uint64_t unknown_ = 0;
    std::uint64_t aborted_ = 0;
    std::uint64_t excluded_ = 0;
};

}  // namespace asrtrace::ledger
