// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// The parent of workers that end after some requests: it holds the listening socket and accepts
// nothing. At any time one worker accepts; when that one has stopped, the next is started, and what
// connects in between waits in the socket's queue.
#pragma once

#include <sys/types.h>

#include <functional>

#include "server/options.h"

namespace asr {

/// How a worker tells its parent where it stands.
class Reporter {
  public:
    explicit Reporter(int fd = -1) : fd_(fd) {}
    void ready() const { tell('r'); }    ///< it accepts
    void stopped() const { tell('s'); }  ///< it accepts no more

  private:
    void tell(char what) const;

    int fd_;  ///< -1: there is no parent to tell
};

/// Runs in the child; its exit status.
using RunWorker = std::function<int(const Reporter&)>;

/// Keeps a worker running until SIGTERM or SIGINT, which must be blocked; those that run then are
/// ended by SIGTERM. `ready` is called when the first one accepts. A worker that ends
/// before it is ready ends the parent, with its status; one that dies later is replaced.
int supervise(const RunWorker& run_worker, const std::function<void()>& ready);

}  // namespace asr
