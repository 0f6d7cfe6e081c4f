// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A CSV of memory is foreign bytes: reading and judging one never crashes, overflows or hangs. The
// shortest phases there are let small inputs reach the verdict.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "user/report/soak.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace asrtrace;
    const auto rows = soak::parse_memory_csv({reinterpret_cast<const char*>(data), size});
    if (!rows) return 0;
    const auto verdict = soak::judge(*rows, {.baseline = 2, .load = 12, .recovery = 3});
    if (!verdict) return 0;
    for (const char c : report::soak_text(*verdict, "fuzz") + report::soak_json(*verdict))
        if (static_cast<unsigned char>(c) < 0x20 && c != '\n') std::abort();
    return 0;
}
