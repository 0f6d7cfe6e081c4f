// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <random>
#include <vector>

#include "bpf/event.h"
#include "user/decode/event.h"

namespace asrtrace::decode {
namespace {

template <typename Record>
std::optional<Event> decode_record(const Record& record, std::size_t bytes = sizeof(Record)) {
    return decode({reinterpret_cast<const std::uint8_t*>(&record), bytes});
}

TEST(Decode, Alloc) {
    wire::ev_alloc record{};
    record.h = {
        .tag = wire::EV_ALLOC, .flags = wire::EV_SAMPLED, .process = 0, .tid = 7, .time_ns = 99};
    record.address = 0x1000;
    record.size = 64;
    record.stack = 0xabc;
    record.function = wire::FN_CALLOC;
    const auto event = decode_record(record);
    ASSERT_TRUE(event);
    EXPECT_EQ(event->tid, 7U);
    EXPECT_EQ(event->time_ns, 99U);
    const auto& alloc = std::get<Alloc>(event->payload);
    EXPECT_EQ(alloc.function, Function::kCalloc);
    EXPECT_EQ(alloc.size, 64U);
    EXPECT_EQ(alloc.sampling, Sampling::kByMean);
}

TEST(Decode, AnErrnoOfMremapIsAFailure) {
    wire::ev_mremap record{};
    record.h.tag = wire::EV_MREMAP_END;
    record.result = -12;
    EXPECT_EQ(std::get<Remap>(decode_record(record)->payload).new_address, 0U);
    record.result = 0x7f0000000000;
    EXPECT_EQ(std::get<Remap>(decode_record(record)->payload).new_address, 0x7f0000000000U);
}

TEST(Decode, WhatIsToldBehindTheCall) {
    wire::ev_range range{};
    range.h.tag = wire::EV_MUNMAP;
    range.address = 0x7f0000000000;
    range.length = 4096;
    const auto unmap = std::get<Unmap>(decode_record(range)->payload);
    EXPECT_EQ(unmap.address, 0x7f0000000000U);
    EXPECT_EQ(unmap.length, 4096U);
    wire::ev_mremap record{};
    record.h.tag = wire::EV_MREMAP;
    EXPECT_TRUE(std::get<Remap>(decode_record(record)->payload).end);
    EXPECT_TRUE(std::get<Remap>(decode_record(record)->payload).alone);
    record.h.tag = wire::EV_MREMAP_END;
    EXPECT_TRUE(std::get<Remap>(decode_record(record)->payload).end);
    EXPECT_FALSE(std::get<Remap>(decode_record(record)->payload).alone);
}

TEST(Decode, AnEventIsOfItsProcess) {
    wire::ev_free record{};
    record.h = {.tag = wire::EV_FREE, .flags = 0, .process = 0xfffe, .tid = 1, .time_ns = 2};
    EXPECT_EQ(decode_record(record)->process, 0xfffe);
}

TEST(Decode, TasksOfSeveralProcesses) {
    wire::ev_task record{};
    record.h.tag = wire::EV_FORK;
    record.pid = 4711;
    record.value = 3;
    const auto fork = std::get<Task>(decode_record(record)->payload);
    EXPECT_EQ(fork.kind, Task::Kind::kFork);
    EXPECT_EQ(fork.pid, 4711U);
    EXPECT_EQ(fork.child, 3);
    EXPECT_EQ(fork.exit_code, 0);

    record.h.tag = wire::EV_EXIT;
    record.value = 9;
    EXPECT_FALSE(std::get<Task>(decode_record(record)->payload).process_ended);
    record.h.flags = wire::EV_PROCESS_ENDED;
    const auto exit = std::get<Task>(decode_record(record)->payload);
    EXPECT_TRUE(exit.process_ended);
    EXPECT_EQ(exit.exit_code, 9);
    EXPECT_EQ(exit.child, 0);
}

TEST(Decode, AStackIsAnnouncedByItsKey) {
    wire::ev_stack record{};
    record.h.tag = wire::EV_STACK;
    record.stack = 77;
    EXPECT_EQ(std::get<NewStack>(decode_record(record)->payload).stack, 77U);
}

TEST(Decode, ARequestSeenOnASocket) {
    wire::ev_http_begin begin{};
    begin.h.tag = wire::EV_HTTP_BEGIN;
    begin.id = 9;
    begin.begin_ns = 55;
    std::memcpy(begin.method, "POST", 4);
    std::memcpy(begin.path, "/upload!", 8);
    begin.path_bytes = 7;
    const auto event = decode_record(begin);  // its views point into `begin`
    const auto& mark = std::get<HttpMark>(event->payload);
    EXPECT_EQ(mark.kind, HttpMark::Kind::kBegin);
    EXPECT_EQ(mark.begin_ns, 55U);
    EXPECT_EQ(mark.method, "POST");
    EXPECT_EQ(mark.path, "/upload");
    begin.path_bytes = wire::HTTP_PATH_BYTES + 1;
    EXPECT_FALSE(decode_record(begin));

    wire::ev_http_done done{};
    done.h.tag = wire::EV_HTTP_DONE;
    done.id = 9;
    done.body_bytes = 3;
    done.response_bytes = 4;
    done.status = 404;
    done.outcome = wire::HTTP_ABORTED;
    const auto end = std::get<HttpMark>(decode_record(done)->payload);
    EXPECT_EQ(end.outcome, HttpMark::Outcome::kAborted);
    EXPECT_EQ(end.body_bytes, 3U);
    EXPECT_EQ(end.response_bytes, 4U);
    EXPECT_EQ(end.status, 404U);
    done.outcome = 3;
    EXPECT_FALSE(decode_record(done));
}

TEST(Decode, ShortRecordsAndUnknownTagsAreRefused) {
    wire::ev_alloc record{};
    record.h.tag = wire::EV_ALLOC;
    for (std::size_t bytes = 0; bytes < sizeof(record); ++bytes) {
        EXPECT_FALSE(decode_record(record, bytes)) << bytes;
    }
    record.function = wire::FN_COUNT;
    EXPECT_FALSE(decode_record(record));
    record.h.tag = 99;
    EXPECT_FALSE(decode_record(record));
}

TEST(Decode, RandomBytesNeverCrash) {
    std::mt19937_64 random(3);
    for (int i = 0; i < 100'000; ++i) {
        std::array<std::uint8_t, 200> bytes;
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
        bytes[0] = static_cast<std::uint8_t>(random() % 23);
        bytes[1] = 0;
        (void)decode({bytes.data(), random() % bytes.size()});
    }
}

}  // namespace
}  // namespace asrtrace::decode
