// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// The worker as its clients see it: a process of its own, requests over HTTP, good and bad ones.
#include <gtest/gtest.h>
#include <httplib.h>

#include <csignal>
#include <fstream>
#include <iterator>

#include "tests/wav_bytes.h"
#include "tests/worker_process.h"

namespace asr {
namespace {

using test::WorkerProcess;

class Http : public testing::Test {
  protected:
    static void SetUpTestSuite() { worker = new WorkerProcess({"--max-seconds", "2"}); }
    static void TearDownTestSuite() { delete worker; }

    static httplib::Client client() { return worker->client(); }

    static httplib::Result upload(const std::string& file,
                                  const std::string& field = "audio_file") {
        return client().Post("/transcribe",
                             httplib::MultipartFormDataItems{{field, file, "x.wav", "audio/wav"}});
    }

    static void expect_error(const httplib::Result& answer, int status, const std::string& part) {
        ASSERT_TRUE(answer) << httplib::to_string(answer.error());
        EXPECT_EQ(answer->status, status) << answer->body;
        const auto body = nlohmann::json::parse(answer->body, nullptr, false);
        ASSERT_TRUE(body.is_object() && body.contains("error")) << answer->body;
        EXPECT_NE(body["error"].get<std::string>().find(part), std::string::npos) << answer->body;
    }

    static void expect_alive() { EXPECT_EQ(worker->get("/healthz")["status"], "ok"); }

