#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <numeric>

#include "base/file.h"
#include "tests/checkpoint/torch_file.h"

namespace tutti::torch_file {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(TorchZipTest, EveryFloatingStorageIsReadAsFloat) {
  const std::string file = File(Dict({{"f32", Tensor({"FloatStorage", "a", 3}, {3}, {1})},
                                      {"f16", Tensor({"HalfStorage", "b", 3}, {3}, {1})},
                                      {"bf16", Tensor({"BFloat16Storage", "c", 3}, {3}, {1})},
                                      {"f64", Tensor({"DoubleStorage", "d", 3}, {3}, {1})}}),
                                {{"a", RawAll<float>({1, -2, 0.5f})},
                                 {"b", RawAll<uint16_t>({0x3c00, 0xc000, 0x3800})},
                                 {"c", RawAll<uint16_t>({0x3f80, 0xc000, 0x3f00})},
                                 {"d", RawAll<double>({1, -2, 0.5})}});
  const auto checkpoint = Parse(file);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  for (const char* name : {"f32", "f16", "bf16", "f64"}) {
    EXPECT_EQ(Name((*checkpoint)->Find(name)->dtype), name);
    EXPECT_THAT(*(*checkpoint)->Floats(name, {3}), ElementsAre(1, -2, 0.5f)) << name;
  }
}

TEST(TorchZipTest, IntegerStoragesKeepTheirType) {
  const std::pair<const char*, DType> types[] = {{"LongStorage", DType::kI64},
                                                 {"IntStorage", DType::kI32},
                                                 {"CharStorage", DType::kI8},
                                                 {"ByteStorage", DType::kU8},
                                                 {"BoolStorage", DType::kU8}};
  for (const auto& [type, dtype] : types) {
    const auto checkpoint = Parse(File(Dict({{"x", Tensor({type, "0", 1}, {}, {})}}), {{"0", "\1\0\0\0\0\0\0\0"s}}));
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    EXPECT_EQ((*checkpoint)->Find("x")->dtype, dtype) << type;
    EXPECT_EQ((*checkpoint)->Find("x")->elements(), 1);
    EXPECT_THAT(Message((*checkpoint)->Floats("x", {}).status()), HasSubstr("expected f32"));
  }
}

TEST(TorchZipTest, ATransposedTensorIsLaidOutRowMajor) {
  const auto checkpoint = Parse(File(Dict({{"x", Tensor({"FloatStorage", "0", 7}, {2, 1, 3}, {1, 99, 2}, 1)}}),
                                     {{"0", RawAll<float>({-1, 0, 1, 2, 3, 4, 5})}}));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_THAT(*(*checkpoint)->Floats("x", {2, 1, 3}), ElementsAre(0, 2, 4, 1, 3, 5));
}

TEST(TorchZipTest, TensorsMayShareAStorage) {
  const Storage storage = {"FloatStorage", "0", 4};
  const auto checkpoint =
      Parse(File(Dict({{"all", Tensor(storage, {2, 2}, {2, 1})}, {"last", Tensor(storage, {2}, {1}, 2)}}),
                 {{"0", RawAll<float>({1, 2, 3, 4})}}));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_THAT(*(*checkpoint)->Floats("last", {-1}), ElementsAre(3, 4));
  EXPECT_EQ((*checkpoint)->Find("last")->data, (*checkpoint)->Find("all")->data + 8);
}

TEST(TorchZipTest, AParameterIsTheTensorInIt) {
  const std::string parameter = Global("torch._utils", "_rebuild_parameter") +
                                Tuple({Tensor({"FloatStorage", "0", 1}, {1}, {1}), "\x88", OrderedDict()}) + "R";
  const auto checkpoint = Parse(File(Dict({{"x", parameter}}), {{"0", Raw(7.0f)}}));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_THAT(*(*checkpoint)->Floats("x", {1}), ElementsAre(7));
}

TEST(TorchZipTest, WrappedStateDictsAndModulePrefixesAreRemoved) {
  const std::string tensor = Tensor({"FloatStorage", "0", 1}, {1}, {1});
  const std::string inner = Dict({{"module.encoder.x", tensor}, {"y", tensor}});
  for (const char* wrapper : {"state_dict", "model_state_dict", "model"}) {
    const auto checkpoint =
        Parse(File(Dict({{"epoch", Int(3)}, {wrapper, inner}, {"dims", Dict({})}}), {{"0", Raw(1.0f)}}));
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    EXPECT_EQ((*checkpoint)->tensors().size(), 2u) << wrapper;
    EXPECT_TRUE((*checkpoint)->Has("encoder.x")) << wrapper;
  }
}

TEST(TorchZipTest, OnlyTheGlobalsOfTensorsAreAllowed) {
  const std::string evil = Global("os", "system") + Tuple({Text("echo")}) + "R";
  EXPECT_THAT(ParseError(File(Dict({{"x", evil}}), {})),
              AllOf(HasSubstr("the file: data.pkl: byte "), HasSubstr("os.system"), HasSubstr("refused")));
  EXPECT_THAT(ParseError(File(Global("torch", "ShortStorage"), {})), HasSubstr("torch.ShortStorage"));
}

TEST(TorchZipTest, AViewMustStayWithinItsStorage) {
  struct Case {
    std::vector<int64_t> shape, strides;
    int64_t offset;
  };
  constexpr int64_t kHuge = int64_t{1} << 62;
  const Case cases[] = {{{5}, {1}, 0},         {{4}, {1}, 1},     {{2, 2}, {3, 1}, 0},    {{kHuge, 4}, {4, 1}, 0},
                        {{2}, {kHuge}, kHuge}, {{1}, {1}, kHuge}, {{-1}, {1}, 0},         {{2}, {-1}, 1},
                        {{1}, {1}, -1},        {{2, 2}, {1}, 0},  {{2, kHuge}, {0, 0}, 0}};
  for (const Case& c : cases) {
    const std::string tensor = Tensor({"FloatStorage", "0", 4}, c.shape, c.strides, c.offset);
    EXPECT_THAT(ParseError(File(Dict({{"x", tensor}}), {{"0", std::string(16, '\0')}})), HasSubstr("tensor \"x\""))
        << ::testing::PrintToString(c.shape);
  }
}

TEST(TorchZipTest, ATensorThatRepeatsElementsMustNotOutgrowTheFile) {
  const std::string tensor = Tensor({"FloatStorage", "0", 1}, {int64_t{1} << 40}, {0});
  EXPECT_THAT(ParseError(File(Dict({{"x", tensor}}), {{"0", Raw(1.0f)}})), HasSubstr("too large"));
}

TEST(TorchZipTest, AStorageMustBeInTheFileAndLargeEnough) {
  const std::string dict = Dict({{"x", Tensor({"FloatStorage", "7", 4}, {4}, {1})}});
  EXPECT_THAT(ParseError(File(dict, {})), AllOf(HasSubstr("tensor \"x\""), HasSubstr("model/data/7")));
  EXPECT_THAT(ParseError(File(dict, {{"7", std::string(15, '\0')}})), HasSubstr("holds 3 elements of f32, expected 4"));
}

TEST(TorchZipTest, OnlyStoredLittleEndianFilesOfTorchAreRead) {
  const std::string pickle = Pickle(Dict({}));
  EXPECT_TRUE(Parse(Zip({{"m/data.pkl", pickle}, {"m/byteorder", "little"}})).ok());
  EXPECT_TRUE(Parse(Zip({{"m/data.pkl", pickle}}, true)).ok()) << "zip64";
  EXPECT_THAT(ParseError(Zip({{"m/data.pkl", pickle}, {"m/byteorder", "big"}})), HasSubstr("byteorder: found \"big\""));
  EXPECT_THAT(ParseError(Zip({{"m/data.pkl", pickle, 8}})), HasSubstr("compressed"));
  EXPECT_THAT(ParseError(Zip({{"word/document.xml", ""}})), HasSubstr("without <name>/data.pkl"));
  EXPECT_THAT(ParseError(Zip({{"m/data.pkl", pickle}, {"m/data.pkl", pickle}})), HasSubstr("two entries"));
}

TEST(TorchZipTest, AZip64FieldLongerThanItsEntryIsRefused) {
  std::string file = Zip({{"m/data.pkl", Pickle(Dict({}))}}, true);
  const std::string header = RawAll<uint16_t>({1, 24});
  for (const uint16_t id : {1, 2}) {
    file.replace(file.find(header), header.size(), RawAll<uint16_t>({id, 25}));
    EXPECT_THAT(ParseError(file), HasSubstr("entry 0 of 1 is malformed"));
    file.replace(file.find(RawAll<uint16_t>({id, 25})), header.size(), header);
  }
}

TEST(TorchZipTest, AStateDictHoldsNamedTensorsOnly) {
  const std::string tensor = Tensor({"FloatStorage", "0", 1}, {1}, {1});
  EXPECT_THAT(ParseError(File(Int(3), {})), HasSubstr("holds a int, expected a state dict"));
  EXPECT_THAT(ParseError(File(Dict({{"x", Text("?")}}), {})),
              HasSubstr("tensor \"x\": found a text, expected a tensor"));
  EXPECT_THAT(ParseError(File(Dict({{"x", tensor}, {"module.x", tensor}}), {{"0", Raw(1.0f)}})),
              HasSubstr("two of this name"));
}

// Reads every byte of every tensor, so that ASan sees a view that leaves the file.
int64_t Touch(const Checkpoint& checkpoint) {
  int64_t sum = 0;
  for (const auto& [name, view] : checkpoint.tensors()) {
    const auto size = static_cast<size_t>(view.elements() * ByteSize(view.dtype));
    if (size > 0) sum += static_cast<int64_t>(view.data[0]) + static_cast<int64_t>(view.data[size - 1]);
  }
  return sum;
}

std::string RealModel() {
  const auto file = ReadFile(TUTTI_SOURCE_DIR "/.cache/models/fsmn-vad/model.pt");
  EXPECT_TRUE(file.ok()) << file.status() << " (make fetches it)";
  return file.ok() ? *file : "";
}

TEST(TorchZipTest, AFileCutAnywhereIsRefused) {
  const std::string file = RealModel();
  std::vector<size_t> lengths = {0, 1, 2, 3, 4, 5, 29, 30, 31};
  for (size_t length = 64; length < file.size(); length = length * 5 / 4) lengths.push_back(length);
  for (size_t back = 1; back < 4000; back += 97) lengths.push_back(file.size() - back);
  for (const size_t length : lengths) {
    EXPECT_THAT(ParseError(std::string_view(file).substr(0, length)), HasSubstr("the file: ")) << length;
    const auto status = Parse(std::string_view(file).substr(0, length)).status();
    EXPECT_FALSE(status.ok()) << length;
  }
}

TEST(TorchZipTest, AFlippedBitNeverLeavesTheFile) {
  // Small enough to try a bit of every byte; strided tensors, shared storages and a wrapper included.
  const Storage storage = {"FloatStorage", "0", 6};
  std::string file = File(Dict({{"state_dict", Dict({{"a", Tensor(storage, {2, 3}, {1, 2})},
                                                     {"b", Tensor(storage, {2}, {1}, 4)},
                                                     {"c", Tensor({"HalfStorage", "1", 2}, {1, 2}, {2, 1})}})}}),
                          {{"0", RawAll<float>({1, 2, 3, 4, 5, 6})}, {"1", RawAll<uint16_t>({1, 2})}});
  ASSERT_TRUE(Parse(file).ok());
  int refused = 0;
  for (size_t bit = 0; bit < file.size() * 8; ++bit) {
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ (1 << (bit % 8)));
    const auto checkpoint = Parse(file);
    refused += checkpoint.ok() ? 0 : 1;
    if (checkpoint.ok()) Touch(**checkpoint);
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ (1 << (bit % 8)));
  }
  EXPECT_GT(refused, 1000);
}

