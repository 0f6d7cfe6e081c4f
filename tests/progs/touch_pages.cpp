// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Touches an exact number of fresh pages: --user N from user code, --file N through read() of a
// file, --pipe N through read() of a pipe. Everything else it uses is locked in before "ready", so
// nothing else can fault while it is traced; getrusage tells how many faults there really were.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/progs/handshake.h"

namespace asrtrace::progs {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kPipeBytes = 16 * kPage;

alignas(kPage) unsigned char source[kPipeBytes];  // what the pipe carries

struct Fresh {
    unsigned char* at = nullptr;
    std::size_t pages = 0;
};

Fresh map_fresh(std::size_t pages) {
    const std::size_t bytes = (pages == 0 ? 1 : pages) * kPage;
    void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED || madvise(at, bytes, MADV_NOHUGEPAGE) != 0) fail("no fresh mapping");
    return {static_cast<unsigned char*>(at), pages};
}

void touch(Fresh fresh) {
    for (std::size_t i = 0; i < fresh.pages; ++i) {
        static_cast<volatile unsigned char*>(fresh.at)[i * kPage + i % kPage] = 1;
    }
}

void read_file(int fd, Fresh fresh) {
    std::size_t done = 0;
    while (done < fresh.pages * kPage) {
        const ssize_t n =
            pread(fd, fresh.at + done, fresh.pages * kPage - done, static_cast<off_t>(done));
        if (n <= 0) fail("the file cannot be read");
        done += static_cast<std::size_t>(n);
    }
}

void read_pipe(const int* ends, Fresh fresh) {
    std::size_t done = 0;
    while (done < fresh.pages * kPage) {
        const std::size_t left = fresh.pages * kPage - done;
        const std::size_t chunk = left < kPipeBytes ? left : kPipeBytes;
        if (write(ends[1], source, chunk) != static_cast<ssize_t>(chunk)) fail("pipe: write");
        if (read(ends[0], fresh.at + done, chunk) != static_cast<ssize_t>(chunk))
            fail("pipe: read");
        done += chunk;
    }
}

std::uint64_t minor_faults() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<std::uint64_t>(usage.ru_minflt);
}

int make_file(std::size_t pages) {
    char path[] = "/var/tmp/touch_pages.XXXXXX";
    const int fd = mkstemp(path);
    if (fd < 0) fail("no temporary file");
    unlink(path);
    for (std::size_t i = 0; i < pages; ++i) {
        if (write(fd, source, kPage) != static_cast<ssize_t>(kPage)) fail("file: write");
    }
    return fd;
}

int main_program(int argc, char** argv) {
    const std::size_t user_pages = option(argc, argv, "--user", 1000);
    const std::size_t file_pages = option(argc, argv, "--file", 500);
    const std::size_t pipe_pages = option(argc, argv, "--pipe", 500);
    for (unsigned char& byte : source) byte = 7;
    const int file = make_file(file_pages + 1);
    int ends[2];
    if (pipe(ends) != 0) fail("no pipe");

    // All there is by now, the part of the stack that has not been used yet included: the text of a
    // line may begin on a page that nobody has touched.
    if (mlockall(MCL_CURRENT) != 0) fail("mlockall");
    const Fresh by_user = map_fresh(user_pages);
    const Fresh by_file = map_fresh(file_pages);
    const Fresh by_pipe = map_fresh(pipe_pages);
    Line ready("ready");
    ready.address("user_at", by_user.at).address("file_at", by_file.at);
    ready.address("pipe_at", by_pipe.at);
    ready.send();
    wait_for("go");
    const std::uint64_t before = minor_faults();
    touch(by_user);
    read_file(file, by_file);
    read_pipe(ends, by_pipe);
    const std::uint64_t after = minor_faults();

    Line done("done");
    done.number("user_pages", user_pages).number("kernel_pages", file_pages + pipe_pages);
    done.number("minor_faults", after - before);
    done.send();
    wait_for("quit");
    return 0;
}

}  // namespace
}  // namespace asrtrace::progs

int main(int argc, char** argv) {
    return asrtrace::progs::main_program(argc, argv);
}
