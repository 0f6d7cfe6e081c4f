// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "server/spool.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <system_error>

namespace asr {
namespace {

std::string text_of(Spool& spool) {
    const auto bytes = spool.bytes();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(Spool, KeepsWhatFitsInMemory) {
    Spool spool(10);
    spool.append("01234", 5);
    spool.append("56789", 5);
    EXPECT_FALSE(spool.on_disk());
    EXPECT_EQ(text_of(spool), "0123456789");
}

TEST(Spool, OneByteMoreGoesToDisk) {
    Spool spool(10);
    spool.append("01234", 5);
    spool.append("56789a", 6);
    EXPECT_TRUE(spool.on_disk());
    EXPECT_EQ(text_of(spool), "0123456789a");
    spool.append("bc", 2);
    EXPECT_EQ(text_of(spool), "0123456789abc") << "a piece behind a reading";
    EXPECT_EQ(spool.size(), 13U);
}

TEST(Spool, NothingIsNothing) {
    Spool spool(0);
    EXPECT_TRUE(spool.bytes().empty());
}

TEST(Spool, WithoutAPlaceItThrows) {
    const char* before = std::getenv("TMPDIR");
    const std::string kept = before != nullptr ? before : "";
    setenv("TMPDIR", "/nonexistent", 1);
    Spool spool(1);
    EXPECT_THROW(spool.append("ab", 2), std::system_error);
    if (before != nullptr) {
        setenv("TMPDIR", kept.c_str(), 1);
    } else {
        unsetenv("TMPDIR");
    }
}

}  // namespace
}  // namespace asr
