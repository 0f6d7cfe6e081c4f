// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A thread that confines itself before it does anything else.
#pragma once

#include <future>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include "user/base/confinement.h"

namespace asrtrace {

class ConfinedThread {
  public:
    ConfinedThread() = default;
    /// By a Confinement or a Settlement. Returns when the thread is confined, or is known not to
    /// be.
    template <typename Confined, typename Body>
    ConfinedThread(const Confined& confinement, Body body) {
        std::promise<Status> confined;
        auto told = confined.get_future();
        thread_ = std::thread(
            [confinement, confined = std::move(confined), body = std::move(body)]() mutable {
                confined.set_value(confine_thread(confinement));
                body();
            });
        if (const Status status = told.get(); !status)
            problem_ = std::string("thread ") + confinement.name +
                       " is not confined: " + status.error().message;
    }

    bool joinable() const { return thread_.joinable(); }
    void join() { thread_.join(); }
    /// Why it is not confined; empty if it is.
    const std::string& problem() const { return problem_; }

  private:
    std::thread thread_;
    std::string problem_;
};

/// Calls `function` in a confined thread and waits for what it returns. `problem`: why the thread
/// is not confined; empty if it is.
template <typename Confined, typename Function>
auto call_confined(const Confined& confinement, Function function, std::string* problem = nullptr) {
    std::packaged_task<std::invoke_result_t<Function>()> task(std::move(function));
    ConfinedThread thread(confinement, [&task] { task(); });
    thread.join();
    if (problem != nullptr) *problem = thread.problem();
    return task.get_future().get();
}

}  // namespace asrtrace
