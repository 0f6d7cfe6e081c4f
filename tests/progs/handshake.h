// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How a test drives a target program, and how the program tells its truth.
//
//   program                 test
//   ready {...}      -->    attaches the tracer
//                    <--    go
//   ... work ...
//   done {...truth}  -->    ends the tracer, compares
//                    <--    quit
//
// Nothing here allocates: between "go" and "quit" a program allocates only what it counts.
#pragma once

#include <cstddef>
#include <cstdint>

namespace asrtrace::progs {

/// One line of JSON in a fixed buffer; aborts rather than truncate.
class Line {
  public:
    /// Starts the line with a word ("ready", "done") and opens the object.
    explicit Line(const char* word);
    Line& number(const char* key, std::uint64_t value);
    Line& address(const char* key, const void* value);  ///< as a hex string
    Line& text(const char* key, const char* value);     ///< value must need no escape
    Line& flag(const char* key, bool value);
    Line& open(const char* key);  ///< a nested object
    Line& close();
    /// Closes the object and writes the line to stdout with one write(2).
    void send();

  private:
    void put(const char* text);
    void put_key(const char* key);
    void put_number(std::uint64_t value, unsigned base);

    char buffer_[16384];
    std::size_t size_ = 0;
    bool first_ = true;
};

/// Reads stdin until the line `word` came. Exits with status 3 at the end of the input: a test that
/// died leaves no program behind.
void wait_for(const char* word);

/// CLOCK_MONOTONIC.
std::uint64_t now_ns();

/// "--name VALUE" from the command line, else the fallback.
std::uint64_t option(int argc, char** argv, const char* name, std::uint64_t fallback);

/// xorshift64*: no library state, the same numbers for the same seed.
class Random {
  public:
    explicit Random(std::uint64_t seed);
    std::uint64_t next();
    std::uint64_t below(std::uint64_t bound) { return next() % bound; }
    std::uint64_t between(std::uint64_t lo, std::uint64_t hi) { return lo + below(hi - lo + 1); }

  private:
    std::uint64_t state_;
};

/// Aborts with a message on stderr: the program's own expectation failed, e.g. a damaged block.
[[noreturn]] void fail(const char* what);

}  // namespace asrtrace::progs
