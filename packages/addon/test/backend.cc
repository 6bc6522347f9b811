// The backend under test, compiled in here (POLLUX_BACKEND_FILE) rather than linked, so that the
// harness can reach one private thing: the generations of its table. To live through the 2^31
// changes of a long-lived server would take too long.
#include "harness.h"
#include "pollux/registrations.h"

#undef POLLUX_BACKEND
#define POLLUX_BACKEND(Class)                                   \
  namespace pollux {                                            \
  using BackendUnderTest = Class;                               \
  Backend* CreateBackend() { return new (std::nothrow) Class; } \
  }

#include POLLUX_BACKEND_FILE

namespace pollux {
namespace {

// An explicit instantiation may name what is private.
template <auto Member>
struct RevealTable {
  friend Registrations& TableOf(BackendUnderTest& backend) { return backend.*Member; }
};
template <auto Member>
struct RevealGeneration {
  friend auto& GenerationOf(Registrations& table) { return table.*Member; }
};
Registrations& TableOf(BackendUnderTest& backend);
auto& GenerationOf(Registrations& table);
template struct RevealTable<&BackendUnderTest::table_>;
template struct RevealGeneration<&Registrations::generation_>;

}  // namespace

void harness::AgeGenerations(Backend* backend, uint32_t by) {
  GenerationOf(TableOf(static_cast<BackendUnderTest&>(*backend))) += by;
}

}  // namespace pollux
