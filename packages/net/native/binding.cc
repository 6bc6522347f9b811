// The addon: the verbs of net.h as functions of JavaScript. The only file that knows Node-API.
//
// A verb is exported by one line of the table at the end. Its arguments are read by their C++
// types, and one of the wrong kind is -EINVAL, so that no verb has to know JavaScript and no junk
// reaches a system call. Reading is done in two steps, since an element of an array may be a
// getter: first everything that may run JavaScript, then the addresses, which JavaScript could take
// away.
#include <errno.h>
#include <node_api.h>
#include <string.h>

#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

#include "net.h"
#include "unix.h"

namespace pollux::net {
namespace {

// What an argument is while it is read; the second step makes `value` of it.
template <typename T>
struct Argument {
  napi_value handle = nullptr;
  T value{};
  bool Collect(napi_env) { return true; }
};

template <>
struct Argument<Chunks> {
  napi_value handle = nullptr;
  napi_value elements[kMaxChunks];
  Chunks value;  // not zeroed: 4 KiB, of which few are used

  bool Collect(napi_env env) {
    bool is_array = false;
    uint32_t length;
    if (napi_is_array(env, handle, &is_array) != napi_ok || !is_array) return false;
    if (napi_get_array_length(env, handle, &length) != napi_ok || length > kMaxChunks) return false;
    for (uint32_t i = 0; i < length; i++) {
      if (napi_get_element(env, handle, i, &elements[i]) == napi_ok) continue;
      napi_value thrown;
      napi_get_and_clear_last_exception(env, &thrown);
      return false;
    }
    value.size = length;
    return true;
  }
};

bool DecodeArray(napi_env env, napi_value handle, napi_typedarray_type wanted, void** data,
                 size_t* size) {
  bool is_array = false;
  if (napi_is_typedarray(env, handle, &is_array) != napi_ok || !is_array) return false;
  napi_typedarray_type type = napi_int8_array;  // some versions of Node leave it for a Float16Array
  if (napi_get_typedarray_info(env, handle, &type, size, data, nullptr, nullptr) != napi_ok) {
    return false;
  }
  if (*data == nullptr) *size = 0;  // empty, or transferred away
  return type == wanted;
}

bool Decode(napi_env env, napi_value handle, Bytes* out) {
  void* data = nullptr;
  if (!DecodeArray(env, handle, napi_uint8_array, &data, &out->size)) return false;
  out->data = static_cast<uint8_t*>(data);
  return true;
}

bool Decode(napi_env env, napi_value handle, Words* out) {
  void* data = nullptr;
  if (!DecodeArray(env, handle, napi_int32_array, &data, &out->size)) return false;
  out->data = static_cast<int32_t*>(data);
  return true;
}

bool Decode(napi_env env, napi_value handle, int* out) {
  // Not napi_get_value_int32: it would make some other number of what does not fit.
  double number;
  if (napi_get_value_double(env, handle, &number) != napi_ok) return false;
  if (!(number >= INT32_MIN && number <= INT32_MAX)) return false;
  *out = static_cast<int>(number);
  return *out == number;
}

bool Decode(napi_env env, napi_value handle, Text* out) {
  size_t length = 0;
  // Asked first, since the copy is cut short without a word.
  if (napi_get_value_string_utf8(env, handle, nullptr, 0, &length) != napi_ok) return false;
  if (length >= sizeof out->data) return false;
  if (napi_get_value_string_utf8(env, handle, out->data, sizeof out->data, &length) != napi_ok) {
    return false;
  }
  return strlen(out->data) == length;
}

template <typename T>
bool Finish(napi_env env, Argument<T>* argument) {
  return Decode(env, argument->handle, &argument->value);
}

bool Finish(napi_env env, Argument<Chunks>* argument) {
  for (size_t i = 0; i < argument->value.size; i++) {
    if (!Decode(env, argument->elements[i], &argument->value.items[i])) return false;
  }
  return true;
}

template <auto Function>
struct Verb;

template <typename... Arguments, int (*Function)(OwnedFds*, Arguments...)>
struct Verb<Function> {
  static napi_value Call(napi_env env, napi_callback_info info) {
    size_t count = sizeof...(Arguments);
    napi_value handles[sizeof...(Arguments)];  // what was not passed is undefined
    void* owned = nullptr;
    napi_value result = nullptr;
    if (napi_get_cb_info(env, info, &count, handles, nullptr, &owned) != napi_ok) return nullptr;
    const int value = Invoke(env, handles, static_cast<OwnedFds*>(owned),
                             std::index_sequence_for<Arguments...>());
    napi_create_int32(env, value, &result);
    return result;
  }

