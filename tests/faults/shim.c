/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded into the command, lets the n-th call of one kind fail: RMIL_FAULT="write:ENOSPC:17"; with 0 nothing fails. At the end the
 * number of calls goes to the file RMIL_FAULT_COUNT, where that is given. "from" in front of the number: all calls from it on, as on a
 * disk that stays full. KILL ends the process there. Programs that the command starts are left alone. */
#undef _FILE_OFFSET_BITS /* which would give open, fopen … the names of open64, fopen64 … */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *memory, size_t size);

typedef enum { NONE, ALLOCATE, WRITE, READ, OPEN, SYNC, RENAME } Kind;
static const char *const kinds[] = {"none", "allocate", "write", "read", "open", "sync", "rename"};
static const struct {
    const char *name;
    int code;
} codes[] = {{"ENOMEM", ENOMEM}, {"ENOSPC", ENOSPC}, {"EIO", EIO}, {"EINTR", EINTR},
             {"EMFILE", EMFILE}, {"EDQUOT", EDQUOT}, {"SHORT", 0}, {"KILL", -1}};

static Kind kind;
static int code, from;
static long wanted;
static atomic_long calls;
static const char *count_path;

/* Is this call the one? */
static int fails(Kind which) {
    if (which != kind) return 0;
    const long n = atomic_fetch_add(&calls, 1) + 1;
    const int one = wanted && (from ? n >= wanted : n == wanted);
    if (one && code == -1) kill(getpid(), SIGKILL);
    return one;
}

/* -- whose calls --------------------------------------------------------------------------------------------------------------------- */
/* Memory fails where the command, the library or GLib ask for it: of others, HDF5 dies when it gets none while it starts. */
static struct { uintptr_t from, to; } ours[32];
static int ranges;

static int note_range(struct dl_phdr_info *info, size_t size, void *unused) {
    if (*info->dlpi_name && !strstr(info->dlpi_name, "librankmil") && !strstr(info->dlpi_name, "libglib-2.0")) return 0;
    for (int i = 0; i < info->dlpi_phnum && ranges < (int)(sizeof ours / sizeof *ours); i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X)) continue;
        ours[ranges].from = info->dlpi_addr + part->p_vaddr;
        ours[ranges].to = ours[ranges].from + part->p_memsz;
        ranges++;
    }
    return 0;
}

static int is_ours(const void *caller) {
    for (int i = 0; i < ranges; i++)
        if ((uintptr_t)caller >= ours[i].from && (uintptr_t)caller < ours[i].to) return 1;
    return 0;
}

static int is_command(void) {
    char path[4096];
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n < 8) return 0;
    path[n] = '\0';
    return strcmp(path + n - 8, "/rankmil") == 0;
}

__attribute__((constructor)) static void begin(void) {
    char name[16] = "", reason[16] = "", number[24] = "";
    const char *fault = getenv("RMIL_FAULT");
    if (!fault || !is_command() || sscanf(fault, "%15[^:]:%15[^:]:%23s", name, reason, number) != 3) return;
    from = strncmp(number, "from", 4) == 0;
    wanted = atol(number + 4 * from);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (strcmp(codes[i].name, reason) == 0) code = codes[i].code;
    count_path = getenv("RMIL_FAULT_COUNT");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i], name) == 0) kind = (Kind)i;
    dl_iterate_phdr(note_range, NULL);
}

__attribute__((destructor)) static void end(void) {
    if (!count_path || !kind) return;
    char text[32];
    const int length = snprintf(text, sizeof text, "%ld", atomic_load(&calls));
    kind = NONE;
    const int file = open(count_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0) return;
    if (write(file, text, (size_t)length) != length) unlink(count_path);
    close(file);
}

#define REAL(function)                                                                                                                     \
    static __typeof__(&function) real;                                                                                                     \
    if (!real) real = (__typeof__(real))dlsym(RTLD_NEXT, #function)

/* -- memory ----------------------------------------------------------------------------------------------------------------------- */
static int no_memory(const void *caller) {
    if (kind != ALLOCATE || !is_ours(caller) || !fails(ALLOCATE)) return 0;
    errno = ENOMEM;
    return 1;
}
void *malloc(size_t size) { return no_memory(__builtin_return_address(0)) ? NULL : __libc_malloc(size); }
void *calloc(size_t n, size_t size) { return no_memory(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size); }
void *realloc(void *memory, size_t size) { return no_memory(__builtin_return_address(0)) ? NULL : __libc_realloc(memory, size); }

/* -- files ------------------------------------------------------------------------------------------------------------------------ */
/* Of standard streams nothing fails: what the command says is looked at. */
static int is_file(int file) {
    struct stat info;
    return file > 2 && fstat(file, &info) == 0 && S_ISREG(info.st_mode);
}

/* 0: go on with n bytes; −1: failed. */
static ssize_t check(int file, Kind which, size_t *n) {
    if (!is_file(file) || !fails(which)) return 0;
    if (!code) {
        *n = *n > 1 ? *n / 2 : *n;
        return 0;
    }
    errno = code;
    return -1;
}

ssize_t write(int file, const void *bytes, size_t n) {
    REAL(write);
    return check(file, WRITE, &n) ? -1 : real(file, bytes, n);
}
ssize_t pwrite(int file, const void *bytes, size_t n, off_t at) {
    REAL(pwrite);
    return check(file, WRITE, &n) ? -1 : real(file, bytes, n, at);
}
ssize_t pwrite64(int file, const void *bytes, size_t n, off_t at) { return pwrite(file, bytes, n, at); }
ssize_t read(int file, void *bytes, size_t n) {
    REAL(read);
    return check(file, READ, &n) ? -1 : real(file, bytes, n);
}
ssize_t pread(int file, void *bytes, size_t n, off_t at) {
    REAL(pread);
    return check(file, READ, &n) ? -1 : real(file, bytes, n, at);
}
ssize_t pread64(int file, void *bytes, size_t n, off_t at) { return pread(file, bytes, n, at); }

static int open_fails(const char *path) {
    struct stat info;
    if (strncmp(path, "/proc", 5) == 0 || strncmp(path, "/sys", 4) == 0 || strncmp(path, "/dev", 4) == 0) return 0;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) return 0;
    if (!fails(OPEN)) return 0;
    errno = code;
    return 1;
}
#define MODE(flags)                                                                                                                        \
    va_list arguments;                                                                                                                     \
    va_start(arguments, flags);                                                                                                            \
    const mode_t mode = (flags) & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;                                                   \
    va_end(arguments)
int open(const char *path, int flags, ...) {
    REAL(open);
    MODE(flags);
    return open_fails(path) ? -1 : real(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    REAL(open64);
    MODE(flags);
    return open_fails(path) ? -1 : real(path, flags, mode);
}
FILE *fopen(const char *path, const char *mode) {
    REAL(fopen);
    return open_fails(path) ? NULL : real(path, mode);
}
FILE *fopen64(const char *path, const char *mode) {
    REAL(fopen64);
    return open_fails(path) ? NULL : real(path, mode);
}

static int sync_fails(int file) {
    size_t n = 2;
    return (int)check(file, SYNC, &n);
}
int fsync(int file) {
    REAL(fsync);
    return sync_fails(file) ? -1 : real(file);
}
int fdatasync(int file) {
    REAL(fdatasync);
    return sync_fails(file) ? -1 : real(file);
}
int rename(const char *from_path, const char *to_path) {
    REAL(rename);
    if (!fails(RENAME)) return real(from_path, to_path);
    errno = code;
    return -1;
}
