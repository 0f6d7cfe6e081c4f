// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Deep template recursion, std::function, virtual calls and exceptions, built without frame
// pointers and with link-time optimisation: the shapes that frame-pointer walks get wrong.
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

struct Node {
    virtual ~Node() = default;
    virtual double value(int depth) const = 0;
};

double sink = 0;
unsigned throws = 0;

template <int Level>
struct Layer final : Node {
    std::function<double(const std::vector<double>&, int)> step;
    std::unique_ptr<Node> next;
    Layer() {
        if constexpr (Level > 0) next = std::make_unique<Layer<Level - 1>>();
        step = [this](const std::vector<double>& input, int depth) {
            std::vector<double> copy(input);
            std::transform(copy.begin(), copy.end(), copy.begin(),
                           [depth](double x) { return x * 0.5 + depth; });
            std::sort(copy.begin(), copy.end(), [](double a, double b) { return a > b; });
            if (next) copy.push_back(next->value(depth + 1));
            return std::accumulate(copy.begin(), copy.end(), 0.0);
        };
    }
    [[gnu::noinline]] double value(int depth) const override {
        std::vector<double> input(static_cast<std::size_t>(Level % 7 + 40));
        std::iota(input.begin(), input.end(), Level);
        const double result = step(input, depth);
        std::map<std::string, double> names;
        for (int i = 0; i < 4; ++i) names[std::to_string(result) + std::to_string(i)] = result;
        if (Level == 3 && ++throws % 16 == 0) throw std::runtime_error("level 3");
        return names.begin()->second;
    }
};

/// A frame whose size is known at run time only: rbp-based rules.
[[gnu::noinline]] double with_alloca(const Node& node, unsigned bytes) {
    auto* memory = static_cast<volatile char*>(__builtin_alloca(bytes));
    memory[0] = 1;
    return node.value(0) + memory[0];
}

/// A realigned stack: CFA = *(rbp - 8).
[[gnu::noinline]] double with_alignment(const Node& node, unsigned bytes) {
    alignas(64) volatile double aligned[16] = {};
    aligned[bytes % 16] = 2;
    return with_alloca(node, bytes) + aligned[bytes % 16];
}

}  // namespace

int main() {
    const Layer<20> top;
    for (unsigned turn = 0;; ++turn) {
        try {
            sink += with_alignment(top, turn % 4096 + 1);
        } catch (const std::exception& e) {
            sink += e.what()[0];
        }
    }
}
