// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How long the blocks of requests live, in requests.
#pragma once

#include <cmath>
#include <cstdint>

#include "user/ledger/recording.h"
#include "user/ledger/sites.h"

namespace asrtrace::ledger {

class LifetimeSums {
  public:
    /// `ended_since`: requests that ended since the block's own, if it outlived that.
    void free(Amount amount, bool outlived, std::uint64_t ended_since) {
        add(of(outlived, ended_since), amount, 1);
        if (outlived) add(held_, amount, -1);
    }
    /// Takes an earlier free back.
    void restore(Amount amount, bool outlived, std::uint64_t ended_since) {
        add(of(outlived, ended_since), amount, -1);
        if (outlived) add(held_, amount, 1);
    }
    void outlive(Amount amount) { add(held_, amount, 1); }

    Lifetimes rounded() const { return {whole(same_), whole(next_), whole(later_), whole(held_)}; }

  private:
    Amount& of(bool outlived, std::uint64_t ended_since) {
        if (!outlived) return same_;
        return ended_since <= Lifetimes::kNextRequests ? next_ : later_;
    }
    static void add(Amount& sum, Amount amount, double sign) {
        sum.bytes += sign * amount.bytes;
        sum.blocks += sign * amount.blocks;
    }
    static Lifetimes::Sum whole(Amount sum) {
        const auto round = [](double value) {
            return static_cast<std::uint64_t>(std::llround(value > 0 ? value : 0));
        };
        return {round(sum.bytes), round(sum.blocks)};
    }

    Amount same_, next_, later_, held_;
};

}  // namespace asrtrace::ledger
