// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A load that is sent while others measure: by a thread without rights, for what it reads was
// written by the worker.
#pragma once

#include <atomic>
#include <mutex>
#include <string>

#include "user/base/confined_thread.h"
#include "user/load/client.h"
#include "user/load/tally.h"

namespace asrtrace {

class LoadThread {
  public:
    /// Begins at once; the plan of `client` must outlive this. `empty` knows the spans.
    LoadThread(load::Client client, load::Tally empty);
    ~LoadThread();

    /// Why the thread keeps its rights; empty if it does not.
    const std::string& problem() const { return thread_.problem(); }
    load::Tally tally() const;
    /// Gives up what is in flight and was not sent yet.
    load::Tally finish();

  private:
    load::Client client_;
    std::atomic<bool> stop_{false};
    mutable std::mutex mutex_;
    load::Tally tally_;
    ConfinedThread thread_;  // last: it uses all else
};

}  // namespace asrtrace
