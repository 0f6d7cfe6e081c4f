// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A setting under which a worker is tried: its environment, and options of its command line.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "user/base/result.h"

namespace asrtrace::experiment {

/// The worker as it is.
constexpr const char* kStockName = "stock";

struct Variant {
    std::string name;
    std::vector<std::string> environment;  ///< NAME=VALUE
    std::vector<std::string> arguments;    ///< of the worker, behind its own
    std::vector<std::string> replaced;     ///< flags of the worker that it takes the place of
    std::string missing;                   ///< what it needs and is not here, and how to get it
    std::uint64_t recycle_limit = 0;       ///< requests until it is replaced; 0: not one of ours
    std::uint64_t recycle_jitter = 0;      ///< up to so many more

    /// Whether its processes come and go.
    bool replaces_workers() const;
};

/// "NAME:ENV=VALUE,...[:ARGS]": arguments begin with a dash, and may follow the name at once. A
/// comma separates settings where a NAME= follows it. Error: it is none of this.
Result<Variant> parse_variant(const std::string& text);

/// Where a library that the dynamic loader knows lies; nothing if it is not installed.
using FindLibrary = std::function<std::optional<std::string>(const std::string& file)>;

/// The settings that are always worth a try, "stock" first.
std::vector<Variant> usual_variants(const FindLibrary& find);

/// A worker that is replaced after so many requests, and up to `jitter` more.
Variant recycled(std::uint64_t limit, std::uint64_t jitter);

/// Why a variant would be no other than stock for this worker; empty if it is one.
std::string no_difference(const std::vector<std::string>& worker, const Variant& variant);

/// A worker's command line under a variant: options that the variant sets take the place of its
/// own.
std::vector<std::string> command_of(std::vector<std::string> worker, const Variant& variant);

}  // namespace asrtrace::experiment
