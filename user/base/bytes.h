// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Checked access to foreign bytes (ELF, DWARF, heaps, wire records, traces): every read says
// whether it stayed inside, so that damaged input is an answer and never a crash.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <type_traits>

namespace asrtrace {

using Bytes = std::span<const std::uint8_t>;

/// The memory of a vector or string, in native byte order.
template <typename Container>
Bytes as_bytes(const Container& values) {
    static_assert(std::is_trivially_copyable_v<typename Container::value_type>);
    return {reinterpret_cast<const std::uint8_t*>(values.data()),
            values.size() * sizeof(typename Container::value_type)};
}

/// A fixed-size value at `offset` in native byte order; nothing if it would reach past the end.
template <typename T>
std::optional<T> read_at(Bytes bytes, std::size_t offset) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof(T));
    return value;
}

/// The part [offset, offset + length), or nothing if it is not wholly inside.
inline std::optional<Bytes> slice_at(Bytes bytes, std::size_t offset, std::size_t length) {
    if (offset > bytes.size() || bytes.size() - offset < length) return std::nullopt;
    return bytes.subspan(offset, length);
}

/// a + b, or nothing on overflow.
template <typename T>
std::optional<T> checked_add(T a, T b) {
    static_assert(std::is_unsigned_v<T>);
    if (b > std::numeric_limits<T>::max() - a) return std::nullopt;
    return static_cast<T>(a + b);
}

/// a * b, or nothing on overflow.
template <typename T>
std::optional<T> checked_mul(T a, T b) {
    static_assert(std::is_unsigned_v<T>);
    T product;
    if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
    return product;
}

}  // namespace asrtrace