    static inline WorkerProcess* worker = nullptr;
};

TEST_F(Http, TranscribesAndCounts) {
    const auto before = worker->get("/stats")["requests"].get<int>();
    const auto answer = upload(test::wav_of_length(16000));
    ASSERT_TRUE(answer);
    ASSERT_EQ(answer->status, 200) << answer->body;
    const auto body = nlohmann::json::parse(answer->body);
    EXPECT_TRUE(body["text"].is_string());
    EXPECT_EQ(body["frames"], 16000);
    EXPECT_EQ(body["chunks"], 1);
    const auto stats = worker->get("/stats");
    EXPECT_EQ(stats["requests"], before + 1);
    EXPECT_EQ(stats["pid"], worker->pid());
    EXPECT_EQ(stats["plants"], nlohmann::json::array());
}

TEST_F(Http, RefusesBadFiles) {
    expect_error(upload(""), 400, "empty");
    expect_error(upload("no wave at all"), 400, "not a WAV");
    const auto good = test::wav_of_length(1000);
    expect_error(upload(good.substr(0, 30)), 400, "header is cut short");
    expect_error(upload(good.substr(0, 100)), 400, "cut short");
    expect_error(upload(test::wav_bytes("")), 400, "0 frames");
    expect_error(upload(test::wav_bytes("abcdabcd", {.channels = 2})), 400, "mono");
    expect_error(upload(test::wav_bytes("abcd", {.sample_rate_hz = 8000})), 400, "16000 Hz");
    expect_error(upload(test::wav_bytes("abcd", {.format = 0x7777})), 400, "WAV");
    expect_error(upload(test::wav_of_length(32001)), 413, "at most 32000");
    EXPECT_EQ(upload(test::wav_of_length(32000))->status, 200);
    expect_alive();
}

TEST_F(Http, RefusesBadUploads) {
    const auto good = test::wav_of_length(1000);
    expect_error(upload(good, "audio"), 400, "no field 'audio_file'");
    expect_error(client().Post("/transcribe", good, "audio/wav"), 400, "multipart/form-data");
    expect_error(client().Post("/transcribe", good, "multipart/form-data"), 400, "boundary");
    expect_error(client().Post("/transcribe", good, "multipart/form-data; boundary=abc"), 400,
                 "multipart");
    expect_error(client().Post("/transcribe", "", "multipart/form-data; boundary=abc"), 400, "");
    const httplib::MultipartFormData item{"audio_file", good, "x.wav", "audio/wav"};
    expect_error(client().Post("/transcribe", httplib::MultipartFormDataItems{item, item}), 400,
                 "more than one");
    expect_error(upload(std::string(4'000'000, 'x')), 413, "larger than");
    expect_alive();
}

TEST_F(Http, AcceptsOtherFieldsBesides) {
    const httplib::MultipartFormDataItems items = {
        {"language", "en", "", ""},
        {"audio_file", test::wav_of_length(2000), "x.wav", "audio/wav"},
        {"task", "transcribe", "", ""}};
    EXPECT_EQ(client().Post("/transcribe", items)->status, 200);
}

TEST_F(Http, SurvivesRawNonsense) {
    const std::string head = "POST /transcribe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    const std::string typed = head + "Content-Type: multipart/form-data; boundary=b\r\n";
    const std::string part =
        "--b\r\nContent-Disposition: form-data; name=\"audio_file\"\r\n\r\nRIFF";
    const auto no_length = worker->raw_request(head + "\r\n", false);
    EXPECT_NE(no_length.find(" 400 "), std::string::npos) << no_length;
    EXPECT_NE(no_length.find("no body"), std::string::npos) << no_length;
    const auto before = worker->get("/stats")["requests"].get<int>();
    worker->raw_request(typed + "Content-Length: 1000\r\n\r\n" + part, true);
    EXPECT_EQ(worker->get("/stats")["requests"], before + 1) << "hung up in mid-body";
    worker->raw_request(typed + "Content-Length: 99999999999999999999\r\n\r\n" + part, true);
    worker->raw_request(typed + "Content-Length: -5\r\n\r\n" + part, true);
    worker->raw_request(typed + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", true);
    worker->raw_request("\r\n\r\n", true);
    worker->raw_request(std::string(100'000, 'A'), true);
    expect_alive();
}

TEST_F(Http, OtherPathsAreJsonErrors) {
    expect_error(client().Get("/nothing"), 404, "endpoint");
    expect_error(client().Get("/transcribe"), 404, "endpoint");
    expect_error(client().Post("/debug/trim"), 404, "endpoint");
}

TEST_F(Http, EveryAnswerIsCounted) {
    const auto before = worker->get("/stats")["requests"].get<int>();
    upload("");
    client().Post("/transcribe", "x", "text/plain");
    upload(test::wav_of_length(40000));
    EXPECT_EQ(worker->get("/stats")["requests"], before + 3);
}

TEST(WorkerPlants, TruthInStats) {
    WorkerProcess worker({"--plant", "leak=12345", "--plant", "cache=5000,entries=4", "--plant",
                          "keyed=600", "--plant", "retention=8", "--plant", "library=77"});
    auto client = worker.client();
    for (int i = 0; i < 10; ++i) {
        // Refused requests run the plants, too.
        const auto file = i % 2 == 0 ? test::wav_of_length(3200) : std::string("bad");
        client.Post("/transcribe",
                    httplib::MultipartFormDataItems{{"audio_file", file, "x.wav", "audio/wav"}});
    }
    const auto stats = worker.get("/stats");
    EXPECT_EQ(stats["requests"], 10);
    ASSERT_EQ(stats["plants"].size(), 5U);
    const auto& leak = stats["plants"][0];
    EXPECT_EQ(leak["kind"], "leak");
    EXPECT_EQ(leak["function"], "asr::plant_leak_request");
    EXPECT_EQ(leak["bytes_per_request"], 12345);
    EXPECT_EQ(leak["total_bytes"], 123450);
    EXPECT_EQ(leak["blocks"], 10);
    EXPECT_GE(leak["chunk_bytes"], 123450 + 80);
    const auto& cache = stats["plants"][1];
    EXPECT_EQ(cache["kind"], "cache");
    EXPECT_EQ(cache["blocks"], 4);
    EXPECT_EQ(cache["total_bytes"], 20000);
    const auto& keyed = stats["plants"][2];
    EXPECT_EQ(keyed["kind"], "keyed");
    EXPECT_EQ(keyed["blocks"], 2) << "the file that is good, and the one that is not";
    EXPECT_EQ(keyed["total_bytes"], 1200);
    const auto& retention = stats["plants"][3];
    EXPECT_EQ(retention["kind"], "retention");
    EXPECT_GE(retention["total_bytes"], 7 << 20);
    EXPECT_LE(retention["total_bytes"], 10 << 20);
    EXPECT_EQ(retention["blocks"], 2 * 9 * 17);
    const auto& library = stats["plants"][4];
    EXPECT_EQ(library["function"], "asr_plant_library_request");
    EXPECT_EQ(library["total_bytes"], 770);
}

TEST(WorkerDebug, TrimAndMallinfo) {
    WorkerProcess worker({"--debug-endpoints"});
    auto client = worker.client();
    const auto answer = client.Post("/debug/trim");
    ASSERT_TRUE(answer);
    const auto trim = nlohmann::json::parse(answer->body);
    EXPECT_GT(trim["rss_anon_before"].get<std::int64_t>(), 0);
    EXPECT_GT(trim["rss_anon_after"].get<std::int64_t>(), 0);
    const auto bare = worker.raw_request(
        "POST /debug/trim HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", false);
    EXPECT_NE(bare.find("rss_anon_after"), std::string::npos) << bare;
    EXPECT_TRUE(worker.get("/debug/mallinfo").contains("uordblks"));
}

TEST(WorkerLife, SignalsEndItCleanly) {
    for (const int signal : {SIGTERM, SIGINT}) {
        WorkerProcess worker;
        EXPECT_EQ(worker.stop(signal), 0);
    }
}

TEST(WorkerLife, BadStartsAreStatus2) {
    const std::string worker = ASR_WORKER_BINARY;
    EXPECT_EQ(test::run_program({worker, "--plant", "leak=none"}), 2);
    EXPECT_EQ(test::run_program({worker, "--no-such-option"}), 2);
    EXPECT_EQ(test::run_program({worker, "--model", "/nonexistent"}), 2);
    EXPECT_EQ(test::run_program({worker, "--model", worker}), 2);
    EXPECT_EQ(test::run_program({worker, "--chunk-seconds", "1", "--stride-seconds", "1"}), 2);
    EXPECT_EQ(test::run_program({worker, "--help"}), 0);
    const WorkerProcess other;
    EXPECT_EQ(test::run_program({worker, "--port", std::to_string(other.port())}), 2);
}

TEST(WorkerLife, CarriesItsProbes) {
#ifdef ASR_WORKER_USDT
    std::ifstream file(ASR_WORKER_BINARY, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    for (const char* name : {"request_start", "chunk_done", "request_done"}) {
        // A probe's note: provider, name, arguments, each ended by a zero byte.
        EXPECT_NE(bytes.find(std::string("asr") + '\0' + name + '\0'), std::string::npos) << name;
    }
#else
    GTEST_SKIP() << "built with ASR_WORKER_USDT=OFF";
#endif
}

}  // namespace
}  // namespace asr
