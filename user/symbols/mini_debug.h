// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// .gnu_debugdata: an xz-compressed ELF file with the symbols that .dynsym lacks (GDB manual,
// "MiniDebugInfo").
#pragma once

#include <memory>

#include "user/symbols/elf_image.h"

namespace asrtrace::symbols {

/// The embedded image; null if there is none. Error: damaged, or more than 64 MiB inflated.
Result<std::unique_ptr<ElfImage>> open_mini_debug(const ElfImage& image);

}  // namespace asrtrace::symbols
