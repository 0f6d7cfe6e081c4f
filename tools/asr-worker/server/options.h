// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "server/plants.h"

namespace asr {

struct Options {
    std::string host = "127.0.0.1";
    int port = 9000;              ///< 0: any free one
    std::filesystem::path model;  ///< empty: the one that belongs to this program
    int http_threads = 4;
    int most_in_flight = 0;                  ///< requests; 0: no limit
    std::uint64_t most_requests = 0;         ///< of a worker's life; 0: no limit
    std::uint64_t most_requests_jitter = 0;  ///< up to so many more, drawn for each worker
    std::size_t spool_bytes = 1 << 20;       ///< larger uploads go to disk
    int compute_threads = 1;
    bool whole_file = false;
    double chunk_seconds = 4.0;
    double stride_seconds = 0.8;
    double tail_seconds = -1.0;  ///< < 0: 1 with chunks, 0 (none) with whole files
    double max_seconds = 60.0;
    bool debug_endpoints = false;
    std::vector<PlantSpec> plants;
};

/// Parses the command line. On --help and on errors it prints and returns the exit status in
/// `exit_status` with `false`.
bool parse_options(int argc, char** argv, Options& options, int& exit_status);

/// The model that belongs to this program: ../share/asr-worker beside its directory, in the build
/// tree as in an installation.
std::filesystem::path own_model();

}  // namespace asr
