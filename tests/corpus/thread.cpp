// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/corpus/thread.h"

#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include "tests/progs/handshake.h"

namespace asrtrace::corpus {
namespace {

struct Job {
    void (*work)(void*);
    void* argument;
    sem_t done;
};

void* run_job(void* argument) {
    auto* job = static_cast<Job*>(argument);
    job->work(job->argument);
    sem_post(&job->done);
    for (;;) pause();
}

}  // namespace

void work_in_new_thread(void (*work)(void*), void* argument, std::size_t stack_bytes) {
    Job job{work, argument, {}};
    sem_init(&job.done, 0, 0);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stack_bytes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_t thread;
    if (pthread_create(&thread, &attributes, run_job, &job) != 0) progs::fail("no thread");
    pthread_attr_destroy(&attributes);
    while (sem_wait(&job.done) != 0) {
    }
    sem_destroy(&job.done);
}

}  // namespace asrtrace::corpus