 private:
  template <size_t... I>
  static int Invoke(napi_env env, napi_value* handles, OwnedFds* owned, std::index_sequence<I...>) {
    std::tuple<Argument<std::remove_cvref_t<Arguments>>...> arguments;
    ((std::get<I>(arguments).handle = handles[I]), ...);
    if (!(std::get<I>(arguments).Collect(env) && ...)) return -EINVAL;
    if (!(Finish(env, &std::get<I>(arguments)) && ...)) return -EINVAL;
    return Function(owned, std::get<I>(arguments).value...);
  }
};

struct Export {
  const char* name;
  napi_callback call;
};

constexpr Export kExports[] = {
    {"encodeAddress", Verb<EncodeAddress>::Call},
    {"formatAddress", Verb<FormatAddress>::Call},
    {"open", Verb<Open>::Call},
    {"bind", Verb<Bind>::Call},
    {"listen", Verb<Listen>::Call},
    {"connect", Verb<Connect>::Call},
    {"takeError", Verb<TakeError>::Call},
    {"shutdownWrite", Verb<ShutdownWrite>::Call},
    {"close", Verb<Close>::Call},
    {"localAddress", Verb<LocalAddress>::Call},
    {"peerAddress", Verb<PeerAddress>::Call},
    {"setOption", Verb<SetOption>::Call},
    {"getOption", Verb<GetOption>::Call},
    {"resetOnClose", Verb<ResetOnClose>::Call},
    {"adoptListener", Verb<AdoptListener>::Call},
    {"adoptStream", Verb<AdoptStream>::Call},
    {"stopInput", Verb<StopInput>::Call},
    {"receive", Verb<Receive>::Call},
    {"send", Verb<Send>::Call},
    {"accept", Verb<Accept>::Call},
    {"read", Verb<Read>::Call},
    {"write", Verb<Write>::Call},
    {"encodePath", Verb<EncodePath>::Call},
    {"decodePath", Verb<DecodePath>::Call},
    {"unixPair", Verb<UnixPair>::Call},
    {"adoptUnix", Verb<AdoptUnix>::Call},
    {"stopListening", Verb<StopListening>::Call},
    {"peerCredentials", Verb<PeerCredentials>::Call},
    {"duplicateFds", Verb<DuplicateFds>::Call},
    {"releaseFd", Verb<ReleaseFd>::Call},
    {"sendFds", Verb<SendFds>::Call},
    {"readFds", Verb<ReadFds>::Call},
    {"receiveFds", Verb<ReceiveFds>::Call},
    {"adoptUdp", Verb<AdoptUdp>::Call},
    {"disconnect", Verb<Disconnect>::Call},
    {"interfaceIndex", Verb<InterfaceIndex>::Call},
    {"membership", Verb<Membership>::Call},
    {"multicastInterface", Verb<MulticastInterface>::Call},
};

// The environment ends; its functions are called no more.
void CloseAll(void* owned) { static_cast<OwnedFds*>(owned)->CloseAll(); }

void Free(napi_env, void* owned, void*) { delete static_cast<OwnedFds*>(owned); }

napi_value Init(napi_env env, napi_value exports) {
  auto* owned = new (std::nothrow) OwnedFds();
  if (owned == nullptr) return nullptr;
  if (napi_set_instance_data(env, owned, Free, nullptr) != napi_ok ||
      napi_add_env_cleanup_hook(env, CloseAll, owned) != napi_ok) {
    return nullptr;
  }
  for (const Export& entry : kExports) {
    napi_value function;
    if (napi_create_function(env, entry.name, NAPI_AUTO_LENGTH, entry.call, owned, &function) !=
            napi_ok ||
        napi_set_named_property(env, exports, entry.name, function) != napi_ok) {
      return nullptr;
    }
  }
  return exports;
}

}  // namespace
}  // namespace pollux::net

NAPI_MODULE(NODE_GYP_MODULE_NAME, pollux::net::Init)
