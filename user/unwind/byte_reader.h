// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A cursor over foreign bytes. A read past the end yields 0 and marks the reader failed for good,
// so that a decoder may read a group of fields and ask once.
#pragma once

#include <cstdint>
#include <cstring>

#include "user/base/bytes.h"

namespace asrtrace::unwind {

class ByteReader {
  public:
    explicit ByteReader(Bytes bytes, std::size_t position = 0)
        : bytes_(bytes), position_(position), failed_(position > bytes.size()) {}

    std::size_t position() const { return position_; }
    bool failed() const { return failed_; }
    bool at_end() const { return failed_ || position_ == bytes_.size(); }

    /// A fixed-size integer in native byte order.
    template <typename T>
    T fixed() {
        T value{};
        if (failed_ || bytes_.size() - position_ < sizeof(T)) {
            failed_ = true;
            return value;
        }
        std::memcpy(&value, bytes_.data() + position_, sizeof(T));
        position_ += sizeof(T);
        return value;
    }

    /// LEB128 (DWARF 5, 7.6); bits beyond 64 are dropped.
    std::uint64_t uleb() {
        std::uint64_t value = 0;
        for (unsigned shift = 0;; shift += 7) {
            const auto byte = fixed<std::uint8_t>();
            if (shift < 64) value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
            if ((byte & 0x80) == 0) return value;
        }
    }

    std::int64_t sleb() {
        std::uint64_t value = 0;
        for (unsigned shift = 0;;) {
            const auto byte = fixed<std::uint8_t>();
            if (shift < 64) value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
            shift += 7;
            if ((byte & 0x80) != 0) continue;
            if ((byte & 0x40) != 0 && shift < 64) value |= ~std::uint64_t{0} << shift;
            return static_cast<std::int64_t>(value);
        }
    }

    void skip(std::uint64_t count) {
        if (failed_ || bytes_.size() - position_ < count) {
            failed_ = true;
        } else {
            position_ += static_cast<std::size_t>(count);
        }
    }

    /// The next `count` bytes, consumed; empty on failure.
    Bytes take(std::uint64_t count) {
        const std::size_t begin = position_;
        skip(count);
        return failed_ ? Bytes{} : bytes_.subspan(begin, static_cast<std::size_t>(count));
    }

  private:
    Bytes bytes_;
    std::size_t position_;
    bool failed_;
};

}  // namespace asrtrace::unwind
