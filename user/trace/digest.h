// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Digests of rows. They guard against damage, not against forgery: FNV-1a (Fowler, Noll, Vo; 64
// bit), of which every step is a bijection, so that a single changed byte always shows, finished by
// the mixer of MurmurHash3 so that the digests of rows may be added up.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

namespace asrtrace::trace {

class RowDigest {
  public:
    explicit RowDigest(std::string_view table) { text(table); }

    void integer(std::int64_t value) {
        byte('i');
        word(static_cast<std::uint64_t>(value));
    }
    void real(double value) {
        byte('r');
        word(std::bit_cast<std::uint64_t>(value));
    }
    void text(std::string_view value) {
        byte('t');
        word(value.size());
        for (const char c : value) byte(static_cast<std::uint8_t>(c));
    }
    void null() { byte('n'); }

    std::uint64_t value() const {
        std::uint64_t h = state_;
        h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdULL;
        h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53ULL;
        return h ^ (h >> 33);
    }

  private:
    void byte(std::uint8_t b) { state_ = (state_ ^ b) * 0x100000001b3ULL; }
    void word(std::uint64_t w) {
        for (int i = 0; i < 8; ++i) byte(static_cast<std::uint8_t>(w >> (8 * i)));
    }
    std::uint64_t state_ = 0xcbf29ce484222325ULL;
};

/// Rows that are verified together: their number and the sum of their digests, so that rows may be
/// added one by one and the order does not matter.
struct BlockDigest {
    std::uint64_t rows = 0;
    std::uint64_t sum = 0;
    void add(std::uint64_t row_digest) {
        ++rows;
        sum += row_digest;
    }
    bool operator==(const BlockDigest&) const = default;
};

}  // namespace asrtrace::trace
