// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Stacks of live processes (stacks/README.md), walked again: same frames, flags and reason as in
// the kernel.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/bpf_host/recording.h"

namespace asrtrace::unwind {
namespace {

std::vector<std::string> recorded_files() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(RECORDED_STACKS)) {
        if (entry.path().extension() == ".stack") names.push_back(entry.path().stem());
    }
    std::sort(names.begin(), names.end());
    return names;
}

class Recorded : public testing::TestWithParam<std::string> {};

TEST_P(Recorded, WalksAsInTheKernel) {
    std::ifstream file(std::string(RECORDED_STACKS) + "/" + GetParam() + ".stack");
    std::stringstream text;
    text << file.rdbuf();
    const auto recording = parse_recording(text.str());
    ASSERT_TRUE(recording) << recording.error().message;
    EXPECT_EQ(format_recording(*recording), text.str());
    for (const bool without_loop : {false, true}) {
        const auto stack = replay(*recording, without_loop);
        EXPECT_EQ(std::vector<std::uint64_t>(stack.pcs, stack.pcs + stack.depth), recording->pcs);
        EXPECT_EQ(stack.flags, recording->flags);
        EXPECT_EQ(stack.reason, recording->reason);
    }
}

std::string stack_name(const testing::TestParamInfo<std::string>& param) {
    std::string name = param.param;
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
}

INSTANTIATE_TEST_SUITE_P(BpfHost, Recorded, testing::ValuesIn(recorded_files()), stack_name);

}  // namespace
}  // namespace asrtrace::unwind
