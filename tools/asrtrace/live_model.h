// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the live view shows, taken in passing from what goes into the trace.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "user/ledger/recording.h"

namespace asrtrace {

/// A site as of its last epoch.
struct LiveSite {
    std::uint64_t live_bytes = 0, outlived_bytes = 0, outlived_blocks = 0;
    StackId stack;
};

/// What was at the end of an epoch.
struct LivePoint {
    std::uint64_t requests = 0;
    std::uint64_t outlived_bytes = 0;  ///< of all heap sites
    std::uint64_t rss_anon_bytes = 0;
};

class LiveModel {
  public:
    void add_stack(StackId id, std::uint32_t flags, const std::vector<ledger::Frame>& frames);
    void add_sample(const ledger::ProcSample& sample);
    void add_reading(const ledger::Reading& reading);
    void add_epoch(const ledger::EpochRecord& record);

    /// Heap sites of which something outlived a request.
    std::vector<LiveSite> sites() const;
    /// A stack in one line, escaped: the function to blame, where, its module.
    std::string where(StackId stack) const;
    const std::vector<LivePoint>& history() const { return history_; }
    const std::optional<ledger::Reading>& first_reading() const { return first_reading_; }
    const std::optional<ledger::Reading>& last_reading() const { return last_reading_; }
    std::uint64_t readings() const { return readings_; }

  private:
    std::map<StackId, LiveSite> sites_;
    std::map<StackId, std::string> names_;
    std::vector<LivePoint> history_;  ///< thinned: the whole run, never more than kMostPoints
    std::uint64_t outlived_bytes_ = 0, rss_anon_bytes_ = 0, readings_ = 0;
    std::optional<ledger::Reading> first_reading_, last_reading_;
};

}  // namespace asrtrace
