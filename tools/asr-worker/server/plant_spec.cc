// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <charconv>
#include <utility>

#include "server/plants.h"

namespace asr {
namespace {

constexpr std::size_t kMaxPlantBytes = std::size_t{1} << 32;
// More than this would need blocks that malloc maps.
constexpr std::size_t kMaxRetentionMib = 1024;
constexpr std::size_t kMib = std::size_t{1} << 20;

struct KindOfPlant {
    std::string_view name;
    PlantKind kind;
    std::size_t least;
    std::size_t most;
};

constexpr KindOfPlant kKinds[] = {
    {"leak=", PlantKind::kLeak, 1, kMaxPlantBytes},
    {"cache=", PlantKind::kCache, sizeof(CacheEntry), kMaxPlantBytes},
    {"keyed=", PlantKind::kKeyed, sizeof(KeyedEntry), kMaxPlantBytes},
    {"retention=", PlantKind::kRetention, 1, kMaxRetentionMib},
    {"library=", PlantKind::kLibrary, 1, kMaxPlantBytes},
};

std::size_t parse_count(std::string_view text, std::string_view whole, std::size_t least,
                        std::size_t most) {
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
        throw std::invalid_argument("--plant " + std::string(whole) + ": '" + std::string(text) +
                                    "' is no whole number from " + std::to_string(least) + " to " +
                                    std::to_string(most));
    }
    return value;
}

}  // namespace

PlantSpec parse_plant(std::string_view text) {
    constexpr std::string_view kEntries = ",entries=";
    for (const auto& [name, kind, least, most] : kKinds) {
        if (!text.starts_with(name)) continue;
        const auto value = text.substr(name.size());
        const auto comma =
            kind == PlantKind::kCache ? value.find(kEntries) : std::string_view::npos;
        PlantSpec spec{kind, parse_count(value.substr(0, comma), text, least, most)};
        if (kind == PlantKind::kRetention) spec.bytes *= kMib;
        if (comma != std::string_view::npos) {
            spec.entries =
                parse_count(value.substr(comma + kEntries.size()), text, 1, kMaxPlantBytes);
        }
        return spec;
    }
    throw std::invalid_argument("--plant " + std::string(text) +
                                ": expected leak=BYTES, cache=BYTES[,entries=N], keyed=BYTES, "
                                "retention=MIB or library=BYTES");
}

}  // namespace asr
