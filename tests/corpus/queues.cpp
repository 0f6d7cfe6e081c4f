// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Jobs in the order in which they came, linked through the jobs themselves, in a server that holds
// much else: what leads to the first one is gone when it is done.
#include "tests/corpus/part.h"

namespace asrtrace::corpus {
namespace {

constexpr std::size_t kSessions = 60000;
constexpr std::size_t kSessionBytes = 120;

struct Job {
    Job* next;
};

struct Server {
    Job* first;
    Job* last;
    void** sessions;
    char name[64];
};

class Queue : public Part {
  public:
    Queue(const Setup& setup, Growth* growth, std::size_t bytes, unsigned waiting, unsigned come,
          unsigned done)
        : truth_(setup.truth),
          growth_(growth),
          bytes_(bytes),
          come_(come),
          done_(done),
          server_(static_cast<Server*>(std::malloc(sizeof(Server)))) {
        server_->sessions = static_cast<void**>(std::malloc(kSessions * sizeof(void*)));
        for (std::size_t i = 0; i < kSessions; ++i)
            server_->sessions[i] = corpus_site_3(kSessionBytes);
        server_->first = server_->last = make_job();
        for (unsigned i = 1; i < waiting; ++i) add();
    }

    void request(Request&) override {
        for (unsigned i = 0; i < come_; ++i) add();
        for (unsigned i = 0; i < done_; ++i) do_oldest();
    }

  private:
    Job* make_job() {
        Job* job = static_cast<Job*>(kSite2.site(bytes_));
        job->next = nullptr;
        truth_.keep(job, bytes_, growth_);
        return job;
    }

    void add() {
        Job* job = make_job();
        server_->last->next = job;
        server_->last = job;
    }

    void do_oldest() {
        Job* job = server_->first;
        server_->first = job->next;
        truth_.drop(job, bytes_, growth_);
        std::free(job);
    }

    Truth& truth_;
    Growth* growth_;
    std::size_t bytes_;
    unsigned come_, done_;
    Server* server_;
};

}  // namespace

std::unique_ptr<Part> queue_that_grows(const Setup& setup, std::size_t bytes) {
    Growth* growth = setup.truth.growth("cache", "unbounded", kSite2.name);
    return std::make_unique<Queue>(setup, growth, bytes, 2, 5, 1);
}

std::unique_ptr<Part> queue_that_stays(const Setup& setup, std::size_t bytes, unsigned waiting) {
    return std::make_unique<Queue>(setup, nullptr, bytes, waiting, 3, 3);
}

}  // namespace asrtrace::corpus
