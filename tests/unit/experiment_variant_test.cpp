// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Settings of an experiment: how they are written, and what they make of a worker's command.
#include <gtest/gtest.h>

#include "user/experiment/variant.h"

namespace asrtrace::experiment {
namespace {

using Words = std::vector<std::string>;

TEST(ExperimentVariant, Parses) {
    const auto both = parse_variant("x:A=1,B=2:--whole-file --threads 1");
    ASSERT_TRUE(both);
    EXPECT_EQ(both->name, "x");
    EXPECT_EQ(both->environment, (Words{"A=1", "B=2"}));
    EXPECT_EQ(both->arguments, (Words{"--whole-file", "--threads", "1"}));
    const auto arguments = parse_variant("x:--whole-file");
    ASSERT_TRUE(arguments);
    EXPECT_TRUE(arguments->environment.empty());
    EXPECT_EQ(arguments->arguments, Words{"--whole-file"});
    const auto colons = parse_variant("x:GLIBC_TUNABLES=glibc.malloc.arena_max=2:glibc.malloc.x=1");
    ASSERT_TRUE(colons);
    EXPECT_EQ(colons->environment,
              Words{"GLIBC_TUNABLES=glibc.malloc.arena_max=2:glibc.malloc.x=1"});
    const auto commas = parse_variant("x:MALLOC_CONF=a:1,b:2,OTHER=3");
    ASSERT_TRUE(commas);
    EXPECT_EQ(commas->environment, (Words{"MALLOC_CONF=a:1,b:2", "OTHER=3"}));
}

TEST(ExperimentVariant, RefusesWhatItIsNot) {
    for (const std::string text : {"", "x", "x:", ":A=1", "x:A", "x:1=2"})
        EXPECT_FALSE(parse_variant(text)) << text;
}

TEST(ExperimentVariant, WhatIsNotInstalledIsNamed) {
    const auto variants = usual_variants([](const std::string& file) {
        return file == "libjemalloc.so.2" ? std::optional<std::string>("/lib/" + file)
                                          : std::nullopt;
    });
    EXPECT_EQ(variants.front().name, "stock");
    EXPECT_GE(variants.size(), 6U);
    for (const Variant& variant : variants) {
        if (variant.name == "jemalloc") {
            EXPECT_EQ(variant.environment, Words{"LD_PRELOAD=/lib/libjemalloc.so.2"});
            EXPECT_TRUE(variant.missing.empty());
        }
        if (variant.name == "mimalloc") {
            EXPECT_NE(variant.missing.find("apt-get install"), std::string::npos);
        }
    }
}

TEST(ExperimentVariant, ItsOptionsTakeThePlaceOfTheWorkers) {
    Variant variant;
    variant.arguments = {"--chunk-seconds", "4", "--flag"};
    variant.replaced = {"--whole-file"};
    EXPECT_EQ(
        command_of({"w", "--flag", "--chunk-seconds", "9", "--port", "1", "--whole-file"}, variant),
        (Words{"w", "--port", "1", "--chunk-seconds", "4", "--flag"}));
    EXPECT_EQ(command_of({"w"}, recycled(100, 20)),
              (Words{"w", "--limit-max-requests", "100", "--limit-max-requests-jitter", "20"}));
}

TEST(ExperimentVariant, WhatMakesNoDifferenceIsTold) {
    Variant variant;
    variant.replaced = {"--whole-file"};
    EXPECT_EQ(no_difference({"w", "--whole-file"}, variant), "");
    EXPECT_NE(no_difference({"w"}, variant).find("--whole-file"), std::string::npos);
    EXPECT_EQ(no_difference({"w"}, Variant{}), "");
}

TEST(ExperimentVariant, KnowsWhoReplacesItsWorkers) {
    EXPECT_TRUE(recycled(100, 20).replaces_workers());
    EXPECT_TRUE(parse_variant("x:A=1:--limit-max-requests 5")->replaces_workers());
    EXPECT_FALSE(parse_variant("x:A=1")->replaces_workers());
}

}  // namespace
}  // namespace asrtrace::experiment
