#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/checkpoint/torch_file.h"

namespace tutti {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::string_literals;
using torch_file::RawAll;

const std::string kVadFolder = TUTTI_SOURCE_DIR "/.cache/models/fsmn-vad";

// Protobuf, written by hand.
std::string Varint(uint64_t value) {
  std::string bytes;
  for (; value >= 128; value >>= 7) bytes += static_cast<char>(value | 128);
  return bytes + static_cast<char>(value);
}
std::string Number(int field, uint64_t value) { return Varint(static_cast<uint64_t>(field) << 3) + Varint(value); }
std::string Bytes(int field, const std::string& bytes) {
  return Varint(static_cast<uint64_t>(field) << 3 | 2) + Varint(bytes.size()) + bytes;
}
std::string Initializer(const std::string& name, int data_type, const std::vector<int64_t>& dims,
                        const std::string& data) {
  std::string tensor;
  for (const int64_t dim : dims) tensor += Number(1, static_cast<uint64_t>(dim));
  return Bytes(5, tensor + Number(2, static_cast<uint64_t>(data_type)) + data + Bytes(8, name));
}
std::string Model(const std::string& graph) {
  return Number(1, 7) + Bytes(2, "by hand") + Bytes(7, graph) + Bytes(8, "");
}

TEST(OnnxTest, RawAndTypedDataMeanTheSame) {
  const auto negative = static_cast<uint64_t>(int64_t{-3});
  const std::string graph =
      Bytes(1, "a node") + Initializer("raw", 1, {3}, Bytes(9, RawAll<float>({1, 2, 3}))) +
      Initializer("packed", 1, {3}, Bytes(4, RawAll<float>({1, 2, 3}))) +
      Initializer("unpacked", 1, {3},
                  "\x25"s + torch_file::Raw(1.0f) + "\x25"s + torch_file::Raw(2.0f) + "\x25"s + torch_file::Raw(3.0f)) +
      Initializer("double", 11, {3}, Bytes(10, RawAll<double>({1, 2, 3}))) +
      Initializer("half", 10, {3}, Bytes(5, Varint(0x3c00) + Varint(0x4000) + Varint(0x4200))) +
      Initializer("bfloat", 16, {3}, Bytes(9, RawAll<uint16_t>({0x3f80, 0x4000, 0x4040}))) +
      Initializer("bytes", 3, {2}, Number(5, 7) + Number(5, negative)) +
      Initializer("longs", 7, {2}, Bytes(7, Varint(7) + Varint(negative))) + Initializer("scalar", 6, {}, Number(5, 9));
  const auto checkpoint = torch_file::Parse(Model(graph));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  for (const char* name : {"raw", "packed", "unpacked", "double", "half", "bfloat"}) {
    EXPECT_THAT(*(*checkpoint)->Floats(name, {3}), ElementsAre(1, 2, 3)) << name;
  }
  const TensorView bytes = *(*checkpoint)->Find("bytes"), longs = *(*checkpoint)->Find("longs");
  EXPECT_EQ(bytes.dtype, DType::kI8);
  EXPECT_EQ(bytes.data[1], static_cast<std::byte>(-3));
  int64_t last = 0;
  std::memcpy(&last, longs.data + 8, 8);
  EXPECT_EQ(last, -3);
  EXPECT_TRUE((*checkpoint)->Find("scalar")->shape.empty());
}

TEST(OnnxTest, AWrongInitializerIsNamed) {
  const std::string data = Bytes(9, RawAll<float>({1, 2, 3}));
  EXPECT_THAT(torch_file::ParseError(Model(Initializer("w", 1, {4}, data))),
              HasSubstr("the file: initializer \"w\": 12 bytes of f32, expected those of dims [4]"));
  EXPECT_THAT(torch_file::ParseError(Model(Initializer("w", 1, {1LL << 40, 1LL << 40}, data))),
              HasSubstr("expected those of dims"));
  EXPECT_THAT(torch_file::ParseError(Model(Initializer("w", 1, {-3}, data))), HasSubstr("expected those of dims"));
  EXPECT_THAT(torch_file::ParseError(Model(Initializer("w", 8, {3}, data))), HasSubstr("data_type 8"));
  EXPECT_THAT(torch_file::ParseError(Model(Initializer("w", 1, {3}, Bytes(13, "") + Number(14, 1)))),
              HasSubstr("another file"));
  EXPECT_THAT(torch_file::ParseError(Model(Initializer("w", 1, {3}, data) + Initializer("w", 1, {3}, data))),
              HasSubstr("two of this"));
  EXPECT_THAT(torch_file::ParseError(Model(Bytes(5, "\xff"))), HasSubstr("graph.initializer 0: malformed"));
  EXPECT_THAT(torch_file::ParseError(Number(1, 7)), HasSubstr("no graph"));
}

TEST(OnnxTest, AFileCutAnywhereIsRefused) {
  const auto file = ReadFile(kVadFolder + "/model.onnx");
  ASSERT_TRUE(file.ok()) << file.status() << " (make fetches it)";
  // The last ten bytes hold the operator set, without which the rest still reads well.
  for (size_t length = 0; length + 10 < file->size(); length = length * 9 / 8 + 1) {
    EXPECT_THAT(torch_file::ParseError(std::string_view(*file).substr(0, length)), HasSubstr("the file: ")) << length;
    EXPECT_FALSE(torch_file::Parse(std::string_view(*file).substr(0, length)).ok()) << length;
  }
}

TEST(OnnxTest, AFlippedBitNeverLeavesTheFile) {
  std::string file = Model(Initializer("a", 1, {3}, Bytes(9, RawAll<float>({1, 2, 3}))) +
                           Initializer("b", 10, {2}, Bytes(5, Varint(0x3c00) + Varint(1))));
  for (size_t bit = 0; bit < file.size() * 8; ++bit) {
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ (1 << (bit % 8)));
    if (const auto checkpoint = torch_file::Parse(file); checkpoint.ok()) {
      for (const auto& [name, view] : (*checkpoint)->tensors()) (*checkpoint)->Floats(name, view.shape).IgnoreError();
    }
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ (1 << (bit % 8)));
  }
}

