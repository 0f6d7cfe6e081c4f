// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Reads the memory of a running target with breaks. A large heap that is copied without one takes
// bandwidth and cache from the target all the while: a census of 0.2 s slows it by some 6 %. With
// breaks twice as long as the reading between them it takes 0.6 s, and slows it by a third of that.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>
#include <utility>

#include "user/heap/memory.h"

namespace asrtrace::heap {

class PacedMemory : public TargetMemory {
  public:
    using Clock = std::chrono::steady_clock;
    using Rest = std::function<void(Clock::duration)>;
    static constexpr std::size_t kStretchBytes = 4 << 20;
    static constexpr int kRest = 2;  ///< times as long as was read
    static constexpr Clock::duration kLongestRest = std::chrono::milliseconds(8);

    /// `memory` must outlive it. Tests tell what to do at a break.
    explicit PacedMemory(
        TargetMemory& memory,
        Rest rest = [](Clock::duration time) { std::this_thread::sleep_for(time); })
        : memory_(memory), rest_(std::move(rest)), stretch_begin_(Clock::now()) {}

    std::size_t read(std::uint64_t address, std::span<std::uint8_t> out) override {
        rest_when_due(out.size());
        return memory_.read(address, out);
    }
    void read_pieces(std::span<const Piece> pieces, std::span<std::uint8_t> out) override {
        rest_when_due(out.size());
        memory_.read_pieces(pieces, out);
    }
    Result<std::vector<PageRange>> pages(std::uint64_t begin, std::uint64_t end,
                                         bool private_anonymous) override {
        return memory_.pages(begin, end, private_anonymous);
    }
    std::uint64_t page_size() const override { return memory_.page_size(); }

  private:
    /// A stretch that others made long, by taking the CPU, is no reason for a long break.
    void rest_when_due(std::size_t bytes) {
        read_ += bytes;
        if (read_ < kStretchBytes) return;
        rest_(std::min(kRest * (Clock::now() - stretch_begin_), kLongestRest));
        read_ = 0;
        stretch_begin_ = Clock::now();
    }

    TargetMemory& memory_;
    Rest rest_;
    Clock::time_point stretch_begin_;
    std::size_t read_ = 0;
};

}  // namespace asrtrace::heap
