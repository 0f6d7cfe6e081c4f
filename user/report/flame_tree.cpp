// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/flame_tree.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

namespace asrtrace::report {
namespace {

/// A wide enough stack of 64 bits never comes this deep; recursion is bounded for hostile traces.
constexpr std::size_t kMaxDepth = 512;

struct Node {
    FlameFrame frame;
    std::uint64_t width = 0, bytes = 0, base_bytes = 0;
    std::map<std::pair<std::string, std::string>, Node> children;  ///< by name and module
};

std::uint64_t add_capped(std::uint64_t a, std::uint64_t b) {
    return b > std::numeric_limits<std::uint64_t>::max() - a
               ? std::numeric_limits<std::uint64_t>::max()
               : a + b;
}

void add(Node& node, const FlameStack& stack) {
    node.width = add_capped(node.width, std::max(stack.bytes, stack.base_bytes));
    node.bytes = add_capped(node.bytes, stack.bytes);
    node.base_bytes = add_capped(node.base_bytes, stack.base_bytes);
}

void insert(Node& root, const FlameStack& stack) {
    Node* node = &root;
    add(root, stack);
    for (std::size_t i = 0; i < std::min(stack.frames.size(), kMaxDepth); ++i) {
        const FlameFrame& frame = stack.frames[i];
        Node& child = node->children[{frame.name, frame.module}];
        if (child.width == 0)
            child.frame = frame;
        else if (child.frame.location != frame.location)
            child.frame.location.clear();
        add(child, stack);
        node = &child;
    }
}

std::size_t count(const Node& node) {
    std::size_t nodes = 1;
    for (const auto& [key, child] : node.children) nodes += count(child);
    return nodes;
}

void lay_out(const Node& node, std::uint64_t begin, std::size_t depth, double smallest,
             FlameTree& tree) {
    if (static_cast<double>(node.width) < smallest) {
        tree.omitted += count(node);
        return;
    }
    tree.boxes.push_back({node.frame, begin, node.width, node.bytes, node.base_bytes, depth});
    tree.depth = std::max(tree.depth, depth);
    for (const auto& [key, child] : node.children) {
        lay_out(child, begin, depth + 1, smallest, tree);
        begin = add_capped(begin, child.width);
    }
}

}  // namespace

FlameTree flame_tree(const std::vector<FlameStack>& stacks, double smallest_share,
                     std::size_t max_boxes) {
    Node root;
    root.frame.name = "all";
    for (const auto& stack : stacks) insert(root, stack);
    for (;; smallest_share *= 2) {
        FlameTree tree;
        tree.total_width = root.width;
        tree.smallest_share = smallest_share;
        lay_out(root, 0, 0, smallest_share * static_cast<double>(root.width), tree);
        if (tree.boxes.size() <= std::max<std::size_t>(max_boxes, 1)) return tree;
    }
}

}  // namespace asrtrace::report
