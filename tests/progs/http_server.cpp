// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// An HTTP/1.1 server for the request plane's tests: a thread a connection, keep-alive and
// pipelining, bodies by length and chunked, 100-continue, and a leak in one of three paths.
//   /steady /cached /leaky     answers of 100 bytes; /leaky forgets --leak bytes a request
//   /upload                    answers with the number of body bytes
//   /chunked /until-close /no-content /forget (closes without an answer)
// --calls 0..4: read+write, recv+send, readv+writev, recvmsg+sendmsg, past libc's functions;
// --read-bytes N: at most N a read; --unix PATH: listens there.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>

#include "tests/progs/handshake.h"

namespace asrtrace::progs {
namespace {

enum class Calls : std::uint8_t { kPlain, kSocket, kVector, kMessage, kRaw };

struct Settings {
    Calls calls = Calls::kPlain;
    std::size_t read_bytes = 65536;
    std::size_t leak_bytes = 0;
};

Settings settings;
std::atomic<std::uint64_t> answered{0};
std::atomic<std::uint64_t> leaked{0};

/// Two buffers, the first of a few bytes: what a vectored call has to put together.
struct Halves {
    std::array<iovec, 2> parts;
    Halves(void* data, std::size_t bytes) {
        const std::size_t first = bytes < 3 ? 0 : 3;
        parts = {iovec{data, first}, iovec{static_cast<char*>(data) + first, bytes - first}};
    }
};

ssize_t receive(int fd, void* data, std::size_t bytes) {
    Halves halves(data, bytes);
    msghdr message{};
    message.msg_iov = halves.parts.data();
    message.msg_iovlen = halves.parts.size();
    char peeked = 0;
    switch (settings.calls) {
        case Calls::kSocket:
            // Looking does not take: it must not count.
            if (::recv(fd, &peeked, 1, MSG_PEEK) <= 0) return 0;
            return ::recv(fd, data, bytes, 0);
        case Calls::kVector:
            return ::readv(fd, halves.parts.data(), 2);
        case Calls::kMessage:
            return ::recvmsg(fd, &message, 0);
        case Calls::kRaw:
            return ::syscall(SYS_read, fd, data, bytes);
        default:
            return ::read(fd, data, bytes);
    }
}

ssize_t send_some(int fd, const void* data, std::size_t bytes) {
    Halves halves(const_cast<void*>(data), bytes);
    msghdr message{};
    message.msg_iov = halves.parts.data();
    message.msg_iovlen = halves.parts.size();
    switch (settings.calls) {
        case Calls::kSocket:
            return ::send(fd, data, bytes, MSG_NOSIGNAL);
        case Calls::kVector:
            return ::writev(fd, halves.parts.data(), 2);
        case Calls::kMessage:
            return ::sendmsg(fd, &message, MSG_NOSIGNAL);
        case Calls::kRaw:
            return ::syscall(SYS_write, fd, data, bytes);
        default:
            return ::write(fd, data, bytes);
    }
}

bool send_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t sent = send_some(fd, text.data(), text.size());
        if (sent <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

struct Request {
    std::string method, path;
    std::size_t length = 0;
    bool chunked = false, expects = false;
};

/// What comes in on a connection, byte by byte and line by line.
class Input {
  public:
    explicit Input(int fd) : fd_(fd) {}
    int get() {
        if (at_ == end_) {
            const std::size_t most = std::min(settings.read_bytes, buffer_.size());
            const ssize_t got = receive(fd_, buffer_.data(), most);
            if (got <= 0) return -1;
            at_ = 0;
            end_ = static_cast<std::size_t>(got);
        }
        return static_cast<unsigned char>(buffer_[at_++]);
    }
    bool line(std::string& out) {
        out.clear();
        for (int c = get(); c != '\n'; c = get()) {
            if (c < 0) return false;
            if (c != '\r') out.push_back(static_cast<char>(c));
        }
        return true;
    }
    bool skip(std::size_t bytes) {
        while (bytes > 0) {
            if (at_ == end_) {
                if (get() < 0) return false;
                --at_;
            }
            const std::size_t here = std::min(bytes, end_ - at_);
            at_ += here;
            bytes -= here;
        }
        return true;
    }

  private:
    int fd_;
    std::array<char, 65536> buffer_{};
    std::size_t at_ = 0, end_ = 0;
};

bool read_head(Input& input, Request& request) {
    std::string line;
    do {
        if (!input.line(line)) return false;
    } while (line.empty());
    const std::size_t space = line.find(' ');
    request = {line.substr(0, space), line.substr(space + 1, line.rfind(' ') - space - 1)};
    while (input.line(line)) {
        if (line.empty()) return true;
        const std::size_t colon = std::min(line.find(':'), line.size());
        const std::string value = line.substr(std::min(line.size(), colon + 2));
        if (::strncasecmp(line.c_str(), "content-length", colon) == 0)
            request.length = std::strtoul(value.c_str(), nullptr, 10);
        if (::strncasecmp(line.c_str(), "transfer-encoding", colon) == 0) request.chunked = true;
        if (::strncasecmp(line.c_str(), "expect", colon) == 0) request.expects = true;
    }
    return false;
}

bool read_chunks(Input& input, std::size_t& total) {
    std::string line;
    while (input.line(line)) {
        const std::size_t bytes = std::strtoul(line.c_str(), nullptr, 16);
        if (bytes == 0) break;
        total += bytes;
        if (!input.skip(bytes) || !input.line(line)) return false;
    }
    while (input.line(line))
        if (line.empty()) return true;  // behind the trailers
    return false;
}

__attribute__((noinline)) void forget_some(std::size_t bytes) {
    void* forgotten = std::malloc(bytes);
    if (forgotten == nullptr) fail("out of memory");
    std::memset(forgotten, 1, bytes);
    asm volatile("" ::"r"(forgotten) : "memory");
    leaked += bytes;
}

bool answer(int fd, const Request& request, std::size_t body_bytes) {
    const std::string path = request.path.substr(0, request.path.find('?'));
    if (path == "/leaky") forget_some(settings.leak_bytes);
    ++answered;
    if (path == "/no-content") return send_all(fd, "HTTP/1.1 204 No Content\r\n\r\n");
    if (path == "/chunked") {
        return send_all(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") &&
               send_all(fd, "5\r\nhello\r\n") && send_all(fd, "A;x=y\r\n0123456789\r\n0\r") &&
               send_all(fd, "\nTrailer: 1\r\n\r\n");
    }
    if (path == "/until-close") {
        send_all(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nsome text");
        return false;
    }
    const std::string body = path == "/upload" ? std::to_string(body_bytes) : std::string(100, 'x');
    std::string text =
        "HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n";
    if (request.method != "HEAD") text += body;
    return send_all(fd, text);
}

void serve(int fd) {
    Input input(fd);
    Request request;
    while (read_head(input, request)) {
        if (request.expects && !send_all(fd, "HTTP/1.1 100 Continue\r\n\r\n")) break;
        std::size_t body = request.length;
        if (request.chunked ? !read_chunks(input, body = 0) : !input.skip(body)) break;
        if (request.path == "/forget" || !answer(fd, request, body)) break;
    }
    ::close(fd);
}

int listen_tcp(std::uint16_t& port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof(address);
    if (::bind(fd, reinterpret_cast<sockaddr*>(&address), bytes) != 0 || ::listen(fd, 128) != 0 ||
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &bytes) != 0)
        fail("listen");
    port = ntohs(address.sin_port);
    return fd;
}

int listen_unix(const char* path) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
        ::listen(fd, 128) != 0)
        fail("listen");
    return fd;
}

void accept_all(int listener) {
    for (;;) {
        const int fd = ::accept(listener, nullptr, nullptr);
        if (fd >= 0) std::thread(serve, fd).detach();
    }
}

int main_program(int argc, char** argv) {
    settings.calls = static_cast<Calls>(option(argc, argv, "--calls", 0));
    settings.read_bytes = option(argc, argv, "--read-bytes", 65536);
    settings.leak_bytes = option(argc, argv, "--leak", 5000);
    std::uint16_t port = 0;
    const char* path = nullptr;
    for (int i = 1; i + 1 < argc; ++i)
        if (std::string_view(argv[i]) == "--unix") path = argv[i + 1];
    const int listener = path != nullptr ? listen_unix(path) : listen_tcp(port);
    std::thread(accept_all, listener).detach();
    Line("ready").number("port", port).send();
    wait_for("go");
    Line done("done");
    done.number("answered", answered).number("leaked", leaked).text("leak", "forget_some");
    done.send();
    wait_for("quit");
    std::_Exit(0);
}

}  // namespace
}  // namespace asrtrace::progs

int main(int argc, char** argv) {
    return asrtrace::progs::main_program(argc, argv);
}
