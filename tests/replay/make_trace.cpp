// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Writes the synthetic trace that the golden reports belong to: make_trace FILE
// [hostile|empty|sites|raw].
#include <cstdio>
#include <cstring>

#include "tests/unit/trace_raw.h"
#include "tests/unit/trace_sites.h"

int main(int argc, char** argv) {
    using namespace asrtrace;
    if (argc < 2) return 2;
    const char* kind = argc > 2 ? argv[2] : "plain";
    auto writer = trace::Writer::create(argv[1]);
    if (!writer) {
        (void)std::fprintf(stderr, "%s\n", writer.error().message.c_str());
        return 1;
    }
    if (std::strcmp(kind, "raw") == 0) trace::write_raw_events(*writer);
    const bool sites = std::strcmp(kind, "sites") == 0;
    if (sites) trace::write_many_sites(*writer);
    if (!sites && std::strcmp(kind, "empty") != 0) trace::write_script(*writer, {});
    if (std::strcmp(kind, "hostile") == 0) trace::write_hostile(*writer);
    return writer->finish() ? 0 : 1;
}
