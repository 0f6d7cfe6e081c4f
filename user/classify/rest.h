// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Is a level that no longer rises at rest, or has its next step not come yet?
#pragma once

#include <cstddef>

#include "user/classify/series.h"
#include "user/ledger/recording.h"

namespace asrtrace::classify {

/// With as many events expected one comes, by 99.9 % (Poisson); fewer steps make no rest.
constexpr double kSurelyOne = 7;

/// How often the levels of the sites went up.
std::size_t rises_of(const SiteList& sites);

/// A few samples, or a few blocks, make steps and a rest behind the last one, from request
/// `settled` to `requests`. Their mean number in as long a time must make it unlikely that none
/// falls into it.
bool rests_by_chance(const SiteList& sites, double settled, double requests);

/// Does the later half of the steps upwards add far more than the earlier one? So grows an array
/// that doubles, and a rest behind its last step tells nothing.
bool steps_grow(const Changes& changes);

/// Blocks of the sites that outlived their request and were freed after request `settled`: what
/// rests while blocks come and go is full.
std::uint64_t freed_after(const ledger::Recording& recording, const SiteList& sites,
                          double settled);

}  // namespace asrtrace::classify
