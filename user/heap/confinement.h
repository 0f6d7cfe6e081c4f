// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a thread may do that reads heaps with HeapReader.
#pragma once

#include "user/base/confinement.h"

namespace asrtrace::heap {

/// To stop the process it needs stops_processes, too.
Confinement reader_confinement();

}  // namespace asrtrace::heap
