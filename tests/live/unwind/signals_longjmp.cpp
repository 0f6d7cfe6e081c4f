// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Work inside signal handlers (on the thread's stack and on an alternate one), handlers left by
// siglongjmp, and handlers that interrupt libc in the middle of its own functions.
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace {

sigjmp_buf jump_target;
volatile sig_atomic_t jump_armed = 0;
volatile double sink = 0;

[[gnu::noinline]] double burn(int depth, int turns) {
    double sum = depth;
    for (int i = 1; i < turns; ++i) sum += 1.0 / i;
    if (depth > 0) sum += burn(depth - 1, turns);
    return sum;
}

void on_timer(int, siginfo_t*, void*) {
    sink = sink + burn(9, 3000);
}

void on_jump(int) {
    sink = sink + burn(6, 2000);
    if (jump_armed != 0) {
        jump_armed = 0;
        siglongjmp(jump_target, 1);
    }
}

int compare_ints(const void* a, const void* b) {
    const int order = std::memcmp(a, b, sizeof(int));
    return order < 0 ? -1 : static_cast<int>(order > 0);
}

[[gnu::noinline]] void inner_work(std::vector<int>& values, int depth) {
    if (depth > 0) {
        inner_work(values, depth - 1);
        sink = sink + depth;  // no tail call
        return;
    }
    for (int& value : values) value = rand();
    qsort(values.data(), values.size(), sizeof(int), compare_ints);
}

void install(int signal, void (*handler)(int, siginfo_t*, void*), int flags) {
    struct sigaction action {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | SA_RESTART | flags;
    sigaction(signal, &action, nullptr);
}

}  // namespace

int main() {
    static std::vector<char> other_stack(1 << 16);
    stack_t alternate{};
    alternate.ss_sp = other_stack.data();
    alternate.ss_size = other_stack.size();
    sigaltstack(&alternate, nullptr);
    install(SIGALRM, on_timer, 0);
    install(SIGPROF, on_timer, SA_ONSTACK);
    ::signal(SIGUSR1, on_jump);
    const itimerval real{{0, 700}, {0, 700}};
    const itimerval profile{{0, 1100}, {0, 1100}};
    setitimer(ITIMER_REAL, &real, nullptr);
    setitimer(ITIMER_PROF, &profile, nullptr);
    std::vector<int> values(3000);
    for (;;) {
        if (sigsetjmp(jump_target, 1) == 0) {
            jump_armed = 1;
            raise(SIGUSR1);
        }
        inner_work(values, 8);
    }
}
