// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "server/life.h"

#include <chrono>

namespace asr {
namespace {

// A client may go on on its connection although it was told that it is closed; then it is.
constexpr std::chrono::seconds kMostDrain{30};

}  // namespace

void Connections::enqueue(std::function<void()> serve) {
    {
        const std::lock_guard lock(mutex_);
        ++open_;
    }
    pool_.enqueue([this, serve = std::move(serve)] {
        serve();
        const std::lock_guard lock(mutex_);
        --open_;
        closed_.notify_all();
    });
    leave_if_over();
}

void Connections::leave_if_over() {
    if (!life_.ending()) return;
    stopped_();
    std::unique_lock lock(mutex_);
    closed_.wait_for(lock, kMostDrain, [this] { return open_ == 0; });
    server_.leave();
}

}  // namespace asr
