// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The BPF reader of HTTP/1.x on whole conversations: which requests there were, and when each
// ended.
#include <gtest/gtest.h>

#include <random>

#include "tests/bpf_host/http_connection.h"

namespace asrtrace::wire {
namespace {

constexpr std::string_view kGet = "GET /a?x=1 HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

std::string post(std::size_t bytes) {
    return "POST /p HTTP/1.1\r\ncontent-length: " + std::to_string(bytes) + "\r\n\r\n" +
           std::string(bytes, 'b');
}

std::uint64_t fnv(std::string_view name) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char c : name) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3ULL;
    return hash;
}

TEST(BpfHttp, NamesAreHashedAsTheyAreCompared) {
    EXPECT_EQ(host_http_content_length(), fnv("content-length"));
    EXPECT_EQ(host_http_transfer_encoding(), fnv("transfer-encoding"));
}

TEST(BpfHttp, ARequestAndItsResponse) {
    HttpConnection c;
    c.read(kGet);
    ASSERT_EQ(c.requests.size(), 1U);
    EXPECT_EQ(c.requests[0].method, "GET");
    EXPECT_EQ(c.requests[0].path, "/a");
    EXPECT_EQ(c.requests[0].begin_ns, 1000U);
    EXPECT_FALSE(c.requests[0].done);
    c.write(kOk);
    EXPECT_TRUE(c.requests[0].done);
    EXPECT_EQ(c.requests[0].outcome, HTTP_SERVED);
    EXPECT_EQ(c.requests[0].status, 200U);
    EXPECT_EQ(c.requests[0].response_bytes, 5U);
}

TEST(BpfHttp, KeepAliveInPiecesOfEverySize) {
    const std::string in = std::string(kGet) + post(700) + std::string(kGet);
    const std::string out = std::string(kOk) + std::string(kOk) + std::string(kOk);
    for (std::size_t piece = 1; piece < 300; ++piece) {
        HttpConnection c;
        for (std::size_t at = 0; at < in.size(); at += piece) c.read(in.substr(at, piece));
        ASSERT_EQ(c.requests.size(), 3U) << piece;
        for (std::size_t at = 0; at < out.size(); at += piece) {
            const auto done = std::count_if(c.requests.begin(), c.requests.end(),
                                            [](const auto& r) { return r.done; });
            EXPECT_EQ(static_cast<std::size_t>(done), at / kOk.size()) << piece;
            c.write(out.substr(at, piece));
        }
        EXPECT_TRUE(c.requests[2].done);
        EXPECT_EQ(c.requests[1].body_bytes, 700U);
        EXPECT_EQ(c.requests[0].body_bytes, 0U);
        EXPECT_EQ(c.counter(LOST_HTTP_CONFUSED), 0U);
    }
}

TEST(BpfHttp, PipelinedRequestsInOneRead) {
    HttpConnection c;
    std::string all;
    for (int i = 0; i < 60; ++i) all += i % 2 != 0 ? post(10) : std::string(kGet);
    c.read(all);
    EXPECT_EQ(c.requests.size(), 60U);
    for (int i = 0; i < 60; ++i) {
        EXPECT_FALSE(c.requests[static_cast<std::size_t>(i)].done);
        c.write(kOk);
        EXPECT_TRUE(c.requests[static_cast<std::size_t>(i)].done);
    }
}

TEST(BpfHttp, MorePipelinedRequestsThanAreFollowedAreSaid) {
    HttpConnection c;
    std::string all;
    for (int i = 0; i < 70; ++i) all += kGet;
    c.read(all);
    EXPECT_EQ(c.counter(LOST_HTTP_CONFUSED), 1U);
    EXPECT_EQ(c.requests.size(), 64U);
    for (const auto& request : c.requests) EXPECT_EQ(request.outcome, HTTP_CONFUSED);
    c.read(kGet);  // it recovers
    c.write(kOk);
    EXPECT_EQ(c.requests.back().outcome, HTTP_SERVED);
}

