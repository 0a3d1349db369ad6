#include "engine/io/unpickle.h"

#include <bit>
#include <cstring>

#include "engine/io/source.h"

namespace strata::io {
namespace {

constexpr const char* op = "pickle";
using Kind = PickleValue::Kind;

// The opcodes understood, by their names in Python's pickle.py.
enum Opcode : uint8_t {
  PROTO = 0x80,
  FRAME = 0x95,
  STOP = '.',
  MARK = '(',
  POP = '0',
  POP_MARK = '1',
  DUP = '2',
  NONE = 'N',
  NEWTRUE = 0x88,
  NEWFALSE = 0x89,
  BININT = 'J',
  BININT1 = 'K',
  BININT2 = 'M',
  LONG1 = 0x8a,
  LONG4 = 0x8b,
  BINFLOAT = 'G',
  BINUNICODE = 'X',
  SHORT_BINUNICODE = 0x8c,
  BINUNICODE8 = 0x8d,
  BINSTRING = 'T',
  SHORT_BINSTRING = 'U',
  BINBYTES = 'B',
  SHORT_BINBYTES = 'C',
  BINBYTES8 = 0x8e,
  EMPTY_LIST = ']',
  APPEND = 'a',
  APPENDS = 'e',
  LIST = 'l',
  EMPTY_TUPLE = ')',
  TUPLE = 't',
  TUPLE1 = 0x85,
  TUPLE2 = 0x86,
  TUPLE3 = 0x87,
  EMPTY_DICT = '}',
  SETITEM = 's',
  SETITEMS = 'u',
  DICT = 'd',
  BINPUT = 'q',
  LONG_BINPUT = 'r',
  MEMOIZE = 0x94,
  BINGET = 'h',
  LONG_BINGET = 'j',
  GLOBAL = 'c',
  STACK_GLOBAL = 0x93,
  REDUCE = 'R',
  BUILD = 'b',
  BINPERSID = 'Q',
};

// What the others of common use do, to say so.
const char* meaning(uint8_t code) {
  switch (code) {
    case 'i':
    case 'o':
    case 0x81:
    case 0x92:
      return "makes an object of a class";
    case 0x82:
    case 0x83:
    case 0x84:
      return "calls a registered extension";
    case 'P':
      return "refers to an object by a line of text";
    case 'I':
    case 'L':
    case 'F':
    case 'S':
    case 'V':
    case 'p':
    case 'g':
      return "belongs to the text protocol 0";
    default:
      return "is not used by dictionaries of tensors";
  }
}

bool is_dictionary(std::string_view name) {
  return name == "collections.OrderedDict" || name == "collections.defaultdict" ||
         name == "builtins.dict" || name == "__builtin__.dict";
}

}  // namespace

const PickleValue* PickleValue::find(std::string_view key) const {
  if (kind != Kind::dict) return nullptr;
  const PickleValue* found = nullptr;  // the last of a name counts, as in Python
  for (size_t i = 0; i + 1 < items.size(); i += 2)
    if (items[i]->is(Kind::text) && items[i]->text == key) found = items[i + 1];
  return found;
}

// The stack machine.
class Unpickler {
 public:
  Unpickler(Pickle& pickle, std::span<const uint8_t> bytes, const std::string& name,
            const std::function<bool(std::string_view)>& allowed, PickleLimits limits, Caller at)
      : pickle_(pickle), bytes_(bytes), name_(name), allowed_(allowed), limits_(limits), at_(at) {}

  const PickleValue* run() {
    if (bytes_.size() > limits_.bytes) {
      refuse("{} bytes are more than the limit of {} for the part that is no tensor data",
             bytes_.size(), limits_.bytes);
    }
    if (bytes_.size() < 2 || bytes_[0] != PROTO || bytes_[1] < 2 || bytes_[1] > 5) {
      refuse("this is no pickle of protocol 2 to 5");
    }
    while (true) {
      uint8_t code = byte();
      if (code == STOP) break;
      if (!constant(code) && !container(code) && !memo(code) && !named(code)) {
        refuse("the opcode 0x{:02x} at its byte {} {}; it is not accepted", code, place_ - 1,
               meaning(code));
      }
    }
    const PickleValue* root = pop();
    if (!stack_.empty() || !marks_.empty()) refuse("values are left over at the end");
    return root;
  }

 private:
  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    fail(op, at_, "{}: {}", name_, fmt::format(format, std::forward<Args>(args)...));
  }

