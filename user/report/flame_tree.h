// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Stacks laid over each other: callers below, what they called above.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "user/report/flame_stacks.h"

namespace asrtrace::report {

struct FlameBox {
    FlameFrame frame;
    std::uint64_t begin = 0;  ///< bytes to the left of it
    std::uint64_t width = 0;  ///< bytes; compared, the larger ones of each stack
    std::uint64_t bytes = 0;
    std::uint64_t base_bytes = 0;
    std::size_t depth = 0;  ///< 0 is the whole
};

struct FlameTree {
    std::vector<FlameBox> boxes;  ///< parents before their children, left before right
    std::uint64_t total_width = 0;
    std::size_t depth = 0;    ///< of the highest box
    std::size_t omitted = 0;  ///< boxes too narrow to keep
    double smallest_share = 0;
};

/// Equal functions of one module beside each other are one box, whatever their lines; siblings
/// stand in the order of their names. Boxes that take a smaller share of the whole than
/// `smallest_share` are left out; the share is doubled until at most `max_boxes` are left.
FlameTree flame_tree(const std::vector<FlameStack>& stacks, double smallest_share,
                     std::size_t max_boxes);

}  // namespace asrtrace::report
