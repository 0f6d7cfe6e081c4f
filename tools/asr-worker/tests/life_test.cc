// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Workers that end and are replaced under load, and what a worker refuses: every request is
// accounted for.
#include <gtest/gtest.h>
#include <httplib.h>

#include <chrono>
#include <csignal>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/wav_bytes.h"
#include "tests/worker_process.h"

namespace asr {
namespace {

using test::WorkerProcess;

httplib::Result upload(httplib::Client& client, std::size_t samples) {
    return client.Post("/transcribe",
                       httplib::MultipartFormDataItems{
                           {"audio_file", test::wav_of_length(samples), "x.wav", "audio/wav"}});
}

struct Answers {
    std::map<int, std::size_t> by_status;  ///< 0: none at all
    std::map<int, std::size_t> by_worker;  ///< of those with status 200

    std::size_t with(int status) const {
        const auto found = by_status.find(status);
        return found == by_status.end() ? 0 : found->second;
    }
};

/// `threads` clients at once, `each` requests from every one; a connection a request, or kept.
Answers load(const WorkerProcess& worker, std::size_t threads, std::size_t each, bool keep_alive,
             std::size_t samples) {
    Answers answers;
    std::mutex mutex;
    std::vector<std::thread> clients;
    for (std::size_t i = 0; i < threads; ++i) {
        clients.emplace_back([&] {
            auto client = worker.client();
            client.set_keep_alive(keep_alive);
            for (std::size_t k = 0; k < each; ++k) {
                const auto answer = upload(client, samples);
                const std::lock_guard lock(mutex);
                ++answers.by_status[answer ? answer->status : 0];
                if (answer && answer->status == 200) {
                    ++answers.by_worker[std::stoi(answer->get_header_value("Worker-Pid"))];
                }
            }
        });
    }
    for (auto& client : clients) client.join();
    return answers;
}

void expect_changeovers_without_loss(bool keep_alive) {
    constexpr std::size_t kThreads = 4;
    constexpr std::size_t kEach = 60;
    constexpr std::size_t kLimit = 25;
    constexpr std::size_t kJitter = 10;
    WorkerProcess worker({"--limit-max-requests", std::to_string(kLimit),
                          "--limit-max-requests-jitter", std::to_string(kJitter)});
    const auto answers = load(worker, kThreads, kEach, keep_alive, 1600);
    EXPECT_EQ(answers.with(200), kThreads * kEach) << answers.with(0) << " without an answer";
    EXPECT_GE(answers.by_worker.size(), kThreads * kEach / (kLimit + kJitter + kThreads));
    const auto stats = worker.get("/stats");
    const int last = stats["pid"];
    EXPECT_NE(last, worker.pid()) << "the parent serves nothing";
    for (const auto& [pid, requests] : answers.by_worker) {
        if (pid == last) {
            EXPECT_EQ(stats["requests"], requests);
            continue;
        }
        EXPECT_GE(requests, kLimit) << pid;
        // What it had accepted by then: one connection a client.
        EXPECT_LE(requests, kLimit + kJitter + kThreads) << pid;
    }
    EXPECT_EQ(worker.stop(SIGTERM), 0);
}

TEST(WorkerRecycling, LosesNoRequestOfNewConnections) {
    expect_changeovers_without_loss(false);
}

TEST(WorkerRecycling, LosesNoRequestOfKeptConnections) {
    expect_changeovers_without_loss(true);
}

TEST(WorkerRecycling, TheLastAnswersOfAWorkerCloseTheConnection) {
    WorkerProcess worker({"--limit-max-requests", "3"});
    auto client = worker.client();
    client.set_keep_alive(true);
    std::map<std::string, std::size_t> workers;
    for (int i = 0; i < 9; ++i) {
        const auto answer = upload(client, 1600);
        ASSERT_TRUE(answer) << i;
        // One more may come before the worker has stopped accepting; it is told the same.
        const auto served = ++workers[answer->get_header_value("Worker-Pid")];
        EXPECT_EQ(answer->get_header_value("Connection"), served < 3 ? "" : "close") << i;
    }
    EXPECT_GE(workers.size(), 2U);
}

TEST(WorkerRecycling, AKilledWorkerIsReplaced) {
    WorkerProcess worker({"--limit-max-requests", "1000"});
    const int first = worker.get("/stats")["pid"];
    ASSERT_EQ(kill(first, SIGKILL), 0);
    const int second = worker.get("/stats")["pid"];
    EXPECT_NE(second, first);
    EXPECT_EQ(worker.get("/stats")["requests"], 0);
}

TEST(WorkerRecycling, BadStartsAreStatus2) {
    const std::string worker = ASR_WORKER_BINARY;
    EXPECT_EQ(test::run_program(
                  {worker, "--port", "0", "--limit-max-requests", "5", "--model", "/nonexistent"}),
              2);
    EXPECT_EQ(test::run_program({worker, "--port", "0", "--limit-max-requests-jitter", "5"}), 2);
}

TEST(WorkerLimits, RefusesWhatIsTooMuchAtOnce) {
    WorkerProcess worker({"--limit-concurrency", "1", "--max-seconds", "20"});
    const auto one_by_one = load(worker, 1, 5, true, 1600);
    EXPECT_EQ(one_by_one.with(200), 5U);
    const auto at_once = load(worker, 4, 5, false, 16000 * 15);
    EXPECT_EQ(at_once.with(200) + at_once.with(503), 20U);
    EXPECT_GE(at_once.with(200), 1U);
    EXPECT_GE(at_once.with(503), 1U);
    const auto stats = worker.get("/stats");
    EXPECT_EQ(stats["requests"], 5 + at_once.with(200));
    EXPECT_EQ(stats["refused"], at_once.with(503));
}

TEST(WorkerLimits, WithoutALimitNothingIsRefused) {
    WorkerProcess worker;
    EXPECT_EQ(load(worker, 6, 5, false, 16000).with(200), 30U);
    EXPECT_EQ(worker.get("/stats")["refused"], 0);
}

TEST(WorkerLimits, LargeUploadsAreSpooledAndReadTheSame) {
    WorkerProcess spooling({"--spool-bytes", "20000"});
    WorkerProcess other;
    auto client = spooling.client();
    auto other_client = other.client();
    for (const std::size_t samples : {5000, 48000}) {
        const auto spooled = upload(client, samples);
        const auto in_memory = upload(other_client, samples);
        ASSERT_TRUE(spooled && in_memory);
        EXPECT_EQ(spooled->status, 200);
        EXPECT_EQ(spooled->body, in_memory->body);
    }
    EXPECT_EQ(spooling.get("/stats")["spooled"], 1);
    EXPECT_EQ(other.get("/stats")["spooled"], 0);
}

TEST(WorkerLimits, ASignalEndsItBehindItsRequests) {
    WorkerProcess worker;
    httplib::Result answer(nullptr, httplib::Error::Unknown);
    std::thread client([&] {
        auto http = worker.client();
        answer = upload(http, 16000 * 50);
    });
    while (worker.get("/stats")["in_flight"] == 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_EQ(worker.stop(SIGTERM), 0);
    client.join();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200);
}

}  // namespace
}  // namespace asr
