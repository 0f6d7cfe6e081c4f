// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/live/unwind/reference.h"

#include <elfutils/libdwfl.h>

namespace asrtrace::unwind {
namespace {

/// .eh_frame is in the file itself; separate debug files would only slow this down.
int no_debug_file(Dwfl_Module*, void**, const char*, Dwarf_Addr, const char*, const char*,
                  GElf_Word, char**) {
    return -1;
}

constexpr Dwfl_Callbacks kCallbacks{dwfl_linux_proc_find_elf, no_debug_file, nullptr, nullptr};

int add_frame(Dwfl_Frame* frame, void* out) {
    Dwarf_Addr pc = 0;
    if (!dwfl_frame_pc(frame, &pc, nullptr)) return DWARF_CB_ABORT;
    auto* pcs = static_cast<std::vector<std::uint64_t>*>(out);
    pcs->push_back(pc);
    return pcs->size() < 256 ? DWARF_CB_OK : DWARF_CB_ABORT;
}

}  // namespace

std::unique_ptr<Reference> Reference::attach(pid_t pid) {
    Dwfl* dwfl = dwfl_begin(&kCallbacks);
    if (dwfl == nullptr) return nullptr;
    std::unique_ptr<Reference> reference(new Reference(dwfl));
    const bool reported =
        dwfl_linux_proc_report(dwfl, pid) == 0 && dwfl_report_end(dwfl, nullptr, nullptr) == 0;
    if (!reported || dwfl_linux_proc_attach(dwfl, pid, false) != 0) return nullptr;
    return reference;
}

Reference::~Reference() {
    dwfl_end(dwfl_);
}

std::vector<std::uint64_t> Reference::walk(pid_t tid, bool* complete) {
    std::vector<std::uint64_t> pcs;
    *complete = dwfl_getthread_frames(dwfl_, tid, add_frame, &pcs) == 0;
    return pcs;
}

}  // namespace asrtrace::unwind
