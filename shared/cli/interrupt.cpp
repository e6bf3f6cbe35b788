#include "shared/cli/interrupt.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace ladder::cli {
namespace {

volatile std::sig_atomic_t caught_signal = 0;

void remember(int signal) { caught_signal = signal; }

void install(void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  // RESETHAND: a second Ctrl-C does not wait for a slow step. RESTART: a write in progress is not cut short.
  action.sa_flags = handler == SIG_DFL ? 0 : static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

InterruptGuard::InterruptGuard() {
  caught_signal = 0;
  install(remember);
}

InterruptGuard::~InterruptGuard() { install(SIG_DFL); }

bool InterruptGuard::requested() const { return caught_signal != 0; }

void InterruptGuard::end_by_signal() const {
  std::fflush(nullptr);
  install(SIG_DFL);
  std::raise(caught_signal);
  std::_Exit(128 + caught_signal);  // only if the signal is blocked
}

}  // namespace ladder::cli
