// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Planted faults: every answered request runs each plant once, whatever its status, so that
// `requests x bytes_per_request` is what a leak has lost. The worker tells the truth about them in
// GET /stats, against which a tracer's findings are measured.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "server/plant_functions.h"

namespace asr {

enum class PlantKind { kLeak, kCache, kKeyed, kRetention, kLibrary };

struct PlantSpec {
    PlantKind kind;
    std::size_t bytes;        ///< a block, as asked of malloc; of a retention: all that it holds
    std::size_t entries = 0;  ///< of a cache; 0: unbounded
};

/// `leak=BYTES`, `cache=BYTES[,entries=N]`, `keyed=BYTES`, `retention=MIB` or `library=BYTES`;
/// throws std::invalid_argument.
PlantSpec parse_plant(std::string_view text);

struct PlantTruth {
    std::string kind;
    std::string function;  ///< demangled, without parameters
    std::size_t
        bytes_per_request;  ///< keyed: an entry; retention: the mean of those that add to it
    Holdings held;
};

/// One plant; not safe to use from several threads.
class Plant {
  public:
    Plant() = default;
    Plant(const Plant&) = delete;
    Plant& operator=(const Plant&) = delete;
    virtual ~Plant() = default;

    /// Throws std::bad_alloc.
    virtual void on_request(std::size_t input_bytes) = 0;
    virtual PlantTruth truth() const = 0;
};

/// Safe to use from several threads.
class Plants {
  public:
    /// Throws std::bad_alloc.
    explicit Plants(const std::vector<PlantSpec>& specs);

    /// Runs every plant once. `input_bytes`: length of the request's file, 0 if there was none.
    /// Throws std::bad_alloc.
    void on_request(std::size_t input_bytes);

    std::vector<PlantTruth> truth() const;

  private:
    mutable std::mutex mutex_;
    std::vector<std::unique_ptr<Plant>> plants_;
};

}  // namespace asr
