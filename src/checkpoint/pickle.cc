#include "checkpoint/pickle.h"

#include <algorithm>
#include <string>
#include <utility>

#include "checkpoint/byte_reader.h"
#include "checkpoint/printable.h"

namespace tutti {
namespace {

using PickleKind = PickleValue::Kind;

// A paraformer-large has about 20 000; a value takes up to some 100 bytes here.
constexpr size_t kMaxValues = 2'000'000;

enum Opcode : uint8_t {
  kMark = '(',
  kStop = '.',
  kBinFloat = 'G',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersId = 'Q',
  kReduce = 'R',
  kBinString = 'T',
  kShortBinString = 'U',
  kBinUnicode = 'X',
  kEmptyList = ']',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kSetItems = 'u',
  kEmptyDict = '}',
  kEmptyTuple = ')',
  kProto = 0x80,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
};

// The stack machine of the pickle format. A mark is a null on the stack.
class Machine {
 public:
  Machine(std::span<const std::byte> bytes, std::span<const std::string_view> allowed)
      : reader_(bytes), allowed_(allowed) {}

  absl::StatusOr<Pickle> Run() {
    for (;;) {
      const size_t position = reader_.position();
      const auto opcode = reader_.Read<uint8_t>();
      if (reader_.ok() && opcode == kStop) {
        if (stack_.size() != 1 || stack_.back() == nullptr) {
          return InvalidArgument("byte {}: the pickle ends with {} values, expected one", position, stack_.size());
        }
        pickle_.root = stack_.back();
        pickle_.size = reader_.position();
        return std::move(pickle_);
      }
      absl::Status status = reader_.ok() ? Execute(opcode) : absl::OkStatus();
      if (!reader_.ok()) return DataLoss("byte {}: the pickle ends within an instruction", position);
      if (!status.ok()) return WithContext(status, fmt::format("byte {}", position));
      if (pickle_.values.size() > kMaxValues) {
        return ResourceExhausted("byte {}: more than {} values", position, kMaxValues);
      }
    }
  }

 private:
  absl::Status Execute(uint8_t opcode) {
    switch (opcode) {
      case kProto:
        return Protocol(reader_.Read<uint8_t>());
      case kMark:
        stack_.push_back(nullptr);
        return absl::OkStatus();
      case kNone:
        return Push(PickleKind::kNone);
      case kNewTrue:
        return Push(PickleKind::kBool, 1);
      case kNewFalse:
        return Push(PickleKind::kBool, 0);
      case kBinInt:
        return Push(PickleKind::kInt, reader_.Read<int32_t>());
      case kBinInt1:
        return Push(PickleKind::kInt, reader_.Read<uint8_t>());
      case kBinInt2:
        return Push(PickleKind::kInt, reader_.Read<uint16_t>());
      case kLong1:
        return PushLong(reader_.TakeText(reader_.Read<uint8_t>()));
      case kBinFloat:
        reader_.Take(8);
        return Push(PickleKind::kFloat);
      case kBinUnicode:
      case kBinString:
        return Push(PickleKind::kText, 0, reader_.TakeText(reader_.Read<uint32_t>()));
      case kShortBinString:
        return Push(PickleKind::kText, 0, reader_.TakeText(reader_.Read<uint8_t>()));
      case kEmptyList:
        return Push(PickleKind::kList);
      case kEmptyDict:
        return Push(PickleKind::kDict);
      case kEmptyTuple:
        return Push(PickleKind::kTuple);
      case kTuple:
        return PushTuple(CountToMark(), true);
      case kTuple1:
        return PushTuple(1, false);
      case kTuple2:
        return PushTuple(2, false);
      case kTuple3:
        return PushTuple(3, false);
      case kAppend:
        return Extend(PickleKind::kList, 1, false);
      case kAppends:
        return Extend(PickleKind::kList, CountToMark(), true);
      case kSetItem:
        return Extend(PickleKind::kDict, 2, false);
      case kSetItems:
        return Extend(PickleKind::kDict, CountToMark(), true);
      case kBinPut:
        return Put(reader_.Read<uint8_t>());
      case kLongBinPut:
        return Put(reader_.Read<uint32_t>());
      case kBinGet:
        return Get(reader_.Read<uint8_t>());
      case kLongBinGet:
        return Get(reader_.Read<uint32_t>());
      case kGlobal:
        return Global();
      case kBinPersId:
        return Wrap(PickleKind::kPersistentId, 1);
      case kReduce:
        return Reduce();
      case kBuild:
        return Build();
      default:
        return InvalidArgument("unknown instruction {:#04x}; expected the pickle protocol 2 that torch.save writes",
                               opcode);
    }
  }

  static absl::Status Protocol(int version) {
    if (version == 2) return absl::OkStatus();
    return InvalidArgument("pickle protocol {}, expected 2; write the file with torch.save and its default", version);
  }

  absl::Status Push(PickleKind kind, int64_t number = 0, std::string_view text = {}) {
    stack_.push_back(&pickle_.values.emplace_back(PickleValue{kind, number, text, {}}));
    return absl::OkStatus();
  }

  absl::Status PushLong(std::string_view bytes) {
    if (bytes.size() > 8) return Push(PickleKind::kBytes, 0, bytes);
    uint64_t number = 0;
    for (size_t i = 0; i < bytes.size(); ++i) number |= uint64_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
    if (!bytes.empty()) {
      const int unused = 64 - 8 * static_cast<int>(bytes.size());  // extends the sign
      return Push(PickleKind::kInt, static_cast<int64_t>(number << unused) >> unused);
    }
    return Push(PickleKind::kInt, 0);
  }