TEST(BpfHttp, ChunkedBodiesInBothDirections) {
    const std::string in =
        "POST /c HTTP/1.1\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n"
        "5\r\nhello\r\n1F;a=\"b\"\r\n" +
        std::string(31, 'x') + "\r\n0\r\nTrailer: t\r\n\r\n" + std::string(kGet);
    const std::string out =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n" +
        std::string(kOk);
    for (std::size_t piece = 1; piece < 200; piece += 3) {
        HttpConnection c;
        for (std::size_t at = 0; at < in.size(); at += piece) c.read(in.substr(at, piece));
        for (std::size_t at = 0; at < out.size(); at += piece) c.write(out.substr(at, piece));
        ASSERT_EQ(c.requests.size(), 2U) << piece;
        EXPECT_EQ(c.requests[0].body_bytes, 36U);
        EXPECT_EQ(c.requests[0].response_bytes, 10U);
        EXPECT_EQ(c.requests[1].response_bytes, 5U);
        EXPECT_TRUE(c.requests[1].done);
        EXPECT_EQ(c.requests[1].path, "/a");
    }
}

TEST(BpfHttp, ResponsesWithoutABody) {
    HttpConnection c;
    c.read("HEAD /h HTTP/1.1\r\n\r\n");
    c.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    EXPECT_TRUE(c.requests[0].done);
    c.read(kGet);
    c.write("HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n");
    EXPECT_TRUE(c.requests[1].done);
    c.read(kGet);
    c.write("HTTP/1.1 204 No Content\r\n\r\n");
    EXPECT_TRUE(c.requests[2].done);
    c.read(kGet);
    c.write("HTTP/1.1 200\r\ncontent-length:0\r\n\r\n");
    EXPECT_TRUE(c.requests[3].done);
}

TEST(BpfHttp, InterimResponsesEndNothing) {
    HttpConnection c;
    c.read("POST /p HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    c.write("HTTP/1.1 100 Continue\r\n\r\n");
    c.read("abcd");
    c.write("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n");
    EXPECT_FALSE(c.requests[0].done);
    c.write("content-length: 2\r\n\r\nok");
    EXPECT_TRUE(c.requests[0].done);
    EXPECT_EQ(c.requests[0].status, 200U);
    EXPECT_EQ(c.requests[0].body_bytes, 4U);
}

TEST(BpfHttp, AResponseWithoutALengthEndsWithTheConnection) {
    for (const bool shut : {false, true}) {
        HttpConnection c;
        c.read(kGet);
        c.write("HTTP/1.0 200 OK\r\n\r\nsome");
        c.write(" text");
        EXPECT_FALSE(c.requests[0].done);
        shut ? c.end_output() : c.close();
        EXPECT_EQ(c.requests[0].outcome, HTTP_SERVED);
        EXPECT_EQ(c.requests[0].response_bytes, 9U);
    }
}

TEST(BpfHttp, AClientThatVanishesIsNotServed) {
    HttpConnection c;
    c.read(kGet);
    c.write(kOk);
    c.read(post(1000).substr(0, 500));
    c.close();
    ASSERT_EQ(c.requests.size(), 2U);
    EXPECT_EQ(c.requests[0].outcome, HTTP_SERVED);
    EXPECT_EQ(c.requests[1].outcome, HTTP_ABORTED);
    EXPECT_LT(c.requests[1].body_bytes, 500U);
    EXPECT_GT(c.requests[1].body_bytes, 400U);
}

TEST(BpfHttp, AnEarlyAnswerDoesNotConfuseTheRestOfTheUpload) {
    HttpConnection c;
    const std::string upload = post(1000);
    c.read(upload.substr(0, 300));
    c.write("HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n");
    EXPECT_EQ(c.requests[0].status, 413U);
    c.read(upload.substr(300) + std::string(kGet));
    c.write(kOk);
    ASSERT_EQ(c.requests.size(), 2U);
    EXPECT_EQ(c.requests[1].outcome, HTTP_SERVED);
}

TEST(BpfHttp, FilesThatAreSentUnseen) {
    HttpConnection c;
    c.read(std::string(kGet) + std::string(kGet));
    c.write("HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n");
    c.sendfile(2000000);
    EXPECT_FALSE(c.requests[0].done);
    c.sendfile(1000000);
    EXPECT_TRUE(c.requests[0].done);
    EXPECT_EQ(c.requests[0].response_bytes, 3000000U);
    c.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + std::string(500, 'x'));
    c.sendfile(500);
    EXPECT_TRUE(c.requests[1].done);
    EXPECT_EQ(c.counter(LOST_HTTP_CONFUSED), 0U);
}

