// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A program with every kind of function that the symbolizer has to name. Built in several ways,
// never run for its output.
#include <cstdio>
#include <string>
#include <vector>

namespace {

[[gnu::noinline]] int hidden_in_namespace(int value) {
    std::printf("%d\n", value);
    return value + 1;
}

struct Hidden {
    [[gnu::noinline]] int method(int value) const { return hidden_in_namespace(value) * 3; }
};

}  // namespace

namespace sample {

[[gnu::always_inline]] inline int innermost_inline(int value) {
    return hidden_in_namespace(value) ^ 5;
}

[[gnu::always_inline]] inline int middle_inline(int value) {
    return innermost_inline(value) + 7;
}

[[gnu::noinline]] int outermost(int value) {
    return middle_inline(value) - 11;
}

template <typename T>
[[gnu::noinline]] T twice(T value) {
    return value + static_cast<T>(outermost(static_cast<int>(value)));
}

[[gnu::noinline]] int overloaded(int value) {
    return outermost(value) + 1;
}
[[gnu::noinline]] int overloaded(const std::string& text) {
    return outermost(static_cast<int>(text.size()));
}

class Widget {
  public:
    [[gnu::noinline]] explicit Widget(int value) : values_(static_cast<std::size_t>(value)) {}
    [[gnu::noinline]] int operator()(int value) { return overloaded(value); }
    [[gnu::noinline]] int total() const {
        int sum = 0;
        for (const int value : values_) sum += hidden_in_namespace(value);
        return sum;
    }

  private:
    std::vector<int> values_;
};

}  // namespace sample

[[gnu::noinline]] static int file_static(int value) {
    return sample::outermost(value) * 2;
}

extern "C" [[gnu::noinline]] int plain_c_function(int value) {
    return file_static(value) + 1;
}

int main(int argc, char** argv) {
    sample::Widget widget(argc);
    const Hidden hidden;
    return widget(argc) + widget.total() + hidden.method(argc) + plain_c_function(argc) +
           static_cast<int>(sample::twice<long>(argc)) + sample::twice<int>(argc) +
           sample::overloaded(std::string(argv[0]));
}
