// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/load_thread.h"

namespace asrtrace {

LoadThread::LoadThread(load::Client client, load::Tally empty)
    : client_(std::move(client)), tally_(std::move(empty)), thread_(load::kConfinement, [this] {
          client_.run(stop_, [this](const load::Outcome& outcome) {
              const std::lock_guard lock(mutex_);
              tally_.add(outcome);
          });
      }) {}

LoadThread::~LoadThread() {
    finish();
}

load::Tally LoadThread::tally() const {
    const std::lock_guard lock(mutex_);
    return tally_;
}

load::Tally LoadThread::finish() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    return tally();
}

}  // namespace asrtrace
