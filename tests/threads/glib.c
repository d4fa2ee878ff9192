/* SPDX-License-Identifier: Apache-2.0 */
/* What GLib's locks order, said to ThreadSanitizer. A GLib that was not built with it locks by futexes and atomics of its own, which the
 * sanitizer does not see: everything that a GMutex guards would be a race. In builds with -Db_sanitize=thread the linker (--wrap, meson.build
 * here) puts these functions in the place of GLib's, for our own calls alone. */
#include <glib.h>

void __tsan_acquire(void *address);
void __tsan_release(void *address);

#define WRAPPED(type, name, arguments)                                                                                                     \
    type __real_##name arguments;                                                                                                          \
    __attribute__((visibility("default"))) type __wrap_##name arguments;                                                                   \
    type __wrap_##name arguments

/* -- locks ---------------------------------------------------------------------------------------------------------------------------- */
#define LOCK(name, type)                                                                                                                   \
    WRAPPED(void, name, (type * lock)) {                                                                                                   \
        __real_##name(lock);                                                                                                               \
        __tsan_acquire(lock);                                                                                                              \
    }
#define UNLOCK(name, type)                                                                                                                 \
    WRAPPED(void, name, (type * lock)) {                                                                                                   \
        __tsan_release(lock);                                                                                                              \
        __real_##name(lock);                                                                                                               \
    }
LOCK(g_mutex_lock, GMutex)
UNLOCK(g_mutex_unlock, GMutex)
LOCK(g_rec_mutex_lock, GRecMutex)
UNLOCK(g_rec_mutex_unlock, GRecMutex)

WRAPPED(void, g_cond_wait, (GCond * cond, GMutex *mutex)) {
    __tsan_release(mutex);
    __real_g_cond_wait(cond, mutex);
    __tsan_acquire(mutex);
}

/* -- once ------------------------------------------------------------------------------------------------------------------------------- */
WRAPPED(gboolean, g_once_init_enter, (volatile void *location)) {
    const gboolean first = __real_g_once_init_enter(location);
    __tsan_acquire((void *)location);
    return first;
}

WRAPPED(void, g_once_init_leave, (volatile void *location, gsize result)) {
    __tsan_release((void *)location);
    __real_g_once_init_leave(location, result);
}

typedef struct {
    GThreadFunc function;
    gpointer user;
    GOnce *once;
} Once;

static gpointer call_once(gpointer user) {
    const Once *call = user;
    gpointer result = call->function(call->user);
    __tsan_release(call->once);
    return result;
}

WRAPPED(gpointer, g_once_impl, (GOnce * once, GThreadFunc function, gpointer user)) {
    Once call = {function, user, once};
    gpointer result = __real_g_once_impl(once, call_once, &call);
    __tsan_acquire(once);
    return result;
}

/* -- what is handed to another thread --------------------------------------------------------------------------------------------------- */
WRAPPED(gboolean, g_thread_pool_push, (GThreadPool * pool, gpointer data, GError **error)) {
    __tsan_release(data);
    return __real_g_thread_pool_push(pool, data, error);
}

typedef struct {
    GFunc function;
    gpointer user;
} Pool;

static void call_pooled(gpointer data, gpointer user) {
    const Pool *pool = user;
    __tsan_acquire(data);
    pool->function(data, pool->user);
}

WRAPPED(GThreadPool *, g_thread_pool_new, (GFunc function, gpointer user, gint threads, gboolean exclusive, GError **error)) {
    Pool *pool = g_new(Pool, 1); /* for the life of the process */
    *pool = (Pool){function, user};
    return __real_g_thread_pool_new(call_pooled, pool, threads, exclusive, error);
}

typedef struct {
    GSourceFunc function;
    gpointer user;
    GDestroyNotify forget;
} Source;

static gboolean call_source(gpointer user) {
    const Source *source = user;
    __tsan_acquire(user);
    return source->function(source->user);
}

static void forget_source(gpointer user) {
    const Source *source = user;
    __tsan_acquire(user);
    if (source->forget) source->forget(source->user);
    g_free(user);
}

WRAPPED(void, g_source_set_callback, (GSource * source, GSourceFunc function, gpointer user, GDestroyNotify forget)) {
    Source *call = g_new(Source, 1);
    *call = (Source){function, user, forget};
    __tsan_release(call);
    __real_g_source_set_callback(source, call_source, call, forget_source);
}

/* -- counted references ------------------------------------------------------------------------------------------------------------------- */
static __thread GDestroyNotify clear_box;

static void call_clear(gpointer box) {
    __tsan_acquire(box);
    clear_box(box);
}

WRAPPED(void, g_atomic_rc_box_release_full, (gpointer box, GDestroyNotify clear)) {
    __tsan_release(box);
    clear_box = clear;
    __real_g_atomic_rc_box_release_full(box, call_clear);
}
