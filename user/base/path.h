// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Parts of paths.
#pragma once

#include <string_view>

namespace asrtrace {

/// The last component of a path.
inline std::string_view basename_of(std::string_view path) {
    const auto slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace asrtrace
