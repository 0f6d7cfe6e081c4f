// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/symbols/debuginfod.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "user/base/fd.h"

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

Result<MappedFile> fetch_debuginfo(const std::string& build_id) {
    if (const Status usable = check_debuginfod(); !usable) return usable.error();
    const Library& lib = library();
    const std::unique_ptr<DebuginfodClient, End> client(lib.begin(), lib.end);
    if (client == nullptr) return Error{"debuginfod: cannot start the client"};
    const UniqueFd fd(lib.find(client.get(),
                               reinterpret_cast<const unsigned char*>(build_id.data()),
                               static_cast<int>(build_id.size()), nullptr));
    if (!fd.valid()) return Error{"debuginfod: no debug file found"};
    return MappedFile::map(fd.get(), "debuginfod");
}

}  // namespace asrtrace::symbols
