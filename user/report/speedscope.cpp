// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "user/base/escape.h"
#include "user/base/path.h"
#include "user/report/profile.h"

namespace asrtrace::report {

std::string speedscope(const ledger::Recording& recording, const std::vector<WeighedStack>& stacks,
                       FlameKind kind) {
    using Json = nlohmann::ordered_json;
    std::map<std::tuple<std::string, std::string, std::uint32_t>, std::size_t> ids;
    Json frames = Json::array(), samples = Json::array(), weights = Json::array();
    std::uint64_t total = 0;
    for (const WeighedStack& stack : stacks) {
        Json sample = Json::array();
        for (const FlameFrame& frame : flame_frames(recording, stack.stack)) {
            const std::string file = frame.file.empty() ? frame.module : frame.file;
            const auto [at, added] = ids.try_emplace({frame.name, file, frame.line}, ids.size());
            if (added) {
                Json entry{{"name", escape_invalid(frame.name)}};
                if (!file.empty()) entry["file"] = escape_invalid(file);
                if (frame.line != 0) entry["line"] = frame.line;
                frames.push_back(std::move(entry));
            }
            sample.push_back(at->second);
        }
        samples.push_back(std::move(sample));
        weights.push_back(stack.bytes);
        total += stack.bytes;
    }
    Json out;
    out["$schema"] = "https://www.speedscope.app/file-format-schema.json";
    out["exporter"] = "asrtrace";
    out["name"] = escape_invalid(basename_of(recording.target.exe));
    out["activeProfileIndex"] = 0;
    out["shared"] = {{"frames", std::move(frames)}};
    out["profiles"] = Json::array({{{"type", "sampled"},
                                    {"name", flame_title(kind)},
                                    {"unit", "bytes"},
                                    {"startValue", 0},
                                    {"endValue", total},
                                    {"samples", std::move(samples)},
                                    {"weights", std::move(weights)}}});
    return out.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace asrtrace::report
