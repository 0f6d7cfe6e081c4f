// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// The weights file (*.asrnet), little endian:
//
//   0   char[8]  magic "ASRNET\r\n" (a transfer as text is noticed)
//   8   u32      version, 1
//   12  u32      sample rate, Hz
//   16  u32      frame, samples a frame of logits stands for
//   20  u32      vocabulary size, one byte a class; class 0 is the CTC blank
//   24  u32      number of layers
//   28  bytes    vocabulary
//   then for each layer
//       u32 x 8  kind, out, in, kernel, stride, dilation, padding before, padding after
//       f32      weights [out][in][kernel], then bias [out]
//   end u32      CRC-32 (as zlib's) of everything before
//
// The reader trusts nothing: every count is checked against the bytes that are there, layers must
// fit each other, and their strides must multiply to the frame.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace asr {

inline constexpr std::uint32_t kWeightsVersion = 1;

/// The file is missing, damaged, of another version or describes no network this program can run.
class WeightsError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

enum class LayerKind : std::uint32_t {
    kConvolutionRelu = 0,          ///< relu(conv(x))
    kResidualConvolutionRelu = 1,  ///< x + relu(conv(x))
    kConvolution = 2,              ///< conv(x)
};

struct Layer {
    LayerKind kind;
    std::uint32_t out;
    std::uint32_t in;
    std::uint32_t kernel;
    std::uint32_t stride;
    std::uint32_t dilation;
    std::uint32_t pad_before;
    std::uint32_t pad_after;
    std::vector<float> weights;  ///< [out][in][kernel]
    std::vector<float> bias;     ///< [out]
};

struct Weights {
    std::uint32_t sample_rate_hz;
    std::uint32_t frame_samples;
    std::string vocabulary;  ///< a character a class; [0] is the blank
    std::vector<Layer> layers;

    std::size_t parameters() const;
};

/// Parses a weights file's bytes; throws WeightsError naming what is wrong.
Weights parse_weights(std::span<const std::byte> file);

/// Reads and parses; throws WeightsError naming the file and what is wrong.
Weights load_weights(const std::filesystem::path& path);

/// CRC-32 as zlib and PNG use it (reflected polynomial 0xedb88320).
std::uint32_t crc32(std::span<const std::byte> bytes);

}  // namespace asr
