// Runs the C++ side of Pollux without Node, for the sanitizers and valgrind to watch.
//
//   harness                 every theme, each in a process of its own
//   harness --list          their names
//   harness theme...        these only
//   harness --here theme    in this process, for a debugger
//
// It is linked with engine.cc, wait_thread.cc, wakers.cc and one backend; see run-harness.sh. The
// environment: POLLUX_HARNESS_SEED repeats a run, POLLUX_HARNESS_PERCENT shortens the loops,
// POLLUX_HARNESS_WATCHDOG is how many seconds one theme may take.
#include "harness.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

namespace pollux::harness {
namespace {

Theme* first = nullptr;
Theme** last = &first;
const char* running = "";
constexpr int kSkipped = 77;

int FromEnvironment(const char* name, int otherwise) {
  const char* value = getenv(name);
  return value == nullptr || *value == 0 ? otherwise : atoi(value);
}

// A lost wake-up ends here instead of hanging.
void Watchdog(int) {
  const char* parts[] = {"watchdog: theme ", running, " does not end\n"};
  for (const char* part : parts) {
    if (write(STDERR_FILENO, part, strlen(part)) < 0) break;
  }
  _exit(3);
}

void Run(const Theme& theme) {
  running = theme.name;
  signal(SIGALRM, &Watchdog);
  alarm(static_cast<unsigned>(FromEnvironment("POLLUX_HARNESS_WATCHDOG", 60)));
  theme.run();
  alarm(0);
}

// How the theme's process ended: 0, or what to say.
const char* Outcome(int status, char* text, size_t size) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return nullptr;
  if (WIFEXITED(status)) {
    snprintf(text, size, "exit code %d", WEXITSTATUS(status));
  } else {
    snprintf(text, size, "signal %d", WTERMSIG(status));
  }
  return text;
}

const Theme* Find(const char* name) {
  for (const Theme* theme = first; theme != nullptr; theme = theme->next) {
    if (strcmp(theme->name, name) == 0) return theme;
  }
  fprintf(stderr, "no theme %s\n", name);
  exit(1);
}

int RunEach(const std::vector<const Theme*>& themes) {
  int good = 0, skipped = 0, bad = 0;
  const uint64_t began = MonotonicNs();
  for (const Theme* theme : themes) {
    const uint64_t theme_began = MonotonicNs();
    fflush(stdout);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      Run(*theme);
      exit(0);  // with the leak check that hangs on it
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    char text[32];
    const char* trouble = Outcome(status, text, sizeof text);
    if (WIFEXITED(status) && WEXITSTATUS(status) == kSkipped) {
      skipped++;
      trouble = "skipped";
    } else {
      (trouble == nullptr ? good : bad)++;
    }
    printf("%5d ms  %s  %s\n", static_cast<int>((MonotonicNs() - theme_began) / kMs), theme->name,
           trouble == nullptr ? "ok" : trouble);
  }
  printf("%d themes ok, %d skipped, %d failed, %d ms\n", good, skipped, bad,
         static_cast<int>((MonotonicNs() - began) / kMs));
  return bad == 0 ? 0 : 1;
}

}  // namespace

Theme::Theme(const char* its_name, void (*its_run)()) : name(its_name), run(its_run) {
  *last = this;
  last = &next;
}

void Fail(const char* file, int line, const char* what) {
  fprintf(stderr, "%s:%d: theme %s: failed: %s (errno %d)\n", file, line, running, what, errno);
  fflush(stdout);
  _exit(1);
}

void CheckEqual(const char* file, int line, const char* what, int64_t actual, int64_t expected) {
  if (actual == expected) return;
  char text[256];
  snprintf(text, sizeof text, "%s: %lld, not %lld", what, static_cast<long long>(actual),
           static_cast<long long>(expected));
  Fail(file, line, text);
}

void Skip(const char* why) {
  printf("theme %s: skipped: %s\n", running, why);
  fflush(stdout);
  _exit(kSkipped);
}

int Scaled(int times) {
  static const int percent = FromEnvironment("POLLUX_HARNESS_PERCENT", 100);
  const int scaled = static_cast<int>(static_cast<int64_t>(times) * percent / 100);
  return scaled < 2 ? 2 : scaled;
}

uint64_t Seed() {
  static const uint64_t seed = [] {
    const char* value = getenv("POLLUX_HARNESS_SEED");
    return value == nullptr || *value == 0 ? MonotonicNs() : strtoull(value, nullptr, 10);
  }();
  return seed;
}

}  // namespace pollux::harness

int main(int count, char** arguments) {
  using namespace pollux::harness;
  signal(SIGPIPE, SIG_IGN);
  if (count == 2 && strcmp(arguments[1], "--list") == 0) {
    for (const Theme* theme = first; theme != nullptr; theme = theme->next) puts(theme->name);
    return 0;
  }
  printf("seed %llu\n", static_cast<unsigned long long>(Seed()));
  if (count == 3 && strcmp(arguments[1], "--here") == 0) {
    Run(*Find(arguments[2]));
    return 0;
  }
  std::vector<const Theme*> themes;
  for (int i = 1; i < count; i++) themes.push_back(Find(arguments[i]));
  if (count == 1) {
    for (const Theme* theme = first; theme != nullptr; theme = theme->next) themes.push_back(theme);
  }
  return RunEach(themes);
}
