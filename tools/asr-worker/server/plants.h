// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Planted faults: every answered request runs each plant once, whatever its status, so that
// `requests x bytes_per_request` is what a leak has lost. The worker tells the truth about them in
// GET /stats, against which a tracer's findings are measured.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "server/plant_functions.h"

namespace asr {

enum class PlantKind { kLeak, kCache };

struct PlantSpec {
    PlantKind kind;
    std::size_t bytes;        ///< a request, as asked of malloc
    std::size_t entries = 0;  ///< of a cache; 0: unbounded
};

/// `leak=BYTES`, `cache=BYTES` or `cache=BYTES,entries=N`; throws std::invalid_argument.
PlantSpec parse_plant(std::string_view text);

struct PlantTruth {
    std::string kind;
    std::string function;  ///< demangled, without parameters
    std::size_t bytes_per_request;
    Holdings held;
};

/// Safe to use from several threads.
class Plants {
  public:
    explicit Plants(const std::vector<PlantSpec>& specs);
    Plants(const Plants&) = delete;
    Plants& operator=(const Plants&) = delete;
    ~Plants();

    /// Runs every plant once. Throws std::bad_alloc.
    void on_request();

    std::vector<PlantTruth> truth() const;

  private:
    struct Plant {
        PlantSpec spec;
        BlockCache cache;
        Holdings held;
    };

    mutable std::mutex mutex_;
    std::vector<Plant> plants_;
};

}  // namespace asr
