// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/symbols/debuginfod.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <future>
#include <memory>
#include <thread>

#include "user/base/confined_thread.h"
#include "user/base/fd.h"
#include "user/base/mailbox.h"

namespace asrtrace::symbols {
namespace {

/// elfutils' debuginfod.h, stable since 0.178.
struct DebuginfodClient;
using Begin = DebuginfodClient* (*)();
using Find = int (*)(DebuginfodClient*, const unsigned char*, int, char**);
using End = void (*)(DebuginfodClient*);

struct Library {
    Begin begin = nullptr;
    Find find = nullptr;
    End end = nullptr;
};

const Library& library() {
    static const Library loaded = [] {
        Library result;
        void* handle = ::dlopen("libdebuginfod.so.1", RTLD_LAZY | RTLD_LOCAL);
        if (handle == nullptr) return result;
        result.begin = reinterpret_cast<Begin>(::dlsym(handle, "debuginfod_begin"));
        result.find = reinterpret_cast<Find>(::dlsym(handle, "debuginfod_find_debuginfo"));
        result.end = reinterpret_cast<End>(::dlsym(handle, "debuginfod_end"));
        return result;
    }();
    return loaded;
}

Result<MappedFile> fetch(const std::string& build_id) {
    const Library& lib = library();
    const std::unique_ptr<DebuginfodClient, End> client(lib.begin(), lib.end);
    if (client == nullptr) return Error{"debuginfod: cannot start the client"};
    const UniqueFd fd(lib.find(client.get(),
                               reinterpret_cast<const unsigned char*>(build_id.data()),
                               static_cast<int>(build_id.size()), nullptr));
    if (!fd.valid()) return Error{"debuginfod: no debug file found"};
    return MappedFile::map(fd.get(), "debuginfod");
}

/// One file at a time, from one thread: the symbolizers' thread waits for it.
class Fetcher {
  public:
    Fetcher() : thread_(Settlement{.name = "debuginfod"}, [this] { run(); }) {}
    ~Fetcher() {
        wanted_.close();
        thread_.join();
    }
    Fetcher(const Fetcher&) = delete;
    Fetcher& operator=(const Fetcher&) = delete;

    /// Why its thread keeps its rights; empty if it does not.
    const std::string& problem() const { return thread_.problem(); }
    Result<MappedFile> from_thread(const std::string& build_id) {
        std::packaged_task<Result<MappedFile>()> task([build_id] { return fetch(build_id); });
        auto file = task.get_future();
        wanted_.post(std::move(task));
        return file.get();
    }

  private:
    void run() {
        while (!wanted_.closed())
            for (auto& task : wanted_.wait(std::chrono::hours(1))) task();
    }

    Mailbox<std::packaged_task<Result<MappedFile>()>> wanted_;
    ConfinedThread thread_;  // last: it uses all else
};

std::unique_ptr<Fetcher>& fetcher() {
    static std::unique_ptr<Fetcher> started;
    return started;
}

}  // namespace

Status check_debuginfod() {
    const Library& lib = library();
    if (lib.begin == nullptr || lib.find == nullptr || lib.end == nullptr) {
        return Error{
            "debuginfod: libdebuginfod.so.1 is not installed (apt install libdebuginfod1)"};
    }
    const char* urls = ::getenv("DEBUGINFOD_URLS");
    if (urls == nullptr || *urls == '\0') {
        return Error{
            "debuginfod: DEBUGINFOD_URLS names no server (sudo drops it: sudo "
            "DEBUGINFOD_URLS=... asrtrace)"};
    }
    return ok_status();
}

Status start_debuginfod() {
    if (const Status usable = check_debuginfod(); !usable) return usable.error();
    if (!fetcher()) fetcher() = std::make_unique<Fetcher>();
    if (!fetcher()->problem().empty()) return Error{fetcher()->problem()};
    return ok_status();
}

Result<MappedFile> fetch_debuginfo(const std::string& build_id) {
    if (const Status usable = check_debuginfod(); !usable) return usable.error();
    return fetcher() ? fetcher()->from_thread(build_id) : fetch(build_id);
}

}  // namespace asrtrace::symbols
