// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// asr-load: posts a directory of spoken requests to asr-worker and tells how it went.
// Exit status: 0 all answered with 200, 1 some were not, 2 usage or environment error.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "client/load.h"

namespace {

constexpr int kSomeFailed = 1;
constexpr int kUsageError = 2;

nlohmann::json to_json(const asr::LoadResult& result) {
    auto statuses = nlohmann::json::object();
    for (const auto& [status, count] : result.by_status) statuses[std::to_string(status)] = count;
    const auto& score = result.score;
    return {{"requests", result.failed() + score.utterances},
            {"failed", result.failed()},
            {"by_status", statuses},
            {"seconds", result.seconds},
            {"latency_ms",
             {{"p50", result.latency_ms(50)},
              {"p95", result.latency_ms(95)},
              {"p99", result.latency_ms(99)},
              {"max", result.latency_ms(100)}}},
            {"word_accuracy", score.word_accuracy()},
            {"word_error_rate", score.word_error_rate()},
            {"character_error_rate", score.character_error_rate()},
            {"words", score.words},
            {"exact_utterances", score.exact}};
}

void print_summary(const asr::LoadResult& result) {
    const auto& score = result.score;
    std::printf("requests       %zu answered 200, %zu failed, in %.1f s\n", score.utterances,
                result.failed(), result.seconds);
    if (!result.first_error.empty()) std::printf("first error    %s\n", result.first_error.c_str());
    std::printf("latency        p50 %.1f ms, p95 %.1f ms, p99 %.1f ms, max %.1f ms\n",
                result.latency_ms(50), result.latency_ms(95), result.latency_ms(99),
                result.latency_ms(100));
    std::printf("word accuracy  %.1f %% of %zu words\n", 100.0 * score.word_accuracy(),
                score.words);
    std::printf("CER            %.2f %%\n", 100.0 * score.character_error_rate());
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"asr-load: posts spoken requests to asr-worker, measures latency and accuracy"};
    asr::LoadPlan plan;
    std::string wavs;
    std::string json;
    app.add_option("--host", plan.host)->capture_default_str();
    app.add_option("--port", plan.port)->check(CLI::Range(1, 65535))->capture_default_str();
    app.add_option("--wavs", wavs, "directory of x.wav with x.txt (see asr-speak)")->required();
    app.add_option("--requests", plan.requests, "how many; files repeat")->capture_default_str();
    app.add_option("--seed", plan.seed, "of the order")->capture_default_str();
    app.add_flag("--repeat", plan.repeat, "draw each request anew instead of round by round");
    app.add_option("--concurrency", plan.concurrency, "requests in flight")
        ->check(CLI::Range(1, 256))
        ->capture_default_str();
    app.add_option("--rate", plan.requests_per_second, "requests a second at most; 0: no limit")
        ->check(CLI::NonNegativeNumber);
    app.add_option("--json", json, "write the figures to this file; - for stdout");
    try {
        app.parse(argc, argv);
        const auto result = asr::run_load(plan, asr::read_utterances(wavs));
        if (json == "-") {
            std::cout << to_json(result).dump(2) << '\n';
        } else {
            print_summary(result);
            if (!json.empty() && !(std::ofstream(json) << to_json(result).dump(2) << '\n')) {
                throw std::runtime_error("cannot write " + json);
            }
        }
        return result.failed() == 0 ? 0 : kSomeFailed;
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : kUsageError;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "asr-load: %s\n", error.what());
        return kUsageError;
    }
}
