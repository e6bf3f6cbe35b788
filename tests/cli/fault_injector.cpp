// A library that is loaded in front of the C library (LD_PRELOAD) and makes one call to the system fail, as a full disk
// or a machine without a thread to spare would.
//
// A call site is a stack of return addresses in the program, whatever the call's arguments: a loop over one write is one
// site, two callers of write_file are two. Settings are environment variables, which the programs that the program
// starts no longer see:
//   LADDER_FAULT_LIST=FILE     one line for each site that is reached: "KIND SITE WHAT"
//   LADDER_FAULT_SITE=SITE     the first call from there fails
//   LADDER_FAULT_STAYS=1       and all later ones of its kind, wherever they stand
//   LADDER_FAULT_KIND=KIND     all calls of that kind fail
//   LADDER_FAULT_STANDARD=1    writes to the standard output count as well; those to the standard error never do
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <unwind.h>

#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace {

// ---- which call this is --------------------------------------------------------------------------------------

struct Range {
  std::uintptr_t base = 0, begin = 0, end = 0;
};

/// Where the program's own code lies: the first module that the loader lists.
int find_program(dl_phdr_info* module, std::size_t, void* out) {
  auto& range = *static_cast<Range*>(out);
  range.base = module->dlpi_addr;
  for (int i = 0; i < module->dlpi_phnum; ++i) {
    const auto& part = module->dlpi_phdr[i];
    if (part.p_type != PT_LOAD || (part.p_flags & PF_X) == 0) continue;
    range.begin = range.base + part.p_vaddr;
    range.end = range.begin + part.p_memsz;
  }
  return 1;
}

struct Walk {
  const Range* program;
  std::uint64_t hash;
  bool inside;
};

void mix(std::uint64_t& hash, std::uint64_t value) { hash = (hash ^ value) * 0x100000001b3U; }

_Unwind_Reason_Code add_frame(_Unwind_Context* context, void* out) {
  auto& walk = *static_cast<Walk*>(out);
  const std::uintptr_t address = _Unwind_GetIP(context);
  if (address < walk.program->begin || address >= walk.program->end) return _URC_NO_REASON;
  walk.inside = true;
  mix(walk.hash, address - walk.program->base);
  return _URC_NO_REASON;
}

// ---- what is to fail -----------------------------------------------------------------------------------------

constexpr int kMostSites = 4096;

/// Read once, before main() and before any thread.
struct Plan {
  Range program;
  int list = -1;
  std::uint64_t site = 0;
  char kind[32] = {};
  bool stays = false, standard = false;
};

Plan plan;
bool ready = false;
pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
bool failed = false;
int known = 0;
std::uint64_t sites[kMostSites];

/// Takes a variable out of the environment; null where it is not set.
const char* take(const char* name, char* text, std::size_t size) {
  const char* value = getenv(name);
  if (value == nullptr) return nullptr;
  std::snprintf(text, size, "%s", value);
  unsetenv(name);
  return text;
}

