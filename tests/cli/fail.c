/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded into the command: what the system refuses now and then. RMIL_FAIL=malloc:N:SIZE: the N-th allocation of SIZE bytes or more
 * fails; RMIL_FAIL=thread:N: from the N-th on no thread can be made. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN __attribute__((visibility("default")))

static char kind[16];
static long nth, least;
static int counter;

__attribute__((constructor)) static void begin(void) {
    const char *text = getenv("RMIL_FAIL");
    if (text) sscanf(text, "%15[a-z]:%ld:%ld", kind, &nth, &least);
}

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);

static int refused(size_t size) {
    if (kind[0] != 'm' || (long)size < least || __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED) != nth) return 0;
    errno = ENOMEM;
    return 1;
}

SHOWN void *malloc(size_t size) { return refused(size) ? NULL : __libc_malloc(size); }
SHOWN void *calloc(size_t n, size_t size) { return refused(n * size) ? NULL : __libc_calloc(n, size); }
SHOWN void *realloc(void *old, size_t size) { return refused(size) ? NULL : __libc_realloc(old, size); }
SHOWN void *aligned_alloc(size_t at, size_t size) { return refused(size) ? NULL : __libc_memalign(at, size); }
SHOWN int posix_memalign(void **memory, size_t at, size_t size) {
    if (refused(size)) return ENOMEM;
    *memory = __libc_memalign(at, size);
    return *memory ? 0 : ENOMEM;
}

SHOWN int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument) {
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (!real) *(void **)(&real) = dlsym(RTLD_NEXT, "pthread_create");
    if (kind[0] == 't' && __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED) >= nth) return EAGAIN;
    return real(thread, attributes, start, argument);
}
