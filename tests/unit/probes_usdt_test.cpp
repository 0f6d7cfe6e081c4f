// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// USDT notes and operands: the parser by itself, and against readelf.
#include <gtest/gtest.h>
#include <stdio.h>

#include <algorithm>
#include <memory>
#include <tuple>

#include "tests/unit/probes_child.h"
#include "user/capture/usdt.h"

namespace asrtrace::capture {
namespace {

UsdtArg one(std::string_view text, const UsdtContext& context = {}) {
    const auto arguments = parse_usdt_arguments(text, context);
    EXPECT_EQ(arguments.size(), 1U) << text;
    return arguments.empty() ? UsdtArg{} : arguments[0];
}

TEST(UsdtArguments, Constants) {
    EXPECT_EQ(one("8@$5").kind, UsdtArgKind::kConstant);
    EXPECT_EQ(one("8@$5").value, 5);
    EXPECT_EQ(one("-4@$-5").value, -5);
    EXPECT_EQ(one("-4@$-5").size, -4);
    EXPECT_EQ(one("8@$0x1f").value, 31);
    EXPECT_EQ(one("8@$18446744073709551615").value, -1);
    EXPECT_EQ(one("8@$-9223372036854775808").value, INT64_MIN);
    EXPECT_EQ(one("$7").size, 8);
}

TEST(UsdtArguments, Registers) {
    EXPECT_EQ(one("8@%rax").kind, UsdtArgKind::kRegister);
    EXPECT_EQ(one("8@%rax").reg, PtReg::kAx);
    EXPECT_EQ(one("-4@%r13d").reg, PtReg::kR13);
    EXPECT_EQ(one("2@%si").reg, PtReg::kSi);
    EXPECT_EQ(one("1@%r8b").reg, PtReg::kR8);
    EXPECT_EQ(one("1@%bh").shift, 8);
    EXPECT_EQ(one("1@%bl").shift, 0);
}

TEST(UsdtArguments, OfArm64) {
    const UsdtContext arm64{.machine = EM_AARCH64};
    const auto all = parse_usdt_arguments(
        "8@x0 -4@w30 8@sp -4@[sp, 12] 8@[x29] 4@[x1, x2, lsl 2] -4@-5 8@#7 4@[x0, #-8] 8@xzr",
        arm64);
    ASSERT_EQ(all.size(), 10U);
    EXPECT_EQ(all[0].reg, PtReg{0});
    EXPECT_EQ(all[1].reg, PtReg{30});
    EXPECT_EQ(all[1].size, -4);
    EXPECT_EQ(all[2].reg, PtReg{31});
    EXPECT_EQ(all[3].kind, UsdtArgKind::kMemory);
    EXPECT_EQ(all[3].reg, PtReg{31});
    EXPECT_EQ(all[3].value, 12);
    EXPECT_EQ(all[4].value, 0);
    EXPECT_EQ(all[5].reg, PtReg{1});
    EXPECT_EQ(all[5].index, PtReg{2});
    EXPECT_EQ(all[5].scale, 4);
    EXPECT_EQ(all[6].kind, UsdtArgKind::kConstant);
    EXPECT_EQ(all[6].value, -5);
    EXPECT_EQ(all[7].value, 7);
    EXPECT_EQ(all[8].value, -8);
    EXPECT_EQ(all[9].kind, UsdtArgKind::kConstant);
    for (const char* text :
         {"8@x31", "8@d0", "8f@d0", "8@[w1]", "8@[x1, w2, sxtw]", "8@[x1, 4", "8@[x1, 4, 5]",
          "8@[x1, x2, lsl 4]", "8@[x1, x2, lsl 3, 1]", "8@", "8@x"})
        EXPECT_EQ(one(text, arm64).kind, UsdtArgKind::kUnsupported) << text;
}

TEST(UsdtArguments, Memory) {
    const UsdtArg arg = one("-4@-20(%rbp)");
    EXPECT_EQ(arg.kind, UsdtArgKind::kMemory);
    EXPECT_EQ(arg.reg, PtReg::kBp);
    EXPECT_EQ(arg.index, PtReg::kNone);
    EXPECT_EQ(arg.value, -20);
    EXPECT_EQ(arg.size, -4);
    EXPECT_EQ(one("8@(%rax)").value, 0);
    const UsdtArg scaled = one("4@8(%rax,%rbx,4)");
    EXPECT_EQ(scaled.index, PtReg::kBx);
    EXPECT_EQ(scaled.scale, 4);
    EXPECT_EQ(scaled.value, 8);
    const UsdtArg spaced = one("4@8(%rax, %rbx, 4)");
    EXPECT_EQ(spaced.index, PtReg::kBx);
    EXPECT_EQ(one("4@(,%rbx,8)").reg, PtReg::kNone);
    EXPECT_EQ(one("4@0x10(%rsp)").value, 16);
}

TEST(UsdtArguments, Symbols) {
    UsdtContext context{.vaddr = 0x1000, .find_symbol = [](std::string_view name) {
                            return name == "sym" ? std::optional<std::uint64_t>(0x4000)
                                                 : std::nullopt;
                        }};
    const UsdtArg arg = one("-4@sym(%rip)", context);
    EXPECT_EQ(arg.kind, UsdtArgKind::kMemory);
    EXPECT_EQ(arg.reg, PtReg::kIp);
    EXPECT_EQ(arg.value, 0x3000);
    EXPECT_EQ(one("-4@sym+8(%rip)", context).value, 0x3008);
    EXPECT_EQ(one("-4@8+sym-4(%rip)", context).value, 0x3004);
    EXPECT_EQ(one("8@$sym", context).kind, UsdtArgKind::kUnsupported);  // moved by the loader
    context.fixed_address = true;
    EXPECT_EQ(one("8@$sym", context).value, 0x4000);
    EXPECT_EQ(one("4@sym+4", context).value, 0x4004);
    EXPECT_EQ(one("4@other(%rip)", context).kind, UsdtArgKind::kUnsupported);
}

TEST(UsdtArguments, WhatIsNotUnderstoodKeepsItsPlace) {
    for (const char* text : {"8@%xmm0",
                             "8@%fs:4",
                             "8f@%xmm1",
                             "3@%rax",
                             "8@",
                             "@",
                             "8@$",
                             "8@()",
                             "8@(%rax",
                             "8@%",
                             "8@8(%eax)",
                             "8@8(%rax,%rbx,3)",
                             "8@8(%rax,%rbx,4,5)",
                             "-9223372036854775808@%rax",
                             "99999999999999999999@%rax",
                             "8@8(%rip)",
                             "8@sym",
                             "8@sym(%rip)",
                             "8@-(%rax)",
                             "0@%rax",
                             "8@--8(%rax)"})
        EXPECT_EQ(one(text).kind, UsdtArgKind::kUnsupported) << text;
    const auto arguments = parse_usdt_arguments("8@%xmm0 4@$1", {});
    ASSERT_EQ(arguments.size(), 2U);
    EXPECT_EQ(arguments[1].value, 1);
    EXPECT_TRUE(parse_usdt_arguments("", {}).empty());
    EXPECT_TRUE(parse_usdt_arguments("   ", {}).empty());
    std::string many;
    for (int i = 0; i < 100; ++i) many += "8@$1 ";
    EXPECT_EQ(parse_usdt_arguments(many, {}).size(), 12U);
}

using Row = std::tuple<std::string, std::string, std::uint64_t, std::string>;

/// What `readelf -n` says of a file: provider, name, location, arguments.
std::vector<Row> readelf(const std::string& path) {
    const std::string command = "readelf -n " + path + " 2>/dev/null";
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
    std::vector<Row> rows;
    char line[4096];
    std::string provider;
    std::string name;
    std::uint64_t location = 0;
    while (pipe && ::fgets(line, sizeof(line), pipe.get()) != nullptr) {
        std::string text(line);
        text.erase(text.find_last_not_of("\n ") + 1);
        const auto after = [&](const char* key) -> std::optional<std::string> {
            const std::size_t at = text.find(key);
            if (at == std::string::npos) return std::nullopt;
            const std::string rest = text.substr(at + std::string_view(key).size());
            return rest.substr(0, rest.find(", "));
        };
        if (const auto value = after("Provider: ")) provider = *value;
        if (const auto value = after("Name: ")) name = *value;
        if (const auto value = after("Location: ")) location = std::stoull(*value, nullptr, 16);
        const std::size_t arguments = text.find("Arguments:");
        if (arguments == std::string::npos) continue;
        std::string rest = text.substr(arguments + 10);
        rest.erase(0, rest.find_first_not_of(' '));
        rows.emplace_back(provider, name, location, rest);
    }
    std::sort(rows.begin(), rows.end());
    return rows;
}

TEST(Usdt, AgreesWithReadelf) {
    for (const std::string& path : {built("probes_usdt_pie"), built("probes_usdt_fixed"),
                                    std::string("/usr/lib/x86_64-linux-gnu/libstdc++.so.6")}) {
        const auto expected = readelf(path);
        ASSERT_FALSE(expected.empty()) << path;
        const auto module = ElfModule::open(path);
        ASSERT_TRUE(module.ok()) << module.error().message;
        std::vector<Row> found;
        for (const UsdtProbe& probe : read_usdt(*module)) {
            found.emplace_back(probe.provider, probe.name, probe.vaddr, probe.arguments_text);
            EXPECT_TRUE(probe.emulated);
            EXPECT_EQ(probe.arguments.size(),
                      static_cast<std::size_t>(std::ranges::count(probe.arguments_text, '@')));
        }
        std::sort(found.begin(), found.end());
        EXPECT_EQ(found, expected) << path;
    }
}

TEST(Usdt, Semaphores) {
    const auto module = ElfModule::open(built("probes_usdt_pie"));
    ASSERT_TRUE(module.ok());
    for (const UsdtProbe& probe : read_usdt(*module)) {
        const std::string symbol = "probes_" + probe.name + "_semaphore";
        const std::string_view name = symbol;
        const auto found = module->find_symbols({&name, 1});
        EXPECT_EQ(probe.semaphore_file_offset, found.empty() ? 0 : found[0].file_offset);
    }
}

TEST(Usdt, NoSuchProcess) {
    EXPECT_FALSE(find_usdt(0x3fffffff, "probes", "plain").ok());
}

}  // namespace
}  // namespace asrtrace::capture
