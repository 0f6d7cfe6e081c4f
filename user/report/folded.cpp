// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/folded.h"

#include <algorithm>
#include <map>
#include <utility>

#include "user/base/escape.h"

namespace asrtrace::report {

std::string folded(const Flame& flame) {
    std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> lines;
    for (const auto& stack : flame.stacks) {
        std::string line;
        for (const auto& frame : stack.frames) {
            auto name = escape_invalid(frame.name);
            std::replace(name.begin(), name.end(), ';', ':');
            line += (line.empty() ? "" : ";") + name;
        }
        lines[line].first += stack.base_bytes;
        lines[line].second += stack.bytes;
    }
    std::string out;
    for (const auto& [line, bytes] : lines) {
        out += line;
        if (flame.compared) out += " " + std::to_string(bytes.first);
        out += " " + std::to_string(bytes.second) + "\n";
    }
    return out;
}

}  // namespace asrtrace::report
