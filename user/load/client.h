// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Sends a load, open-loop: request i is due i / rate seconds after the first, sent then however
// long the ones before take, each on a connection of its own. A latency counts from when its
// request was due, so that what waits because others are slow is seen. One thread, libcurl's multi
// interface.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "user/base/confinement.h"
#include "user/base/result.h"
#include "user/load/outcome.h"
#include "user/load/plan.h"

namespace asrtrace::load {

/// What a thread may do that sends: answers are parsed there, and the worker wrote them.
inline constexpr Confinement kConfinement{
    .name = "load", .opens_files = true, .starts_threads = true, .sends_requests = true};

class Client {
  public:
    /// Error: libcurl cannot be used, or the plan's URL is none for it.
    static Result<Client> create(const Plan& plan);
    Client(Client&&) noexcept;
    ~Client();

    /// Sends all requests of the plan, which must outlive this, and calls `done` once for each as
    /// it ends. Returns when all have ended; or, when `stop` is set, at once: those in flight have
    /// failed then, the others are not sent.
    void run(const std::atomic<bool>& stop, const std::function<void(const Outcome&)>& done);

  private:
    class State;
    explicit Client(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// Posts nothing to the URL; the status of the answer. Error: there was none.
Result<int> post_nothing(const std::string& url);

/// Whether something accepts connections at the URL's host and port. Error: it is no URL.
Result<bool> accepts(const std::string& url);

}  // namespace asrtrace::load
