// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/read_trace.h"

#include "tools/asrtrace/tell.h"
#include "user/trace/reader.h"

namespace asrtrace {

Result<ledger::Recording> read_trace(const std::string& path) {
    auto recording = trace::read(path);
    if (!recording) return recording;
    const std::string missing = path + ": damaged, missing: ";
    for (const auto& damage : recording->damage) print_error(Error{missing + damage});
    return recording;
}

}  // namespace asrtrace
