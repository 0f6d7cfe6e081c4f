// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/progs/handshake.h"

#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace asrtrace::progs {

Line::Line(const char* word) {
    put(word);
    put(" {");
}

void Line::put(const char* text) {
    const std::size_t length = std::strlen(text);
    if (size_ + length + 2 > sizeof(buffer_)) fail("a line of truth is too long");
    std::memcpy(buffer_ + size_, text, length);
    size_ += length;
}

void Line::put_key(const char* key) {
    put(first_ ? "\"" : ", \"");
    first_ = false;
    put(key);
    put("\": ");
}

void Line::put_number(std::uint64_t value, unsigned base) {
    char digits[32];
    char* at = digits + sizeof(digits) - 1;
    *at = '\0';
    do {
        *--at = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    put(at);
}

Line& Line::number(const char* key, std::uint64_t value) {
    put_key(key);
    put_number(value, 10);
    return *this;
}

Line& Line::address(const char* key, const void* value) {
    put_key(key);
    put("\"0x");
    put_number(reinterpret_cast<std::uintptr_t>(value), 16);
    put("\"");
    return *this;
}

Line& Line::text(const char* key, const char* value) {
    put_key(key);
    put("\"");
    put(value);
    put("\"");
    return *this;
}

Line& Line::flag(const char* key, bool value) {
    put_key(key);
    put(value ? "true" : "false");
    return *this;
}

Line& Line::open(const char* key) {
    put_key(key);
    put("{");
    first_ = true;
    return *this;
}

Line& Line::close() {
    put("}");
    first_ = false;
    return *this;
}

void Line::send() {
    put("}");
    buffer_[size_++] = '\n';
    std::size_t sent = 0;
    while (sent < size_) {
        const ssize_t n = write(STDOUT_FILENO, buffer_ + sent, size_ - sent);
        if (n <= 0) _exit(3);
        sent += static_cast<std::size_t>(n);
    }
}

void wait_for(const char* word) {
    char line[64];
    std::size_t length = 0;
    for (;;) {
        char byte = 0;
        if (read(STDIN_FILENO, &byte, 1) != 1) _exit(3);
        if (byte != '\n') {
            if (length + 1 < sizeof(line)) line[length++] = byte;
            continue;
        }
        line[length] = '\0';
        if (std::strcmp(line, word) == 0) return;
        length = 0;
    }
}

std::uint64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(now.tv_nsec);
}

std::uint64_t option(int argc, char** argv, const char* name, std::uint64_t fallback) {
    for (int i = 1; i + 1 < argc; ++i) {
        if (std::strcmp(argv[i], name) == 0) return std::strtoull(argv[i + 1], nullptr, 0);
    }
    return fallback;
}

Random::Random(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 + 0x1234567) {
    if (state_ == 0) state_ = 1;
    for (int i = 0; i < 8; ++i) next();
}

std::uint64_t Random::next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return (state_ * 0x2545f4914f6cdd1d) >> 16;
}

void fail(const char* what) {
    const char newline = '\n';
    [[maybe_unused]] ssize_t n = write(STDERR_FILENO, what, std::strlen(what));
    n = write(STDERR_FILENO, &newline, 1);
    std::abort();
}

}  // namespace asrtrace::progs