std::string Node(const std::string& op, const std::string& name, const std::string& weight) {
  return Bytes(1, Bytes(1, "x") + Bytes(1, weight) + Bytes(2, "y") + Bytes(3, name) + Bytes(4, op));
}

TEST(OnnxTest, AMatMulsWeightHasTheNameAndTheShapeOfItsLinearLayer) {
  const std::string matrix = Bytes(9, RawAll<float>({1, 2, 3, 4, 5, 6}));
  const auto names = [&](const std::string& node, const std::string& initializer) {
    const auto checkpoint = torch_file::Parse(Model(node + Initializer(initializer, 1, {2, 3}, matrix)));
    EXPECT_TRUE(checkpoint.ok()) << checkpoint.status();
    std::vector<std::string> found;
    for (const auto& [name, view] : (*checkpoint)->tensors()) found.push_back(name);
    return found;
  };
  const auto checkpoint = torch_file::Parse(Model(Node("MatMul", "/encoder/fsmn.0/out/MatMul", "onnx::MatMul_7") +
                                                  Initializer("onnx::MatMul_7", 1, {2, 3}, matrix)));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_THAT(*(*checkpoint)->Floats("encoder.fsmn.0.out.weight", {3, 2}), ElementsAre(1, 4, 2, 5, 3, 6));
  EXPECT_EQ((*checkpoint)->tensors().size(), 1u);

  EXPECT_THAT(names(Node("MatMul", "/out/MatMul", "named.weight"), "named.weight"), ElementsAre("named.weight"));
  EXPECT_THAT(names(Node("Gemm", "/out/MatMul", "onnx::MatMul_7"), "onnx::MatMul_7"), ElementsAre("onnx::MatMul_7"));
  for (const char* path : {"MatMul_12", "/MatMul", "//MatMul", "/out/MatMul_1", ""}) {
    EXPECT_THAT(names(Node("MatMul", path, "onnx::MatMul_7"), "onnx::MatMul_7"), ElementsAre("onnx::MatMul_7")) << path;
  }
}

TEST(OnnxTest, AMatMulWhoseWeightIsNoMatrixIsLeftAlone) {
  const std::string node = Node("MatMul", "/out/MatMul", "onnx::MatMul_7");
  for (const std::vector<int64_t>& dims : {std::vector<int64_t>{3}, {1, 3, 1}}) {
    const auto checkpoint =
        torch_file::Parse(Model(node + Initializer("onnx::MatMul_7", 1, dims, Bytes(9, RawAll<float>({1, 2, 3})))));
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    EXPECT_TRUE((*checkpoint)->Has("onnx::MatMul_7"));
  }
  const auto empty =
      torch_file::Parse(Model(node + Initializer("onnx::MatMul_7", 1, {int64_t{1} << 46, 0}, Bytes(9, ""))));
  ASSERT_TRUE(empty.ok()) << empty.status();
  EXPECT_EQ((*empty)->Find("out.weight")->elements(), 0);
}

TEST(OnnxTest, TheVadsTwoFilesHoldTheSameWeights) {
  const auto torch = Checkpoint::Open(kVadFolder + "/model.pt"), onnx = Checkpoint::Open(kVadFolder + "/model.onnx");
  ASSERT_TRUE(torch.ok()) << torch.status() << " (make fetches it)";
  ASSERT_TRUE(onnx.ok()) << onnx.status();
  EXPECT_EQ((*onnx)->tensors().size(), 24u);
  for (const auto& [name, view] : (*torch)->tensors()) {
    const auto found = (*onnx)->Floats(name, view.shape);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(*found, *(*torch)->Floats(name, view.shape)) << name;
  }
}

}  // namespace
}  // namespace tutti