TEST(TorchZipTest, AFlippedBitOfARealModelNeverLeavesTheFile) {
  const std::string original = RealModel();
  auto bytes = std::make_shared<std::vector<std::byte>>(original.size());
  std::memcpy(bytes->data(), original.data(), original.size());
  // The pickle is first and the directory last; between them are weights, where any bit is a good one.
  for (size_t i = 0; i < 6000; ++i) {
    const size_t at = i < 2600 ? i : bytes->size() - (i - 2600) - 1;
    const auto flip = static_cast<std::byte>(1 << (i * 5 % 8));
    (*bytes)[at] ^= flip;
    const auto checkpoint = Checkpoint::Parse("the file", *bytes, bytes);
    if (checkpoint.ok()) Touch(**checkpoint);
    (*bytes)[at] ^= flip;
  }
}

// Kilobytes of the mapping of `path` that are in memory, by the kernel's account of this process.
int64_t ResidentKilobytes(const std::string& path) {
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.ends_with(path)) inside = true;
    if (inside && line.starts_with("Rss:")) return std::stoll(line.substr(4));
  }
  return -1;
}

TEST(TorchZipTest, OpeningDoesNotReadTheWeightsIn) {
  constexpr int64_t kElements = 8 << 20;
  const std::string path = ::testing::TempDir() + "opening_does_not_read_the_weights.pt";
  const std::string dict = Dict({{"x", Tensor({"FloatStorage", "0", kElements}, {kElements}, {1})}});
  ASSERT_TRUE(WriteFileAtomically(path, File(dict, {{"0", std::string(kElements * 4, '\1')}})).ok());
  {
    const auto checkpoint = Checkpoint::Open(path);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    const int64_t after_open = ResidentKilobytes(path);
    EXPECT_GE(after_open, 4);
    // The directory's end and two headers; the kernel maps up to 2 MiB around each page that is read.
    EXPECT_LE(after_open, 3 * 2048);
    ASSERT_TRUE((*checkpoint)->Floats("x", {kElements}).ok());
    EXPECT_GE(ResidentKilobytes(path), kElements * 4 / 1024) << "the measure sees pages that were read";
  }
  std::remove(path.c_str());
}

}  // namespace
}  // namespace tutti::torch_file