  // Values above the topmost mark; more than there are when there is none.
  size_t CountToMark() const {
    const auto mark = std::find(stack_.rbegin(), stack_.rend(), nullptr);
    return mark == stack_.rend() ? stack_.size() + 1 : static_cast<size_t>(mark - stack_.rbegin());
  }

  // The topmost `count` values leave the stack, and the mark below them with `marked`.
  absl::StatusOr<std::vector<PickleValue*>> Pop(size_t count, bool marked) {
    const bool enough = count <= stack_.size() && count + (marked ? 1 : 0) <= stack_.size();
    if (!enough || std::find(stack_.end() - static_cast<ptrdiff_t>(count), stack_.end(), nullptr) != stack_.end()) {
      return InvalidArgument("the pickle's stack has fewer values than the instruction takes");
    }
    std::vector<PickleValue*> popped(stack_.end() - static_cast<ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count - (marked ? 1 : 0));
    return popped;
  }

  absl::Status PushTuple(size_t count, bool marked) {
    TUTTI_ASSIGN_OR_RETURN(auto items, Pop(count, marked));
    TUTTI_RETURN_IF_ERROR(Push(PickleKind::kTuple));
    stack_.back()->items = std::move(items);
    return absl::OkStatus();
  }

  absl::Status Wrap(PickleKind kind, size_t count) {
    TUTTI_ASSIGN_OR_RETURN(auto items, Pop(count, false));
    TUTTI_RETURN_IF_ERROR(Push(kind));
    stack_.back()->items = std::move(items);
    return absl::OkStatus();
  }

  absl::Status Extend(PickleKind kind, size_t count, bool marked) {
    TUTTI_ASSIGN_OR_RETURN(auto items, Pop(count, marked));
    if (stack_.empty() || stack_.back() == nullptr || stack_.back()->kind != kind) {
      return InvalidArgument("items for a {}, which is not on the stack", Name(kind));
    }
    if (kind == PickleKind::kDict && items.size() % 2 != 0) return InvalidArgument("a key without its value");
    auto& target = stack_.back()->items;
    target.insert(target.end(), items.begin(), items.end());
    return absl::OkStatus();
  }

  absl::Status Put(size_t index) {
    // Picklers number their values, so an index far beyond them is hostile.
    if (stack_.empty() || stack_.back() == nullptr || index > kMaxValues) {
      return InvalidArgument("memo {}: nothing to remember or beyond {}", index, kMaxValues);
    }
    if (index >= memo_.size()) memo_.resize(index + 1);
    memo_[index] = stack_.back();
    return absl::OkStatus();
  }

  absl::Status Get(size_t index) {
    if (index >= memo_.size() || memo_[index] == nullptr) return InvalidArgument("memo {} was never written", index);
    stack_.push_back(memo_[index]);
    return absl::OkStatus();
  }

  absl::Status Global() {
    const std::string_view module = reader_.TakeLine();
    const std::string_view name = reader_.TakeLine();
    const std::string full = fmt::format("{}.{}", module, name);
    const auto found = std::find(allowed_.begin(), allowed_.end(), full);
    if (found == allowed_.end()) {
      return InvalidArgument("the pickle refers to {}, which is refused: only tensors and plain containers are read",
                             Printable(full));
    }
    return Push(PickleKind::kGlobal, 0, *found);
  }

  absl::Status Reduce() {
    TUTTI_RETURN_IF_ERROR(Wrap(PickleKind::kCall, 2));
    PickleValue& call = *stack_.back();
    if (call.items[0]->kind != PickleKind::kGlobal || call.items[1]->kind != PickleKind::kTuple) {
      return InvalidArgument("a call of a {} with a {}, expected a global and a tuple", Name(call.items[0]->kind),
                             Name(call.items[1]->kind));
    }
    if (call.items[0]->text == "collections.OrderedDict") {
      if (!call.items[1]->items.empty()) return InvalidArgument("OrderedDict: expected no arguments");
      call.kind = PickleKind::kDict;
      call.items.clear();
    }
    return absl::OkStatus();
  }

  // The state of an object. On a state dict it is version metadata, which nothing here needs.
  absl::Status Build() {
    TUTTI_ASSIGN_OR_RETURN(const auto state, Pop(1, false));
    if (stack_.empty() || stack_.back() == nullptr || stack_.back()->kind != PickleKind::kDict) {
      return InvalidArgument("object state for something else than a dict");
    }
    return absl::OkStatus();
  }

  ByteReader reader_;
  const std::span<const std::string_view> allowed_;
  Pickle pickle_;
  std::vector<PickleValue*> stack_;
  std::vector<PickleValue*> memo_;
};

}  // namespace

std::string_view Name(PickleValue::Kind kind) {
  static constexpr std::string_view kNames[] = {"None",  "bool", "int",  "long int", "float", "text",
                                                "tuple", "list", "dict", "global",   "call",  "persistent id"};
  return kNames[static_cast<size_t>(kind)];
}

absl::StatusOr<Pickle> ParsePickle(std::span<const std::byte> bytes, std::span<const std::string_view> allowed) {
  return Machine(bytes, allowed).Run();
}

const PickleValue* FindKey(const PickleValue& dict, std::string_view key) {
  if (dict.kind != PickleKind::kDict) return nullptr;
  for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    if (dict.items[i]->kind == PickleKind::kText && dict.items[i]->text == key) return dict.items[i + 1];
  }
  return nullptr;
}

}  // namespace tutti
