// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "server/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

namespace asr {
namespace {

constexpr int kUsageError = 2;

void describe_network_options(CLI::App& app, Options& options) {
    app.add_option("--model", options.model, "weights file (default: the one that comes along)");
    app.add_option("--compute-threads", options.compute_threads, "threads of oneDNN per request")
        ->check(CLI::Range(1, 256))
        ->capture_default_str();
    auto* chunk = app.add_option("--chunk-seconds", options.chunk_seconds,
                                 "length of a chunk, its strides included")
                      ->check(CLI::Range(0.1, 3600.0))
                      ->capture_default_str();
    auto* stride = app.add_option("--stride-seconds", options.stride_seconds,
                                  "context on either side of a chunk, dropped from its logits")
                       ->check(CLI::Range(0.0, 1800.0))
                       ->capture_default_str();
    app.add_flag("--whole-file", options.whole_file, "no chunks: every length is a new shape")
        ->excludes(chunk)
        ->excludes(stride);
    app.add_option("--pad-tails", options.tail_seconds,
                   "pad the last chunk to a multiple of so many seconds, which bounds the number "
                   "of shapes; 0: do not (default: 1, with --whole-file 0)")
        ->check(CLI::Range(0.0, 3600.0));
    app.add_option("--max-seconds", options.max_seconds, "longer audio is answered 413")
        ->check(CLI::Range(0.1, 3600.0))
        ->capture_default_str();
}

void describe_life_options(CLI::App& app, Options& options) {
    app.add_option("--limit-concurrency", options.most_in_flight,
                   "more transcriptions at once are answered 503 (default: no limit); there are "
                   "at least so many threads and one")
        ->check(CLI::Range(1, 255));
    auto* limit = app.add_option("--limit-max-requests", options.most_requests,
                                 "a worker that has answered so many transcriptions is replaced "
                                 "by a new one; none is lost (default: no limit)")
                      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40));
    app.add_option("--limit-max-requests-jitter", options.most_requests_jitter,
                   "up to so many more, drawn for each worker")
        ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{1} << 40))
        ->needs(limit)
        ->capture_default_str();
    app.add_option("--spool-bytes", options.spool_bytes, "larger uploads are kept on disk")
        ->capture_default_str();
}

}  // namespace

bool parse_options(int argc, char** argv, Options& options, int& exit_status) {
    CLI::App app{
        "asr-worker: recognises spoken digits; POST /transcribe, GET /healthz, GET /stats"};
    std::vector<std::string> plants;
    app.add_option("--host", options.host, "address to listen on")->capture_default_str();
    app.add_option("--port", options.port, "port to listen on; 0: any free one")
        ->check(CLI::Range(0, 65535))
        ->capture_default_str();
    app.add_option("--threads", options.http_threads, "connections served at once")
        ->check(CLI::Range(1, 256))
        ->capture_default_str();
    describe_life_options(app, options);
    describe_network_options(app, options);
    app.add_option("--plant", plants,
                   "plant a fault that every request runs (repeatable): leak=BYTES, "
                   "cache=BYTES[,entries=N], keyed=BYTES (an entry for each length of input), "
                   "retention=MIB (freed, but held by small live blocks), library=BYTES (a leak in "
                   "a stripped library)")
        ->allow_extra_args(false);
    app.add_flag("--debug-endpoints", options.debug_endpoints,
                 "add POST /debug/trim and GET /debug/mallinfo");
    try {
        app.parse(argc, argv);
        for (const auto& plant : plants) options.plants.push_back(parse_plant(plant));
    } catch (const CLI::ParseError& error) {
        exit_status = app.exit(error) == 0 ? 0 : kUsageError;
        return false;
    } catch (const std::invalid_argument& error) {
        std::fprintf(stderr, "asr-worker: %s\n", error.what());
        exit_status = kUsageError;
        return false;
    }
    options.http_threads = std::max(options.http_threads, options.most_in_flight + 1);
    if (options.model.empty()) options.model = own_model();
    if (options.whole_file) options.chunk_seconds = options.stride_seconds = 0.0;
    if (options.tail_seconds < 0.0) options.tail_seconds = options.whole_file ? 0.0 : 1.0;
    return true;
}

std::filesystem::path own_model() {
    const auto program = std::filesystem::read_symlink("/proc/self/exe");
    return program.parent_path().parent_path() / "share" / "asr-worker" / "digits.asrnet";
}

}  // namespace asr