__attribute__((constructor)) void read_plan() {
  char text[4096];
  dl_iterate_phdr(find_program, &plan.program);
  if (take("LADDER_FAULT_LIST", text, sizeof text) != nullptr)
    plan.list = static_cast<int>(
        syscall(SYS_openat, AT_FDCWD, text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (take("LADDER_FAULT_SITE", text, sizeof text) != nullptr) plan.site = strtoull(text, nullptr, 16);
  take("LADDER_FAULT_KIND", plan.kind, sizeof plan.kind);
  plan.stays = take("LADDER_FAULT_STAYS", text, sizeof text) != nullptr;
  plan.standard = take("LADDER_FAULT_STANDARD", text, sizeof text) != nullptr;
  unsetenv("LD_PRELOAD");
  ready = true;
}

void list_site(const char* kind, std::uint64_t site, const char* what) {
  for (int i = 0; i < known; ++i)
    if (sites[i] == site) return;
  if (known < kMostSites) sites[known++] = site;
  char line[4200];
  const int size =
      std::snprintf(line, sizeof line, "%s %016llx %s\n", kind, static_cast<unsigned long long>(site), what);
  if (plan.list >= 0 && size > 0) syscall(SYS_write, plan.list, line, static_cast<std::size_t>(size));
}

/// Whether this call, from the stack above it, is to fail.
bool fails(const char* kind, const char* what) {
  if (!ready) return false;
  Walk walk{&plan.program, 0xcbf29ce484222325U, false};
  for (const char* c = kind; *c != '\0'; ++c) mix(walk.hash, static_cast<unsigned char>(*c));
  _Unwind_Backtrace(add_frame, &walk);
  if (!walk.inside) return false;  // the C library's own, such as the loader's
  pthread_mutex_lock(&mutex);
  list_site(kind, walk.hash, what);
  const bool first = !failed && walk.hash == plan.site;
  if (first) std::snprintf(plan.kind, sizeof plan.kind, "%s", plan.stays ? kind : "");
  failed = failed || first;
  const bool one = first || std::strcmp(plan.kind, kind) == 0;
  pthread_mutex_unlock(&mutex);
  return one;
}

template <class Result>
Result refuse(int error, Result result) {
  errno = error;
  return result;
}

template <class Function>
Function* real(Function*, const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

/// The file behind a descriptor.
const char* name_of(int descriptor, char* text, std::size_t size) {
  char link[64];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = readlink(link, text, size - 1);
  text[length < 0 ? 0 : length] = '\0';
  return text;
}

/// Of the standard output only where that is asked for.
bool fails_on(const char* kind, int descriptor) {
  char text[4096];
  if (descriptor <= STDERR_FILENO && (descriptor != STDOUT_FILENO || !plan.standard)) return false;
  return fails(kind, name_of(descriptor, text, sizeof text));
}

bool opening_fails(const char* path, int flags) {
  return fails((flags & O_ACCMODE) == O_RDONLY ? "open" : "create", path);
}

int opening_error(int flags) { return (flags & O_ACCMODE) == O_RDONLY ? EMFILE : ENOSPC; }

}  // namespace

// ---- the calls -----------------------------------------------------------------------------------------------

#define REAL(name) real(&(name), #name)

extern "C" {

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if (opening_fails(path, flags)) return refuse(opening_error(flags), -1);
  return REAL(open)(path, flags, mode);
}

int openat(int folder, const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if (opening_fails(path, flags)) return refuse(opening_error(flags), -1);
  return REAL(openat)(folder, path, flags, mode);
}

FILE* fopen(const char* path, const char* mode) {
  if (opening_fails(path, mode[0] == 'r' ? O_RDONLY : O_WRONLY))
    return refuse<FILE*>(mode[0] == 'r' ? EMFILE : ENOSPC, nullptr);
  return REAL(fopen)(path, mode);
}

FILE* fopen64(const char* path, const char* mode) {
  if (opening_fails(path, mode[0] == 'r' ? O_RDONLY : O_WRONLY))
    return refuse<FILE*>(mode[0] == 'r' ? EMFILE : ENOSPC, nullptr);
  return REAL(fopen64)(path, mode);
}

ssize_t write(int file, const void* bytes, size_t size) {
  return fails_on("write", file) ? refuse<ssize_t>(ENOSPC, -1) : REAL(write)(file, bytes, size);
}

ssize_t writev(int file, const iovec* parts, int count) {
  return fails_on("write", file) ? refuse<ssize_t>(ENOSPC, -1) : REAL(writev)(file, parts, count);
}

ssize_t read(int file, void* bytes, size_t size) {
  return fails_on("read", file) ? refuse<ssize_t>(EIO, -1) : REAL(read)(file, bytes, size);
}

int fsync(int file) { return fails_on("fsync", file) ? refuse(EIO, -1) : REAL(fsync)(file); }

int flock(int file, int operation) noexcept {
  return fails_on("flock", file) ? refuse(ENOLCK, -1) : REAL(flock)(file, operation);
}

int rename(const char* from, const char* to) noexcept {
  return fails("rename", to) ? refuse(EIO, -1) : REAL(rename)(from, to);
}

int mkdir(const char* path, mode_t mode) noexcept {
  return fails("mkdir", path) ? refuse(ENOSPC, -1) : REAL(mkdir)(path, mode);
}

char* mkdtemp(char* name) noexcept {
  return fails("mkdir", name) ? refuse<char*>(ENOSPC, nullptr) : REAL(mkdtemp)(name);
}

void* mmap(void* place, size_t size, int protection, int flags, int file, off_t offset) noexcept {
  if (file > STDERR_FILENO && fails_on("mmap", file)) return refuse(ENOMEM, MAP_FAILED);
  return REAL(mmap)(place, size, protection, flags, file, offset);
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*work)(void*),
                   void* argument) noexcept {
  return fails("thread", "one more") ? EAGAIN : REAL(pthread_create)(thread, attributes, work, argument);
}

FILE* popen(const char* command, const char* mode) {
  return fails("spawn", command) ? refuse<FILE*>(EAGAIN, nullptr) : REAL(popen)(command, mode);
}

int posix_spawnp(pid_t* process, const char* file, const posix_spawn_file_actions_t* actions,
                 const posix_spawnattr_t* attributes, char* const words[], char* const variables[]) {
  return fails("spawn", file) ? EAGAIN
                              : REAL(posix_spawnp)(process, file, actions, attributes, words, variables);
}

int pipe2(int ends[2], int flags) noexcept {
  return fails("socket", "a pipe") ? refuse(EMFILE, -1) : REAL(pipe2)(ends, flags);
}

int socketpair(int domain, int type, int protocol, int ends[2]) noexcept {
  return fails("socket", "two ends") ? refuse(EMFILE, -1) : REAL(socketpair)(domain, type, protocol, ends);
}

}  // extern "C"
