// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Whom a stack is to be blamed on.
#pragma once

#include <vector>

#include "user/ledger/recording.h"

namespace asrtrace::classify {

/// Frames of a stack, leaf first; ids are checked. A stack that is not known has none.
std::vector<const ledger::Frame*> frames_of(const ledger::Recording& recording, StackId stack);

/// The frame to name a stack by: the first with a name that is not the allocator's, the C library's
/// or the standard library's; else the first in another file (generated code is in none); null
/// without frames.
const ledger::Frame* culprit_of(const std::vector<const ledger::Frame*>& frames);

}  // namespace asrtrace::classify
