// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Does a level follow the number of different inputs rather than the number of requests?
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "user/ledger/recording.h"

namespace asrtrace::classify {

struct Keyed {
    std::size_t covariate = 0;   ///< index into Request::args
    std::uint64_t distinct = 0;  ///< values seen
    double blocks_per_value = 0;
};

/// `levels` are blocks at the end of each epoch. A level that is a straight line over distinct
/// values, and is none over requests, is keyed. Nothing if it is not, or if inputs repeat so seldom
/// or so early that the two cannot be told apart.
std::optional<Keyed> keyed_by_input(const std::vector<ledger::Epoch>& epochs,
                                    const std::vector<double>& levels);

/// What requests leave behind by whether their input is new.
struct InputCost {
    std::size_t covariate = 0;
    std::uint64_t distinct = 0;
    double new_bytes = 0;       ///< mean over requests whose input was never seen before
    double repeated_bytes = 0;  ///< mean over those whose input is among the most recent
};

/// A cache by input that evicts has no level that follows its inputs, but it grows by new ones
/// only. Nothing if repeated inputs cost as much, or either kind is too seldom to tell.
std::optional<InputCost> new_inputs_cost(const ledger::Recording& recording);

}  // namespace asrtrace::classify
