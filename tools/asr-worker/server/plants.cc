// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "server/plants.h"

#include <charconv>
#include <cstdlib>

namespace asr {
namespace {

constexpr std::size_t kMaxPlantBytes = std::size_t{1} << 32;

std::size_t parse_count(std::string_view text, std::string_view whole, std::size_t least) {
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < least ||
        value > kMaxPlantBytes) {
        throw std::invalid_argument("--plant " + std::string(whole) + ": '" + std::string(text) +
                                    "' is no whole number of at least " + std::to_string(least));
    }
    return value;
}

}  // namespace

PlantSpec parse_plant(std::string_view text) {
    constexpr std::string_view kLeak = "leak=";
    constexpr std::string_view kCache = "cache=";
    constexpr std::string_view kEntries = ",entries=";
    if (text.starts_with(kLeak)) {
        return {PlantKind::kLeak, parse_count(text.substr(kLeak.size()), text, 1)};
    }
    if (text.starts_with(kCache)) {
        const auto value = text.substr(kCache.size());
        const auto comma = value.find(kEntries);
        PlantSpec spec{PlantKind::kCache,
                       parse_count(value.substr(0, comma), text, sizeof(CacheEntry))};
        if (comma != std::string_view::npos) {
            spec.entries = parse_count(value.substr(comma + kEntries.size()), text, 1);
        }
        return spec;
    }
    throw std::invalid_argument("--plant " + std::string(text) +
                                ": expected leak=BYTES or cache=BYTES[,entries=N]");
}

Plants::Plants(const std::vector<PlantSpec>& specs) {
    plants_.reserve(specs.size());
    for (const auto& spec : specs) plants_.push_back({spec, {}, {}});
}

Plants::~Plants() {
    for (auto& plant : plants_) {
        for (CacheEntry* entry = plant.cache.oldest; entry != nullptr;) {
            CacheEntry* newer = entry->newer;
            std::free(entry);
            entry = newer;
        }
    }
}

void Plants::on_request() {
    const std::lock_guard lock(mutex_);
    for (auto& plant : plants_) {
        if (plant.spec.kind == PlantKind::kLeak) {
            plant_leak_request(plant.spec.bytes, plant.held);
        } else {
            plant_cache_request(plant.spec.bytes, plant.spec.entries, plant.cache, plant.held);
        }
    }
}

std::vector<PlantTruth> Plants::truth() const {
    const std::lock_guard lock(mutex_);
    std::vector<PlantTruth> out;
    out.reserve(plants_.size());
    for (const auto& plant : plants_) {
        const bool leak = plant.spec.kind == PlantKind::kLeak;
        out.push_back({leak ? "leak" : "cache",
                       leak ? "asr::plant_leak_request" : "asr::plant_cache_request",
                       plant.spec.bytes, plant.held});
    }
    return out;
}

}  // namespace asr
