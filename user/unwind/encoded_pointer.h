// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Pointers as .eh_frame encodes them (LSB 5, 10.5.1 "DWARF Exception Header Encoding").
#pragma once

#include <cstdint>
#include <optional>

#include "user/unwind/byte_reader.h"

namespace asrtrace::unwind {

struct PointerBases {
    std::uint64_t section = 0;  ///< address of the reader's first byte, for pcrel
    std::uint64_t text = 0;
    std::uint64_t data = 0;
};

/// DW_EH_PE_omit yields nothing and reads nothing.
constexpr std::uint8_t kPointerOmitted = 0xff;

/// Reads one pointer; nothing if the encoding is unknown, indirect, or the bytes run out. Indirect
/// pointers (personality routines) cannot be followed in a file and are consumed all the same.
inline std::optional<std::uint64_t> read_encoded(ByteReader& reader, std::uint8_t encoding,
                                                 const PointerBases& bases) {
    if (encoding == kPointerOmitted) return std::nullopt;
    const std::uint64_t here = bases.section + reader.position();
    std::uint64_t value = 0;
    switch (encoding & 0x0f) {
        case 0x00:
        case 0x04:
        case 0x0c:
            value = reader.fixed<std::uint64_t>();
            break;
        case 0x01:
            value = reader.uleb();
            break;
        case 0x02:
            value = reader.fixed<std::uint16_t>();
            break;
        case 0x03:
            value = reader.fixed<std::uint32_t>();
            break;
        case 0x09:
            value = static_cast<std::uint64_t>(reader.sleb());
            break;
        case 0x0a:
            value = static_cast<std::uint64_t>(std::int64_t{reader.fixed<std::int16_t>()});
            break;
        case 0x0b:
            value = static_cast<std::uint64_t>(std::int64_t{reader.fixed<std::int32_t>()});
            break;
        default:
            return std::nullopt;
    }
    if (reader.failed() || (encoding & 0x80) != 0) return std::nullopt;
    switch (encoding & 0x70) {
        case 0x00:
            return value;
        case 0x10:
            return value + here;
        case 0x20:
            return value + bases.text;
        case 0x30:
            return value + bases.data;
        default:
            return std::nullopt;
    }
}

}  // namespace asrtrace::unwind
