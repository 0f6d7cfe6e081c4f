// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/heap/confinement.h"

#include "user/heap/process_memory.h"

namespace asrtrace::heap {

Confinement reader_confinement() {
    CapabilitySet capabilities = kReadingCapabilities | capability_set(Capability::kSysNice);
    // Without PAGEMAP_SCAN (Linux 6.7) the zero page is known by its frame, and frames are shown to
    // CAP_SYS_ADMIN alone.
    if (!pagemap_scan_works()) capabilities |= capability_set(Capability::kSysAdmin);
    return {.name = "heap",
            .capabilities = capabilities,
            .opens_files = true,
            .reads_processes = true,
            .ioctl = kPagemapScan,
            .raises_priority = true};
}

}  // namespace asrtrace::heap
