// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The parts of a characterization run's report that its rows do not tell.
#pragma once

#include "user/report/page.h"
#include "user/report/soak.h"

namespace asrtrace::report {

void put_events(Page& page, const SoakFacts& facts);
void put_load(Page& page, const SoakFacts& facts);
void put_why(Page& page, const SoakFacts& facts);
/// The parts of /proc/meminfo that free(1) shows, in plain words; nothing if it is not known.
void put_meminfo(Page& page, const SoakFacts& facts);

}  // namespace asrtrace::report
