// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a thread may do that reads heaps with HeapReader, without stopping their process.
#pragma once

#include "user/base/confinement.h"

namespace asrtrace::heap {

Confinement reader_confinement();

}  // namespace asrtrace::heap