TEST(BpfHttp, VectoredCalls) {
    HttpConnection c;
    c.readv({"GE", "", "T /v HTTP/1.1\r", "\n\r\n",
             "POST /w HTTP/1.1\r\nContent-Length: 3\r\n\r\na", "bc"});
    c.writev({"HTTP/1.1 200 OK\r\nContent-Le", "ngth: 6\r\n\r\nab", "cdef", kOk});
    ASSERT_EQ(c.requests.size(), 2U);
    EXPECT_EQ(c.requests[0].path, "/v");
    EXPECT_TRUE(c.requests[0].done);
    EXPECT_TRUE(c.requests[1].done);
    EXPECT_EQ(c.requests[1].body_bytes, 3U);
}

TEST(BpfHttp, AClientsConnectionIsNone) {
    HttpConnection writes;
    writes.write(kGet);
    writes.read(std::string(kOk) + std::string(kGet));
    writes.read(kGet);
    EXPECT_TRUE(writes.requests.empty());
    HttpConnection reads;
    reads.read(kOk);
    reads.read(kGet);
    EXPECT_TRUE(reads.requests.empty());
}

TEST(BpfHttp, WhatCannotBeReadIsCounted) {
    HttpConnection tls;
    tls.read(std::string("\x16\x03\x01\x02\x00", 5));
    tls.read(kGet);
    EXPECT_EQ(tls.counter(COUNT_HTTP_TLS), 1U);
    EXPECT_TRUE(tls.requests.empty());
    HttpConnection tls_client;
    tls_client.write(std::string("\x16\x03\x01\x02\x00\x01", 6));
    tls_client.read(std::string("\x16\x03\x03", 3));
    EXPECT_EQ(tls_client.counter(COUNT_HTTP_TLS), 0U);
    HttpConnection two;
    two.read("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    EXPECT_EQ(two.counter(COUNT_HTTP_2), 1U);
    EXPECT_TRUE(two.requests.empty());
    HttpConnection socket;
    socket.read("GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
    socket.write("HTTP/1.1 101 Switching Protocols\r\n\r\n");
    EXPECT_EQ(socket.counter(COUNT_HTTP_UPGRADED), 1U);
    EXPECT_EQ(socket.requests[0].outcome, HTTP_SERVED);
    socket.read(kGet);
    EXPECT_EQ(socket.requests.size(), 1U);
}

TEST(BpfHttp, ATunnelThatIsRefusedStaysAConnection) {
    HttpConnection c;
    c.read("CONNECT h:443 HTTP/1.1\r\n\r\n");
    c.write("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
    c.read(kGet);
    c.write(kOk);
    c.read("CONNECT h:443 HTTP/1.1\r\n\r\n");
    c.write("HTTP/1.1 200 OK\r\n\r\n");
    c.read(kGet);
    EXPECT_EQ(c.requests.size(), 3U);
    for (const auto& request : c.requests) EXPECT_EQ(request.outcome, HTTP_SERVED);
}

TEST(BpfHttp, AConnectionInTheMiddleOfAnUploadIsTakenUpAtTheNextRequest) {
    HttpConnection c;
    c.read("UPPERCASEUPLOAD");  // the rest of a body that began before
    c.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    EXPECT_TRUE(c.requests.empty());
    c.read(kGet);
    c.write(kOk);
    ASSERT_EQ(c.requests.size(), 1U);
    EXPECT_EQ(c.requests[0].method, "GET");
    EXPECT_EQ(c.requests[0].outcome, HTTP_SERVED);
    EXPECT_EQ(c.counter(LOST_HTTP_CONFUSED), 0U);
}

TEST(BpfHttp, WhatIsSaidUnaskedAnswersNothing) {
    HttpConnection c;
    c.read(kGet);
    c.write(std::string(kOk) + "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
    c.write("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
    c.read(kGet);
    c.write(kOk);
    EXPECT_EQ(c.requests.size(), 2U);
    EXPECT_EQ(c.requests[1].status, 200U);
}

TEST(BpfHttp, NonsenseIsSaidAndEndsWhatIsInFlight) {
    HttpConnection c;
    c.read(kGet);
    c.write("220 mail.example ESMTP\r\n");
    EXPECT_EQ(c.requests[0].outcome, HTTP_CONFUSED);
    EXPECT_EQ(c.counter(LOST_HTTP_CONFUSED), 1U);
    HttpConnection other;
    other.read("*1\r\n$4\r\nPING\r\n");
    other.read("GET key\r\n");
    other.read("SET HTTP/1.1 is no version here\r\n");
    EXPECT_TRUE(other.requests.empty());
    EXPECT_EQ(other.counter(LOST_HTTP_CONFUSED), 0U);
}

TEST(BpfHttp, ALongPathIsCut) {
    HttpConnection c;
    c.read("GET /" + std::string(5000, 'p') + " HTTP/1.1\r\n\r\n");
    ASSERT_EQ(c.requests.size(), 1U);
    EXPECT_EQ(c.requests[0].path, "/" + std::string(HTTP_PATH_BYTES - 1, 'p'));
}

TEST(BpfHttp, AnotherThreadThatGoesOnIsSaid) {
    HttpConnection c;
    c.tid = 1;
    c.read(post(100).substr(0, 60));
    c.tid = 2;
    c.read(post(100).substr(60));
    c.write(kOk);
    EXPECT_EQ(c.moved, std::vector<std::uint64_t>{c.requests[0].id});
    c.tid = 3;
    c.read(kGet);  // nothing is in flight: a beginning, no move
    EXPECT_EQ(c.requests[1].tid, 3U);
    EXPECT_EQ(c.moved.size(), 1U);
}

/// Whole conversations drawn at random, cut anywhere.
TEST(BpfHttp, RandomConversations) {
    std::mt19937 random(7);
    const auto below = [&](std::size_t bound) { return random() % bound; };
    for (int round = 0; round < 300; ++round) {
        HttpConnection c;
        std::string in, out;
        std::vector<std::size_t> bodies, responses;
        for (std::size_t i = 0, n = 1 + below(12); i < n; ++i) {
            bodies.push_back(below(3) == 0 ? 0 : below(2000));
            responses.push_back(below(3000));
            in += bodies.back() == 0 ? std::string(kGet) : post(bodies.back());
            out += "HTTP/1.1 200 OK\r\nX: " + std::string(below(400), 'h') +
                   "\r\nContent-Length: " + std::to_string(responses.back()) + "\r\n\r\n" +
                   std::string(responses.back(), '\n');
        }
        for (std::size_t at = 0, n = 0; at < in.size(); at += n)
            c.read(in.substr(at, n = 1 + below(900)));
        for (std::size_t at = 0, n = 0; at < out.size(); at += n)
            c.write(out.substr(at, n = 1 + below(900)));
        ASSERT_EQ(c.requests.size(), bodies.size());
        for (std::size_t i = 0; i < bodies.size(); ++i) {
            EXPECT_EQ(c.requests[i].outcome, HTTP_SERVED);
            EXPECT_TRUE(c.requests[i].done);
            EXPECT_EQ(c.requests[i].body_bytes, bodies[i]);
            EXPECT_EQ(c.requests[i].response_bytes, responses[i]);
        }
    }
}

}  // namespace
}  // namespace asrtrace::wire
