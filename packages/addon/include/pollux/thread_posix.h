// pthreads(7) under the three names that thread.h promises.
#pragma once

#include <pthread.h>
#include <signal.h>

namespace pollux {

// Constant-initialised, so that a global one needs no constructor to run.
class Mutex {
 public:
  constexpr Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;
  void Acquire() { pthread_mutex_lock(&mutex_); }
  void Release() { pthread_mutex_unlock(&mutex_); }

 private:
  friend class Condition;
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
};

class Condition {
 public:
  constexpr Condition() = default;
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;
  void Wait(Mutex& mutex) { pthread_cond_wait(&condition_, &mutex.mutex_); }
  void Signal() { pthread_cond_signal(&condition_); }

 private:
  pthread_cond_t condition_ = PTHREAD_COND_INITIALIZER;
};

class Thread {
 public:
  // 0 or a negative errno. Every signal is blocked in the new thread: Node's
  // handlers run on Node's threads, and Block is not interrupted for nothing.
  int Start(void* (*entry)(void*), void* argument) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int error = pthread_create(&thread_, nullptr, entry, argument);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return -error;
  }
  void Join() { pthread_join(thread_, nullptr); }

 private:
  pthread_t thread_{};
};

}  // namespace pollux
