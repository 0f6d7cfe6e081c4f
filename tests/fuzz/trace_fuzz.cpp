// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A trace is foreign bytes: reading one and reporting on what was read never crashes, hangs or
// prints control characters. The seed corpus is a small trace of the writer's.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#include "user/classify/findings.h"
#include "user/decode/event.h"
#include "user/report/flame_svg.h"
#include "user/report/html.h"
#include "user/report/json.h"
#include "user/report/raw_csv.h"
#include "user/report/text.h"
#include "user/trace/reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace asrtrace;
    const auto recording = trace::read_image({data, size}, "fuzz");
    if (!recording) return 0;
    const auto summary = classify::analyze(*recording);
    for (const char c : report::text(*recording, summary) + report::json(*recording, summary) +
                            report::html(*recording, summary))
        if (static_cast<unsigned char>(c) < 0x20 && c != '\n') std::abort();
    const auto raw = [](Bytes record, const trace::RawStacks& stacks) {
        const auto event = decode::decode(record);
        if (!event) return;
        const auto stack = stacks.find(report::stack_key_of(*event));
        const std::string line = report::raw_csv_line(
            *event, stack == stacks.end() ? std::nullopt : std::optional(stack->second), 0);
        if (line.find_first_of("\r\x1b") != std::string::npos) std::abort();
    };
    (void)trace::read_raw_events({data, size}, "fuzz", raw);
    const auto flame = report::flame_of(*recording, report::FlameKind::kLive);
    if (!flame.stacks.empty()) (void)report::flame_svg(flame);
    return 0;
}