  // Input.
  std::string_view take(uint64_t count) {
    if (count > bytes_.size() - place_) refuse("it is cut off at byte {}", bytes_.size());
    std::string_view part(reinterpret_cast<const char*>(bytes_.data()) + place_, count);
    place_ += count;
    return part;
  }
  uint8_t byte() { return static_cast<uint8_t>(take(1)[0]); }
  uint64_t number(size_t count) {
    uint64_t value = 0;
    std::string_view part = take(count);
    for (size_t i = 0; i < count; ++i) {
      value |= static_cast<uint64_t>(static_cast<uint8_t>(part[i])) << 8 * i;
    }
    return value;
  }
  std::string_view line() {
    const void* end = std::memchr(bytes_.data() + place_, '\n', bytes_.size() - place_);
    if (!end) refuse("a name at its byte {} has no end", place_);
    std::string_view text =
        take(static_cast<size_t>(static_cast<const uint8_t*>(end) - bytes_.data()) - place_);
    take(1);
    return text;
  }

  // The stack.
  void push(PickleValue* value) {
    if (stack_.size() >= limits_.stack) refuse("more than {} values wait", limits_.stack);
    stack_.push_back(value);
  }
  PickleValue* make(Kind kind) {
    if (pickle_.values_.size() >= limits_.values) {
      refuse("it has more values than the limit of {}", limits_.values);
    }
    PickleValue* value = &pickle_.values_.emplace_back();
    value->kind = kind;
    return value;
  }
  PickleValue* pushed(Kind kind) {
    PickleValue* value = make(kind);
    push(value);
    return value;
  }
  // Values above the last mark only: an opcode may not reach below it.
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  PickleValue* pop() {
    PickleValue* value = top();
    stack_.pop_back();
    return value;
  }
  PickleValue* top() {
    if (stack_.size() <= floor()) refuse("an opcode at its byte {} finds no value", place_ - 1);
    return stack_.back();
  }
  std::vector<const PickleValue*> pop_to_mark() {
    if (marks_.empty()) refuse("an opcode at its byte {} finds no mark", place_ - 1);
    std::vector<const PickleValue*> items(stack_.begin() + static_cast<long>(marks_.back()),
                                          stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return items;
  }
  PickleValue* top_as(Kind kind, const char* what) {
    if (!top()->is(kind)) refuse("an item is added to what is no {}, at byte {}", what, place_ - 1);
    return top();
  }

  void push_integer(int64_t value) { pushed(Kind::integer)->integer = value; }
  void push_long(size_t count) {
    std::string_view digits = take(count);
    if (count > 8) {
      pushed(Kind::bytes)->text = digits;
      return;
    }
    uint64_t value = count > 0 && (digits.back() & 0x80) ? ~uint64_t{0} : 0;
    for (size_t i = count; i-- > 0;) value = value << 8 | static_cast<uint8_t>(digits[i]);
    push_integer(static_cast<int64_t>(value));
  }
  void push_text(Kind kind, uint64_t count) {
    std::string_view text = take(count);
    pushed(kind)->text = text;
  }

  // Each of these runs an opcode if it is one of its kind.
  bool constant(uint8_t code) {
    switch (code) {
      case PROTO:
        byte();
        return true;
      case FRAME:
        take(8);
        return true;
      case NONE:
        pushed(Kind::none);
        return true;
      case NEWTRUE:
        pushed(Kind::boolean)->integer = 1;
        return true;
      case NEWFALSE:
        pushed(Kind::boolean);
        return true;
      case BININT:
        push_integer(static_cast<int32_t>(number(4)));
        return true;
      case BININT1:
        push_integer(byte());
        return true;
      case BININT2:
        push_integer(static_cast<int64_t>(number(2)));
        return true;
      case LONG1:
        push_long(byte());
        return true;
      case LONG4:
        push_long(number(4));
        return true;
      case BINFLOAT: {  // big endian, unlike the rest
        uint64_t bits = __builtin_bswap64(number(8));
        pushed(Kind::real)->real = std::bit_cast<double>(bits);
        return true;
      }
      case SHORT_BINUNICODE:
      case SHORT_BINSTRING:
        push_text(Kind::text, byte());
        return true;
      case BINUNICODE:
      case BINSTRING:
        push_text(Kind::text, number(4));
        return true;
      case BINUNICODE8:
        push_text(Kind::text, number(8));
        return true;
      case SHORT_BINBYTES:
        push_text(Kind::bytes, byte());
        return true;
      case BINBYTES:
        push_text(Kind::bytes, number(4));
        return true;
      case BINBYTES8:
        push_text(Kind::bytes, number(8));
        return true;
      default:
        return false;
    }
  }

  bool container(uint8_t code) {
    switch (code) {
      case MARK:
        if (marks_.size() >= limits_.stack) refuse("more than {} marks wait", limits_.stack);
        marks_.push_back(stack_.size());
        return true;
      case POP:
        stack_.size() > floor() ? (void)pop() : (void)pop_to_mark();
        return true;
      case POP_MARK:
        pop_to_mark();
        return true;
      case DUP:
        push(top());
        return true;
      case EMPTY_LIST:
        pushed(Kind::list);
        return true;
      case EMPTY_TUPLE:
        pushed(Kind::tuple);
        return true;
      case EMPTY_DICT:
        pushed(Kind::dict);
        return true;
      case TUPLE1:
        push_tuple(1);
        return true;
      case TUPLE2:
        push_tuple(2);
        return true;
      case TUPLE3:
        push_tuple(3);
        return true;
      case TUPLE:
        push_items(Kind::tuple, pop_to_mark());
        return true;
      case LIST:
        push_items(Kind::list, pop_to_mark());
        return true;
      case DICT: {
        auto items = pop_to_mark();
        pushed(Kind::dict);
        set_items(items);
        return true;
      }
      case APPEND: {
        const PickleValue* item = pop();
        add_items({item});
        return true;
      }
      case APPENDS:
        add_items(pop_to_mark());
        return true;
      case SETITEM: {
        const PickleValue* value = pop();
        const PickleValue* key = pop();
        set_items({key, value});
        return true;
      }
      case SETITEMS:
        set_items(pop_to_mark());
        return true;
      default:
        return false;
    }
  }
  void push_items(Kind kind, std::vector<const PickleValue*> items) {
    pushed(kind)->items = std::move(items);
  }
  void push_tuple(int count) {
    std::vector<const PickleValue*> items(static_cast<size_t>(count));
    for (size_t i = items.size(); i-- > 0;) items[i] = pop();
    push_items(Kind::tuple, std::move(items));
  }
  void add_items(const std::vector<const PickleValue*>& items) {
    auto& list = top_as(Kind::list, "list")->items;
    list.insert(list.end(), items.begin(), items.end());
  }
  void set_items(const std::vector<const PickleValue*>& items) {
    if (items.size() % 2 != 0) refuse("a key at byte {} has no value", place_ - 1);
    auto& dict = top_as(Kind::dict, "dict")->items;
    dict.insert(dict.end(), items.begin(), items.end());
  }

  bool memo(uint8_t code) {
    switch (code) {
      case BINPUT:
        remember(byte());
        return true;
      case LONG_BINPUT:
        remember(number(4));
        return true;
      case MEMOIZE:
        remember(memo_.size());
        return true;
      case BINGET:
        push(remembered(byte()));
        return true;
      case LONG_BINGET:
        push(remembered(number(4)));
        return true;
      default:
        return false;
    }
  }
  void remember(uint64_t index) {
    if (memo_.size() >= limits_.values)
      refuse("more than {} values are remembered", limits_.values);
    memo_[index] = top();
  }
  PickleValue* remembered(uint64_t index) {
    auto found = memo_.find(index);
    if (found == memo_.end()) refuse("nothing was remembered under {}", index);
    return found->second;
  }

  bool named(uint8_t code) {
    switch (code) {
      case GLOBAL: {
        std::string module(line());
        push_global(module + "." + std::string(line()));
        return true;
      }
      case STACK_GLOBAL: {
        const PickleValue* name = pop();
        const PickleValue* module = pop();
        if (!name->is(Kind::text) || !module->is(Kind::text)) refuse("a name is no text");
        push_global(module->text + "." + name->text);
        return true;
      }
      case REDUCE: {
        const PickleValue* arguments = pop();
        const PickleValue* function = pop();
        if (!function->is(Kind::global) || !arguments->is(Kind::tuple)) {
          refuse("a call at its byte {} is not of a function with arguments", place_ - 1);
        }
        PickleValue* value = pushed(is_dictionary(function->text) ? Kind::dict : Kind::call);
        value->text = function->text;
        if (value->is(Kind::call)) value->items = {arguments};
        return true;
      }
      // Attributes of an object: of a state dict, the versions of its modules.
      case BUILD:
        pop(), top();
        return true;
      case BINPERSID: {
        const PickleValue* id = pop();
        PickleValue* value = pushed(Kind::persistent);
        value->items = {id};
        return true;
      }
      default:
        return false;
    }
  }
  void push_global(const std::string& name) {
    if (!allowed_(name)) {
      refuse(
          "it names '{}', which is not among what a dictionary of tensors needs; nothing was run",
          printable(name));
    }
    pushed(Kind::global)->text = name;
  }

  Pickle& pickle_;
  std::span<const uint8_t> bytes_;
  const std::string& name_;
  const std::function<bool(std::string_view)>& allowed_;
  PickleLimits limits_;
  Caller at_;
  size_t place_ = 0;
  std::vector<PickleValue*> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint64_t, PickleValue*> memo_;
};

Pickle::Pickle(std::span<const uint8_t> bytes, const std::string& name,
               const std::function<bool(std::string_view)>& allowed, PickleLimits limits,
               Caller at) {
  root_ = Unpickler(*this, bytes, name, allowed, limits, at).run();
}

}  // namespace strata::io
