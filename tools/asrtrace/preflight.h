// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Before anything is attached: may we, can this kernel, and whom do we look at.
#pragma once

#include "user/base/result.h"
#include "user/capture/allocator_probes.h"
#include "user/capture/features.h"
#include "user/capture/process.h"
#include "user/ledger/recording.h"

namespace asrtrace {

/// Error: a capability that is missing, or a feature of the kernel that nothing works without.
Status check_machine(const capture::Features& features);

ledger::Target describe(const capture::Process& process, const capture::AllocatorProbes& allocator);

}  // namespace asrtrace
