// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "user/report/soak.h"

namespace asrtrace::report {
namespace {

NextStep recycling(int limit, int jitter) {
    const std::string with_jitter =
        jitter > 0 ? fmt::format(" --limit-max-requests-jitter {}", jitter) : "";
    const std::string of_gunicorn =
        jitter > 0 ? fmt::format(" --max-requests-jitter {}", jitter) : "";
    return {
        fmt::format("Recycle the worker after {} requests, which bounds what it can keep:", limit),
        {fmt::format("uvicorn APP --limit-max-requests {}{}", limit, with_jitter),
         fmt::format("gunicorn APP --max-requests {}{}", limit, of_gunicorn)}};
}

NextStep throughput() {
    return {"Try a higher rate, then longer chunks, and record again:",
            {"asr-load --port PORT --wavs DIR --rate 2 --requests 7200",
             "asr-worker --port PORT --chunk-seconds 8"}};
}

NextStep bounded_input() {
    return {"If that is not enough, bound the audio of a request or cut it into chunks:",
            {"asr-worker --port PORT --max-seconds 30",
             "asr-worker --port PORT --chunk-seconds 4 --stride-seconds 0.8"}};
}

NextStep reason() {
    return {
        "The thresholds do not say why memory grew, and a PASS may hide a slow leak; a trace "
        "does:",
        {"sudo asrtrace attach --pid PID --requests 400 -o worker.asrtrace"}};
}

std::vector<NextStep> elsewhere(const soak::Verdict& verdict) {
    switch (verdict.overall) {
        case soak::Grade::kPass:
            return {throughput(), reason()};
        case soak::Grade::kWarn:
            return {recycling(500, 50), throughput(), reason()};
        case soak::Grade::kFail:
            break;
    }
    return {recycling(300, 0), bounded_input(), reason()};
}

using Words = std::vector<std::string>;

/// As a shell takes it for one word.
std::string quoted(const std::string& word) {
    constexpr std::string_view kPlain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./:,@%+";
    if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
    std::string text = "'";
    // Not '\'': reports escape backslashes.
    for (const char c : word) text += c == '\'' ? std::string("'\"'\"'") : std::string(1, c);
    return text + "'";
}

/// A worker's command line without an option, its value and what excludes it.
void drop_option(Words& words, const std::string& name) {
    const auto at = std::find(words.begin(), words.end(), name);
    if (at != words.end()) words.erase(at, at + (at + 1 == words.end() ? 1 : 2));
    if (name == "--chunk-seconds") std::erase(words, "--whole-file");
}

/// The same run again, with other options of the worker or at another rate.
class Again {
  public:
    explicit Again(const SoakFacts& facts) : facts_(facts) {}

    std::string at_rate(double rate) const { return command(rate, facts_.worker); }

    /// `arguments`: pairs of a name and a value.
    std::string with(const Words& arguments) const {
        Words worker = facts_.worker;
        for (std::size_t i = 0; i < arguments.size(); i += 2) drop_option(worker, arguments[i]);
        worker.insert(worker.end(), arguments.begin(), arguments.end());
        return command(facts_.rate, worker);
    }

    NextStep throughput() const {
        return {"Try twice the rate, then longer chunks:",
                {at_rate(2 * facts_.rate), with({"--chunk-seconds", "8"})}};
    }
    NextStep recycled(int limit, int jitter) const {
        Words arguments = {"--limit-max-requests", std::to_string(limit)};
        if (jitter > 0)
            arguments.insert(arguments.end(),
                             {"--limit-max-requests-jitter", std::to_string(jitter)});
        return {fmt::format("The same with a worker that is replaced after {} requests:", limit),
                {with(arguments)}};
    }
    NextStep bounded() const {
        return {"If that is not enough, bound the audio of a request or cut it into chunks:",
                {with({"--max-seconds", "30"}),
                 with({"--chunk-seconds", "4", "--stride-seconds", "0.8"})}};
    }

  private:
    std::string command(double rate, const Words& worker) const {
        std::string text = fmt::format("{} --rate {:g} --", facts_.command, rate);
        for (const std::string& word : worker) text += " " + quoted(word);
        return text;
    }

    const SoakFacts& facts_;
};

}  // namespace

std::vector<NextStep> next_steps(const soak::Verdict& verdict, const SoakFacts* facts) {
    if (facts == nullptr) return elsewhere(verdict);
    const Again again(*facts);
    std::vector<NextStep> steps;
    switch (verdict.overall) {
        case soak::Grade::kPass:
            steps = {again.throughput()};
            break;
        case soak::Grade::kWarn:
            steps = {again.recycled(500, 50), again.throughput()};
            break;
        case soak::Grade::kFail:
            steps = {again.recycled(300, 0), again.bounded()};
            break;
    }
    if (!facts->traced) steps.push_back(reason());
    return steps;
}

}  // namespace asrtrace::report
