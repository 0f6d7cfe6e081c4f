// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The operand text of a USDT note.
#include <cstdlib>

#include "user/capture/usdt.h"

using namespace asrtrace::capture;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    UsdtContext context{.vaddr = 0x1000, .fixed_address = size % 2 == 0, .find_symbol = {}};
    context.machine = size % 4 < 2 ? EM_X86_64 : EM_AARCH64;
    context.find_symbol = [](std::string_view name) -> std::optional<std::uint64_t> {
        if (name.size() > 8) return std::nullopt;
        return 0x4000;
    };
    const auto arguments =
        parse_usdt_arguments({reinterpret_cast<const char*>(data), size}, context);
    if (arguments.size() > 12) std::abort();
    for (const UsdtArg& arg : arguments) {
        const int width = arg.size < 0 ? -arg.size : arg.size;
        const bool known = arg.kind != UsdtArgKind::kUnsupported;
        if (known && width != 1 && width != 2 && width != 4 && width != 8) std::abort();
        if (arg.scale != 1 && arg.scale != 2 && arg.scale != 4 && arg.scale != 8) std::abort();
        if (known && arg.kind == UsdtArgKind::kRegister && arg.reg > PtReg{31}) std::abort();
    }
    return 0;
}
