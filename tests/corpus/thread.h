// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Threads that stay until the program ends.
#pragma once

#include <cstddef>

namespace asrtrace::corpus {

/// Starts a thread with a small stack, which runs `work(argument)` and then sleeps for ever;
/// returns when the work is done.
void work_in_new_thread(void (*work)(void*), void* argument, std::size_t stack_bytes);

}  // namespace asrtrace::corpus
