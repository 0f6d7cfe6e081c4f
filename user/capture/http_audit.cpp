// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/http_audit.h"

namespace asrtrace::capture {
namespace {

constexpr std::uint64_t kLookNs = 2'000'000'000;
constexpr std::uint64_t kAwayNs = 60'000'000'000;
/// Of fewer calls nothing is certain: the look takes longer, and the next one comes sooner.
constexpr std::uint64_t kEnoughCalls = 100;
constexpr std::uint64_t kLongLookNs = 5'000'000'000;
constexpr std::uint64_t kShortAwayNs = 20'000'000'000;

}  // namespace

HttpAudit::Step HttpAudit::advance(std::uint64_t now_ns, std::uint64_t matched,
                                   std::uint64_t bypassed) {
    if (gave_up_) return Step::kNone;
    if (bypassed != 0) {
        gave_up_ = true;
        return Step::kGiveUp;
    }
    if (since_ns_ == 0) since_ns_ = now_ns;
    const std::uint64_t passed_ns = now_ns - since_ns_;
    if (looking_) {
        const bool enough = matched - matched_before_ >= kEnoughCalls;
        if (passed_ns < (enough ? kLookNs : kLongLookNs)) return Step::kNone;
        away_ns_ = enough ? kAwayNs : kShortAwayNs;
    } else if (passed_ns < away_ns_) {
        return Step::kNone;
    }
    looking_ = !looking_;
    since_ns_ = now_ns;
    matched_before_ = matched;
    return looking_ ? Step::kLook : Step::kLookAway;
}

}  // namespace asrtrace::capture
