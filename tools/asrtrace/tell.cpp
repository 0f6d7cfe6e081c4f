// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/tell.h"

#include <cstdio>

#include "user/base/escape.h"

namespace asrtrace {

void tell(const std::string& line) {
    (void)std::fputs((line + "\n").c_str(), stderr);
}

void print_error(const Error& error) {
    tell("asrtrace: " + escape_terminal(error.message));
}

}  // namespace asrtrace
