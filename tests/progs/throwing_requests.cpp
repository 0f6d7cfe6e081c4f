// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Requests that throw through everything that a tracer may stand on: out of the functions that
// delimit a request, through frames that allocate, out of operator new by a new-handler. The
// answer of each request is checked against a plain computation of the same.
//   --seed N, and after "go" it runs until "stop" (at most 60 s), so that a tracer can come and go;
//   --requests N: or so many requests, and no "stop" is waited for.
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/progs/handshake.h"

namespace asrtrace::progs {
namespace {

struct Refused : std::runtime_error {
    using std::runtime_error::runtime_error;
};

volatile std::size_t huge_size = std::size_t{1} << 47;

/// What a request must answer.
std::uint64_t expected_answer(std::uint64_t n) {
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i <= n % 17; ++i) sum += (n ^ i) * 2654435761u;
    return sum;
}

}  // namespace

/// Entry of a request; every 7th is refused by an exception that leaves this very function.
extern "C" __attribute__((noinline)) void begin_request(std::uint64_t n) {
    auto note = std::make_unique<std::string>("request " + std::to_string(n) + " has come in");
    if (n % 7 == 0) throw Refused(*note);
    asm volatile("" ::"r"(note.get()) : "memory");
}

/// End of a request; every 11th is reported by an exception.
extern "C" __attribute__((noinline)) void end_request(std::uint64_t n) {
    const std::vector<std::uint64_t> log(n % 100 + 1, n);
    if (n % 11 == 0) throw std::logic_error(std::to_string(log.back()));
    asm volatile("" ::"r"(log.data()) : "memory");
}

namespace {

/// Recurses, allocating in every frame, and throws at the bottom through all of them.
__attribute__((noinline)) std::uint64_t descend(std::uint64_t n, std::uint64_t depth) {
    const std::unique_ptr<std::uint64_t[]> frame(new std::uint64_t[depth * 8 + 1]);
    frame[0] = (n ^ depth) * 2654435761u;
    if (depth == n % 17) {
        if (n % 3 == 0) throw frame[0];
        return frame[0];
    }
    try {
        return frame[0] + descend(n, depth + 1);
    } catch (const std::uint64_t value) {
        throw frame[0] + value;
    }
}

std::uint64_t compute(std::uint64_t n) {
    try {
        return descend(n, 0);
    } catch (const std::uint64_t value) {
        return value;
    }
}

/// A realloc that fails, then an exception from the frame that called it.
__attribute__((noinline)) void grow_too_far(std::uint64_t n) {
    std::unique_ptr<char, decltype(&std::free)> buffer(
        static_cast<char*>(std::malloc(100 + n % 50)), &std::free);
    buffer.get()[0] = 'x';
    if (std::realloc(buffer.get(), huge_size) == nullptr) {
        if (buffer.get()[0] != 'x') fail("a failed realloc damaged the block");
        throw Refused("too far");
    }
}

[[noreturn]] void give_up() {
    throw Refused("the new-handler gives up");
}

/// Escapes, so that the pair of new and delete is not optimised away.
__attribute__((noinline)) void take_and_give_back() {
    char* everything = new char[huge_size];
    asm volatile("" : "+r"(everything) : : "memory");
    delete[] everything;
}

__attribute__((noinline)) unsigned ask_for_everything() {
    unsigned refused = 0;
    std::set_new_handler(&give_up);
    try {
        take_and_give_back();
    } catch (const Refused&) {
        ++refused;
    }
    std::set_new_handler(nullptr);
    try {
        take_and_give_back();
    } catch (const std::bad_alloc&) {
        ++refused;
    }
    return refused;
}

struct Tally {
    std::uint64_t requests = 0, wrong = 0, refused = 0, thrown_at_end = 0;
    std::uint64_t reallocs = 0;            ///< none succeeds
    std::uint64_t failed_allocations = 0;  ///< these among them
};

void serve(std::uint64_t n, Tally& tally) {
    ++tally.requests;
    try {
        begin_request(n);
        if (compute(n) != expected_answer(n)) ++tally.wrong;
        if (n % 5 == 0) {
            if (ask_for_everything() != 2) ++tally.wrong;
            tally.failed_allocations += 2;
        }
        try {
            ++tally.reallocs;
            ++tally.failed_allocations;
            grow_too_far(n);
            ++tally.wrong;
        } catch (const Refused&) {
            asm volatile("" ::: "memory");
        }
        end_request(n);
        if (n % 7 == 0 || n % 11 == 0) ++tally.wrong;
    } catch (const Refused&) {
        ++tally.refused;
        if (n % 7 != 0) ++tally.wrong;
    } catch (const std::logic_error& error) {
        ++tally.thrown_at_end;
        if (n % 11 != 0 || std::to_string(n) != error.what()) ++tally.wrong;
    }
}

bool input_waits() {
    pollfd in{STDIN_FILENO, POLLIN, 0};
    return poll(&in, 1, 0) > 0;
}

int main_program(int argc, char** argv) {
    const std::uint64_t seed = option(argc, argv, "--seed", 1);
    const std::uint64_t requests = option(argc, argv, "--requests", 0);
    Tally tally;
    for (std::uint64_t n = 1; n <= 120; ++n) serve(n, tally);  // what the first exceptions leave
    tally = {};
    Line ready("ready");
    ready.text("begin", "begin_request").text("done", "end_request");
    ready.send();
    wait_for("go");
    const std::uint64_t end = now_ns() + 60'000'000'000;
    for (std::uint64_t n = seed; now_ns() < end; ++n) {
        serve(n, tally);
        if (tally.requests == requests) break;
        if (tally.requests % 64 == 0) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
            if (requests == 0 && input_waits()) break;
        }
    }
    if (requests == 0) wait_for("stop");
    Line done("done");
    done.number("requests", tally.requests).number("wrong", tally.wrong);
    done.number("refused", tally.refused).number("thrown_at_end", tally.thrown_at_end);
    done.number("reallocs", tally.reallocs);
    done.number("failed_allocations", tally.failed_allocations);
    done.send();
    wait_for("quit");
    return 0;
}

}  // namespace
}  // namespace asrtrace::progs

int main(int argc, char** argv) {
    return asrtrace::progs::main_program(argc, argv);
}
