// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// How long a worker lives, and how it ends without losing a request: it stops accepting, says so
// (the next one may accept now), and serves the connections that it has until their clients close
// them or have been idle for the keep-alive time.
#pragma once

#include <httplib.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>

namespace asr {

class Life {
  public:
    /// `most_requests`: 0 for no limit.
    explicit Life(std::uint64_t most_requests) : most_requests_(most_requests) {}

    /// Called with the number of requests answered so far.
    void answered(std::uint64_t requests) {
        if (most_requests_ > 0 && requests >= most_requests_) end();
    }
    void end() { ending_ = true; }
    bool ending() const { return ending_; }

  private:
    std::uint64_t most_requests_;
    std::atomic<bool> ending_{false};
};

/// httplib's server on a socket that others hold, too. Its own stop() shuts that socket down for
/// all of them and drops connections that are accepted but not yet served.
class SharedServer : public httplib::Server {
  public:
    void adopt(int fd) { svr_sock_ = fd; }
    void leave() { svr_sock_ = INVALID_SOCKET; }
};

/// The connections of a worker. httplib's accepting thread calls enqueue() behind every accept and
/// on_idle() where none came for a while; when life is over these hold it until every connection is
/// closed, and then make it leave.
class Connections : public httplib::TaskQueue {
  public:
    /// `stopped` is called, once, when no more connection will be accepted.
    Connections(std::size_t threads, const Life& life, SharedServer& server,
                std::function<void()> stopped)
        : life_(life), server_(server), stopped_(std::move(stopped)), pool_(threads) {}

    void enqueue(std::function<void()> serve) override;
    void on_idle() override { leave_if_over(); }
    void shutdown() override { pool_.shutdown(); }

  private:
    void leave_if_over();

    const Life& life_;
    SharedServer& server_;
    std::function<void()> stopped_;
    std::mutex mutex_;
    std::condition_variable closed_;
    std::size_t open_ = 0;
    httplib::ThreadPool pool_;
};

}  // namespace asr
