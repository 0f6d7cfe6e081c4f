// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Feeds a ledger with events as a target would cause them, a microsecond apart.
#pragma once

#include <sys/mman.h>

#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "user/ledger/ledger.h"

namespace asrtrace::ledger {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kBase = 0x7f0000000000;

class Script {
  public:
    explicit Script(LedgerConfig config = {}) : ledger(config), now_ns(config.start_ns) {}

    void at(std::uint32_t tid, decode::Payload payload) {
        now_ns += 1000;
        ledger.apply({now_ns, tid, payload, process});
    }
    void alloc(std::uint64_t address, std::uint64_t size, decode::StackKey stack = 1,
               std::uint32_t tid = 1) {
        at(tid, decode::Alloc{.address = address, .size = size, .stack = stack});
    }
    void free(std::uint64_t address, std::uint32_t tid = 1) { at(tid, decode::Free{address}); }
    void begin(std::uint32_t tid = 1, std::uint64_t id = 0) {
        at(tid, decode::RequestMark{.done = false, .id = id});
    }
    void done(std::uint32_t tid = 1, std::uint64_t id = 0) {
        at(tid, decode::RequestMark{.done = true, .id = id});
    }
    void http_begin(std::uint64_t id, std::uint32_t tid = 1, std::string_view path = "/") {
        at(tid, decode::HttpMark{.id = id, .begin_ns = now_ns + 500, .path = path});
    }
    void http_moved(std::uint64_t id, std::uint32_t tid) {
        at(tid, decode::HttpMark{.kind = decode::HttpMark::Kind::kMoved, .id = id});
    }
    void http_done(std::uint64_t id, std::uint32_t tid = 1,
                   decode::HttpMark::Outcome outcome = decode::HttpMark::Outcome::kServed) {
        at(tid, decode::HttpMark{.kind = decode::HttpMark::Kind::kDone,
                                 .outcome = outcome,
                                 .id = id,
                                 .body_bytes = 300,
                                 .response_bytes = 70,
                                 .status = 200});
    }
    void map(std::uint64_t address, std::uint64_t length, decode::StackKey stack = 1,
             std::uint32_t tid = 1) {
        at(tid, decode::Map{.address = address,
                            .length = length,
                            .stack = stack,
                            .prot = PROT_READ,
                            .map_flags = MAP_PRIVATE | MAP_ANONYMOUS});
    }
    void unmap(std::uint64_t address, std::uint64_t length, bool succeeds = true) {
        at(1, decode::UnmapBegin{address, length});
        at(1, decode::UnmapEnd{succeeds});
    }

    /// Ends the window; the last row of each site by stack id. Call once.
    std::map<std::uint32_t, SiteEpoch> finish(SiteKind kind = SiteKind::kHeap) {
        ledger.finish(now_ns + 1000);
        LedgerOutput output = ledger.take_output();
        requests = output.requests;
        std::map<std::uint32_t, SiteEpoch> rows;
        for (const EpochRecord& record : output.epochs) {
            for (const SiteEpoch& row : record.sites) {
                if (row.kind == kind) rows[row.stack.value] = row;
            }
        }
        ledger.add_counts(counts);
        return rows;
    }

    void fork(decode::ProcessNumber child) {
        at(1, decode::Task{.kind = decode::Task::Kind::kFork, .child = child});
    }
    void exec() { at(1, decode::Task{.kind = decode::Task::Kind::kExec}); }
    void exit(bool last_thread, std::uint32_t tid = 1) {
        at(tid, decode::Task{.kind = decode::Task::Kind::kExit, .process_ended = last_thread});
    }

    /// A marking that began when the block `serial` was the newest, booked `at_once` by `at_once`.
    Unmatched lose(std::vector<LostBlock> lost, std::uint64_t serial, std::size_t at_once = 1000) {
        Marking marking = make_marking(std::move(lost), serial, lost_before);
        while (!ledger.book(marking, at_once)) tick();
        return marking.unmatched;
    }
    Unmatched lose(std::vector<LostBlock> lost) { return lose(std::move(lost), ledger.serial()); }
    void tick() { ledger.tick(now_ns += 1000); }

    Ledger ledger;
    decode::ProcessNumber process = 0;  ///< of what happens from now on
    std::uint64_t now_ns;
    std::vector<std::uint64_t> lost_before;  ///< at the last marking
    std::vector<Request> requests;
    Counts counts;
};

}  // namespace asrtrace::ledger
