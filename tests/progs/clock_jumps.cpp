// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Preloaded: somebody sets the clock, an hour forth and back, between any two looks at it.
#include <dlfcn.h>
#include <sys/time.h>

#include <atomic>
#include <ctime>

namespace {

std::time_t jump() {
    constexpr std::time_t kHour = 3600;
    static std::atomic<int> looks{0};
    return (looks++ % 3 - 1) * kHour;
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
    using Function = int (*)(clockid_t, timespec*);
    static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "clock_gettime"));
    const int status = real(clock, now);
    if (clock == CLOCK_REALTIME && status == 0) now->tv_sec += jump();
    return status;
}

extern "C" std::time_t time(std::time_t* where) noexcept {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    if (where != nullptr) *where = now.tv_sec;
    return now.tv_sec;
}

extern "C" int gettimeofday(timeval* now, void*) noexcept {
    timespec precise{};
    const int status = clock_gettime(CLOCK_REALTIME, &precise);
    *now = {precise.tv_sec, precise.tv_nsec / 1000};
    return status;
}
