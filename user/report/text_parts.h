// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The parts of the text report, in the order in which they are shown.
#pragma once

#include <string>
#include <vector>

#include "user/classify/findings.h"
#include "user/ledger/recording.h"
#include "user/report/page.h"

namespace asrtrace::report {

struct Source {
    const ledger::Recording& recording;
    const classify::Summary& summary;
    const std::vector<classify::Finding>& findings;
    /// "request", or "interval" if requests are plain intervals.
    const char* unit() const {
        return recording.request_source == ledger::RequestSource::kEvery ? "interval" : "request";
    }
};

/// A stack in one line of at most `room` columns: the function to blame, where, its module, and
/// marks. What does not fit is left out whole, the module first.
std::string one_line(const Source& source, StackId stack, std::size_t room = kPageColumns);

void put_headline(Page& page, const Source& source);
void put_findings(Page& page, const Source& source);
void put_books(Page& page, const Source& source);
void put_retention(Page& page, const Source& source);
void put_memory(Page& page, const Source& source);
void put_growth(Page& page, const Source& source);
void put_left_behind(Page& page, const Source& source);
void put_faults(Page& page, const Source& source);
void put_requests(Page& page, const Source& source);
void put_counts(Page& page, const Source& source);
void put_overhead(Page& page, const Source& source);
void put_losses(Page& page, const Source& source);

}  // namespace asrtrace::report
