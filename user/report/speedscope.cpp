// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "user/base/escape.h"
#include "user/report/profile.h"

namespace asrtrace::report {
namespace {

using Json = nlohmann::ordered_json;

/// Frames, each kept once.
class FrameTable {
  public:
    Json sample(const FlameStack& stack) {
        Json out = Json::array();
        for (const FlameFrame& frame : stack.frames) out.push_back(index(frame));
        return out;
    }
    Json take() { return std::move(frames_); }

  private:
    std::size_t index(const FlameFrame& frame) {
        const std::string file = frame.file.empty() ? frame.module : frame.file;
        const auto [at, added] = ids_.try_emplace({frame.name, file, frame.line}, ids_.size());
        if (!added) return at->second;
        Json entry{{"name", escape_invalid(frame.name)}};
        if (!file.empty()) entry["file"] = escape_invalid(file);
        if (frame.line != 0) entry["line"] = frame.line;
        frames_.push_back(std::move(entry));
        return at->second;
    }

    std::map<std::tuple<std::string, std::string, std::uint32_t>, std::size_t> ids_;
    Json frames_ = Json::array();
};

/// `weight` of a stack; those with 0 are left out.
template <typename Weight>
Json profile(const std::string& name, const Flame& flame, FrameTable& table, Weight weight) {
    Json samples = Json::array(), weights = Json::array();
    std::uint64_t total = 0;
    for (const FlameStack& stack : flame.stacks) {
        const std::uint64_t bytes = weight(stack);
        if (bytes == 0) continue;
        samples.push_back(table.sample(stack));
        weights.push_back(bytes);
        total += bytes;
    }
    return {{"type", "sampled"},
            {"name", name},
            {"unit", "bytes"},
            {"startValue", 0},
            {"endValue", total},
            {"samples", std::move(samples)},
            {"weights", std::move(weights)}};
}

std::uint64_t more(std::uint64_t than, std::uint64_t bytes) {
    return bytes > than ? bytes - than : 0;
}

}  // namespace

std::string speedscope(const Flame& flame) {
    FrameTable table;
    Json profiles = Json::array();
    const std::string title = flame_title(flame.kind);
    const auto grown = [](const FlameStack& stack) { return more(stack.base_bytes, stack.bytes); };
    const auto shrunk = [](const FlameStack& stack) { return more(stack.bytes, stack.base_bytes); };
    profiles.push_back(profile(flame.compared ? title + ": more" : title, flame, table, grown));
    if (flame.compared) profiles.push_back(profile(title + ": less", flame, table, shrunk));
    Json out;
    out["$schema"] = "https://www.speedscope.app/file-format-schema.json";
    out["exporter"] = "asrtrace";
    out["name"] = escape_invalid(flame.process);
    out["activeProfileIndex"] = 0;
    out["shared"] = {{"frames", table.take()}};
    out["profiles"] = std::move(profiles);
    return out.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace asrtrace::report
