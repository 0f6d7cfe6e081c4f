// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How the threads of a recording hand values to each other.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

namespace asrtrace {

template <typename T>
class Mailbox {
  public:
    void post(T value) {
        {
            const std::lock_guard lock(mutex_);
            values_.push_back(std::move(value));
        }
        ready_.notify_one();
    }

    /// All that has been posted since the last call; empty if nothing was.
    std::vector<T> take() {
        const std::lock_guard lock(mutex_);
        return std::exchange(values_, {});
    }

    /// Waits until something was posted, the box was closed, or the time is up.
    std::vector<T> wait(std::chrono::milliseconds timeout) {
        std::unique_lock lock(mutex_);
        ready_.wait_for(lock, timeout, [this] { return closed_ || !values_.empty(); });
        return std::exchange(values_, {});
    }

    void close() {
        {
            const std::lock_guard lock(mutex_);
            closed_ = true;
        }
        ready_.notify_all();
    }

    bool closed() const {
        const std::lock_guard lock(mutex_);
        return closed_;
    }

  private:
    mutable std::mutex mutex_;
    std::condition_variable ready_;
    std::vector<T> values_;
    bool closed_ = false;
};

}  // namespace asrtrace
