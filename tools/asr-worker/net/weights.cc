// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "net/weights.h"

#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>

namespace asr {
namespace {

constexpr std::array<char, 8> kMagic = {'A', 'S', 'R', 'N', 'E', 'T', '\r', '\n'};
constexpr std::uint32_t kMaxLayers = 256;
constexpr std::uint32_t kMaxDimension = 1U << 16;

class Reader {
  public:
    explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}

    std::span<const std::byte> take(std::size_t count) {
        if (count > rest_.size()) throw WeightsError("the file ends too early");
        const auto out = rest_.first(count);
        rest_ = rest_.subspan(count);
        return out;
    }
    std::uint32_t u32() {
        std::uint32_t value = 0;
        std::memcpy(&value, take(sizeof value).data(), sizeof value);
        return value;
    }
    std::vector<float> floats(std::uint64_t count) {
        if (count > rest_.size() / sizeof(float)) throw WeightsError("the file ends too early");
        std::vector<float> out(static_cast<std::size_t>(count));
        std::memcpy(out.data(), take(out.size() * sizeof(float)).data(),
                    out.size() * sizeof(float));
        for (const float value : out) {
            if (!std::isfinite(value)) throw WeightsError("a weight is not a finite number");
        }
        return out;
    }
    bool at_end() const { return rest_.empty(); }

  private:
    std::span<const std::byte> rest_;
};

std::uint32_t dimension(Reader& reader, const char* name, std::uint32_t least) {
    const std::uint32_t value = reader.u32();
    if (value < least || value > kMaxDimension) {
        throw WeightsError("a layer's " + std::string(name) + " is " + std::to_string(value));
    }
    return value;
}

Layer read_layer(Reader& reader) {
    const std::uint32_t kind = reader.u32();
    if (kind > static_cast<std::uint32_t>(LayerKind::kConvolution)) {
        throw WeightsError("unknown kind of layer " + std::to_string(kind));
    }
    Layer layer{};
    layer.kind = static_cast<LayerKind>(kind);
    layer.out = dimension(reader, "output width", 1);
    layer.in = dimension(reader, "input width", 1);
    layer.kernel = dimension(reader, "kernel", 1);
    layer.stride = dimension(reader, "stride", 1);
    layer.dilation = dimension(reader, "dilation", 1);
    layer.pad_before = dimension(reader, "padding", 0);
    layer.pad_after = dimension(reader, "padding", 0);
    // n in, n a multiple of the stride, must give exactly n / stride out.
    const std::uint64_t reach = std::uint64_t{layer.dilation} * (layer.kernel - 1) + 1;
    if (std::uint64_t{layer.pad_before} + layer.pad_after + layer.stride != reach) {
        throw WeightsError("a layer's padding does not fit its kernel and stride");
    }
    if (layer.kind == LayerKind::kResidualConvolutionRelu &&
        (layer.in != layer.out || layer.stride != 1)) {
        throw WeightsError("a residual layer changes the shape");
    }
    layer.weights = reader.floats(std::uint64_t{layer.out} * layer.in * layer.kernel);
    layer.bias = reader.floats(layer.out);
    return layer;
}

void check_chain(const Weights& weights) {
    std::uint32_t channels = 1;
    std::uint64_t stride = 1;
    for (const auto& layer : weights.layers) {
        if (layer.in != channels) throw WeightsError("two layers do not fit each other");
        channels = layer.out;
        stride *= layer.stride;
        if (stride > kMaxDimension) throw WeightsError("the strides are too large");
    }
    if (channels != weights.vocabulary.size()) {
        throw WeightsError("the last layer does not fit the vocabulary");
    }
    if (stride != weights.frame_samples) {
        throw WeightsError("the strides do not multiply to the frame");
    }
}

std::array<std::uint32_t, 256> crc_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) ? 0xedb88320U : 0U);
        table[i] = value;
    }
    return table;
}

}  // namespace

std::uint32_t crc32(std::span<const std::byte> bytes) {
    static const auto table = crc_table();
    std::uint32_t value = ~0U;
    for (const std::byte byte : bytes) {
        value = (value >> 8) ^ table[(value ^ std::to_integer<std::uint32_t>(byte)) & 0xff];
    }
    return ~value;
}

std::size_t Weights::parameters() const {
    std::size_t count = 0;
    for (const auto& layer : layers) count += layer.weights.size() + layer.bias.size();
    return count;
}

Weights parse_weights(std::span<const std::byte> file) {
    Reader reader(file);
    if (std::memcmp(reader.take(kMagic.size()).data(), kMagic.data(), kMagic.size()) != 0) {
        throw WeightsError("this is no weights file (wrong magic)");
    }
    if (const std::uint32_t version = reader.u32(); version != kWeightsVersion) {
        throw WeightsError("version " + std::to_string(version) + ", this program reads version " +
                           std::to_string(kWeightsVersion));
    }
    // The checksum comes before everything that takes the content at its word.
    if (file.size() < kMagic.size() + 2 * sizeof(std::uint32_t)) {
        throw WeightsError("the file ends too early");
    }
    const auto body = file.first(file.size() - sizeof(std::uint32_t));
    if (Reader(file.subspan(body.size())).u32() != crc32(body)) {
        throw WeightsError("the checksum is wrong: the file is damaged or cut short");
    }
    reader = Reader(body.subspan(kMagic.size() + sizeof(std::uint32_t)));
    Weights weights{};
    weights.sample_rate_hz = reader.u32();
    weights.frame_samples = reader.u32();
    const std::uint32_t classes = reader.u32();
    const std::uint32_t layers = reader.u32();
    if (weights.sample_rate_hz == 0 || classes < 2 || classes > 256 || layers == 0 ||
        layers > kMaxLayers) {
        throw WeightsError("the header makes no sense");
    }
    const auto vocabulary = reader.take(classes);
    weights.vocabulary.assign(reinterpret_cast<const char*>(vocabulary.data()), vocabulary.size());
    for (std::uint32_t i = 0; i < layers; ++i) weights.layers.push_back(read_layer(reader));
    if (!reader.at_end()) throw WeightsError("there are bytes behind the last layer");
    check_chain(weights);
    return weights;
}

Weights load_weights(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw WeightsError("cannot open the model " + path.string());
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    if (file.bad()) throw WeightsError("cannot read the model " + path.string());
    try {
        return parse_weights(std::as_bytes(std::span(bytes)));
    } catch (const WeightsError& error) {
        throw WeightsError("the model " + path.string() + ": " + error.what());
    }
}

}  // namespace asr
