// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The functions that memory is asked for in, and the two that a request begins and ends with. Their
// names here are for this source: each run draws others (tests/corpus/names.py).
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {
/// USDT asr:request_start(id, bytes, frames) and asr:request_done(id, status) stand inside.
void corpus_request_begins(std::uint64_t id, std::uint64_t bytes, std::uint64_t frames);
void corpus_request_ends(std::uint64_t id, std::uint64_t status);

/// malloc, and every page touched.
void* corpus_site_1(std::size_t bytes);
void* corpus_site_2(std::size_t bytes);
void* corpus_site_3(std::size_t bytes);
void* corpus_site_aligned(std::size_t alignment, std::size_t bytes);
/// An anonymous mapping, every page touched.
void* corpus_site_map(std::size_t bytes);
/// Blocks that a request frees before it ends; what a service does anyhow.
void corpus_background(std::uint64_t random, unsigned blocks);
}

namespace asrtrace::corpus {

/// Writes to each page.
void touch(void* memory, std::size_t bytes);

using Site = void* (*)(std::size_t);

struct NamedSite {
    Site site;
    const char* name;
};

inline constexpr NamedSite kSite1{corpus_site_1, "corpus_site_1"};
inline constexpr NamedSite kSite2{corpus_site_2, "corpus_site_2"};
inline constexpr NamedSite kSite3{corpus_site_3, "corpus_site_3"};

}  // namespace asrtrace::corpus
