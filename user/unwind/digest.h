// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A keyed 64-bit digest at memory speed, for cache entries. Not cryptographic: the key is secret to
// whoever might want a collision (it lies in an owner-only file), and a wrong answer costs a wrong
// stack and nothing more.
#pragma once

#include <cstdint>

#include "user/base/bytes.h"

namespace asrtrace::unwind {

class Digest {
  public:
    explicit Digest(std::uint64_t key) : state_(key ^ kMultiplier) {}

    void add(std::uint64_t value) { state_ = fold(state_ ^ value, kMultiplier + count_++); }

    void add(Bytes bytes) {
        add(bytes.size());
        std::size_t at = 0;
        for (; bytes.size() - at >= 16; at += 16) {
            state_ = fold(*read_at<std::uint64_t>(bytes, at) ^ state_,
                          *read_at<std::uint64_t>(bytes, at + 8) ^ kMultiplier);
        }
        for (; at < bytes.size(); ++at) add(bytes[at]);
    }

    std::uint64_t value() const { return fold(state_, kMultiplier); }

  private:
    static constexpr std::uint64_t kMultiplier = 0x9e3779b97f4a7c15;

    /// Both halves of the 128-bit product, as wyhash mixes (public domain, Wang Yi).
    static std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
        __extension__ using Wide = unsigned __int128;
        const Wide product = static_cast<Wide>(a) * b;
        return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
    }

    std::uint64_t state_;
    std::uint64_t count_ = 0;
};

}  // namespace asrtrace::unwind
