// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Endpoints for experiments and tests, only with --debug-endpoints: POST /debug/trim calls
// malloc_trim(0) and tells RssAnon before and after; GET /debug/mallinfo tells glibc's own counts.
#pragma once

#include <httplib.h>

namespace asr {

void install_debug_endpoints(httplib::Server& server);

}  // namespace asr
