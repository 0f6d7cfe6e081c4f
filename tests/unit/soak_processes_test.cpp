// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Which of a worker's processes ended and began.
#include <gtest/gtest.h>

#include "user/soak/processes.h"

namespace asrtrace::soak {
namespace {

TEST(SoakProcesses, TellsWhatChanged) {
    Processes processes;
    EXPECT_EQ(processes.look({10, 11}), "") << "the first look";
    EXPECT_EQ(processes.look({11, 10}), "");
    EXPECT_EQ(processes.look({10, 12}), "process 11 ended, process 12 began");
    EXPECT_EQ(processes.look({10, 12, 13}), "process 13 began");
    EXPECT_EQ(processes.look({10, 13}), "process 12 ended");
    EXPECT_EQ(processes.look({}), "process 10 ended, process 13 ended");
}

}  // namespace
}  // namespace asrtrace::soak
