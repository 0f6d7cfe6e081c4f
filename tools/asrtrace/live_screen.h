// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The live view as lines of text: books, sparklines, sites, cost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tools/asrtrace/recorder.h"

namespace asrtrace {

enum class LiveOrder : std::uint8_t { kBytes, kBlocks, kLive, kName };
constexpr std::size_t kLiveOrders = 4;

struct LiveStyle {
    std::size_t columns = 80, rows = 24;
    bool colour = true;
    bool unicode = true;  ///< else bars and sparklines are ASCII
};

struct LiveHead {
    std::string process;  ///< escaped
    std::int32_t pid = 0;
    std::string summary;  ///< the recorder's
};

/// At most style.rows lines of at most style.columns columns, colours aside. `message` stands in
/// the last line, with the keys.
std::vector<std::string> live_screen(const LiveHead& head, const Progress& now, LiveOrder order,
                                     const std::string& message, const LiveStyle& style);

}  // namespace asrtrace
