// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The single values of a recording as rows (part, key, item, value) of the table meta. Two parts:
// "identity" is written once and says what was traced, "totals" is written by each commit.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "user/ledger/recording.h"

namespace asrtrace::trace {

using MetaValue = std::variant<std::int64_t, double, std::string>;
using MetaKey = std::pair<std::string, std::uint64_t>;  ///< key, item
using MetaRows = std::map<MetaKey, MetaValue>;

constexpr const char* kIdentityPart = "identity";
constexpr const char* kTotalsPart = "totals";

MetaRows identity_rows(const ledger::Recording& recording);
MetaRows totals_rows(const ledger::Recording& recording, bool finished);

/// Fills in what `rows` holds; a key that is missing or of another type leaves its field alone.
void apply_identity(const MetaRows& rows, ledger::Recording& recording);
/// The same for the totals; says whether the recording was finished.
bool apply_totals(const MetaRows& rows, ledger::Recording& recording);

std::uint64_t digest_meta(const std::string& part, const MetaKey& key, const MetaValue& value);

}  // namespace asrtrace::trace
