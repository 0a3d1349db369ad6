// Pickles (https://docs.python.org/3/library/pickletools.html, protocols 2 to 5) read as data.
//
// A pickle is a program for a stack machine, which may name any function of Python and call it.
// Here nothing is called: a call becomes a value that says which function and what arguments, for
// the reader to understand or to refuse. A name that the reader's list does not have is refused
// where it occurs, and so are opcodes that a dictionary of tensors does not need.
//
// Nested values are not copied: a list may be in many places, or inside itself. Who walks the tree
// must limit its depth and its steps.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/error.h"

namespace strata::io {

struct PickleValue {
  enum class Kind {
    none,
    boolean,     // integer is 0 or 1
    integer,     // integer
    real,        // real
    text,        // text, UTF-8
    bytes,       // text; also integers beyond 64 bits, as they are in the file
    list,        // items
    tuple,       // items
    dict,        // items: key, value, key, value, ...; in the order of the file
    global,      // text: "torch.FloatStorage"
    call,        // text: the function's name; items: one, the tuple of arguments
    persistent,  // items: one, which stands for an object outside the pickle
  };
  Kind kind = Kind::none;
  int64_t integer = 0;
  double real = 0;
  std::string text;
  std::vector<const PickleValue*> items;

  bool is(Kind other) const { return kind == other; }
  // The value under a key of text; null when this is no dict or has no such key.
  const PickleValue* find(std::string_view key) const;
};

struct PickleLimits {
  size_t bytes = 16 << 20;  // of the pickle
  size_t values = 1 << 20;  // values made, and values remembered
  size_t stack = 1 << 20;   // values waiting
};

class Pickle {
 public:
  // `name` is for messages. `allowed` is asked for each "module.name" that occurs. Classes of
  // dictionaries (collections.OrderedDict, defaultdict) come out as dicts when allowed.
  Pickle(std::span<const uint8_t> bytes, const std::string& name,
         const std::function<bool(std::string_view)>& allowed, PickleLimits limits = {},
         Caller at = Caller::here());

  const PickleValue& root() const { return *root_; }

 private:
  friend class Unpickler;
  std::deque<PickleValue> values_;  // owns every value: cycles need no care
  const PickleValue* root_ = nullptr;
};

}  // namespace strata::io
