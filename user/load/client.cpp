// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/load/client.h"

#include <curl/curl.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>

namespace asrtrace::load {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kMostQuoted = 200;  ///< bytes of an answer that is an error
constexpr int kMostWaitMs = 100;          ///< for the stop flag to be seen

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// A request under way.
struct Exchange {
    CURL* easy = nullptr;
    curl_mime* form = nullptr;
    Outcome outcome;
    std::string answer;  ///< its beginning

    Exchange() = default;
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;
    ~Exchange() {
        curl_mime_free(form);
        curl_easy_cleanup(easy);
    }
};

std::size_t keep_beginning(char* data, std::size_t size, std::size_t count, void* user) {
    std::string& answer = *static_cast<std::string*>(user);
    answer.append(data, std::min(size * count, kMostQuoted - std::min(kMostQuoted, answer.size())));
    return size * count;
}

}  // namespace

class Client::State {
  public:
    explicit State(const Plan& plan) : plan_(plan), order_(plan), multi_(curl_multi_init()) {
        // Uploads are sent at once, without asking first; a connection a request, as curl does it.
        headers_ = curl_slist_append(nullptr, "Expect:");
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
        curl_multi_cleanup(multi_);
        curl_slist_free_all(headers_);
    }

    void run(const std::atomic<bool>& stop, const std::function<void(const Outcome&)>& done) {
        begin_ = Clock::now();
        std::uint64_t next = 0;
        while (!stop && (next < plan_.requests || !exchanges_.empty())) {
            while (next < plan_.requests && seconds_since(begin_) >= due(next)) send(next++, done);
            int running = 0;
            curl_multi_perform(multi_, &running);
            take_answers(done);
            curl_multi_poll(multi_, nullptr, 0, wait_ms(next), nullptr);
        }
        give_up(done);
    }

  private:
    double due(std::uint64_t index) const { return static_cast<double>(index) / plan_.rate; }

    /// To the next request that is due; rounded up, which no later request inherits.
    int wait_ms(std::uint64_t next) const {
        if (next >= plan_.requests) return kMostWaitMs;
        const double left = std::ceil(1000 * (due(next) - seconds_since(begin_)));
        return static_cast<int>(std::clamp(left, 0.0, static_cast<double>(kMostWaitMs)));
    }

    void send(std::uint64_t index, const std::function<void(const Outcome&)>& done) {
        auto exchange = std::make_unique<Exchange>();
        exchange->outcome.due_seconds = due(index);
        exchange->outcome.sent_seconds = seconds_since(begin_);
        exchange->easy = curl_easy_init();
        if (exchange->easy == nullptr) {
            exchange->outcome.error = "out of memory";
            return done(exchange->outcome);
        }
        set_up(*exchange);
        CURL* easy = exchange->easy;
        exchanges_.emplace(easy, std::move(exchange));
        curl_multi_add_handle(multi_, easy);
    }

    void set_up(Exchange& exchange) {
        const Upload& upload = plan_.uploads[order_.next()];
        exchange.form = curl_mime_init(exchange.easy);
        curl_mimepart* part = curl_mime_addpart(exchange.form);
        curl_mime_name(part, upload.field.c_str());
        curl_mime_filename(part, upload.name.c_str());
        curl_mime_type(part, "audio/wav");
        curl_mime_data(part, upload.content.data(), upload.content.size());
        CURL* easy = exchange.easy;
        curl_easy_setopt(easy, CURLOPT_URL, plan_.url.c_str());
        curl_easy_setopt(easy, CURLOPT_MIMEPOST, exchange.form);
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_);
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(1000 * plan_.timeout_seconds));
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep_beginning);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, &exchange.answer);
    }

    void give_up(const std::function<void(const Outcome&)>& done) {
        for (auto& [easy, exchange] : exchanges_) {
            curl_multi_remove_handle(multi_, easy);
            exchange->outcome.latency_ms =
                1000 * (seconds_since(begin_) - exchange->outcome.due_seconds);
            exchange->outcome.error = "none by the end of the run";
            done(exchange->outcome);
        }
        exchanges_.clear();
    }

    void take_answers(const std::function<void(const Outcome&)>& done) {
        int left = 0;
        while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
            if (message->msg != CURLMSG_DONE) continue;
            CURL* easy = message->easy_handle;
            const CURLcode code = message->data.result;
            const auto found = exchanges_.find(easy);
            Exchange& exchange = *found->second;
            Outcome& outcome = exchange.outcome;
            outcome.latency_ms = 1000 * (seconds_since(begin_) - outcome.due_seconds);
            long status = 0;
            curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
            if (code == CURLE_OK) outcome.status = static_cast<int>(status);
            if (code != CURLE_OK) {
                outcome.error = curl_easy_strerror(code);
            } else if (status != 200) {
                outcome.error = exchange.answer;
            }
            done(outcome);
            curl_multi_remove_handle(multi_, easy);
            exchanges_.erase(found);
        }
    }

    const Plan& plan_;
    Order order_;
    CURLM* multi_;
    curl_slist* headers_ = nullptr;
    Clock::time_point begin_;
    std::map<CURL*, std::unique_ptr<Exchange>> exchanges_;
};

Client::Client(std::unique_ptr<State> state) : state_(std::move(state)) {}
Client::Client(Client&&) noexcept = default;
Client::~Client() = default;

Result<Client> Client::create(const Plan& plan) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return Error{"libcurl cannot be initialised"};
    return Client(std::make_unique<State>(plan));
}

void Client::run(const std::atomic<bool>& stop, const std::function<void(const Outcome&)>& done) {
    state_->run(stop, done);
}

namespace {

using Easy = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;

/// For one exchange by itself.
Easy easy_for(const std::string& url, long timeout_ms) {
    Easy easy(curl_easy_init(), curl_easy_cleanup);
    if (!easy) return easy;
    curl_easy_setopt(easy.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy.get(), CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy.get(), CURLOPT_TIMEOUT_MS, timeout_ms);
    return easy;
}

}  // namespace

Result<int> post_nothing(const std::string& url) {
    constexpr long kTimeoutMs = 30000;
    const Easy easy = easy_for(url, kTimeoutMs);
    if (!easy) return Error{"libcurl cannot be initialised"};
    std::string answer;
    curl_easy_setopt(easy.get(), CURLOPT_POSTFIELDS, "");
    curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, keep_beginning);
    curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &answer);
    const CURLcode code = curl_easy_perform(easy.get());
    if (code != CURLE_OK) return Error{"'" + url + "': " + curl_easy_strerror(code)};
    long status = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
    return static_cast<int>(status);
}

Result<bool> accepts(const std::string& url) {
    constexpr long kTimeoutMs = 2000;
    if (!url.starts_with("http://") && !url.starts_with("https://"))
        return Error{"'" + url + "' is no URL: http://HOST:PORT/PATH"};
    const Easy easy = easy_for(url, kTimeoutMs);
    if (!easy) return Error{"libcurl cannot be initialised"};
    curl_easy_setopt(easy.get(), CURLOPT_CONNECT_ONLY, 1L);
    const CURLcode code = curl_easy_perform(easy.get());
    if (code == CURLE_URL_MALFORMAT || code == CURLE_COULDNT_RESOLVE_HOST)
        return Error{"'" + url + "': " + curl_easy_strerror(code)};
    return code == CURLE_OK;
}

}  // namespace asrtrace::load
