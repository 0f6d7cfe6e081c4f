// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What calls cost in CPU time: reads numbers of calls, answers with a line of nanoseconds each of
// malloc and free of 100 bytes, getppid, a read of one byte from /dev/zero, a write of one to
// /dev/null, a close of nothing, and a receipt of one byte that stays in the queue of a TCP
// connection.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace {

double cpu_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

template <typename Call>
double cost_ns(long calls, Call call) {
    const double begin = cpu_ns();
    for (long i = 0; i < calls; ++i) call();
    return (cpu_ns() - begin) / static_cast<double>(calls);
}

struct Connection {
    int client = -1, server = -1;
};

Connection connect_to_self() {
    Connection out;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    auto* const name = reinterpret_cast<sockaddr*>(&address);
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    if (::bind(listener, name, length) != 0 || ::listen(listener, 1) != 0 ||
        ::getsockname(listener, name, &length) != 0)
        return out;
    out.client = ::socket(AF_INET, SOCK_STREAM, 0);
    if (::connect(out.client, name, length) == 0) out.server = ::accept(listener, nullptr, nullptr);
    return out;
}

}  // namespace

int main() {
    const int zero = ::open("/dev/zero", O_RDONLY);
    const int null = ::open("/dev/null", O_WRONLY);
    const Connection tcp = connect_to_self();
    if (zero < 0 || null < 0 || tcp.server < 0 || ::send(tcp.client, "x", 1, 0) != 1) return 2;
    long calls = 0;
    while (std::scanf("%ld", &calls) == 1) {
        char byte = 0;
        const double pairs = cost_ns(calls, [] {
            void* const block = std::malloc(100);
            asm volatile("" ::"r"(block) : "memory");
            std::free(block);
        });
        const double plain = cost_ns(calls, [] { ::syscall(SYS_getppid); });
        const double reads = cost_ns(calls, [&] { (void)!::read(zero, &byte, 1); });
        const double writes = cost_ns(calls, [&] { (void)!::write(null, &byte, 1); });
        const double closes = cost_ns(calls, [] { ::close(-1); });
        const double receipts =
            cost_ns(calls, [&] { (void)!::recv(tcp.server, &byte, 1, MSG_PEEK); });
        std::printf("%.2f %.2f %.2f %.2f %.2f %.2f\n", pairs, plain, reads, writes, closes,
                    receipts);
        std::fflush(stdout);
    }
    return 0;
}
