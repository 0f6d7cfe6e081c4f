// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/experiment/variant.h"

#include <algorithm>
#include <cctype>
#include <sstream>

namespace asrtrace::experiment {
namespace {

constexpr const char* kLimitOption = "--limit-max-requests";

bool names_a_setting(const std::string& piece) {
    const std::size_t mark = piece.find('=');
    if (mark == std::string::npos || mark == 0 || std::isdigit(piece[0]) != 0) return false;
    return std::all_of(piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(mark),
                       [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
}

/// A value may hold commas: a piece that names no setting belongs to the one before.
Status add_settings(const std::string& text, std::vector<std::string>& settings) {
    std::istringstream pieces(text);
    for (std::string piece; std::getline(pieces, piece, ',');) {
        if (names_a_setting(piece)) {
            settings.push_back(piece);
        } else if (settings.empty()) {
            return Error{"'" + piece + "' is not ENV=VALUE"};
        } else {
            settings.back() += "," + piece;
        }
    }
    return ok_status();
}

std::vector<std::string> words_of(const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word);
    return words;
}

Variant preloaded(const FindLibrary& find, const std::string& name,
                  const std::vector<std::string>& files, const std::string& package) {
    Variant variant;
    variant.name = name;
    for (const std::string& file : files) {
        if (const auto path = find(file)) {
            variant.environment = {"LD_PRELOAD=" + *path};
            return variant;
        }
    }
    variant.missing = files.front() + " is not installed: apt-get install " + package;
    return variant;
}

}  // namespace

bool Variant::replaces_workers() const {
    return std::find(arguments.begin(), arguments.end(), kLimitOption) != arguments.end();
}

Result<Variant> parse_variant(const std::string& text) {
    const std::size_t mark = text.find(':');
    if (mark == std::string::npos || mark == 0 || mark + 1 == text.size())
        return Error{"'" + text + "' is not NAME:ENV=VALUE,...[:ARGS]"};
    Variant variant;
    variant.name = text.substr(0, mark);
    std::string rest = text.substr(mark + 1);
    const std::size_t arguments = rest.starts_with('-') ? 0 : rest.find(":-");
    if (arguments != std::string::npos) {
        variant.arguments = words_of(rest.substr(arguments == 0 ? 0 : arguments + 1));
        rest.resize(arguments);
    }
    if (const auto added = add_settings(rest, variant.environment); !added)
        return Error{"variant '" + variant.name + "': " + added.error().message};
    return variant;
}

std::vector<Variant> usual_variants(const FindLibrary& find) {
    Variant stock;
    stock.name = kStockName;
    Variant arenas;
    arenas.name = "arenas";
    arenas.environment = {"MALLOC_ARENA_MAX=2"};
    Variant thresholds;
    thresholds.name = "thresholds";
    thresholds.environment = {"MALLOC_TRIM_THRESHOLD_=131072", "MALLOC_MMAP_THRESHOLD_=131072"};
    Variant onednn;
    onednn.name = "onednn";
    onednn.environment = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY=64"};
    Variant chunked;
    chunked.name = "chunked";
    chunked.arguments = {"--chunk-seconds", "4", "--stride-seconds", "0.8"};
    chunked.replaced = {"--whole-file"};
    return {
        stock,
        arenas,
        thresholds,
        onednn,
        preloaded(find, "jemalloc", {"libjemalloc.so.2"}, "libjemalloc2"),
        preloaded(find, "tcmalloc", {"libtcmalloc_minimal.so.4", "libtcmalloc.so.4"},
                  "libtcmalloc-minimal4"),
        preloaded(find, "mimalloc", {"libmimalloc.so.2", "libmimalloc.so.2.0"}, "libmimalloc2.0"),
        chunked};
}

Variant recycled(std::uint64_t limit, std::uint64_t jitter) {
    Variant variant;
    variant.name = "recycled-" + std::to_string(limit);
    variant.arguments = {kLimitOption, std::to_string(limit), "--limit-max-requests-jitter",
                         std::to_string(jitter)};
    variant.recycle_limit = limit;
    variant.recycle_jitter = jitter;
    return variant;
}

std::string no_difference(const std::vector<std::string>& worker, const Variant& variant) {
    for (const std::string& flag : variant.replaced)
        if (std::find(worker.begin(), worker.end(), flag) == worker.end())
            return "it takes the place of " + flag + ", which the command does not have";
    return {};
}

std::vector<std::string> command_of(std::vector<std::string> worker, const Variant& variant) {
    for (const std::string& flag : variant.replaced) std::erase(worker, flag);
    for (std::size_t i = 0; i < variant.arguments.size(); ++i) {
        const std::string& name = variant.arguments[i];
        const auto at = std::find(worker.begin(), worker.end(), name);
        if (!name.starts_with("--") || at == worker.end()) continue;
        const bool has_value =
            i + 1 < variant.arguments.size() && !variant.arguments[i + 1].starts_with("--");
        worker.erase(at, at + (has_value && at + 1 != worker.end() ? 2 : 1));
    }
    worker.insert(worker.end(), variant.arguments.begin(), variant.arguments.end());
    return worker;
}

}  // namespace asrtrace::experiment
