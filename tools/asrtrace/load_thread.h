// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A load that is sent while others measure.
#pragma once

#include <atomic>
#include <mutex>
#include <thread>

#include "user/load/client.h"
#include "user/load/tally.h"

namespace asrtrace {

class LoadThread {
  public:
    /// Begins at once; the plan of `client` must outlive this. `empty` knows the spans.
    LoadThread(load::Client client, load::Tally empty);
    ~LoadThread();

    load::Tally tally() const;
    /// Gives up what is in flight and was not sent yet.
    load::Tally finish();

  private:
    load::Client client_;
    std::atomic<bool> stop_{false};
    mutable std::mutex mutex_;
    load::Tally tally_;
    std::thread thread_;
};

}  // namespace asrtrace
