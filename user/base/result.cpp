// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/base/result.h"

#include <cerrno>
#include <system_error>

namespace asrtrace {

Error errno_error(const std::string& what) {
    return errno_error(what, errno);
}

Error errno_error(const std::string& what, int error_number) {
    return Error{what + ": " + std::generic_category().message(error_number)};
}

}  // namespace asrtrace
