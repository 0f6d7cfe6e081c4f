// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/tell.h"

#include <unistd.h>

#include <cstdio>

#include "user/base/escape.h"
#include "user/report/page.h"

namespace asrtrace {

void tell(const std::string& line) {
    if (::isatty(STDERR_FILENO) == 0) {
        (void)std::fputs((line + "\n").c_str(), stderr);
        return;
    }
    report::Page page;
    page.paragraph(line, 0, 2);
    (void)std::fputs(page.take().c_str(), stderr);
}

void print_error(const Error& error) {
    tell("asrtrace: " + escape_terminal(error.message));
}

}  // namespace asrtrace
