// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/sockets.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>
#include <string>
#include <system_error>

namespace asrtrace::capture {
namespace {

std::string proc_path(pid_t pid, const char* name) {
    return "/proc/" + std::to_string(pid) + "/" + name;
}

/// Calls `visit` with what each descriptor's link says: "socket:[123]", "anon_inode:[io_uring]".
void each_descriptor(pid_t pid, const std::function<void(const std::string&)>& visit) {
    std::error_code error;
    std::filesystem::directory_iterator fds(proc_path(pid, "fd"), error);
    for (; !error && fds != std::filesystem::directory_iterator(); fds.increment(error)) {
        std::error_code gone;
        const auto link = std::filesystem::read_symlink(fds->path(), gone);
        if (!gone) visit(link.native());
    }
}

/// Lines of /proc/PID/net/tcp: "sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout
/// inode ..." (Documentation/networking/proc_net_tcp.rst).
void add_ports(const std::string& table, const std::set<std::string>& sockets,
               std::set<std::uint16_t>& ports) {
    constexpr const char* kListen = "0A";
    std::ifstream file(table);
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) {
        std::istringstream fields(line);
        std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
        fields >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >>
            timeout >> inode;
        const std::size_t colon = local.rfind(':');
        if (!fields || state != kListen || colon == std::string::npos || !sockets.contains(inode))
            continue;
        ports.insert(
            static_cast<std::uint16_t>(std::strtoul(local.c_str() + colon + 1, nullptr, 16)));
    }
}

}  // namespace

std::vector<std::uint16_t> listening_ports(pid_t pid) {
    constexpr std::string_view kSocket = "socket:[";
    std::set<std::string> sockets;
    each_descriptor(pid, [&](const std::string& link) {
        if (link.starts_with(kSocket) && link.ends_with(']'))
            sockets.insert(link.substr(kSocket.size(), link.size() - kSocket.size() - 1));
    });
    std::set<std::uint16_t> ports;
    for (const char* table : {"net/tcp", "net/tcp6"})
        add_ports(proc_path(pid, table), sockets, ports);
    return {ports.begin(), ports.end()};
}

bool uses_io_uring(pid_t pid) {
    bool found = false;
    each_descriptor(
        pid, [&](const std::string& link) { found = found || link == "anon_inode:[io_uring]"; });
    return found;
}

}  // namespace asrtrace::capture
