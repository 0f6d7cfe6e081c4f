// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What several threads may read at once: an allowance that they share. Small files go on side by
// side, large ones after each other.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace asrtrace::unwind {

class MemoryShares {
  public:
    /// A part of the allowance, given back at its end.
    class Share {
      public:
        Share(MemoryShares& owner, std::uint64_t bytes) : owner_(owner), bytes_(bytes) {}
        Share(const Share&) = delete;
        Share& operator=(const Share&) = delete;
        ~Share() { owner_.give_back(bytes_); }

      private:
        MemoryShares& owner_;
        std::uint64_t bytes_;
    };

    /// Waits until there is room. Who wants more than all of it goes alone.
    Share take(std::uint64_t bytes) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return used_ == 0 || used_ + bytes <= kAllowance; });
        used_ += bytes;
        return {*this, bytes};
    }

  private:
    /// Of call frame information; tables and what leads to them take eight times as much.
    static constexpr std::uint64_t kAllowance = std::uint64_t{64} << 20;

    void give_back(std::uint64_t bytes) {
        {
            const std::lock_guard lock(mutex_);
            used_ -= bytes;
        }
        changed_.notify_all();
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::uint64_t used_ = 0;
};

}  // namespace asrtrace::unwind
