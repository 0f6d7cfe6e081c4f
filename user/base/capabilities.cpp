// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/base/capabilities.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

namespace asrtrace {
namespace {

/// Low and high half, as capget(2) has them; glibc has no function for either call.
using Data = std::array<__user_cap_data_struct, 2>;

Result<Data> get_capabilities() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    Data data{};
    if (::syscall(SYS_capget, &header, data.data()) != 0) return errno_error("capget");
    return data;
}

}  // namespace

Result<CapabilitySet> effective_capabilities() {
    const auto data = get_capabilities();
    if (!data) return data.error();
    return CapabilitySet{(*data)[1].effective} << 32 | (*data)[0].effective;
}

Status keep_capabilities(CapabilitySet kept) {
    auto data = get_capabilities();
    if (!data) return data.error();
    for (unsigned half = 0; half < 2; ++half) {
        const auto mask = static_cast<std::uint32_t>(kept >> (32 * half));
        (*data)[half].effective &= mask;
        (*data)[half].permitted &= mask;
        (*data)[half].inheritable = 0;
    }
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    if (::syscall(SYS_capset, &header, data->data()) != 0) return errno_error("capset");
    return ok_status();
}

}  // namespace asrtrace
