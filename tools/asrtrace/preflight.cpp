// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/preflight.h"

#include <sys/utsname.h>

#include <string>
#include <vector>

#include "user/base/denied.h"

namespace asrtrace {
namespace {

std::string join_capabilities(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

}  // namespace

Status check_machine(const capture::Features& features) {
    const auto missing = capture::missing_capabilities();
    if (!missing.empty()) {
        return Error{"not permitted: missing " + join_capabilities(missing) + "; " +
                     kHowToBePermitted};
    }
    for (const capture::FeatureRow& row : capture::feature_rows(features)) {
        if (row.required && !row.works) {
            return Error{"this kernel cannot do it: " + row.name + " (" + row.why +
                         "): " + row.remedy};
        }
    }
    return ok_status();
}

ledger::Target describe(const capture::Process& process,
                        const capture::AllocatorProbes& allocator) {
    ledger::Target target;
    target.pid = process.pid();
    target.exe = process.exe();
    target.cmdline = process.cmdline();
    target.allocator = allocator.allocator;
    if (!allocator.libraries.empty()) {
        const capture::AllocatorLibrary& libc = allocator.libraries.front();
        target.libc_path = libc.path;
        target.libc_version = libc.version;
        target.libc_build_id = libc.build_id;
    }
    utsname system{};
    if (::uname(&system) == 0) target.kernel = system.release;
    return target;
}

}  // namespace asrtrace
