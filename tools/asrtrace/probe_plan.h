// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Where the probes of a recording go. All of it is read from the target's files, before anything is
// loaded, by a thread that can do nothing but read: these files are anybody's.
#pragma once

#include <string>
#include <vector>

#include "tools/asrtrace/recorder.h"
#include "user/base/result.h"
#include "user/capture/allocator_probes.h"
#include "user/capture/call_sites.h"
#include "user/capture/request_source.h"

namespace asrtrace {

struct ProbePlan {
    capture::AllocatorProbes allocator;
    capture::RequestPlan requests;
    capture::CallSites mapping_calls;  ///< `doubt`: why tracepoints of system calls have to do
    /// What goes through sockets; nowhere: the kernel's tracepoints have to do.
    std::vector<capture::CallSite> socket_calls;
    std::string problem;  ///< why the thread that read is not confined; empty if it was
};

/// What followed programs that started while the window was open may have mapped in place of what
/// was probed, for people, one a line.
std::vector<std::string> replaced_libraries(const capture::AllocatorProbes& probes);

/// `method`: of the probes. Error: the process is gone, may not be read, or has no such requests.
Result<ProbePlan> plan_probes(const RecorderOptions& options, capture::ProbeMethod method);

}  // namespace asrtrace
