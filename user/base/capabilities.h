// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Capabilities of the calling thread: the kernel keeps them a thread, and so do we.
#pragma once

#include <cstdint>

#include "user/base/result.h"

namespace asrtrace {

/// Numbers of include/uapi/linux/capability.h; older headers lack the last ones.
enum class Capability : std::uint8_t {
    kChown = 0,
    kDacOverride = 1,
    kDacReadSearch = 2,
    kFowner = 3,
    kKill = 5,
    kSysPtrace = 19,
    kSysAdmin = 21,
    kSysNice = 23,
    kPerfmon = 38,
    kBpf = 39,
    kCheckpointRestore = 40,
};

using CapabilitySet = std::uint64_t;

template <typename... Each>
constexpr CapabilitySet capability_set(Each... each) {
    return ((CapabilitySet{1} << static_cast<unsigned>(each)) | ... | 0);
}

/// Those that the calling thread may use now.
Result<CapabilitySet> effective_capabilities();

/// The calling thread gives up, for good, all that are not in `kept`; what it did not have it does
/// not get.
Status keep_capabilities(CapabilitySet kept);

}  // namespace asrtrace
