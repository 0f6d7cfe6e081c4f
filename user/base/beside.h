// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Work in a thread of its own, where that is only to save time.
#pragma once

#include <memory>
#include <system_error>
#include <thread>
#include <utility>

namespace asrtrace {

/// Does `work` in a new thread; at once in this one where no more threads can be had (EAGAIN of
/// pthread_create: RLIMIT_NPROC, pids.max), for detaching must not fail for want of one.
template <typename Work>
std::jthread do_beside(Work work) {
    const auto shared = std::make_shared<Work>(std::move(work));
    try {
        return std::jthread([shared] { (*shared)(); });
    } catch (const std::system_error&) {
        (*shared)();
        return {};
    }
}

}  // namespace asrtrace
