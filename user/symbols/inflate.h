// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Compressed debug sections, inflated once into an unlinked temporary file: libdw would inflate
// them into memory, again each time that a module's tables are dropped and built anew.
#pragma once

#include <memory>

#include "user/symbols/elf_image.h"

namespace asrtrace::symbols {

/// A copy of `image` (64-bit, native byte order) that holds its .debug_* sections, inflated, and no
/// other contents. Kept in /var/tmp or /tmp as long as the copy lives. Errors: another compression
/// than zlib, damaged, more than 1 GiB, more than 4 GiB in all copies that live, disk full.
Result<std::shared_ptr<ElfImage>> inflate_debug_sections(const ElfImage& image);

}  // namespace asrtrace::symbols
